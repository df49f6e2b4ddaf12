"""What fails in a plugin's constructor is named as the plugin's, and its cause is kept."""

import logging
import textwrap

import pytest
from dummies import card

import srkit
from srkit.errors import BrokenPluginError, OptionError, WeightsError
from srkit.models.registry import Registry

MODULE = """
    import srkit

    class Base(srkit.Upscaler):
        def run(self, tiles):
            return tiles

    class Key(Base):
        def __init__(self, card, scale, weights=None):
            {}["conv1"]

    class Asks(Base):
        def __init__(self, card, scale, weights):
            raise srkit.OptionError("strength is 0 to 1, not 3")

    class Weights(Base):
        def __init__(self, card, scale, weights):
            raise srkit.WeightsError("conv1 is missing")

    class Greedy(Base):
        def __init__(self, card, scale, weights):
            raise MemoryError("no more")

    class Few(Base):
        def __init__(self, card):
            pass

    class NoRun(srkit.Upscaler):
        def __init__(self, card, scale, weights):
            self.card, self.scale = card, scale

    class NoScale(Base):
        def __init__(self, card, scale, weights):
            self.card = card
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a class of a distribution that is installed, as far as Python can see."""
    package = tmp_path / "faulty_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "adapter.py").write_text(textwrap.dedent(MODULE))
    about = tmp_path / "faulty_distribution-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: faulty-distribution\nVersion: 1.0\n"
    )
    (about / "RECORD").write_text("faulty_plugin/__init__.py,,\nfaulty_plugin/adapter.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)

    def loaded(kind):
        models = Registry(discover=lambda group: [])
        models.register(card("faulty", adapter=f"faulty_plugin.adapter:{kind}"))
        return models.load("faulty")

    return loaded


NAMED = r"faulty of faulty-distribution \(faulty_plugin.adapter:{}\)"


@pytest.mark.parametrize(
    ("kind", "message", "cause"),
    [
        ("Key", " cannot be made: KeyError: 'conv1'", KeyError),
        ("Few", " cannot be made: TypeError: .*positional arguments", TypeError),
        ("NoRun", " cannot be made: TypeError: .*abstract", TypeError),
    ],
)
def test_whatever_a_constructor_raises_is_named_as_the_plugins(load, kind, message, cause):
    with pytest.raises(BrokenPluginError, match=NAMED.format(kind) + message) as caught:
        load(kind)
    assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("Asks", OptionError, ": strength is 0 to 1, not 3"),
        ("Weights", WeightsError, ": conv1 is missing"),
    ],
)
def test_errors_of_srkits_stay_of_their_kind(load, kind, error, message):
    with pytest.raises(error, match=NAMED.format(kind) + message) as caught:
        load(kind)
    assert type(caught.value) is type(caught.value.__cause__) is error


def test_memory_that_runs_out_is_nobodys_fault(load):
    with pytest.raises(MemoryError, match=r"^no more$"):
        load("Greedy")


def test_an_upscaler_without_scale_says_what_to_set(load):
    with pytest.raises(BrokenPluginError, match=r"without a scale: .* sets self\.scale"):
        load("NoScale")


def test_errors_of_srkits_own_adapters_are_as_they_were():
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    with pytest.raises(OptionError, match=r"^device 'gpu' cannot be used"):
        srkit.load("espcn", device="gpu")


# --- a torch plugin, as short as it can be ---------------------------------------------------


def test_a_torch_plugin_of_three_arguments_loads_streams_and_conforms(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    from srkit import testing

    (tmp_path / "short_plugin.py").write_text(
        "from torch import nn\n"
        "from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler\n"
        "class Short(TorchUpscaler):\n"
        "    def __init__(self, card, scale, weights=None):\n"
        "        net = nn.Sequential(nn.Conv2d(3, 12, 5, padding=2), nn.PixelShuffle(2))\n"
        "        super().__init__(card, scale, net)\n"
        "class Unknown(TorchUpscaler):\n"
        "    def __init__(self, card, scale, weights=None):\n"
        "        net = nn.Sequential(nn.InstanceNorm2d(3), nn.Upsample(scale_factor=2))\n"
        "        super().__init__(card, scale, net)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    models = Registry(discover=lambda group: [])
    for name in ("Short", "Unknown"):
        facts = {"framework": "torch", "radius": None}
        models.register(card(name, adapter=f"short_plugin:{name}", **facts))
    short = models.load("Short")
    assert (short.radius, short.streams) == (2, True)
    testing.check_run(lambda: models.load("Short"))
    with pytest.raises(
        WeightsError,
        match=r"Unknown of short_plugin \(short_plugin:Unknown\): the receptive field of "
        r"InstanceNorm2d\(3.*\) is not known; state a radius= that is known, or run the network as "
        "it is, by ClosedUpscaler",
    ):
        models.load("Unknown")


# --- excuses ----------------------------------------------------------------------------------


def test_a_card_excuses_its_model_and_the_kit_says_so(caplog):
    from dataclasses import replace

    from dummies import Nearest

    from srkit import testing

    class Brightens(Nearest):
        card = card(excused={"check_constant": "it brightens on purpose"})

        def run(self, tiles):
            return super().run(tiles) + 4 / 255

    class Vague(Brightens):
        card = replace(Brightens.card, excused={"check_constant": " "})

    class Mistaken(Brightens):
        card = replace(Brightens.card, excused={"check_constants": "it brightens"})

    class Unread(Brightens):
        card = replace(Brightens.card, summary="", excused={"check_card": "it has none"})

    with caplog.at_level(logging.WARNING, logger="srkit.testing"):
        assert testing.check_upscaler(Brightens) == {"check_constant": "it brightens on purpose"}
    assert "dummy is not asked for check_constant: it brightens on purpose" in caplog.text
    with pytest.raises(AssertionError, match="check_constant: a constant"):
        testing.check_constant(Brightens)  # asked for by itself
    with pytest.raises(AssertionError, match="check_constant: a constant"):
        testing.check_upscaler(Vague)
    with pytest.raises(AssertionError, match=r"no check; did you mean check_constant\?"):
        testing.check_upscaler(Mistaken)
    with pytest.raises(AssertionError, match="check_card: the card has no summary"):
        testing.check_upscaler(Unread)


def test_parametrize_skips_what_a_card_excuses_for_its_reason(monkeypatch):
    from srkit import testing
    from srkit.models import loading

    models = Registry(discover=lambda group: [])
    models.register(card("mine", excused={"check_run": "no reason but this"}))
    monkeypatch.setattr(loading, "REGISTRY", models)
    mark = testing.parametrize((testing.check_run, testing.check_card), "mine")
    told = {case.id: [m.kwargs["reason"] for m in case.marks] for case in mark.args[1]}
    assert told == {
        "mine-x2-check_run": ["its card excuses it: no reason but this"],
        "mine-x2-check_card": [],
    }
