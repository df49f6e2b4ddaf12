"""Networks of small whole numbers, whose sums are exact, and their results by strips."""

from __future__ import annotations

import itertools

import torch

from srkit.adapters.pytorch.runtime.streaming import plan
from srkit.adapters.pytorch.runtime.tracing import trace

CHANNELS, WIDTH = 4, 9


def whole_numbers(net, seed=0):
    """Small whole weights in double precision: sums are exact in any order."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in [*net.named_parameters(), *net.named_buffers()]:
        if values.is_floating_point():
            low = 1 if "running_var" in name else -2
            values.data = torch.randint(low, 3, values.shape, generator=generator).double()
    return net.eval()


def picture(height, seed=0, width=WIDTH, channels=CHANNELS):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, (1, channels, height, width), generator=generator).double()


def held_bytes(stream):
    """Bytes that a stream keeps for rows to come; views share them."""
    pieces = (rows.untyped_storage() for rows in stream.held if rows is not None)
    return sum({piece.data_ptr(): piece.nbytes() for piece in pieces}.values())


@torch.inference_mode()
def streamed(net, image, heights):
    """The result by strips of these heights, over and over."""
    stream, parts, at = plan(trace(net)).start(), [], 0
    for height in itertools.cycle(heights):
        strip = image[:, :, at : at + height].contiguous(memory_format=torch.channels_last)
        parts.append(stream.push(strip))
        at += height
        if at >= image.shape[2]:
            break
    parts += stream.finish()
    assert held_bytes(stream) == 0
    return torch.cat([part for part in parts if part is not None], 2)


def check_equal(net, image, heights):
    with torch.inference_mode():
        whole = net(image)
    assert torch.equal(streamed(net, image, heights), whole)
