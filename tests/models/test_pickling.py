"""Models in other processes, and copies of them: loaded again by name, file and options."""

import copy
import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor

import dummies
import numpy as np
import pytest
from dummies import card

import srkit
from srkit import OptionError, WeightsError
from srkit.models import loading
from srkit.models.weights import PACKAGED

PICTURE = np.random.default_rng(28).integers(0, 256, (20, 24, 3), np.uint8)
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, mp_context=SPAWN) as made:
        yield made


@pytest.fixture
def weights(tmp_path):
    pytest.importorskip("torch")
    return shutil.copy(PACKAGED / "espcn_x3.safetensors", tmp_path / "mine.safetensors")


@pytest.fixture
def registered(monkeypatch):
    """A model that this process alone knows."""
    monkeypatch.setattr(loading.REGISTRY, "_added", dict(loading.REGISTRY._added))
    srkit.register(card("only-here", adapter=f"{__name__}:Lighter"))
    yield "only-here"
    loading._loaded.cache_clear()


class Lighter(dummies.Nearest):
    def __init__(self, card, scale, weights=None, *, by=0.0):
        self.card, self.scale, self.by = card, scale, by

    def run(self, tiles):
        by = self.by() if callable(self.by) else self.by
        return super().run(tiles) + np.float32(by)


# --- in a real pool -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bicubic", {"scale": 3}),
        ("espcn", {"scale": 3, "border": "zero"}),
        ("photo", {"scale": 2, "precision": "float32"}),
        ("photo", {"scale": 2, "denoise": 0.1, "precision": "bfloat16"}),
        ("photo", {"scale": 2, "weights": "2025", "precision": "float32"}),
        ("neural-enhance", {"tiling": "original", "tile": 48, "precision": "float32"}),
        ("vsr-small", {}),
    ],
    ids=str,
)
def test_a_pool_makes_the_same_pixels(pool, name, options):
    if name != "bicubic":
        pytest.importorskip("torch")
    model = srkit.load(name, **options)
    pictures = [PICTURE, PICTURE[:13]]
    for made, picture in zip(pool.map(model.upscale, pictures), pictures, strict=True):
        np.testing.assert_array_equal(made, model.upscale(picture))


def test_a_file_goes_by_its_path_from_wherever_the_process_is(pool, weights, monkeypatch):
    monkeypatch.chdir(weights.parent)
    model = srkit.load(weights.name)
    monkeypatch.chdir("/")
    assert len(pickle.dumps(model)) < 2000  # a path, and not the weights
    made = pool.submit(model, PICTURE).result()
    np.testing.assert_array_equal(made, srkit.load("espcn", scale=3).upscale(PICTURE))


def test_a_file_of_onnx_goes_too(pool, tmp_path):
    for package in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    srkit.export("espcn", tmp_path / "net.onnx")
    model = srkit.load(tmp_path / "net.onnx")
    np.testing.assert_array_equal(pool.submit(model, PICTURE).result(), model(PICTURE))


def test_a_registered_model_goes_with_its_card(pool, registered):
    model = srkit.load(registered, by=0.2)
    made = pool.submit(model, PICTURE).result()
    wanted = np.clip(PICTURE.repeat(2, 0).repeat(2, 1) + 51.0, 0, 255)  # 0.2 of 255
    np.testing.assert_array_equal(made, wanted)


def network(model):
    return os.getpid(), id(model.net)


def test_a_worker_keeps_the_model_that_each_task_brings(pool):
    pytest.importorskip("torch")
    model = srkit.load("espcn", scale=3)
    first, second = (pool.submit(network, model).result() for _ in range(2))
    assert first == second
    assert first[0] != os.getpid()
    other = pool.submit(network, srkit.load("espcn", scale=3, border="zero")).result()
    assert other[1] != first[1]


def test_multiprocessing_takes_them_too():
    model = srkit.load("lanczos", scale=2)
    with SPAWN.Pool(1) as workers:
        (made,) = workers.map(model, [PICTURE])
    np.testing.assert_array_equal(made, model(PICTURE))


def test_a_model_made_by_hand_goes_as_any_object_does(pool):
    made = pool.submit(dummies.Luma(3), PICTURE).result()
    np.testing.assert_array_equal(made, dummies.Luma(3)(PICTURE))


# --- what cannot be -----------------------------------------------------------------------


def test_a_file_that_moved_is_told_here_and_there(pool, weights):
    model = srkit.load(weights)
    sent = pickle.dumps(model)
    weights.rename(weights.with_name("moved.safetensors"))
    with pytest.raises(WeightsError, match=r"mine.safetensors, which the model was loaded from"):
        pickle.dumps(model)
    with pytest.raises(WeightsError, match="is not there"):
        pool.submit(model, PICTURE).result()
    with pytest.raises(WeightsError, match="is not there"):
        pool.submit(pickle.loads, sent).result()
    assert model(PICTURE).shape == (60, 72, 3)  # goes on here


