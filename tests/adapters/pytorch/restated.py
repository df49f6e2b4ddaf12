"""RLFN, RFDN and PlainUSR stated once more, in functions: random weights, and what they make.

After what their authors' code computes: github bytedance/RLFN (model/rlfn.py, model/block.py),
njulj/RFDN (RFDN.py, block.py), icandle/PlainUSR (2024_PlainUSR_ACCV/archs).
"""

from __future__ import annotations

import torch
from torch.nn import functional

LRELU = 0.05


def numbers(shapes, seed=0):
    """A state dict of convolutions ``{name: (out, in, side)}``, of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (c_out, c_in, side) in shapes.items():
        deviation = (c_in * side**2) ** -0.5
        weight = torch.randn(c_out, c_in, side, side, generator=generator)
        state[f"{name}.weight"] = deviation * weight
        state[f"{name}.bias"] = 0.1 * torch.randn(c_out, generator=generator)
    return state


def conv(state, name, x, **options):
    return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)


def lrelu(x):
    return functional.leaky_relu(x, LRELU)


def attention(state, name, x):
    """ESA; with three convolutions at the small size where the state has them."""
    c1_ = conv(state, f"{name}.conv1", x)
    small = functional.max_pool2d(
        conv(state, f"{name}.conv2", c1_, stride=2), kernel_size=7, stride=3
    )
    if f"{name}.conv_max.weight" in state:
        small = functional.relu(conv(state, f"{name}.conv_max", small, padding=1))
        small = functional.relu(conv(state, f"{name}.conv3", small, padding=1))
        small = conv(state, f"{name}.conv3_", small, padding=1)
    else:
        small = conv(state, f"{name}.conv3", small, padding=1)
    size = x.shape[2], x.shape[3]
    large = functional.interpolate(small, size, mode="bilinear", align_corners=False)
    return x * torch.sigmoid(
        conv(state, f"{name}.conv4", large + conv(state, f"{name}.conv_f", c1_))
    )


# --- RLFN -----------------------------------------------------------------------------------


def rlfn_state(scale=4, features=10, blocks=2, middle=8, inner=4):
    shapes = {"conv_1": (features, 3, 3)}
    for n in range(1, blocks + 1):
        shapes |= {
            f"block_{n}.c1_r": (middle, features, 3),
            f"block_{n}.c2_r": (middle, middle, 3),
            f"block_{n}.c3_r": (features, middle, 3),
            f"block_{n}.c5": (features, features, 1),
            f"block_{n}.esa.conv1": (inner, features, 1),
            f"block_{n}.esa.conv_f": (inner, inner, 1),
            f"block_{n}.esa.conv2": (inner, inner, 3),
            f"block_{n}.esa.conv3": (inner, inner, 3),
            f"block_{n}.esa.conv4": (features, inner, 1),
        }
    shapes |= {"conv_2": (features, features, 3), "upsampler.0": (3 * scale**2, features, 3)}
    return numbers(shapes)


def rlfn(state, x, scale):
    first = y = conv(state, "conv_1", x, padding=1)
    for n in range(1, 100):
        block = f"block_{n}"
        if f"{block}.c5.weight" not in state:
            break
        out = y
        for layer in ("c1_r", "c2_r", "c3_r"):
            out = lrelu(conv(state, f"{block}.{layer}", out, padding=1))
        y = attention(state, f"{block}.esa", conv(state, f"{block}.c5", out + y))
    y = conv(state, "conv_2", y, padding=1) + first
    return functional.pixel_shuffle(conv(state, "upsampler.0", y, padding=1), scale)


# --- RFDN -----------------------------------------------------------------------------------


def rfdn_state(scale=4, features=10, blocks=2, aside=5, inner=3):
    shapes = {"fea_conv": (features, 3, 3)}
    for n in range(1, blocks + 1):
        for step in (1, 2, 3):
            shapes[f"B{n}.c{step}_d"] = (aside, features, 1)
            shapes[f"B{n}.c{step}_r"] = (features, features, 3)
        shapes |= {
            f"B{n}.c4": (aside, features, 3),
            f"B{n}.c5": (features, 4 * aside, 1),
            f"B{n}.esa.conv1": (inner, features, 1),
            f"B{n}.esa.conv_f": (inner, inner, 1),
            f"B{n}.esa.conv_max": (inner, inner, 3),
            f"B{n}.esa.conv2": (inner, inner, 3),
            f"B{n}.esa.conv3": (inner, inner, 3),
            f"B{n}.esa.conv3_": (inner, inner, 3),
            f"B{n}.esa.conv4": (features, inner, 1),
        }
    shapes |= {
        "c.0": (features, blocks * features, 1),
        "LR_conv": (features, features, 3),
        "upsampler.0": (3 * scale**2, features, 3),
    }
    return numbers(shapes)


def rfdn(state, x, scale):
    first = y = conv(state, "fea_conv", x, padding=1)
    made = []
    for n in range(1, 100):
        if f"B{n}.c5.weight" not in state:
            break
        aside = []
        for step in (1, 2, 3):
            aside.append(lrelu(conv(state, f"B{n}.c{step}_d", y)))
            y = lrelu(conv(state, f"B{n}.c{step}_r", y, padding=1) + y)
        aside.append(lrelu(conv(state, f"B{n}.c4", y, padding=1)))
        y = attention(state, f"B{n}.esa", conv(state, f"B{n}.c5", torch.cat(aside, 1)))
        made.append(y)
    y = lrelu(conv(state, "c.0", torch.cat(made, 1)))
    y = conv(state, "LR_conv", y, padding=1) + first
    return functional.pixel_shuffle(conv(state, "upsampler.0", y, padding=1), scale)


# --- PlainUSR -------------------------------------------------------------------------------

# Names and shares of the features, of the networks with local attention and of the smallest.
BLOCKS = {
    "local": (("block1", 1), ("block2", 2), ("blockm", 3), ("block3", 2), ("block4", 1)),
    "fast": (("block1", 1), ("blockm", 2), ("block2", 1)),
}


def plainusr_state(scale=4, features=12, convs=2, inner=4, kind="local", merged=True):
    shapes = {"head": (features + 3, 3, 3)}
    others = {}
    for name, share in BLOCKS[kind]:
        c, body = features // share, f"{name}.body"
        for n in range(0, 2 * convs, 2):
            if merged:
                shapes[f"{body}.{n}"] = (c, c, 3)
                continue
            shapes |= {
                f"{body}.{n}.expand_conv": (2 * c, c, 1),
                f"{body}.{n}.fea_conv": (2 * c, 2 * c, 3),
                f"{body}.{n}.reduce_conv": (c, 2 * c, 1),
            }
            generator = torch.Generator().manual_seed(n)
            others[f"{body}.{n}.se.tensor"] = torch.randn(1, 2 * c, 1, 1, generator=generator)
            others[f"{body}.{n}.se.se.1.weight"] = torch.randn(c // 2, 2 * c, generator=generator)
            others[f"{body}.{n}.se.se.3.weight"] = torch.randn(2 * c, c // 2, generator=generator)
        if kind == "fast" and name != "blockm":
            continue
        at = 2 * convs - 1
        if not merged:
            shapes[f"{body}.{at}.conv"] = (1, c, 1)
            at += 1
        if kind == "fast":
            shapes[f"{body}.{at}.body.0"] = (c, c, 3)
        else:
            shapes |= {
                f"{body}.{at}.body.0": (inner, c, 1),
                f"{body}.{at}.body.2": (inner, inner, 3),
                f"{body}.{at}.body.3": (c, inner, 3),
            }
    shapes["tail.0"] = (3 * scale**2, features + 3, 3)
    return numbers(shapes) | others


def trained_part(state, name, x):
    """A part as it is trained: its border is what the expansion makes of zeros."""
    out = conv(state, f"{name}.expand_conv", x)
    bias = state[f"{name}.expand_conv.bias"].view(1, -1, 1, 1)
    framed = bias.repeat(len(x), 1, x.shape[2] + 2, x.shape[3] + 2)
    framed[:, :, 1:-1, 1:-1] = out
    hidden = functional.silu(state[f"{name}.se.se.1.weight"] @ state[f"{name}.se.tensor"].flatten())
    share = torch.sigmoid(state[f"{name}.se.se.3.weight"] @ hidden).view(1, -1, 1, 1)
    out = share * conv(state, f"{name}.fea_conv", framed) + out
    return conv(state, f"{name}.reduce_conv", out) + x


def local_attention(state, name, x):
    y = conv(state, f"{name}.0", x)
    y = functional.avg_pool2d(y.exp() * y, 7, 3) / functional.avg_pool2d(y.exp(), 7, 3)
    y = conv(state, f"{name}.2", y, stride=2, padding=1)
    y = torch.sigmoid(conv(state, f"{name}.3", y, padding=1))
    large = functional.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)
    return x * large * torch.sigmoid(x[:, :1])


def plainusr_block(state, body, x):
    for n in range(100):
        name = f"{body}.{n}"
        if f"{name}.expand_conv.weight" in state:
            x = trained_part(state, name, lrelu(x) if n else x)
        elif f"{name}.conv.weight" in state:
            x = torch.cat([conv(state, f"{name}.conv", x), x[:, 1:]], 1)
        elif f"{name}.weight" in state:
            x = conv(state, name, lrelu(x) if n else x, padding=1)
        elif f"{name}.body.2.weight" in state:
            return local_attention(state, f"{name}.body", x)
        elif f"{name}.body.0.weight" in state:
            weights = torch.sigmoid(conv(state, f"{name}.body.0", x, padding=1))
            return x * torch.sigmoid(x[:, :1]) * weights
    return x


def plainusr(state, x, scale):
    kind = (
        "local" if "block4.body.0.bias" in state or "block4.body.0.se.tensor" in state else "fast"
    )
    y = conv(state, "head", x, padding=1)
    features = y.shape[1] - 3
    for name, share in BLOCKS[kind]:
        y = y.clone()
        y[:, : features // share] = plainusr_block(state, f"{name}.body", y[:, : features // share])
    return functional.pixel_shuffle(conv(state, "tail.0", y, padding=1), scale)
