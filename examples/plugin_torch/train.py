"""Make the weights of this folder again: python train.py (some minutes, on a CPU).

Three photographs that come with scikit-image and are free of rights: astronaut (NASA, public
domain), coffee and rocket (CC0).
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from skimage import data
from srkit_pocket.network import Pocket

import srkit

SCALE, SIDE, BATCH, STEPS = 2, 32, 16, 3000
TARGET = Path(__file__).parent / "srkit_pocket" / "pocket_x2.safetensors"


def planes(picture):
    """(H, W, 3) of 255 as (3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.transpose(2, 0, 1) / np.float32(255))


def pairs():
    """Each photograph, cut to whole LR pixels and shrunk, as planes in [0, 1]."""
    for name in ("astronaut", "coffee", "rocket"):
        large = getattr(data, name)()
        height, width = (side // SCALE * SCALE for side in large.shape[:2])
        large = large[:height, :width]
        small = srkit.imresize(large, 1 / SCALE)
        yield tuple(
            torch.from_numpy(p.transpose(2, 0, 1) / np.float32(255)) for p in (small, large)
        )


def batch(known, rng):
    """Squares from anywhere, each flipped or turned by chance."""
    smalls, larges = [], []
    for _ in range(BATCH):
        small, large = known[rng.integers(len(known))]
        y, x = (rng.integers(side - SIDE) for side in small.shape[1:])
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        for picture, scale, into in ((small, 1, smalls), (large, SCALE, larges)):
            square = picture[:, y * scale : (y + SIDE) * scale, x * scale : (x + SIDE) * scale]
            square = torch.rot90(square, turns, (1, 2))
            into.append(square.flip(2) if flip else square)
    return torch.stack(smalls), torch.stack(larges)


def main():
    torch.manual_seed(0)
    known, rng = list(pairs()), np.random.default_rng(0)
    net = Pocket(SCALE)
    torch.nn.init.zeros_(net.last.weight)
    torch.nn.init.zeros_(net.last.bias)
    optimiser = torch.optim.Adam(net.parameters())
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, STEPS)
    for step in range(STEPS):
        small, large = batch(known, rng)
        loss = torch.nn.functional.l1_loss(net(small), large)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
        if step % 500 == 0:
            print(step, f"{float(loss.detach()):.5f}", flush=True)
    save_file(net.state_dict(), TARGET)
    print(hashlib.sha256(TARGET.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
