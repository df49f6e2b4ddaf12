"""Checkpoints as training programs write them: which network of them is read."""

import argparse
import copy
import datetime
import sys
from collections import deque
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from safetensors.torch import save_file
from torch import nn

import srkit
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.errors import WeightsError

SMALL = np.random.default_rng(3).random((9, 11, 3), np.float32)


def networks():
    """A network of each kind that srkit reads from such files, with weights of its own."""
    torch.manual_seed(4)
    return {"srresnet": SRResNet(4, 6, 1), "compact": Compact(2, Size(6, 1))}


def changed(state, by):
    """Another version of weights: an average, or those of a discriminator."""
    return {
        name: value + by if value.is_floating_point() else value for name, value in state.items()
    }


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


def of(state):
    """What a file holds beside its network: what it was trained against, and what trained it."""
    weights = {"conv.weight": torch.ones(2, 3, 3, 3), "fc.bias": torch.ones(1)}
    optimizer = {"state": {0: {"exp_avg": torch.ones(2, 2)}}, "param_groups": [{"lr": 1e-4}]}
    return {
        "netD": weights, "optimizer": optimizer, "epoch": 7, "best_psnr": np.float64(31.5),
        "scheduler": {"last_epoch": 7}, "losses": [0.5, 0.25], "when": datetime.date(2026, 1, 2),
        "args": argparse.Namespace(out=Path("/a/b/c/d/e/f/g/h/i/j/k")), "last": deque([1], 9),
    }  # fmt: skip


# What lies in a file, by the weights and their average.
FORMS = {
    "state_dict of model.": lambda w, a: {"state_dict": prefixed(w, "model."), **of(w)},
    "state_dict of module.model.": lambda w, a: {"state_dict": prefixed(w, "module.model.")},
    "model. alone": lambda w, a: prefixed(w, "model."),
    "generator. alone": lambda w, a: prefixed(w, "generator."),
    "beside a discriminator": lambda w, a: {
        "state_dict": prefixed(w, "generator.") | prefixed(of(w)["netD"], "discriminator.")
    },
    "netG": lambda w, a: {"netG": w, **of(w)},
    "net_g": lambda w, a: {"net_g": prefixed(w, "module."), "net_d": of(w)["netD"], "iter": 9},
    "netG_state_dict": lambda w, a: {"netG_state_dict": w, "netD_state_dict": of(w)["netD"]},
    "any name": lambda w, a: {"upscaler": w, **of(w)},
    "numbers among the tensors": lambda w, a: {**w, "epoch": 7, "lr": 1e-4, "name": "mine"},
    "counters that are tensors": lambda w, a: {
        **w, "step": torch.tensor(3), "initted": torch.tensor(1),
    },
    "settings among the tensors": lambda w, a: {
        **w, "config": {"width": 6}, "optimizer": of(w)["optimizer"],
    },
}  # fmt: skip
AVERAGES = {
    "g_ema": lambda w, a: {"g": w, "d": of(w)["netD"], "g_ema": a, "g_optim": of(w)["optimizer"]},
    "params_ema": lambda w, a: {"params": w, "params_ema": a},
    "ema_state_dict": lambda w, a: {"state_dict": w, "ema_state_dict": a, **of(w)},
    "netG and its ema": lambda w, a: {"netG": w, "netG_ema": a, **of(w)},
    "model_ema": lambda w, a: {"model": w, "model_ema": prefixed(a, "module.")},
    "state_dict_ema": lambda w, a: {"state_dict": w, "state_dict_ema": a, "arch": "sr"},
    "ema.shadow": lambda w, a: {"model": w, "ema": {"decay": 0.999, "shadow": a}},
    "ema in a list, which nobody reads": lambda w, a: {
        "model": a, "ema": {"decay": 0.999, "shadow_params": [torch.ones(2, 2)]},
    },
    "generator_ema.": lambda w, a: {
        "state_dict": prefixed(w, "generator.") | prefixed(a, "generator_ema.")
        | {"step_counter": torch.tensor(9)}
    },
    "online_model. and ema_model.": lambda w, a: {
        **prefixed(w, "online_model."), **prefixed(a, "ema_model."), "initted": torch.tensor(1),
    },
}  # fmt: skip


@pytest.fixture(params=["srresnet", "compact"])
def net(request):
    return networks()[request.param]


def check(path, net, state):
    """The file holds the state, and upscales as the network with it does."""
    found = read_checkpoint(path).tensors
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    save_file({n: v.contiguous() for n, v in state.items()}, path.with_name("plain.safetensors"))
    wanted = srkit.load(path.with_name("plain.safetensors")).upscale(SMALL)
    np.testing.assert_array_equal(srkit.load(path).upscale(SMALL), wanted)


