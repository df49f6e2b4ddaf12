"""``srkit train``: what it writes to stdout, and what it says of mistakes."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from safetensors import safe_open

import srkit
from srkit.cli import main
from srkit.cli.train import _TEXTS
from srkit.training.recipe import Recipe


def train(recipe, photos, out, *more):
    given = ["train", recipe, str(photos), "-o", str(out), "--scale=2", "--device=cpu", *more]
    return main([str(argument) for argument in given])


def test_a_run_writes_the_path_of_its_weights(photos, tmp_path, cache, tiny, capsys):
    changes = [f"--set={k}={tiny[k]}" for k in tiny.keys() - {"device", "steps"}]
    assert train("espcn", photos, tmp_path / "run", f"--cache={cache}", "--steps=2", *changes) == 0
    path = tmp_path / "run" / "best.safetensors"
    assert capsys.readouterr().out == f"{path}\n"
    assert srkit.load(path).scale == 2
    assert not (tmp_path / "run" / "cache").exists()


@pytest.mark.parametrize(
    ("recipe", "more", "code", "message"),
    [
        ("espnc", [], 2, "no recipe is named 'espnc'; did you mean 'espcn'?"),
        ("espcn", ["--set", "rate"], 2, "--set takes KEY=VALUE, not 'rate'"),
        ("espcn", ["--set", "rat=1"], 2, "there is no key 'rat'; did you mean 'rate'?"),
        ("espcn", ["--set", "rate=fast"], 2, "rate: input should be a valid number"),
        ("espcn", ["--set", "betas=[0.9, 0.99"], 2, "betas=[0.9, 0.99 is no TOML"),
        ("espcn", ["--set", "betas=" + 3000 * "["], 2, "is no TOML"),
        ("espcn", ["--set", "betas=[0.9, 0.99]\nsteps=3"], 2, "--set takes one value"),
        ("espcn", ["--set", "betas=[0.9, 1.5]"], 2, "from 0 to below 1"),
        ("espcn", ["--set", "losses=[{kind='l9'}]"], 2, "kind: input should be "),
        ("espcn", ["--set", "encoder=[v2]/none.pth"], 2, "encoder"),
        ("espcn", ["--set", "scale=3"], 2, "scale is no value of a recipe"),
        ("espcn", ["--set", "steps="], 2, "steps: input should be a valid integer"),
        ("espcn", ["--device=abacus"], 2, "device 'abacus' x1 cannot be used"),
        ("espcn", ["--config", "/none/mine.toml"], 2, "/none/mine.toml"),
        ("espcn", ["--init", "/none/weights.pth"], 1, "/none/weights.pth"),
        ("srresnet", ["--init", "bicubic"], 1, "bicubic has no weights for x2"),
    ],
)
def test_mistakes_are_told_in_a_line(photos, tmp_path, capsys, recipe, more, code, message):
    assert train(recipe, photos, tmp_path / "run", *more) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    # Usage errors end with where the help is.
    lines = [line for line in told.err.splitlines() if line != "help: srkit train --help"]
    assert lines[-1].startswith("srkit: error: ")
    assert "Traceback" not in told.err
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_is_told(tmp_path, capsys):
    assert train("espcn", tmp_path / "none", tmp_path / "run") == 2
    assert f"there is no folder of photos {tmp_path / 'none'}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_arguments_that_are_no_numbers_are_refused(photos, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        train("espcn", photos, tmp_path / "run", "--steps=0")
    assert stopped.value.code == 2
    assert "expected a whole number above 0" in capsys.readouterr().err


def test_fresh_starts_again(photos, tmp_path, cache, tiny, rows):
    changes = [f"--set={k}={tiny[k]}" for k in tiny.keys() - {"device"}]
    changes.append(f"--cache={cache}")
    assert train("espcn", photos, tmp_path, *changes) == 0
    assert train("espcn", photos, tmp_path, *changes, "--set=seed=3") == 2
    assert len(rows(tmp_path)) == 3
    assert train("espcn", photos, tmp_path, *changes, "--set=seed=3", "--steps=2", "--fresh") == 0
    assert [row["step"] for row in rows(tmp_path)] == ["0", "2"]


def test_lists_and_tables_are_set_as_in_a_file(photos, tmp_path, cache, tiny):
    changes = [f"--set={k}={tiny[k]}" for k in tiny.keys() - {"device", "steps"}]
    lists = ["--set=betas = [0.8, 0.95]", '--set=losses=[{ kind = "l2", weight = 2.0 }]']
    assert train("espcn", photos, tmp_path, *changes, *lists, "--steps=1", f"--cache={cache}") == 0
    with safe_open(tmp_path / "weights.safetensors", "np") as file:
        recipe = json.loads(file.metadata()["recipe"])
    assert recipe["betas"] == [0.8, 0.95]
    assert [(loss["kind"], loss["weight"]) for loss in recipe["losses"]] == [("l2", 2.0)]


def test_values_that_are_text_may_begin_with_a_bracket():
    assert {field.name for field in fields(Recipe) if field.type == "str"} == _TEXTS