def test_a_file_that_changed_is_told_here_and_there(pool, weights):
    model = srkit.load(weights)
    sent = pickle.dumps(model)
    assert pool.submit(pickle.loads, sent).exception() is None
    shutil.copy(PACKAGED / "espcn_x4.safetensors", weights)
    for send in (lambda: pickle.dumps(model), lambda: copy.deepcopy(model)):
        with pytest.raises(WeightsError, match="changed or written anew since"):
            send()
    with pytest.raises(WeightsError, match="changed or written anew since"):
        pool.submit(pickle.loads, sent).result()


def test_a_copy_of_the_file_on_another_machine_is_known_by_its_contents(weights):
    sent = pickle.dumps(srkit.load(weights))
    again = shutil.copy(weights, weights.with_name("again"))
    again.replace(weights)  # another file, of the same contents
    assert pickle.loads(sent)(PICTURE).shape == (60, 72, 3)


def test_other_weights_of_a_name_are_told(monkeypatch):
    pytest.importorskip("torch")
    sent = pickle.dumps(srkit.load("espcn", scale=3))
    monkeypatch.setattr(loading, "digest_of", lambda card, scale: "of another version")
    loading._kept.cache_clear()
    with pytest.raises(WeightsError, match="espcn x3 has other weights here"):
        pickle.loads(sent)


def test_another_model_of_a_registered_name_is_told(registered):
    sent = pickle.dumps(srkit.load(registered))
    srkit.register(card(registered, summary="Another."), replace=True)
    with pytest.raises(OptionError, match="another model is registered here as only-here"):
        pickle.loads(sent)


def test_a_model_around_an_object_of_this_process_says_so(pool):
    model = dummies.Nearest()
    model.table = [1, lambda: 2]
    told = "dummy was made by hand, and its table cannot be pickled .*lambda.*srkit.register"
    with pytest.raises(OptionError, match=told):
        pickle.dumps(model)
    with pytest.raises(OptionError, match=told):
        pool.submit(model, PICTURE).result()
    assert copy.deepcopy(model).table[0] == 1


def test_a_class_within_a_function_says_so():
    class Local(dummies.Nearest):
        pass

    with pytest.raises(OptionError, match="its class cannot be pickled"):
        pickle.dumps(Local())


def test_a_torch_model_made_by_hand_goes_or_says_so():
    torch = pytest.importorskip("torch")
    from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3, padding=1), torch.nn.PixelShuffle(2))
    model = TorchUpscaler(card(radius=1), 2, net, device="cpu", precision="float32")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again(PICTURE), model(PICTURE))
    traced = srkit.load("espcn", runtime="torch").in_float32()
    assert traced.multiply_adds
    with pytest.raises(OptionError, match="espcn was made by hand, and its _f"):
        pickle.dumps(traced)


def test_an_option_of_this_process_says_so(registered):
    model = srkit.load(registered, by=lambda: 0.5)
    with pytest.raises(OptionError, match=r"only-here was loaded with by=<function .*lambda"):
        pickle.dumps(model)


# --- copies -------------------------------------------------------------------------------


def test_a_copy_shares_the_network_and_a_deep_copy_has_its_own():
    pytest.importorskip("torch")
    model = srkit.load("espcn", scale=3)
    near, far = copy.copy(model), copy.deepcopy(model)
    near.rim = far.rim = 0
    assert near.net is model.net
    assert far.net is not model.net
    assert copy.deepcopy(model).net is not far.net
    assert model.rim == srkit.load("espcn", scale=3).rim != 0
    far.rim = model.rim
    np.testing.assert_array_equal(far(PICTURE), model(PICTURE))


def test_what_comes_out_of_a_pickle_is_an_object_of_its_own():
    sent = pickle.dumps(srkit.load("bicubic", scale=3))
    first, second = pickle.loads(sent), pickle.loads(sent)
    first.rim = 0
    assert second.rim == srkit.load("bicubic").rim != 0


def test_models_made_by_hand_are_copied_and_pickled_with_all_they_hold():
    model = Lighter(card(), 2, by=0.2)
    model.me, model.log = model, []
    for made in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(made) is Lighter
        np.testing.assert_array_equal(made(PICTURE), model(PICTURE))
    assert copy.copy(model).log is model.log
    assert copy.deepcopy(model).log is not model.log
    deep = copy.deepcopy(model)
    assert deep.me is deep


def test_who_pickles_in_a_way_of_its_own_is_left_to_it():
    assert pickle.loads(pickle.dumps(OwnWay())).found == "again"


class OwnWay(dummies.Nearest):
    def __init__(self):
        self.found = lambda: None

    def __getstate__(self):
        return {"found": "again"}


def test_comparisons_come_back_from_a_pool(pool):
    made = pool.submit(srkit.compare, PICTURE, ["nearest"], scale=2).result()
    assert repr(made) == "x2, 24x20 to 48x40: nearest"
