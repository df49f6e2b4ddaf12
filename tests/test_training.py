"""The trainers: photos, schedule, the bicubic start, resuming, and a tiny run of each."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'srkit[all]'")

from srkit.adapters.pytorch.nets.discriminator import Discriminator  # noqa: E402
from srkit.adapters.pytorch.nets.srresnet import SRResNet, denormalise, normalise  # noqa: E402
from srkit.errors import OptionError, WeightsError  # noqa: E402
from srkit.imaging.resize import imresize  # noqa: E402
from srkit.training import adversarial, pixel  # noqa: E402
from srkit.training.bicubic_start import start_bicubic  # noqa: E402
from srkit.training.common import find_photos, to_tensor  # noqa: E402
from srkit.training.credits import credits_of  # noqa: E402
from srkit.training.export import export  # noqa: E402
from srkit.training.interpolate import interpolate  # noqa: E402
from srkit.training.photos import PhotoCrops, pack  # noqa: E402

TINY = pixel.PixelRecipe(
    steps=6, batch=1, crop=8, warmup=2, held_out=1, check_every=3, save_every=2
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()[:270, :290]).save(folder / f"{name}.png")
    return folder


def test_packed_crops_are_aligned_pieces_of_photos_and_their_bicubic_lr(
    photos: Path, tmp_path: Path
) -> None:
    crops = PhotoCrops(pack([photos / "coffee.png"], tmp_path, 4), 4, 12)
    hr_photo = np.asarray(Image.open(photos / "coffee.png"))[:268, :288]
    lr_photo = imresize(hr_photo, 1 / 4)
    rng = np.random.default_rng(0)
    for _ in range(5):
        lr, hr = crops._candidate(rng)
        places = np.argwhere((lr_photo == lr[0, 0]).all(-1))
        found = [(y, x) for y, x in places if np.array_equal(lr_photo[y : y + 12, x : x + 12], lr)]
        assert any(
            np.array_equal(hr_photo[4 * y : 4 * y + 48, 4 * x : 4 * x + 48], hr) for y, x in found
        )


def test_turned_crops_stay_aligned(photos: Path, tmp_path: Path) -> None:
    crops = PhotoCrops(pack(find_photos(photos), tmp_path, 4), 4, 16)
    rng = np.random.default_rng(0)
    for _ in range(12):
        lr, hr = crops.crop(rng)
        # Shrinking the HR crop gives the LR crop, but for its border and for rounding
        # between the two passes, whose order a quarter turn swaps.
        apart = np.abs(imresize(hr, 1 / 4).astype(int) - lr)[3:-3, 3:-3]
        assert apart.mean() < 0.5
        assert apart.max() <= 3


def test_a_broken_photo_is_skipped_with_a_warning(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    with caplog.at_level(logging.WARNING):
        index = pack([broken, photos / "coffee.png"], tmp_path / "cache", 4)
    assert "broken.jpg" in caplog.text
    assert PhotoCrops(index, 4, 8).crop(np.random.default_rng(0))[0].shape == (8, 8, 3)


def test_photos_smaller_than_a_crop_are_an_error(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="1200 pixels"):
        PhotoCrops(pack([photos / "coffee.png"], tmp_path, 4), 4, 300)


def test_a_folder_of_one_photo_is_an_error(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes((photos / "coffee.png").read_bytes())
    with pytest.raises(OptionError, match="1 photos"):
        find_photos(tmp_path)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_start_is_bicubic_interpolation(photos: Path, scale: int) -> None:
    torch.manual_seed(0)
    net = SRResNet(scale).eval()
    start_bicubic(net, noise=0.0)
    lr = imresize(np.asarray(Image.open(photos / "astronaut.png"))[:160, :160], 1 / scale)
    with torch.no_grad():
        made = denormalise(net(normalise(to_tensor(lr[None]))))[0].permute(1, 2, 0).numpy()
    bicubic = imresize(lr / 255, scale)
    apart = np.abs(made - bicubic)[16:-16, 16:-16]
    # The inverse of tanh is piecewise linear: off by a few levels.
    assert apart.max() < 12 / 255
    assert apart.mean() < 1.5 / 255


def test_the_bicubic_start_refuses_x8() -> None:
    with pytest.raises(OptionError, match="x8"):
        start_bicubic(SRResNet(8))


def test_the_discriminator_has_the_papers_size() -> None:
    judge = Discriminator()
    assert sum(p.numel() for p in judge.parameters()) == 23_565_505
    # Strides of Figure 4: 96 pixels become 6.
    assert judge.features(torch.zeros(1, 3, 96, 96)).shape == (1, 512, 6, 6)


def test_training_learns_on_the_photos_and_continues(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pixel.train(photos, out, TINY, tmp_path / "cache")
    before = torch.load(out / "state.pth", weights_only=True)
    longer = pixel.PixelRecipe(**(TINY.__dict__ | {"steps": 8}))
    weights = pixel.train(photos, out, longer, tmp_path / "cache")
    with (out / "log.csv").open(newline="") as log:
        rows = list(csv.DictReader(log))
    assert before["step"] == 6
    assert [int(row["step"]) for row in rows] == [0, 3, 6, 6, 8]
    assert rows[2]["psnr"] == rows[3]["psnr"]
    assert len(torch.load(weights, weights_only=True)) == 258


def test_adversarial_training_moves_both_networks(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = SRResNet(4)
    start_bicubic(net)
    torch.save(net.state_dict(), tmp_path / "start.pth")
    recipe = adversarial.AdversarialRecipe(
        steps=2, batch=2, crop=8, judge=4, held_out=1, check_every=2, save_every=1
    )
    weights = adversarial.train(photos, tmp_path / "start.pth", tmp_path / "gan", recipe)
    state = torch.load(tmp_path / "gan" / "state.pth", weights_only=True)
    torch.manual_seed(recipe.seed)
    SRResNet(4)
    untrained = Discriminator(4).state_dict()
    assert state["step"] == 2
    assert not torch.equal(state["judge"]["features.0.weight"], untrained["features.0.weight"])
    after = torch.load(weights, weights_only=True)
    key = "residual_blocks.0.conv_block1.conv_block.0.weight"
    assert not torch.equal(after[key], net.state_dict()[key])


def test_the_perceptual_loss_falls_when_trained_on_one_batch(photos: Path, tmp_path: Path) -> None:
    net = SRResNet(4)
    start_bicubic(net)
    torch.save(net.state_dict(), tmp_path / "start.pth")
    duel = adversarial.Duel(adversarial.AdversarialRecipe(judge=4), tmp_path / "start.pth")
    crops = PhotoCrops(pack(find_photos(photos), tmp_path / "cache", 4), 4, 12)
    batch = next(crops.batches(1, np.random.default_rng(0)))
    losses = [float(duel.step(batch, 2e-4)["perceptual"]) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_exported_weights_are_half_precision_and_say_what_they_are(tmp_path: Path) -> None:
    from safetensors import safe_open

    torch.manual_seed(0)
    net = SRResNet(2, channels=8, blocks=1)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    digest = export(tmp_path / "w.pth", tmp_path / "w.safetensors", {"scale": "2"})
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata() == {"scale": "2"}
        stored = file.get_tensor("conv_block1.conv_block.0.weight")
    assert stored.dtype == torch.float16
    assert torch.allclose(stored.float(), net.conv_block1.conv.weight, atol=1e-3)
    assert len(digest) == 64


def test_credits_name_every_photo(tmp_path: Path) -> None:
    table = tmp_path / "photos.csv"
    table.write_text("file,licence,original,source\n1.jpg,CC0-1.0,a.jpg,here/a.jpg\n")
    text = credits_of(table)
    assert "1 photos" in text
    assert "| a.jpg | CC0-1.0 |  | here/a.jpg |" in text


def test_interpolation_is_exact_at_both_ends_and_halfway_between() -> None:
    first = {"a": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    second = {"a": torch.tensor([1.0, 4.0]), "n": torch.tensor(3)}
    assert interpolate(first, second, 0.0)["a"].tolist() == [0.0, 2.0]
    assert interpolate(first, second, 1.0)["a"].tolist() == [1.0, 4.0]
    assert interpolate(first, second, 0.5)["a"].tolist() == [0.5, 3.0]
    assert interpolate(first, second, 0.5)["n"].item() == 3
    with pytest.raises(WeightsError, match="b"):
        interpolate(first, {**second, "b": torch.zeros(1)}, 0.5)
