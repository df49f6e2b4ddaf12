"""State dicts of SPAN's and SPANF's programs, and what these compute, written down by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]
MEAN = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)

# Programs differ in its value.
NO_NORM = {"no_norm": torch.tensor(3.0)}


class Draws:
    """Weights at random, the same for each seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def layer(self, name: str, made: int, given: int, side: int, bias: bool = True) -> State:
        spread = 0.6 / (given * side**2) ** 0.5
        weight = spread * torch.randn(made, given, side, side, generator=self.generator)
        found = {f"{name}.weight": weight}
        if bias:
            found[f"{name}.bias"] = 0.3 * torch.randn(made, generator=self.generator)
        return found

    def trained(self, name: str, made: int, given: int) -> State:
        """Four convolutions, and a sum of them that is older."""
        return {
            **self.layer(f"{name}.sk", made, given, 1),
            **self.layer(f"{name}.conv.0", 2 * given, given, 1),
            **self.layer(f"{name}.conv.1", 2 * made, 2 * given, 3),
            **self.layer(f"{name}.conv.2", made, 2 * made, 1),
            **self.shipped(name, made, given),
        }

    def shipped(self, name: str, made: int, given: int) -> State:
        """The sum alone."""
        return self.layer(f"{name}.eval_conv", made, given, 3)


def span(
    scale: int = 4, features: int = 8, *, form: str = "trained", norm: bool = True, joined: int = 0
) -> State:
    """A state dict of SPAN, ``"trained"`` or ``"shipped"``."""
    draws = Draws(scale)
    layer = getattr(draws, form)
    state = layer("conv_1", features, 3)
    for block in range(1, 7):
        for number in (1, 2, 3):
            state |= layer(f"block_{block}.c{number}_r", features, features)
    state |= layer("conv_2", features, features)
    state |= draws.layer("conv_cat", joined or features, 4 * features, 1)
    state |= draws.layer("upsampler.0", 3 * scale**2, joined or features, 3)
    if norm:
        # What it sees are levels; training is what makes something smaller of them.
        for name in ("sk", "conv.0", "eval_conv"):
            if f"conv_1.{name}.weight" in state:
                state[f"conv_1.{name}.weight"] *= 0.02
    return grey("upsampler.0", state) if norm else grey("upsampler.0", state) | NO_NORM


def spanf(scale: int = 4, features: int = 8, *, form: str = "shipped") -> State:
    """A state dict of SPANF."""
    draws = Draws(scale)
    layer, pixels = getattr(draws, form), 3 * scale**2
    state = draws.layer("conv_near", pixels, 1, 3, bias=False)
    for block in range(1, 6):
        for number in (1, 2, 3):
            given = 3 if (block, number) == (1, 1) else features
            state |= layer(f"block_{block}.c{number}_r", features, given)
    state |= draws.layer("conv_cat", features, 2 * features + pixels, 1)
    state |= layer("conv_2", pixels, features)
    return grey("conv_2.sk" if form == "trained" else "conv_2.eval_conv", state)


def grey(name: str, state: State) -> State:
    """Results about the middle of [0, 1], by the bias of the last layer."""
    return state | {f"{name}.bias": 0.5 + 0.1 * state[f"{name}.bias"]}


def convolved(state: State, name: str, x: Tensor) -> Tensor:
    """A layer of theirs, as in training where it can be: zeros are put around all four."""
    if f"{name}.sk.weight" not in state:
        weight, bias = (state[f"{name}.eval_conv.{part}"] for part in ("weight", "bias"))
        return functional.conv2d(x, weight, bias, padding=1)
    y = functional.pad(x, (1, 1, 1, 1))
    for part in ("conv.0", "conv.1", "conv.2"):
        y = functional.conv2d(y, state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])
    return y + functional.conv2d(x, state[f"{name}.sk.weight"], state[f"{name}.sk.bias"])


def block(state: State, name: str, x: Tensor, attention: bool = True) -> tuple[Tensor, Tensor]:
    """What a block makes, and its first layer; activation writes to its input."""
    first = functional.silu(convolved(state, f"{name}.c1_r", x))
    second = functional.silu(convolved(state, f"{name}.c2_r", first))
    third = convolved(state, f"{name}.c3_r", second)
    return ((third + x) * (torch.sigmoid(third) - 0.5) if attention else third), first


def span_by_hand(state: State, rgb: np.ndarray, scale: int) -> np.ndarray:
    """What SPAN's program computes, in float64, clipped."""
    state = {name: tensor.double() for name, tensor in state.items()}
    x = planes(rgb)
    if "no_norm" not in state:
        x = (x - MEAN) * 255
    shallow = convolved(state, "conv_1", x)
    y, made = shallow, []
    for number in range(1, 7):
        y, first = block(state, f"block_{number}", y)
        made.append(y)
    joined = torch.cat([shallow, convolved(state, "conv_2", y), made[0], first], 1)
    y = functional.conv2d(joined, state["conv_cat.weight"], state["conv_cat.bias"])
    y = functional.conv2d(y, state["upsampler.0.weight"], state["upsampler.0.bias"], padding=1)
    return picture(functional.pixel_shuffle(y, scale))


def spanf_by_hand(state: State, rgb: np.ndarray, scale: int) -> np.ndarray:
    """What SPANF's program computes, in float64, clipped."""
    state = {name: tensor.double() for name, tensor in state.items()}
    x = planes(rgb)
    near = functional.conv2d(x, state["conv_near.weight"], padding=1, groups=3)
    y, made = x, []
    for number in range(1, 6):
        y, _ = block(state, f"block_{number}", y, attention=number > 1)
        made.append(y)
    joined = torch.cat([near, made[-1], made[0]], 1)
    y = functional.conv2d(joined, state["conv_cat.weight"], state["conv_cat.bias"])
    return picture(functional.pixel_shuffle(convolved(state, "conv_2", y), scale))


def planes(rgb: np.ndarray) -> Tensor:
    return torch.from_numpy(rgb).double().permute(2, 0, 1)[None]


def picture(made: Tensor) -> np.ndarray:
    return made[0].permute(1, 2, 0).clamp(0, 1).float().numpy()
