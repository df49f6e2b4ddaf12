"""What a model is asked for: which options it takes, at which scale, on which framework."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Literal, cast

from srkit.advice import advise
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.extras import missing_packages
from srkit.upscaling.upscaler import Upscaler

# Options that look like slips for others, and are those of another model.
ELSEWHERE = {
    "perception": "srgan has",
    "denoise": "photo and realesrgan-general have",
    "halo": "ONNX files have",
}

# What is asked of a loaded model, and not of loading it.
OF_UPSCALE = ("consistent", "memory", "progress", "self_ensemble", "size")

# What `srkit.load` itself is asked for.
OF_LOAD = ("runtime", "scale", "weights")

# Options that every model takes, whether its adapter knows of them or not.
OF_ALL = ("device", "precision")

# What models can be made to see beyond a picture, whatever their cards say.
BORDERS = ("reflect", "zero")


def choose_runtime(runtime: str, runtimes: Mapping[str, str], told: str) -> str:
    """The framework to run on: the one asked for, or the first that is installed.

    Parameters
    ----------
    runtime
        A framework, or ``"auto"``.
    runtimes
        Adapters by the frameworks that there are, the preferred one first.
    told
        What runs on them, for the message.

    Raises
    ------
    OptionError
        If `runtime` is none of them.

    Examples
    --------
    >>> choose_runtime("auto", {"numpy": "mine:Filter"}, "mine runs on numpy")
    'numpy'
    """
    if runtime == "auto":
        there = [name for name in runtimes if not missing_packages(name)]
        return there[0] if there else next(iter(runtimes))
    if runtime not in runtimes:
        listed = ", ".join(map(repr, ("auto", *runtimes)))
        raise OptionError(f"{told}; runtime is one of {listed}, not {runtime!r}")
    return runtime


def option_names(adapter: Callable[..., Any], *model: Any) -> list[str]:
    """Options that an adapter takes: its keywords, or what its ``option_names(*model)`` gives.

    Parameters
    ----------
    model
        Card and scale; nothing for what opens files.

    Examples
    --------
    >>> def opened(path, *, scale=None, device="auto"): ...
    >>> option_names(opened)
    ['device']
    """
    # For adapters whose options depend on the model, as one has whose models are many networks.
    if names := getattr(adapter, "option_names", None):
        return list(names(*model))
    return [
        p.name
        for p in inspect.signature(adapter).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in ("scale", "runtime")
    ]


def check_options(known: Sequence[str], options: Mapping[str, Any], name: str) -> None:
    """Refuse options that are not known, with near misses.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> check_options(["tile", "overlap"], {"tiles": 64}, "mine")
    Traceback (most recent call last):
    srkit.errors.OptionError: mine has no option 'tiles'; did you mean 'tile'?
    """
    there = sorted({*known, *OF_ALL})
    for option in options:
        if option not in known:
            raise OptionError(f"{name} has no option {option!r}; {_meant(option, there)}")


def _meant(option: str, there: Sequence[str]) -> str:
    if option in ELSEWHERE:
        return ELSEWHERE[option]
    near = difflib.get_close_matches(option, [*there, *OF_LOAD, *OF_UPSCALE], 1)
    if not near:
        return f"it has {', '.join(there)}"
    place = f"upscale has {near[0]!r}: upscale(image, {near[0]}=...)"
    if option == near[0]:
        return place
    return f"did you mean {near[0]!r}?" + (f" {place}" if near[0] in OF_UPSCALE else "")


def as_text(given: Any) -> Any:
    """A device or dtype of torch by its name, which pickles anywhere; all else as it is.

    Examples
    --------
    >>> as_text("cuda:1")
    'cuda:1'
    """
    if type(given).__module__ == "torch":
        return str(given).removeprefix("torch.")
    return given


def as_version(given: str | int | None) -> str | None:
    """A version of weights as its text, which a whole number stands for, too.

    Raises
    ------
    OptionError
        If it is anything else: 2025.0 is no version, and True none either.

    Examples
    --------
    >>> as_version(2025), as_version("2025"), as_version(None)
    ('2025', '2025', None)
    """
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, Integral) and not isinstance(given, bool):
        return str(int(given))
    raise OptionError(f"weights is the text of a version, such as '2025', not {given!r}")


def set_apart(known: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Take out of `options` what srkit sees to where an adapter does not know it.

    Examples
    --------
    >>> options = {"device": "cpu", "tile": 64}
    >>> set_apart(["tile"], options), options
    ({'device': 'cpu'}, {'tile': 64})
    """
    there = [name for name in ("border", *OF_ALL) if name in options and name not in known]
    return {name: options.pop(name) for name in there}


