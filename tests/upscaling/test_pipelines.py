"""Tensors in and out, threads, and work that is given up."""

import gc
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import dummies
import numpy as np
import pytest
import tifffile

import srkit
from srkit import ImageError

rng = np.random.default_rng(10)


def picture(*shape, dtype=np.uint8):
    if np.issubdtype(dtype, np.floating):
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


# --- tensors ------------------------------------------------------------------------------

# Shapes of tensors, and the axes that turn them into what numpy has.
SHAPES = [
    ((9, 7), None),
    ((1, 9, 7), (1, 2, 0)),
    ((3, 9, 7), (1, 2, 0)),
    ((4, 9, 7), (1, 2, 0)),
    ((2, 3, 9, 7), (0, 2, 3, 1)),
    ((2, 1, 9, 7), (0, 2, 3, 1)),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_a_tensor_becomes_what_its_array_becomes(shape, axes, dtype):
    torch = pytest.importorskip("torch")
    array = picture(*shape, dtype=dtype)
    last = array if axes is None else array.transpose(axes)
    expected = srkit.load("bicubic", scale=2).upscale(np.ascontiguousarray(last))
    tensor = torch.from_numpy(array.copy())
    made = srkit.load("bicubic", scale=2).upscale(tensor)
    assert isinstance(made, torch.Tensor)
    assert made.dtype == tensor.dtype
    assert made.device == tensor.device
    assert made.is_contiguous()
    back = made if axes is None else made.permute(axes)
    np.testing.assert_array_equal(back.numpy(), expected)
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_comes_back_in_half_precision(name):
    torch = pytest.importorskip("torch")
    given = torch.from_numpy(picture(3, 8, 8, dtype=np.float32)).to(getattr(torch, name))
    made = dummies.Nearest().upscale(given)
    assert made.dtype == given.dtype
    assert torch.equal(made, given.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_a_tensor_with_a_gradient_in_another_memory_format_and_of_one_stride():
    torch = pytest.importorskip("torch")
    given = torch.rand(2, 3, 6, 5).to(memory_format=torch.channels_last).requires_grad_()
    made = dummies.Nearest().upscale(given[:, :, ::2])
    assert not made.requires_grad
    assert torch.equal(made[:, :, ::2, ::2], given.detach()[:, :, ::2])


def test_a_result_of_the_same_size_is_a_copy():
    torch = pytest.importorskip("torch")
    given = torch.rand(3, 6, 5)
    made = dummies.Nearest().upscale(given, size=(6, 5))
    made.zero_()
    assert given.any()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda t: t.zeros(9, 7, 3), r"tensor.permute\(2, 0, 1\)"),
        (lambda t: t.zeros(2, 9, 7, 3), r"tensor.permute\(0, 3, 1, 2\)"),
        (lambda t: t.zeros(2, 9, 7), r"of shape \(2, 9, 7\) is not an image"),
        (lambda t: t.zeros(3, 0, 7), "empty"),
        (lambda t: t.zeros(3, 4, 5, dtype=t.int64), "must be one of uint8.*not int64"),
        (lambda t: t.full((3, 4, 5), 255.0), "divide by 255"),
        (lambda t: t.full((3, 4, 5), t.nan), "NaN"),
        (lambda t: t.full((3, 4, 5), -0.5, dtype=t.float16), r"\(image \+ 1\) / 2"),
        (lambda t: t.zeros(3, 4, 5).to_sparse(), "dense"),
        (lambda t: t.empty(3, 4, 5, device="meta"), "hold data"),
    ],
)
def test_tensors_that_are_no_images(make, told):
    torch = pytest.importorskip("torch")
    with pytest.raises(ImageError, match=told):
        dummies.Nearest().upscale(make(torch))


