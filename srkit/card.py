"""The static facts of a model, known without importing its framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from srkit.tables import html_table, text_table


@dataclass(frozen=True)
class Footprint:
    """What was measured of the network that weights are of, so that to load it measures nothing.

    Memory is that of float32, and holds on every device: it is added up from sizes of tensors.

    Attributes
    ----------
    parameters
        Numbers of the network: another one has not this footprint.
    tile
        Bytes for each LR pixel of a tile.
    column, pixel
        Bytes that strips take for each column of the image, and for each pixel of a strip.

    Examples
    --------
    >>> import srkit
    >>> srkit.card("espcn").weights[2].footprint.parameters
    21284
    """

    parameters: int
    tile: float
    column: float
    pixel: float


@dataclass(frozen=True)
class WeightsFile:
    """Where the weights of one scale come from.

    Attributes
    ----------
    file
        Name of the file: below ``srkit/pretrained`` where packaged, as an installed
        distribution lists it, else in the user's cache.
    sha256
        Hexadecimal digest the file must have.
    source
        ``"packaged"``; ``"distribution:NAME"`` for a file of an installed distribution, of
        which nothing is imported; an http(s) address; or a path for a user's own file.
    size
        Bytes of a download: more are not read. None where not stated.
    companions
        Further files that the model does not do without. They are verified with this one.
    footprint
        Of the network, where it was measured, runs strip by strip, and the card states its radius.

    Examples
    --------
    >>> text = WeightsFile("nets/small.param", "0" * 64, "distribution:nets-of-theirs")
    >>> WeightsFile("nets/small.bin", "1" * 64, text.source, companions=(text,)).distribution
    'nets-of-theirs'
    """

    file: str
    sha256: str
    source: str = "packaged"
    size: int | None = None
    companions: tuple[WeightsFile, ...] = ()
    footprint: Footprint | None = None

    @property
    def distribution(self) -> str | None:
        """The distribution that carries the file, if one does.

        Examples
        --------
        >>> WeightsFile("small.bin", "1" * 64, "distribution:nets-of-theirs").distribution
        'nets-of-theirs'
        >>> WeightsFile("espcn_x3.safetensors", "1" * 64).distribution is None
        True
        """
        kind, _, name = self.source.partition("distribution:")
        return name if name and not kind else None

    @property
    def downloaded(self) -> bool:
        """Whether the file is downloaded when it is first needed.

        Examples
        --------
        >>> WeightsFile("small.bin", "1" * 64, "https://example.org/small.bin").downloaded
        True
        >>> WeightsFile("espcn_x3.safetensors", "1" * 64).downloaded
        False
        """
        return self.source.startswith(("https://", "http://"))


@dataclass(frozen=True, repr=False)
class ModelCard:
    """What srkit knows of a model before it is loaded; shown as a table, in notebooks too.

    Attributes
    ----------
    name
        The name `srkit.load` takes.
    summary
        One sentence for lists.
    adapter
        ``"module:Class"``, imported only when the model is loaded.
    framework
        ``"numpy"``, ``"torch"``, ``"tensorflow"``, ``"theano"`` or ``"onnx"``: what the
        adapter imports, and so the extra to install.
    scales, default_scale
        Integer factors the model exists for, and the one taken when none is given.
    colour
        ``"rgb"``: the network sees colour. ``"luma"``: it sees brightness alone, and
        chroma is upscaled by bicubic interpolation.
    border
        What the model sees beyond the image: ``"reflect"`` (no edge repeat),
        ``"mirror"`` (edge repeated), ``"edge"`` or ``"zero"``.
    radius
        Receptive-field radius in LR pixels: an output pixel depends on no input
        pixel farther away. A mapping where it differs by scale; None where only
        the loaded network tells.
    multiple
        Sides of the network's input are multiples of this.
    licence
        SPDX expression of the weights' licence.
    licence_note
        What there is to know of it besides, such as a doubt, in some hundred characters.
    paper
        Reference of the method.
    training_data
        What the weights were trained on.
    weights
        File of each scale; empty for models without weights.
    version
        Of the weights, such as ``"2025"``: another one where the pixels of results change.
    earlier
        Versions that the name had before, and the models that have those weights now.
        ``load(..., weights=...)`` chooses.
    others
        Other frameworks that the model runs on, and the adapter for each:
        ``load(..., runtime=...)`` chooses. ``"openvino"`` stands here only where it was
        measured to be more than 15 % faster than torch in strips, so that ``runtime="auto"``
        takes it on a CPU where it is installed.
    precisions
        At each scale the reduced precisions, ``"float16"`` and ``"bfloat16"``, in which an 8-bit
        result was measured to be that of float32: PSNR of at least 50 dB between them, and
        99.5 % of values within one level. ``precision="auto"`` takes no others.
    install
        The command that installs what the model needs, where that is not the extra of its
        framework.
    even_colours
        Whether an even colour of any level comes back within 1 level of 255, at borders too: the
        conformance kit requires it where it is stated.
    colour_shift
        Where `even_colours` is not stated: at each scale, by how many levels of 255 an even colour
        was measured to change at most, by `srkit.testing.colour_shift`. Empty where nobody did.
    defaults
        Of options that the adapter leaves to the card, such as ``{"denoise": "auto"}``. An "auto"
        that is decided for each picture has to stand here: it is asked for before loading.
    good_for
        The kinds of pictures that it is for, in few words: ``"drawings, anime"``.
    excused
        Checks of the conformance kit that the model does not owe, each with the reason:
        ``{"check_constant": "it brightens on purpose"}``. The kit leaves them out, and says so.

    Examples
    --------
    >>> card = ModelCard(name="mine", summary="A filter of mine.", adapter="mine:Filter",
    ...                  framework="numpy", scales=(2, 4), default_scale=2)
    >>> card
    name           mine
    summary        A filter of mine.
    adapter        mine:Filter
    framework      numpy
    scales         2, 4
    default scale  2
    colour         rgb
    border         reflect
    multiple       1
    """

    name: str
    summary: str
    adapter: str
    framework: str
    scales: tuple[int, ...]
    default_scale: int
    colour: Literal["rgb", "luma"] = "rgb"
    border: Literal["reflect", "mirror", "edge", "zero"] = "reflect"
    radius: int | Mapping[int, int] | None = None
    multiple: int = 1
    licence: str = ""
    licence_note: str = ""
    paper: str = ""
    training_data: str = ""
    weights: Mapping[int, WeightsFile] = field(default_factory=dict)
    version: str = ""
    earlier: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    precisions: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    install: str | None = None
    even_colours: bool = False
    colour_shift: Mapping[int, int] = field(default_factory=dict)
    defaults: Mapping[str, float | str] = field(default_factory=dict)
    good_for: str = ""
    excused: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The card in types that JSON has: scales are keys as texts.

        Examples
        --------
        >>> ModelCard(name="mine", summary="", adapter="mine:Filter", framework="numpy",
        ...           scales=(2,), default_scale=2, radius={2: 3}).as_dict()["radius"]
        {'2': 3}
        """
        plain: dict[str, Any] = {}
        for fact in fields(self):
            value = getattr(self, fact.name)
            if isinstance(value, Mapping):
                value = {
                    str(key): asdict(inner) if isinstance(inner, WeightsFile) else inner
                    for key, inner in value.items()
                }
            plain[fact.name] = list(value) if isinstance(value, tuple) else value
        return plain

    def radius_at(self, scale: int) -> int | None:
        """Receptive-field radius in LR pixels at `scale`, or None where not known.

        Parameters
        ----------
        scale
            One of `scales`.

        Examples
        --------
        >>> card = ModelCard(name="mine", summary="", adapter="mine:Filter", framework="numpy",
        ...                  scales=(2, 4), default_scale=2, radius={2: 3})
        >>> card.radius_at(2), card.radius_at(4)
        (3, None)
        """
        if isinstance(self.radius, Mapping):
            return self.radius.get(scale)
        return self.radius

    def rows(self) -> list[tuple[str, str]]:
        """What there is to say of the model, as a title and a text each; weights are left out.

        Examples
        --------
        >>> ModelCard(name="mine", summary="", adapter="mine:Filter", framework="numpy",
        ...           scales=(2,), default_scale=2, radius={2: 3}).rows()[-2:]
        [('radius', '2: 3'), ('multiple', '1')]
        """
        first = {name: getattr(self, name) for name in ("name", "summary", "good_for")}
        facts = first | self.as_dict()
        del facts["weights"]
        shift = facts.pop("colour_shift")
        facts["even_colours"] = "come back within 1 level of 255" if self.even_colours else ""
        if shift and not self.even_colours:
            facts["even_colours"] = f"change by up to {_shown(shift)} levels of 255"
        return [
            (name.replace("_", " "), _shown(value))
            for name, value in facts.items()
            if value not in ("", None, {}, [])
        ]

    def __repr__(self) -> str:
        return text_table(self.rows(), "ll")

    def _repr_html_(self) -> str:
        return html_table(self.rows())


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return str(value)
