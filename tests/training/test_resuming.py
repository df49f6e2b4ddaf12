"""A run that was stopped goes on where it was, and ends as one that was not."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
from short_runs import snapshot

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from safetensors.torch import save_file
from short_runs import kill_when, same_result

import srkit
from srkit import CorruptFileError, OptionError
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.cli import main
from srkit.training.learning.methods import Duel, Minimise
from srkit.training.starts.srresnet import start_bicubic
from srkit.training.states import read_state


class StoppedError(Exception):
    """What ends a run in its middle, as Ctrl-C does."""


def stop_after(monkeypatch: pytest.MonkeyPatch, method: type[Minimise], steps: int) -> None:
    """Let the method do so many steps, and then no more."""
    done = []
    step = method.step

    def counted(self, *args):
        if len(done) == steps:
            raise StoppedError
        done.append(None)
        return step(self, *args)

    monkeypatch.setattr(method, "step", counted)


# --- going on ---------------------------------------------------------------------------------


def test_a_killed_run_ends_as_one_that_was_not(photos, tmp_path, cache, tiny, rows, capsys):
    tiny |= {"steps": 120, "save_every": 20, "check_every": 5, "picture_every": 120}
    settings = [f"--set={key}={tiny[key]}" for key in tiny.keys() - {"device"}]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [
        "train", "espcn", str(photos), "--scale=2", "--output", str(killed),
        "--cache", str(cache), "--device=cpu", *settings,
    ]  # fmt: skip
    # A state is there, and a later step was done.
    kill_when(
        command,
        lambda: (killed / "state.pth").exists() and int(rows(killed)[-1]["step"]) > 20,
    )
    state = torch.load(killed / "state.pth", weights_only=True)
    assert 20 <= state["step"] < 120

    assert main(command) == 0
    assert capsys.readouterr().out == f"{killed / 'best.safetensors'}\n"
    srkit.train("espcn", photos, whole, scale=2, cache=cache, **tiny)
    same_result(killed, whole)
    assert rows(killed) == rows(whole)
    assert [row["step"] for row in rows(whole)] == [str(n) for n in range(0, 121, 5)]


def test_a_stopped_duel_ends_as_one_that_was_not(photos, tmp_path, tiny, rows, monkeypatch):
    torch.manual_seed(0)
    net = SRResNet(4, channels=48, blocks=1)
    start_bicubic(net)
    torch.save(net.state_dict(), tmp_path / "start.pth")
    tiny |= {"steps": 4, "check_every": 4, "losses": [{"kind": "l1"}]}
    options = {
        **tiny, "scale": 4, "init": tmp_path / "start.pth", "adversary": {"channels": 4},
        "cache": tmp_path / "cache",
    }  # fmt: skip
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    with monkeypatch.context() as patch:
        stop_after(patch, Duel, 3)
        with pytest.raises(StoppedError):
            srkit.train("srgan", photos, stopped, **options)
    assert torch.load(stopped / "state.pth", weights_only=True)["step"] == 2
    srkit.train("srgan", photos, stopped, **options)
    # This one finds the photos decoded, which the other did not.
    srkit.train("srgan", photos, whole, **options)
    same_result(stopped, whole)
    assert rows(stopped) == rows(whole)


def test_a_run_stopped_in_its_second_stage_ends_as_one_that_was_not(
    photos, tmp_path, cache, tiny, rows, monkeypatch
):
    tiny |= {"steps": 6, "check_every": 6, "save_every": 1, "losses": [{"kind": "l1"}]}
    options = {
        **tiny, "scale": 4, "cache": cache, "weight_norm": True, "weight_decay": 1e-3,
        "schedule": "one_cycle", "betas": (0.95, 0.99), "shares": (0.1, 0.1, 1.0),
        "stages": [{"frozen": 2}, {"crop": 16, "batch": 1}],
    }  # fmt: skip
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    with monkeypatch.context() as patch:
        stop_after(patch, Minimise, 4)
        with pytest.raises(StoppedError):
            srkit.train("unet", photos, stopped, **options)
    assert torch.load(stopped / "state.pth", weights_only=True)["step"] == 4
    srkit.train("unet", photos, stopped, **options)
    srkit.train("unet", photos, whole, **options)
    same_result(stopped, whole)
    assert rows(stopped) == rows(whole)


def test_a_state_from_before_a_setting_existed_goes_on(photos, tmp_path, cache, tiny, rows):
    options = {"scale": 2, "cache": cache, **tiny}
    srkit.train("espcn", photos, tmp_path, **options)
    state = torch.load(tmp_path / "state.pth", weights_only=True)
    del state["settings"]["stages"], state["settings"]["weight_norm"]
    del state["settings"]["losses"][0]["spare_edges"]
    torch.save(state, tmp_path / "state.pth")
    srkit.train("espcn", photos, tmp_path, **options | {"steps": 8})
    assert rows(tmp_path)[-1]["step"] == "8"
    # But not with another value than the one that all had then.
    del state["settings"]["clip"]
    torch.save(state, tmp_path / "state.pth")
    with pytest.raises(OptionError, match=r"clip was 1\.0, is 2\.0"):
        srkit.train("espcn", photos, tmp_path, **options, clip=2.0)


@pytest.mark.parametrize("content", [b"hello world", b"", [1], {"step": 3}])
def test_a_file_that_is_no_state_is_told_and_left(content, photos, tmp_path, cache, tiny):
    state = tmp_path / "state.pth"
    if isinstance(content, bytes):
        state.write_bytes(content)
    else:
        torch.save(content, state)
    before = snapshot(tmp_path)
    options = {"scale": 2, "cache": cache, **tiny}
    with pytest.raises(CorruptFileError, match=r"state\.pth .*; start afresh with resume=False"):
        srkit.train("espcn", photos, tmp_path, **options)
    assert snapshot(tmp_path) == before
    srkit.train("espcn", photos, tmp_path, resume=False, **options)
    assert read_state(state)["step"] == tiny["steps"]


def test_a_state_of_other_layer_groups_does_not_go_on(photos, tmp_path, cache, tiny):
    """As one of SPAN from before its first layer had a rate of its own."""
    options = {"scale": 2, "cache": cache, **tiny}
    srkit.train("espcn", photos, tmp_path, **options)
    state = torch.load(tmp_path / "state.pth", weights_only=True)
    for part in state["parts"].values():
        if "param_groups" in part:
            part["param_groups"] = part["param_groups"][:1]
    torch.save(state, tmp_path / "state.pth")
    before = snapshot(tmp_path)
    with pytest.raises(OptionError, match="other groups; start afresh with resume=False, or go on"):
        srkit.train("espcn", photos, tmp_path, **options | {"steps": 8})
    assert snapshot(tmp_path) == before


def test_a_finished_run_whose_best_weights_were_moved_ends_again(photos, tmp_path, cache, tiny):
    options = {"scale": 2, "cache": cache, **tiny}
    srkit.train("espcn", photos, tmp_path, **options).rename(tmp_path / "mine.safetensors")
    assert srkit.train("espcn", photos, tmp_path, **options).name == "best.safetensors"


@pytest.mark.parametrize(("warmup", "told"), [(3, False), (4, True)])
def test_a_rate_that_rises_for_more_than_half_of_a_run_is_told(
    warmup, told, photos, tmp_path, cache, tiny, caplog
):
    options = {"scale": 2, "cache": cache, **tiny, "steps": 6, "warmup": warmup}
    srkit.train("espcn", photos, tmp_path, **options)
    assert (f"the rate rises for {warmup} of 6 steps" in caplog.text) == told


def test_a_log_of_something_else_is_told(photos, tmp_path, tiny):
    options = {**tiny, "scale": 2}
    srkit.train("espcn", photos, tmp_path, **options)
    (tmp_path / "log.csv").write_text("date,weather\n1,rain\n")
    with pytest.raises(CorruptFileError, match=r"log\.csv: the log of a run is damaged"):
        srkit.train("espcn", photos, tmp_path, **options | {"steps": 8})


def test_a_run_from_weights_with_dead_units_draws_them_anew_and_goes_on(
    photos, tmp_path, cache, tiny, caplog
):
    net = ESPCN(2)
    with torch.no_grad():
        for layer in (net.conv1, net.conv2):
            layer.weight.abs_()
            layer.bias.fill_(0.01)
        net.conv1.weight[:3] *= -1
        net.conv1.bias[:3] *= -1
    start = tmp_path / "dead.safetensors"
    save_file(net.state_dict(), start)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = {"scale": 2, "cache": cache, "init": start, **tiny}
    with caplog.at_level("INFO", "srkit"):
        srkit.train("espcn", photos, whole, **options)
    assert "3 units never fired on 256 crops, and were drawn anew" in caplog.messages
    made = read_checkpoint(whole / "weights.safetensors")
    assert made.metadata["started_from"].endswith(", 3 units anew")
    assert (made.tensors["conv1.weight"][:3].amax((1, 2, 3)) > 0).all()
    srkit.train("espcn", photos, stopped, **options | {"steps": 2})
    srkit.train("espcn", photos, stopped, **options)
    same_result(stopped, whole)


def test_a_run_that_was_never_better_than_its_start_says_so(photos, tmp_path, cache, tiny, caplog):
    options = {"scale": 2, "cache": cache, **tiny, "rate": 1.0, "teacher": "bilinear"}
    for steps in (3, 6):
        caplog.clear()
        best = srkit.train("espcn", photos, tmp_path, **options | {"steps": steps})
        assert f"no check was better than the start, which {best} holds" in caplog.messages
    # It has learned from nobody.
    assert "teachers" not in read_checkpoint(best).metadata
    assert read_checkpoint(tmp_path / "weights.safetensors").metadata["teachers"] == "bilinear"


def test_seconds_are_counted_on(photos, tmp_path, tiny):
    options = {**tiny, "scale": 2, "check_every": 1}
    srkit.train("espcn", photos, tmp_path, **{**options, "steps": 2})
    log = tmp_path / "log.csv"

    def seconds() -> list[float]:
        with log.open(newline="") as file:
            return [float(row["seconds"]) for row in csv.DictReader(file)]

    # As if the first part had taken a day.
    log.write_text(log.read_text().replace(f",{seconds()[-1]:.6g},", ",86400,"))
    assert seconds()[-1] == 86400
    srkit.train("espcn", photos, tmp_path, **{**options, "steps": 4})
    assert 86400 <= seconds()[-2] <= seconds()[-1] < 2 * 86400


def test_more_steps_go_on_from_the_last(photos, tmp_path, cache, tiny, rows):
    options = {"scale": 2, "cache": cache}
    srkit.train("espcn", photos, tmp_path, **options, **tiny)
    before = rows(tmp_path)
    # Steps may change, and how often something is written.
    tiny |= {"steps": 8, "check_every": 2, "save_every": 8}
    srkit.train("espcn", photos, tmp_path, **options, **tiny)
    after = rows(tmp_path)
    assert after[: len(before)] == before
    assert [row["step"] for row in after] == ["0", "3", "6", "8"]
    assert torch.load(tmp_path / "state.pth", weights_only=True)["step"] == 8


def test_a_finished_run_is_left_as_it_is(photos, tmp_path, cache, tiny):
    path = srkit.train("espcn", photos, tmp_path, scale=2, cache=cache, **tiny)
    before = snapshot(tmp_path)
    assert srkit.train("espcn", photos, tmp_path, scale=2, cache=cache, **tiny) == path
    assert snapshot(tmp_path) == before


# --- other settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rate": 0.5}, "rate was 0.0015, is 0.5"),
        ({"scale": 3}, r"scale was 2, is 3[^,]*\)"),  # of the same photos
        ({"held_out": 2, "seed": 1}, "held_out was 1, is 2, seed was 0, is 1"),
        ({"losses": [{"kind": "l2"}]}, "losses was .*'l1'.*, is .*'l2'"),
    ],
)
def test_a_run_with_other_settings_is_refused_and_nothing_changes(
    photos, tmp_path, tiny, changes, told
):
    # Decoded photos are in the folder, too.
    options = {**tiny, "steps": 2, "scale": 2}
    srkit.train("espcn", photos, tmp_path, **options)
    before = snapshot(tmp_path)
    with pytest.raises(OptionError, match=rf"holds a run with other settings \({told}"):
        srkit.train("espcn", photos, tmp_path, **{**options, **changes})
    assert snapshot(tmp_path) == before


def test_photos_that_have_changed_are_counted_and_the_way_on_is_told(photos, tmp_path, tiny):
    folder = shutil.copytree(photos, tmp_path / "photos")
    options = {**tiny, "steps": 2, "scale": 2}
    srkit.train("espcn", folder, tmp_path / "run", **options)
    pictures = sorted(path for path in folder.rglob("*") if path.is_file())
    pictures[0].unlink()
    told = rf"the photos are others than before \({len(pictures) - 1} instead of {len(pictures)}\)"
    with pytest.raises(OptionError, match=told) as caught:
        srkit.train("espcn", folder, tmp_path / "run", **options)
    assert f"init='{tmp_path / 'run' / 'best.safetensors'}', out=NEW" in str(caught.value)


def test_a_fresh_run_starts_again_with_any_settings(photos, tmp_path, cache, tiny, rows):
    old, new, wanted = ({**tiny, "scale": 2, "cache": cache} for _ in range(3))
    for options in (new, wanted):
        options |= {"rate": 0.0005, "steps": 3}
    srkit.train("espcn", photos, tmp_path / "a", **old)
    srkit.train("espcn", photos, tmp_path / "a", resume=False, **new)
    srkit.train("espcn", photos, tmp_path / "b", **wanted)
    same_result(tmp_path / "a", tmp_path / "b")
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_a_fresh_run_that_is_stopped_early_does_not_go_on_from_an_older_one(
    photos, tmp_path, cache, tiny, rows, monkeypatch
):
    options = {**tiny, "scale": 2, "cache": cache}
    srkit.train("espcn", photos, tmp_path, **options)
    with monkeypatch.context() as patch:
        stop_after(patch, Minimise, 1)
        with pytest.raises(StoppedError):
            srkit.train("espcn", photos, tmp_path, resume=False, **options)
        with pytest.raises(StoppedError):
            srkit.train("espcn", photos, tmp_path, **options)
    assert [row["step"] for row in rows(tmp_path)] == ["0"]


def test_a_run_goes_on_with_its_photos_copied_elsewhere(photos, tmp_path, tiny, caplog):
    # As a folder restored from a backup is: the same files at another place, with other times.
    folder, out = tmp_path / "photos", tmp_path / "out"
    shutil.copytree(photos, folder)
    srkit.train("espcn", folder, out, **{**tiny, "steps": 2, "scale": 2, "check_every": 1})
    moved = tmp_path / "restored"
    shutil.copytree(folder, moved, copy_function=shutil.copyfile)
    for path in moved.rglob("*"):
        os.utime(path, (10**9, 10**9))
    shutil.rmtree(folder)
    with caplog.at_level("INFO", "srkit"):
        srkit.train("espcn", moved, out, **{**tiny, "steps": 3, "scale": 2, "check_every": 1})
    assert "going on from step 2 of 3" in caplog.messages
    held = (out / "held_out.txt").read_text().splitlines()
    assert all(Path(path).parent == moved.resolve() for path in held)


def test_a_run_is_not_continued_on_photos_of_the_same_names_and_sizes(photos, tmp_path, tiny):
    # Frames of a film, say, which are numbered, and as BMP all of one size.
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    sizes = set()
    for number, path in enumerate(sorted(photos.glob("*.png"))[:3]):
        picture = srkit.read_image(path).pixels[:96, :96, :3]
        srkit.Image(picture).save(folder / f"{number}.bmp")
        sizes.add((folder / f"{number}.bmp").stat().st_size)
    assert len(sizes) == 1
    options = {**tiny, "scale": 2}
    srkit.train("espcn", folder, out, **{**options, "steps": 2})
    (folder / "0.bmp").rename(tmp_path / "first.bmp")
    (folder / "1.bmp").rename(folder / "0.bmp")
    (tmp_path / "first.bmp").rename(folder / "1.bmp")
    with pytest.raises(OptionError, match="the photos are others than before"):
        srkit.train("espcn", folder, out, **{**options, "steps": 3})


def test_a_run_is_not_continued_on_other_photos(photos, tmp_path, tiny):
    # A photo more moves others between those trained on and those checked on.
    folder, out = tmp_path / "photos", tmp_path / "out"
    shutil.copytree(photos, folder)
    options = {**tiny, "steps": 2, "scale": 2}
    srkit.train("espcn", folder, out, **options)
    before = snapshot(out)
    shutil.copy(folder / "astronaut.png", folder / "another.png")
    with pytest.raises(OptionError, match="the photos are others than before"):
        srkit.train("espcn", folder, out, **options)
    assert snapshot(out) == before