def test_arrays_do_not_import_torch():
    code = (
        "import sys, numpy, srkit; srkit.upscale(numpy.zeros((4, 4), 'u1'), 'bicubic');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_metrics_and_resizing_take_tensors_as_they_take_arrays():
    torch = pytest.importorskip("torch")
    one, two = picture(24, 30, 3), picture(24, 30, 3)
    first, second = (torch.from_numpy(p).permute(2, 0, 1) for p in (one, two))
    for measure in (srkit.metrics.psnr, srkit.metrics.ssim):
        assert measure(first, second, crop=2) == measure(one, two, crop=2)
    small = srkit.imresize(first, 1 / 3)
    assert isinstance(small, torch.Tensor)
    np.testing.assert_array_equal(small.permute(1, 2, 0).numpy(), srkit.imresize(one, 1 / 3))
    for refuse in (srkit.metrics.rounded_luma, lambda t: srkit.metrics.mod_crop(t, 2)):
        with pytest.raises(ImageError, match="permute"):
            refuse(first)


# --- threads ------------------------------------------------------------------------------

MODELS = [("bicubic", 4), ("srresnet", 4), ("espcn", 2), ("unet", 2), ("neural-enhance", 2)]


@pytest.mark.parametrize(("name", "scale"), MODELS)
def test_one_upscaler_in_four_threads(name, scale):
    if srkit.card(name).framework == "torch":
        pytest.importorskip("torch")
    model = srkit.load(name, scale=scale)
    # Of several sizes, some in strips and some in tiles.
    images = [picture(40 + 8 * n, 60, 3) for n in range(6)]
    expected = [model.upscale(image) for image in images]
    least = model.upscale(images[0], memory=200_000_000)
    np.testing.assert_array_equal(least, expected[0])
    fresh = srkit.load(name, scale=scale)  # what is worked out once is worked out in a race
    start = threading.Barrier(4)

    def work(number):
        start.wait()
        order = np.random.default_rng(number).permutation(len(images))
        return {int(i): fresh.upscale(images[i]) for i in order}

    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(work, range(4)):
            for number, image in made.items():
                np.testing.assert_array_equal(image, expected[number])


def test_several_models_in_several_threads():
    pytest.importorskip("torch")
    image = picture(50, 60, 3)
    expected = {name: srkit.upscale(image, name, scale=scale) for name, scale in MODELS}
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(srkit.upscale, image, n, scale=s) for n, s in MODELS * 3]
        for (name, _), job in zip(MODELS * 3, jobs, strict=True):
            np.testing.assert_array_equal(job.result(), expected[name])


# --- giving up ----------------------------------------------------------------------------


class GivenUpError(Exception):
    pass


def give_up(done, pixels):
    if done * 2 >= pixels:
        raise GivenUpError(f"{done} of {pixels}")


@pytest.mark.parametrize(
    "options",
    [{}, {"memory": 60_000_000}, {"self_ensemble": True}, {"size": (200, 170)}],
    ids=lambda options: next(iter(options), "plain"),
)
@pytest.mark.parametrize(("name", "scale"), MODELS[:3])
def test_what_progress_raises_ends_the_work(name, scale, options):
    if srkit.card(name).framework == "torch":
        pytest.importorskip("torch")
    model = srkit.load(name, scale=scale)
    image = picture(90, 80, 3)
    expected = model.upscale(image, **options)
    with pytest.raises(GivenUpError):
        model.upscale(image, progress=give_up, **options)
    np.testing.assert_array_equal(model.upscale(image, **options), expected)


def test_work_that_is_given_up_lets_go_of_the_result():
    image = picture(500, 500, 3)  # the result is of 3 million bytes
    tracemalloc.start()
    try:
        with pytest.raises(GivenUpError):
            dummies.Nearest().upscale(image, progress=give_up)
        gc.collect()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most > 3_000_000
    assert held < 300_000


@pytest.mark.parametrize("name", ["bicubic", "espcn"])
def test_files_by_rows_that_are_given_up_leave_nothing(name, tmp_path):
    if name == "espcn":
        pytest.importorskip("torch")
    model = srkit.load(name, scale=2)
    source, target = tmp_path / "scan.tif", tmp_path / "out.tif"
    tifffile.imwrite(source, picture(600, 80, 3))
    with pytest.raises(GivenUpError):
        model.upscale_file(source, target, memory=20_000_000, progress=give_up)
    assert list(tmp_path.iterdir()) == [source]
    target.write_bytes(b"what was there before")
    with pytest.raises(GivenUpError):
        model.upscale_file(source, target, memory=20_000_000, progress=give_up)
    assert target.read_bytes() == b"what was there before"
    assert sorted(tmp_path.iterdir()) == [target, source]
    model.upscale_file(source, target, memory=20_000_000)
    assert tifffile.imread(target).shape == (1200, 160, 3)
