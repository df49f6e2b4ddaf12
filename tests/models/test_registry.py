"""Names become models by entry points; whatever is wrong with a plugin, the rest works."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from dummies import Nearest, card

import srkit
from srkit.errors import (
    BrokenPluginError,
    DuplicateModelError,
    MissingDependencyError,
    OptionError,
    UnknownModelError,
    WeightsError,
)
from srkit.models import loading
from srkit.models.entry_points import FORMATS, MODELS
from srkit.models.registry import FileFormat, Registry

# What the entry points of this module lead to: a plugin's cards.
MODEL = card("model", adapter="test_registry:Model", scales=(2, 4))
NO_CARD = {"name": "no card"}
SNIFFED = FileFormat(
    name="test file",
    suffixes=(".tst",),
    sniff=lambda head, path: head.startswith(b"TEST"),
    adapter="test_registry:opened",
    framework="numpy",
)


class Model(Nearest):
    def __init__(self, card, scale, weights=None, *, precision="auto", window=1):
        self.card, self.scale, self.options = card, scale, (precision, window)


def opened(path, *, scale=None, window=1):
    return Model(MODEL, scale or 2, window=window)


def registry(*values, **named):
    """A registry of entry points that lead to values of this module, or anywhere."""
    models = {value.lower().rpartition(":")[2]: value for value in values} | named
    entries = {
        MODELS: [EntryPoint(n, v if ":" in v else f"{__name__}:{v}", MODELS)
                 for n, v in models.items()],
        FORMATS: [EntryPoint("test", f"{__name__}:SNIFFED", FORMATS),
                  EntryPoint("broken", "no_such_module:FORMAT", FORMATS)],
    }  # fmt: skip
    return Registry(discover=lambda group: entries[group])


# --- names --------------------------------------------------------------------------------


def test_srkits_own_models_are_entry_points():
    assert {"nearest", "bilinear", "bicubic", "lanczos", "srresnet", "srgan"} <= set(
        srkit.list_models()
    )
    assert srkit.list_models("sr*") == sorted(srkit.list_models("sr*"))
    assert set(srkit.list_models("sr*")) >= {"srresnet", "srgan"}
    assert srkit.list_models("no*thing") == []
    for name in srkit.list_models():
        assert srkit.card(name).name == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bicubc", "mean bicubic"),
        ("srgen", "mean .*srgan"),
        ("?", "there are .*bicubic"),
        ("SRResNet", r"mean srresnet\?"),
        ("RealESRGAN_x4plus", "mean realesrgan,"),
        ("realesr-general-x4v3", "mean .*realesrgan-general"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, hint):
    for call in (srkit.load, srkit.card):
        with pytest.raises(UnknownModelError, match=hint):
            call(name)


def test_cards_are_found_by_name():
    models = registry("MODEL")
    assert models.names() == ["model"]
    assert models.card("model") is MODEL


# --- plugins that are broken --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("no_such_module:CARD", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("NO_SUCH_NAME", "AttributeError.*NO_SUCH_NAME"),
        ("NO_CARD", "is dict, not ModelCard"),
        ("MODEL", "registers the card of 'model' under the name 'broken'"),
        ("raising:CARD", "ValueError: of no use"),
        ("syntax:CARD", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_listed_says_why_and_spares_the_others(
    value, cause, tmp_path, monkeypatch
):
    (tmp_path / "raising.py").write_text("raise ValueError('of no use')")
    (tmp_path / "syntax.py").write_text("def")
    monkeypatch.syspath_prepend(tmp_path)
    models = registry("MODEL", broken=value)
    # Listing imports nothing, so it cannot fail.
    assert models.names() == ["broken", "model"]
    with pytest.raises(BrokenPluginError, match=cause):
        models.card("broken")
    assert models.load("model").scale == 2


@pytest.mark.parametrize(
    ("adapter", "error", "cause"),
    [
        ("test_registry:NOTHING", BrokenPluginError, "test_registry:NOTHING.*AttributeError"),
        ("raising:Model", BrokenPluginError, "raising:Model.*ValueError: of no use"),
        ("needy:Model", MissingDependencyError, "No module named 'no_such_framework'"),
        ("builtins:dict.fromkeys", BrokenPluginError, "cannot be imported"),
        ("test_registry:no_upscaler", BrokenPluginError, "made <class 'int'>, not an Upscaler"),
    ],
)
def test_a_broken_adapter_says_why(adapter, error, cause, tmp_path, monkeypatch):
    (tmp_path / "raising.py").write_text("raise ValueError('of no use')")
    (tmp_path / "needy.py").write_text("import no_such_framework")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("raising", "needy"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    models = registry()
    models.register(card("wrong", adapter=adapter))
    with pytest.raises(error, match=cause):
        models.load("wrong")


def no_upscaler(card, scale, weights):
    return 0


def test_a_broken_format_is_left_out_with_a_warning(caplog):
    assert registry().formats() == [SNIFFED]
    assert "no_such_module" in caplog.text


# --- real distributions -------------------------------------------------------------------


def install(folder, distribution, name):
    """What an installer leaves behind of a plugin with one model."""
    module = f"plugin_{distribution.replace('-', '_')}"
    (folder / f"{module}.py").write_text(
        "from srkit.card import ModelCard\n"
        f"CARD = ModelCard(name={name!r}, summary={distribution!r}, framework='numpy',\n"
        "    adapter='test_registry:Model', scales=(2,), default_scale=2, radius=0)\n"
    )
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[srkit.models]\n{name} = {module}:CARD\n")


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    install(tmp_path, "first-plugin", "shared")
    install(tmp_path, "second-plugin", "shared")
    install(tmp_path, "third-plugin", "alone")
    monkeypatch.syspath_prepend(tmp_path)
    return Registry()


def test_an_installed_plugin_is_there_without_being_imported(plugins):
    assert {"alone", "shared", "bicubic"} <= set(plugins.names())
    assert "plugin_third_plugin" not in sys.modules
    image = np.zeros((3, 4), np.uint8)
    assert plugins.load("alone").upscale(image).shape == (6, 8)


def test_two_distributions_of_one_name_are_named_and_chosen_from(plugins):
    expected = (
        "2 distributions .* 'shared': first-plugin, second-plugin; .*dist='first-plugin'"
        ", or by the name 'shared@first-plugin'"
    )
    for call in (plugins.card, plugins.load):
        with pytest.raises(DuplicateModelError, match=expected):
            call("shared")
    for distribution in ("first-plugin", "second-plugin"):
        assert plugins.card("shared", distribution).summary == distribution
        assert plugins.load("shared", dist=distribution).card.summary == distribution
        assert plugins.load(f"shared@{distribution}").card.summary == distribution
    assert plugins.names("shared*") == ["shared", "shared@first-plugin", "shared@second-plugin"]
    with pytest.raises(UnknownModelError, match="'other' has a model 'shared'; it is in first"):
        plugins.load("shared", dist="other")


# --- register -----------------------------------------------------------------------------


def test_a_registered_card_outranks_an_entry_point_if_so_wished():
    models = registry("MODEL")
    mine = card("model", summary="Mine.")
    with pytest.raises(DuplicateModelError, match="pass replace=True"):
        models.register(mine)
    assert models.card("model") is MODEL
    models.register(mine, replace=True)
    assert models.card("model") is mine
    assert models.names() == ["model"]
    models.register(card("new"))
    with pytest.raises(DuplicateModelError):
        models.register(card("new"))


# --- options ------------------------------------------------------------------------------


def test_options_are_the_adapters_keywords():
    assert registry("MODEL").load("model", window=3).options == ("auto", 3)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("windw", "did you mean 'window'"),
        ("scael", "did you mean 'scale'"),
        ("quality", "it has device, precision, window"),
        ("card", "it has device, precision, window"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(option, hint):
    with pytest.raises(OptionError, match=f"model has no option '{option}'; {hint}") as caught:
        registry("MODEL").load("model", **{option: 1})
    assert isinstance(caught.value, TypeError)


def test_no_name_and_the_name_of_a_picture():
    with pytest.raises(OptionError, match="load takes a model's name or the path"):
        registry("MODEL").load("")
    with pytest.raises(UnknownModelError, match=r"save\('out\.jpg'\) writes a picture"):
        registry("MODEL").load("out.jpg")


def test_the_scale_is_the_default_or_one_on_offer():
    models = registry("MODEL")
    assert models.load("model").scale == 2
    assert models.load("model", scale=4).scale == 4
    for scale in (3, 0, -2):
        with pytest.raises(OptionError, match="model exists for x2, x4, not x"):
            models.load("model", scale=scale)


def test_the_runtime_is_auto_or_the_models_own():
    models = registry("MODEL")
    assert models.load("model", runtime="numpy").scale == 2
    with pytest.raises(OptionError, match="runtime is one of 'auto', 'numpy', not 'torch'"):
        models.load("model", runtime="torch")


def test_a_scale_without_weights_says_so():
    models = registry()
    weights = {2: srkit.WeightsFile("a.safetensors", "0")}
    models.register(card("half", adapter="test_registry:Model", scales=(2, 4), weights=weights))
    with pytest.raises(WeightsError, match="half has no weights for x4"):
        models.load("half", scale=4)


# --- files --------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with files and folders that are named as models are, or oddly."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "weights.tst").write_bytes(b"TEST")
    (tmp_path / "unnamed").write_bytes(b"TEST")
    (tmp_path / "letter.txt").write_bytes(b"Dear reader")
    (tmp_path / "false.tst").write_bytes(b"Dear reader")
    (tmp_path / "model.tst").write_bytes(b"TEST")
    return tmp_path


@pytest.mark.parametrize(
    "file", ["weights.tst", "WEIGHTS.TST", "./weights.tst", "./unnamed", Path("unnamed")]
)
def test_a_separator_a_known_suffix_or_a_path_means_a_file(here, file):
    if file == "WEIGHTS.TST":
        (here / "weights.tst").rename(here / "WEIGHTS.TST")
    loaded = registry("MODEL").load(file, window=5, scale=4)
    assert loaded.options == ("auto", 5)
    assert loaded.scale == 4


def test_names_win_over_folders_and_files(here):
    (here / "model").rmdir()
    (here / "model").write_bytes(b"Dear reader")
    assert registry("MODEL").load("model").card is MODEL
    models = registry("MODEL")
    models.register(card("weights.tst", adapter="test_registry:Model", summary="By name."))
    assert models.load("weights.tst").card.summary == "By name."


def test_a_word_that_is_no_name_is_the_file_that_is_called_so(here):
    assert registry("MODEL").load("unnamed", window=5).options == ("auto", 5)
    with pytest.raises(UnknownModelError, match="no model is named 'nowhere'"):
        registry("MODEL").load("nowhere")


@pytest.mark.parametrize("file", ["false.tst", "./letter.txt", Path("letter.txt")])
def test_the_content_decides_whether_it_is_a_weights_file(here, file):
    with pytest.raises(WeightsError, match="is no weights file srkit knows; it reads test file"):
        registry("MODEL").load(file)


@pytest.mark.parametrize("file", ["missing.tst", "./missing", Path("missing"), Path("model")])
def test_files_that_cannot_be_read_are_named(here, file):
    with pytest.raises(WeightsError, match=f"{Path(file).name} cannot be read: "):
        registry("MODEL").load(file)


def test_options_of_a_file_are_those_of_its_format(here):
    models = registry("MODEL")
    with pytest.raises(OptionError, match="test file has no option 'windw'; did you mean 'window'"):
        models.load("weights.tst", windw=1)
    with pytest.raises(OptionError, match="runtime is one of 'auto', 'numpy', not 'torch'"):
        models.load("weights.tst", runtime="torch")


# --- the short way ------------------------------------------------------------------------


def test_upscale_loads_once_and_upscales(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    wanted = srkit.load("bicubic", scale=3).upscale(image)
    loads, load = [], loading.load
    monkeypatch.setattr(loading, "load", lambda *a, **k: loads.append(a) or load(*a, **k))
    loading._loaded.cache_clear()
    for _ in range(2):
        np.testing.assert_array_equal(srkit.upscale(image, "bicubic", scale=3), wanted)
    assert len(loads) == 1


def test_a_weights_file_that_was_written_anew_is_loaded_anew(monkeypatch, tmp_path):
    def load_scale(file, **options):
        return loading.REGISTRY.load("nearest", scale=int(file.read_text()))

    monkeypatch.setattr(loading, "load", load_scale)
    image, file = np.zeros((4, 5), np.uint8), tmp_path / "scale.txt"
    for text, shape in (("3", (12, 15)), ("02", (8, 10))):
        file.write_text(text)
        assert srkit.upscale(image, file).shape == shape


def test_an_option_that_cannot_be_kept_is_refused_like_any_other():
    with pytest.raises(OptionError, match="no option 'foo'"):
        srkit.upscale(np.zeros((2, 2), np.uint8), "bicubic", foo=[1])


@pytest.mark.parametrize("scale", ["4", 2.0, 2.5, True, (2,)])
@pytest.mark.parametrize("model", ["bicubic", "photo.pb"])
def test_a_scale_is_a_whole_number(model, scale):
    with pytest.raises(OptionError, match="scale is a whole number, not "):
        srkit.load(model, scale=scale)


def test_upscale_takes_the_options_of_both_calls():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    wanted = srkit.load("bicubic", scale=2).upscale(grey, size=(5, 7), self_ensemble=True)
    found = srkit.upscale(grey, "bicubic", scale=2, size=(5, 7), self_ensemble=True)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("scale", ["2", 2.0, [2]])
def test_a_model_that_is_kept_is_found_by_whole_numbers_alone(scale):
    grey = np.zeros((2, 2), np.uint8)
    assert srkit.upscale(grey, "nearest", scale=2).shape == (4, 4)
    with pytest.raises(OptionError, match="scale is a whole number, not "):
        srkit.upscale(grey, "nearest", scale=scale)