def fitting(
    adapter: Callable[..., Any], card: ModelCard, scale: int, options: dict[str, Any]
) -> tuple[ModelCard, dict[str, Any]]:
    """A model's card with the border that is asked for, and what `set_apart` takes of `options`.

    Raises
    ------
    OptionError
        If the model has not all of the options that are left.

    Examples
    --------
    >>> import srkit
    >>> options = {"device": "cpu"}
    >>> fitting(lambda card, scale, weights: None, srkit.card("espcn"), 2, options)[1], options
    ({'device': 'cpu'}, {})
    """
    if not options:  # an adapter may have to look at the weights to name them
        return card, {}
    known = option_names(adapter, card, scale)
    apart = set_apart(known, options)
    if "border" in apart:
        card = with_border(card, apart["border"])
    check_options(known, options, card.name)
    return card, apart


def settle(model: Upscaler, framework: str, asked: Mapping[str, Any]) -> None:
    """Have a model tell its framework, and refuse a device or precision that it does not have.

    Parameters
    ----------
    model
        As its adapter made it.
    framework
        That of the adapter.
    asked
        What `set_apart` took out of its options.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> import srkit
    >>> settle(srkit.load("bicubic"), "numpy", {"device": "cuda", "precision": "float32"})
    Traceback (most recent call last):
    srkit.errors.OptionError: bicubic runs on cpu alone: device is 'auto' or 'cpu', not 'cuda'
    """
    if type(model).runtime is Upscaler.runtime and "runtime" not in vars(model):
        model.runtime = framework
    for option, word in (("device", "on"), ("precision", "in")):
        has = str(getattr(model, option))
        if str(asked.get(option, "auto")) not in ("auto", has, has.partition(":")[0]):
            raise OptionError(
                f"{model.card.name} runs {word} {has} alone: {option} is 'auto' or {has!r}, "
                f"not {asked[option]!r}"
            )


def as_loaded(model: Upscaler, scale: int | None, options: Mapping[str, Any]) -> Upscaler:
    """A model that the caller loaded, as it is.

    Raises
    ------
    OptionError
        If another scale, or an option of loading, is asked for with it.

    Examples
    --------
    >>> import srkit
    >>> as_loaded(srkit.load("bicubic"), 4, {})
    <srkit.Upscaler bicubic x4, numpy on cpu>
    """
    if scale not in (None, model.scale):
        raise OptionError(f"{model.name} was loaded for x{model.scale}, not x{scale}")
    for option in options:
        raise OptionError(f"{model.name} is loaded already: {option}= is given to srkit.load")
    return model


def check_scale(card: ModelCard, scale: int | None) -> int:
    """The scale that is asked for, or the model's default.

    Raises
    ------
    OptionError
        If the model does not exist for it.

    Examples
    --------
    >>> import srkit
    >>> check_scale(srkit.card("bicubic"), None)
    4
    """
    if scale is None:
        return card.default_scale
    if scale not in card.scales:
        listed = ", ".join(f"x{s}" for s in card.scales)
        sides = advise("size=(height, width)", "--width and --height of srkit upscale")
        raise OptionError(
            f"{card.name} exists for {listed}, not x{scale}; for any other size give {sides}"
        )
    return int(scale)


def with_border(card: ModelCard, border: object) -> ModelCard:
    """The card of a network that is to see something else beyond the picture.

    Parameters
    ----------
    border
        ``"reflect"``: the picture, reflected, as far as `srkit.Upscaler.rim`. ``"zero"``: what the
        network's own layers put there, which is what a plain run of it gives.

    Raises
    ------
    OptionError
        If it is neither, or the model is no network that has the choice.

    Examples
    --------
    >>> import srkit
    >>> with_border(srkit.card("srresnet"), "zero").border
    'zero'
    """
    if border not in BORDERS:
        raise OptionError(f"border is 'reflect' or 'zero', not {border!r}")
    if card.border not in BORDERS:
        raise OptionError(f"{card.name} has no option 'border': it is no network, and pads itself")
    return replace(card, border=cast(Literal["reflect", "zero"], border))


def fit_rim(model: Upscaler, before: str) -> None:
    """Let a network see whole blocks beyond the picture, where its border was ``"zero"`` before.

    Networks that work in blocks of pixels would by any other rim have them elsewhere in the
    picture, which changes all of its pixels.

    Examples
    --------
    >>> import srkit
    >>> model = srkit.load("bicubic")
    >>> fit_rim(model, model.card.border)  # nothing changed
    >>> model.rim
    8
    """
    if (before, model.card.border) == ("zero", "reflect"):
        model.rim = -(-model.rim // model.card.multiple) * model.card.multiple
