"""Every registered model passes the kit, and the kit catches what is wrong."""

import contextlib
import dataclasses
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from dummies import Blur, Fours, Luma, Nearest, Streaming, card

import srkit
from srkit import testing

# Real-ESRGAN x4plus sees 349 pixels far, and an image of several times that takes minutes. The
# network of realesrgan-anime is the same, of fewer blocks.
WIDE, QUICK = "realesrgan", (testing.check_card, testing.check_run, testing.check_arrays)
# In sums of so many layers kernels that are picked by shape differ by up to 1.1e-5 and 1.4e-5.
DEEP = ("realesrgan-anime", "realesrgan")


@testing.parametrize(testing.CHECKS)
def test_every_registered_model_conforms(check, factory, monkeypatch):
    name = factory.args[0]
    if name == WIDE and check not in QUICK:
        pytest.skip("it sees so far that this takes minutes")
    if name in DEEP:
        monkeypatch.setattr("srkit.testing.harness.TOLERANCE", 2e-5)
    check(factory)


def test_the_parametrisation_covers_every_registered_model():
    labels = {label.rsplit("-", 1)[0] for label, _, _ in testing.registered()}
    assert labels == set(srkit.list_models())


@pytest.mark.parametrize("dummy", [Nearest, Blur, Luma, Fours, Streaming])
def test_models_of_every_make_conform(dummy):
    # A blur that takes zeros for the borders is no constant there.
    testing.check_upscaler(dummy, trained=dummy is not Blur)


def test_a_model_that_pads_with_zeros_conforms():
    class Zero(Blur):
        card = card(radius=2, border="zero")

    testing.check_upscaler(Zero)


def test_a_model_with_a_rim_of_its_own_conforms():
    class Narrow(Blur):
        rim = 1

    testing.check_upscaler(Narrow, trained=False)


def card_of(name):
    """A built-in card for a network of another size, which sees less far or farther."""
    return dataclasses.replace(srkit.card(name), radius=None)


@pytest.mark.parametrize(
    "check",
    [check for check in testing.CHECKS if check not in testing.TRAINED_ONLY],
    ids=lambda check: check.__name__,
)
def test_srresnet_of_random_weights_conforms(check):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from srkit.adapters.pytorch.architectures.loading import load_network
    from srkit.adapters.pytorch.nets.srresnet import SRResNet

    torch.manual_seed(0)
    weights = SRResNet(4, channels=8, blocks=2).state_dict()
    check(lambda: load_network(card_of("srresnet"), 4, weights))


@pytest.mark.parametrize(
    "check",
    [check for check in testing.CHECKS if check not in testing.TRAINED_ONLY],
    ids=lambda check: check.__name__,
)
def test_a_unet_of_random_weights_conforms(check):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from srkit.adapters.pytorch.architectures.loading import load_network
    from srkit.adapters.pytorch.nets.resnet import Form
    from srkit.adapters.pytorch.nets.unet import UNet

    torch.manual_seed(0)
    weights = UNet(2, Form((8, 12), (1, 1))).state_dict()

    def factory():
        upscaler = load_network(card_of("srresnet"), 2, weights)
        # Less than what it sees.
        upscaler.short_halo = upscaler.radius * 2 // 3
        return upscaler

    check(factory)


@pytest.mark.parametrize(
    "check",
    [check for check in testing.CHECKS if check not in testing.TRAINED_ONLY],
    ids=lambda check: check.__name__,
)
def test_a_network_on_windows_of_random_weights_conforms(check):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from srkit.adapters.pytorch.architectures.loading import load_network
    from srkit.adapters.pytorch.nets.avsr import AVSR, Size

    torch.manual_seed(0)
    weights = AVSR(4, window=3, size=Size(8, 4, 1, 1)).state_dict()
    check(lambda: load_network(card_of("espcn"), 4, weights))


# --- the kit itself: what is wrong is caught, by the check that is for it -----------------


class NoSummary(Nearest):
    card = card(summary=" ")


class OtherScale(Nearest):
    card = card(scales=(3,), default_scale=3)


class TwoRadii(Blur):
    radius = 3


class TooLarge(Nearest):
    def run(self, tiles):
        return super().run(super().run(tiles))


class Double(Nearest):
    def run(self, tiles):
        return super().run(tiles).astype(np.float64)


class Writes(Nearest):
    def run(self, tiles):
        tiles /= 2
        return super().run(tiles)


class Short(Blur):
    card = card(radius=1)


class Blind(Nearest):
    def run(self, tiles):
        return np.full_like(super().run(tiles), 0.5)


class Brightens(Nearest):
    def run(self, tiles):
        return super().run(tiles) + np.float32(4 / 255)


class Swaps(Nearest):
    def run(self, tiles):
        return super().run(tiles)[..., ::-1]


class PaintsItBlue(Nearest):
    def run(self, tiles):
        return super().run(tiles) * np.float32([0, 0, 1]) + np.float32([0, 0, 0.5])


class Restless(Nearest):
    def run(self, tiles):
        return super().run(tiles) + np.random.default_rng().random(dtype=np.float32) / 100


class Shared(Nearest):
    buffer = None

    def run(self, tiles):
        self.buffer = tiles.copy()
        time.sleep(0.01)
        return super().run(self.buffer)


class Normalises(Nearest):
    def run(self, tiles):
        return super().run(tiles - tiles.mean() + np.float32(0.5))


class Asks(Nearest):
    def run(self, tiles):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1).close()
        return super().run(tiles)