@pytest.mark.parametrize("form", FORMS)
def test_the_network_is_found_in_what_training_programs_keep(tmp_path, net, form):
    state = net.state_dict()
    torch.save(FORMS[form](state, changed(state, 0.5)), tmp_path / "run.pth")
    check(tmp_path / "run.pth", net, state)


@pytest.mark.parametrize("form", AVERAGES)
def test_of_weights_and_their_average_the_average_is_taken(tmp_path, net, form):
    state = net.state_dict()
    average = changed(state, 0.01)
    torch.save(AVERAGES[form](state, average), tmp_path / "run.pth")
    check(tmp_path / "run.pth", net, average)


@pytest.mark.parametrize("form", ["model. alone", "generator. alone", "counters that are tensors"])
def test_names_are_read_alike_in_every_format(tmp_path, net, form):
    state = net.state_dict()
    tensors = FORMS[form](state, state)
    save_file({n: v.contiguous() for n, v in tensors.items()}, tmp_path / "run.safetensors")
    check(tmp_path / "run.safetensors", net, state)


def test_torchs_own_average_of_weights(tmp_path, net):
    averaged = torch.optim.swa_utils.AveragedModel(net)
    averaged.update_parameters(net)
    torch.save({"model": averaged.state_dict(), "epoch": 1}, tmp_path / "swa.pth")
    check(tmp_path / "swa.pth", net, net.state_dict())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
def test_a_network_that_torch_compiled(tmp_path, net):
    torch.save({"state_dict": torch.compile(net).state_dict()}, tmp_path / "compiled.pth")
    check(tmp_path / "compiled.pth", net, net.state_dict())


def test_lightnings_file_by_hand(tmp_path, net, monkeypatch):
    # As lightning 2.6 writes it, see Trainer.save_checkpoint; settings lie in a dict of its own.
    name = "lightning.fabric.utilities.data"
    settings = type("AttributeDict", (dict,), {"__module__": name})
    state = net.state_dict()
    written = {
        "epoch": 1, "global_step": 20, "pytorch-lightning_version": "2.6.0",
        "state_dict": prefixed(state, "generator.") | prefixed(of(state)["netD"], "discriminator.")
        | prefixed(of(state)["netD"], "vgg_loss.features."),
        "loops": {"fit_loop": {"state_dict": {}}}, "optimizer_states": [of(state)["optimizer"]],
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": settings(width=6),
    }  # fmt: skip
    for package in ("lightning", "lightning.fabric", "lightning.fabric.utilities"):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    module = ModuleType(name)
    module.AttributeDict = settings
    monkeypatch.setitem(sys.modules, name, module)
    torch.save(written, tmp_path / "last.ckpt")
    check(tmp_path / "last.ckpt", net, state)


@pytest.mark.filterwarnings("ignore")  # of Lightning itself
def test_lightnings_file_by_lightning(tmp_path, net):
    lightning = pytest.importorskip("lightning", reason="needs pip install lightning")

    class Training(lightning.LightningModule):
        def __init__(self, width):
            super().__init__()
            self.save_hyperparameters()
            self.generator, self.discriminator = net, nn.Conv2d(3, 1, 3)

        def training_step(self, batch, number):
            return self.discriminator(self.generator(batch)).mean()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-3)

    trainer = lightning.Trainer(
        max_steps=1, accelerator="cpu", logger=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Training(6), torch.utils.data.DataLoader(torch.rand(1, 3, 8, 8)))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    check(tmp_path / "last.ckpt", net, copy.deepcopy(net.state_dict()))


def test_layers_that_have_the_name_of_a_wrapper_keep_it(tmp_path):
    # As of ESRGAN's first form and of DnCNN, whose only module is an nn.Sequential.
    for prefix, around in (("model.", ""), ("model.", "module."), ("generator.", "")):
        state = prefixed({"0.weight": torch.ones(2, 2), "1.sub.0.weight": torch.ones(2, 2)}, prefix)
        torch.save(prefixed(state, around), tmp_path / "a.pth")
        assert list(read_checkpoint(tmp_path / "a.pth").tensors) == list(state)
    # And of networks with an encoder beside the generator.
    state = {"generator.a.weight": torch.ones(2, 2), "encoder.a.weight": torch.ones(2, 2)}
    torch.save(state, tmp_path / "a.pth")
    assert list(read_checkpoint(tmp_path / "a.pth").tensors) == list(state)


def test_what_trains_is_no_network(tmp_path):
    beside = of({})
    for value in (
        beside,
        {"netD": beside["netD"]} | beside,
        {"optimizer": beside["optimizer"], "epoch": 1},
    ):
        torch.save(value, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match="no network"):
            read_checkpoint(tmp_path / "a.pth")
