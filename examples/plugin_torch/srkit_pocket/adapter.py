"""The adapter, imported when the model is loaded: PyTorch is imported here, and not before."""

from safetensors.torch import load_file

from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit_pocket.network import Pocket


class PocketUpscaler(TorchUpscaler):
    """Builds the network and reads its weights; all else is `TorchUpscaler`'s."""

    def __init__(self, card, scale, weights, *, device="auto", precision="auto"):
        net = Pocket(scale)
        net.load_state_dict(load_file(weights))
        super().__init__(card, scale, net, device=device, precision=precision)
