"""What a weights file is: its format, whether it is safe, what it holds, what loads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srkit.errors import SrkitError, UnsafeFileError
from srkit.guard import reading
from srkit.models.contents import Contents
from srkit.models.registry import Registry
from srkit.models.weights import sha256
from srkit.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class LoadedAs:
    """The model that a weights file becomes.

    Attributes
    ----------
    summary, framework, scale, colour, licence
        See `srkit.ModelCard`; the framework is the one that would run it here.
    radius
        Of the receptive field, in LR pixels; None where it is not known.
    parameters
        Numbers that were trained; None where it is not known.
    """

    summary: str
    framework: str
    scale: int
    colour: str
    licence: str
    radius: int | None
    parameters: int | None

    @classmethod
    def of(cls, model: Upscaler, header: Mapping[str, str]) -> LoadedAs:
        """The facts of a loaded model, and its licence by the file's header if by nothing else."""
        card = model.card
        try:
            radius: int | None = model.radius
        except SrkitError:
            radius = None
        return cls(
            summary=card.summary,
            framework=card.framework,
            scale=model.scale,
            colour=card.colour,
            licence=card.licence or header.get("licence", ""),
            radius=radius,
            parameters=model.parameters,
        )


@dataclass(frozen=True)
class FileReport:
    """What `srkit.inspect` found out about a weights file.

    Attributes
    ----------
    path, size, sha256
        The file, its bytes and its checksum, in hexadecimal.
    format
        Such as ``"PyTorch checkpoint"``.
    safe
        True if all of it was read as data. False if it asks for something that could run
        code, or is out of all proportion: srkit refuses such files. None if it could not be
        read to its end, and so nobody knows.
    contents
        Tensors and header; empty where the file was not read.
    model
        What `srkit.load` makes of it; None if it does not.
    problem
        Why it is refused, or not loaded; empty if nothing is wrong.

    Examples
    --------
    >>> import srkit
    >>> from srkit.models.weights import PACKAGED
    >>> report = srkit.inspect(PACKAGED / "espcn_x3.safetensors")
    >>> report.safe, report.contents.header["architecture"]
    (True, 'ESPCN')
    """

    path: Path
    size: int
    sha256: str
    format: str
    safe: bool | None
    contents: Contents
    model: LoadedAs | None
    problem: str

    def as_dict(self) -> dict[str, Any]:
        """The report in types that JSON has.

        Examples
        --------
        >>> import srkit
        >>> from srkit.models.weights import PACKAGED
        >>> report = srkit.inspect(PACKAGED / "espcn_x3.safetensors").as_dict()
        >>> report["format"], report["safe"]
        ('safetensors file', True)
        """
        return {
            "path": str(self.path),
            "size": self.size,
            "sha256": self.sha256,
            "format": self.format,
            "safe": self.safe,
            "model": vars(self.model) if self.model else None,
            "problem": self.problem,
            "header": dict(self.contents.header),
            "tensors": {
                name: {"shape": list(tensor.shape), "dtype": tensor.dtype}
                for name, tensor in self.contents.tensors.items()
            },
        }


def inspect(path: Path, registry: Registry, options: Mapping[str, Any]) -> FileReport:
    """See `srkit.inspect`."""
    kind = registry.format_of(path)
    contents, model, problem, safe = Contents({}), None, "", None
    try:
        contents = registry.contents(path)
        # Formats that do not tell what they hold are judged by loading.
        safe = True if kind.contents else None
        loaded = registry.load(path, **options)
        with reading(path, kind.name):
            model = LoadedAs.of(loaded, contents.header)
        safe = True
    except SrkitError as error:
        problem = str(error)
        if isinstance(error, UnsafeFileError):
            safe = False
    return FileReport(
        path=path,
        size=path.stat().st_size,
        sha256=sha256(path),
        format=kind.name,
        safe=safe,
        contents=contents,
        model=model,
        problem=problem,
    )