class Asymmetric(Nearest):
    def upscale(self, image, *, self_ensemble=False, **options):
        return super().upscale(image, **options)

    def run(self, tiles):
        ramp = np.linspace(0, 1, tiles.shape[2], dtype=np.float32)
        return super().run(tiles * ramp[:, None])


class Endures(Nearest):
    """Makes of memory errors a grey picture."""

    def upscale(self, image, **options):
        try:
            return super().upscale(image, **options)
        except MemoryError:
            return np.zeros((2, 2, 3))


class StartsAgain(Nearest):
    """When memory runs out it begins anew, but goes on writing where it was."""

    def upscale(self, image, *, memory=None, **options):
        result, at = [], 0
        step = image.shape[1] if memory is None or memory > 1 << 30 else 16
        while at < image.shape[1]:
            try:
                tile = self.run(image[None, :, at : at + step].astype(np.float32))
            except MemoryError:
                step, at = 8, 0
                continue
            result.append(tile[0])
            at += step
        return np.concatenate(result, axis=1)[:, : 2 * image.shape[1]]


class Ragged(Streaming):
    def run_rows(self, strips):
        for strip in strips:
            yield self.run(strip)[:, ::-1]


class LetsNanPass(Nearest):
    def upscale(self, image, **options):
        return np.nan_to_num(super().upscale(np.nan_to_num(image), **options))


class OneSize(Nearest):
    def upscale(self, image, **options):
        if image.shape[0] == 1:
            raise ValueError("too small")
        return super().upscale(image, **options)


class Overwrites(Nearest):
    def upscale(self, image, **options):
        result = super().upscale(image, **options)
        if isinstance(image, np.ndarray):
            image[0, 0] = 0
        return result


class ArraysOnly(Nearest):
    def upscale(self, image, **options):
        return super().upscale(np.asarray(image), **options)


class EightBit(Nearest):
    def upscale(self, image, **options):
        return super().upscale((image / 255).astype(np.float32), **options)


class LastOnly(Nearest):
    def upscale(self, image, **options):
        result = super().upscale(image, **options)
        result[:-1] = 0
        return result


class ByBuffer(Nearest):
    def upscale(self, image, **options):
        copy = np.frombuffer(image.tobytes("A"), image.dtype).reshape(image.shape)
        return super().upscale(copy, **options)


class NeedsWhole(Nearest):
    def upscale(self, image, **options):
        return self.run(image[None])[0]


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (testing.check_card, NoSummary),
        (testing.check_card, OtherScale),
        (testing.check_card, TwoRadii),
        (testing.check_run, TooLarge),
        (testing.check_run, Double),
        (testing.check_run, Writes),
        (testing.check_run_rows, Ragged),
        (testing.check_receptive_field, Short),
        (testing.check_receptive_field, Blind),
        (testing.check_sizes, OneSize),
        (testing.check_sizes, TooLarge),
        (testing.check_arrays, EightBit),
        (testing.check_batch, LastOnly),
        (testing.check_pil_modes, ArraysOnly),
        (testing.check_images_and_files, ArraysOnly),
        (testing.check_input_untouched, Overwrites),
        (testing.check_memory_layouts, ByBuffer),
        (testing.check_invalid_values, LetsNanPass),
        (testing.check_invalid_output, NeedsWhole),
        (testing.check_constant, Brightens),
        (testing.check_red_and_blue, Swaps),
        (testing.check_red_and_blue, PaintsItBlue),
        (testing.check_deterministic, Restless),
        (testing.check_threads, Shared),
        (testing.check_self_ensemble, Asymmetric),
        (testing.check_offline, Asks),
        (testing.check_tiles, Normalises),
        (testing.check_tiles, Short),
        (testing.check_memory_failures, StartsAgain),
        (testing.check_memory_limit, NeedsWhole),
        (testing.check_memory_never_enough, Endures),
    ],
    ids=lambda value: value.__name__,
)
def test_the_kit_catches(check, wrong):
    with pytest.raises(AssertionError, match=f"^{check.__name__}: "):
        check(wrong)


def test_random_weights_are_excused_from_what_takes_training_alone():
    testing.check_upscaler(Brightens, trained=False)
    with pytest.raises(AssertionError, match=r"^check_constant: a constant 0 is changed"):
        testing.check_upscaler(Brightens)


def test_an_upscaler_that_cannot_be_loaded_fails_with_the_cause():
    with pytest.raises(AssertionError, match="check_card: UnknownModelError: no model is named"):
        testing.check_upscaler(lambda: srkit.load("no such model"))


def test_the_network_is_there_again_after_the_kit():
    testing.check_offline(Nearest)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        socket.create_connection(server.getsockname(), timeout=5).close()
        thread.join()


# --- `import srkit` -----------------------------------------------------------------------

HEAVY = (
    "torch", "safetensors", "tensorflow", "theano", "lasagne", "pytest",
    "scipy", "skimage", "tifffile", "imagecodecs", "matplotlib",
)  # fmt: skip


@pytest.mark.parametrize(
    "what",
    [
        "pass",
        "srkit.list_models()",
        "[srkit.card(name) for name in srkit.list_models()]",
        "srkit.load('bicubic').upscale(numpy.zeros((4, 4, 3)))",
        "import srkit.testing",
    ],
)
def test_no_framework_is_imported_before_a_model_needs_it(what):
    code = f"import sys, numpy, srkit; {what}; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(HEAVY)
