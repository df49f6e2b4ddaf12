"""What a training run is made of: one typed dataclass, and TOML files.

>>> Recipe(model="espcn", steps=2000).batch
16
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srkit.errors import OptionError
from srkit.extras import missing_extra
from srkit.guard import refuse_pipes
from srkit.training import stages as staging
from srkit.training.data import degradations as degrading
from srkit.training.data import teachers as teaching
from srkit.training.data.degradations import Degradation
from srkit.training.data.teachers import Teacher
from srkit.training.families import FAMILIES
from srkit.training.learning import losses as losing
from srkit.training.learning.adversary import Adversary
from srkit.training.learning.losses import FeatureLoss, Loss, Perceptual, Pixel
from srkit.training.stages import Stage

# Fields that are 1 at least.
_COUNTS = (
    "steps", "batch", "crop", "held_out", "check_every", "save_every", "picture_every", "versions",
)  # fmt: skip
# Fields that a new network's size depends on.
SIZES = ("features", "layers", "unshuffle")

if TYPE_CHECKING:
    Model = str
else:
    # pydantic names them where a file states another one.
    Model = Literal[tuple(FAMILIES)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a training run is made of.

    Attributes
    ----------
    model
        The network, by its name in `srkit.training.families.FAMILIES`: ``"srresnet"``,
        ``"unet"``, ``"vsr"``, ``"compact"``, ``"span"`` and others.
    encoder
        Of a new U-Net: ``"small"`` or ``"resnet34"``, which start at random, or the path
        of a state dict of torchvision's resnet34; "" for the small one.
    features, layers, unshuffle
        Of a compact network: see `srkit.adapters.pytorch.nets.compact.Size`; 0 for what the
        weights have that it starts from, or a new one by default. From smaller weights it is
        grown by layers. SPAN has `features` alone, which it keeps.
    start
        Weights to start from where the caller names none: a model's name, or "" for
        bicubic interpolation.
    steps, batch, crop
        Optimizer steps; crops a step and process; side of a crop in LR pixels.
    optimizer
        ``"adamw"``, or ``"muon"``, with which compact networks learn in two thirds of the steps:
        see `srkit.training.learning.optimising.Muon`.
    rate, betas
        The highest learning rate, ten times which Muon takes for slopes and biases, and AdamW's
        decays.
    weight_decay
        Of AdamW: what weights lose at each step, as a share of the rate.
    shares
        The rate of each of the network's layer groups, as a share of `rate`; () for the
        network's own: the last layer of most, or the encoder of a U-Net, learns ten times slower;
        of compact networks all learn alike, and of SPAN all but the first layer's weights, which
        see levels of 0 to 255 and learn at 1/255 of the rate.
    schedule, warmup, milestones, factor
        ``"cosine"``: to zero at the last step. ``"step"``: times `factor` at each of
        the milestones, which are shares of the steps. Both after a linear warm-up of
        so many steps. ``"one_cycle"``: up and down by half a cosine each, as fastai does.
    stages
        Parts of the run, each with a schedule of its own, in which crops, batches and rates
        may differ and layer groups be frozen; see `srkit.training.stages.Stage`.
    clip
        Bound of the gradient's norm; 0 for none.
    expand
        Inner size, in output channels, of the products as which convolutions are trained;
        0 trains them as they are. See `srkit.training.learning.expansion`.
    weight_norm
        Whether a U-Net's decoder is trained as directions and lengths of its kernels.
    ema
        Decay of the averaged weights, which are the result.
    losses
        What is minimised.
    adversary
        A discriminator to train against, or none.
    degradations
        How LR is made of HR; none for MATLAB's bicubic of whole photos.
    teachers
        Models whose results are learned from: losses compare with them, see
        `srkit.training.learning.losses.Pixel.target`.
    versions, answers
        How many fixed versions of each patch, degraded by different draws, teachers answer; and
        how many in all at most, 0 for no limit.
    margin
        LR pixels at the border of patches that teachers see, and nobody learns from.
    rim
        LR pixels at the border of crops that the losses leave out, since the network
        sees zeros beyond them.
    flat
        Share of crops that are one plain colour.
    held_out
        Photos kept for checks.
    seed
        Of crops and initial weights.
    precision
        As Lightning Fabric names it.
    workers
        Processes that decode photos and cut crops.
    check_every, save_every, picture_every
        Steps between checks on held-out photos, and between saved states; each check
        leaves a state, too, and at multiples of `picture_every` a picture of results.

    Raises
    ------
    OptionError
        If values make no sense, alone or together.

    Examples
    --------
    >>> recipe = Recipe(model="espcn", steps=2000, losses=(Pixel(kind="l2"),))
    >>> recipe.schedule, recipe.losses[0].kind
    ('cosine', 'l2')
    """

    # Understood by pydantic, which reads recipes from files.
    __pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # noqa: RUF012

    model: Model
    encoder: str = ""
    features: int = 0
    layers: int = 0
    unshuffle: int = 0
    start: str = ""
    steps: int = 20000
    batch: int = 16
    crop: int = 24
    optimizer: Literal["adamw", "muon"] = "adamw"
    rate: float = 2.5e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    shares: tuple[float, ...] = ()
    schedule: Literal["cosine", "step", "one_cycle"] = "cosine"
    warmup: int = 100
    milestones: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.5
    stages: tuple[Stage, ...] = ()
    clip: float = 1.0
    expand: int = 0
    weight_norm: bool = False
    ema: float = 0.999
    losses: tuple[Loss, ...] = (Pixel(),)
    adversary: Adversary | None = None
    degradations: tuple[Degradation, ...] = ()
    teachers: tuple[Teacher, ...] = ()
    versions: int = 1
    answers: int = 0
    margin: int = 6
    rim: int = 0
    flat: float = 0.0
    held_out: int = 12
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    workers: int = 0
    check_every: int = 500
    save_every: int = 250
    picture_every: int = 2000

    def __post_init__(self) -> None:
        """Refuse values that make no sense; raises OptionError."""
        for name in _COUNTS:
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in (
            "warmup",
            "rim",
            "margin",
            "answers",
            "workers",
            "clip",
            "expand",
            "seed",
            "weight_decay",
            *SIZES,
        ):
            _require(getattr(self, name) >= 0, name, "not negative", getattr(self, name))
        _require(self.rate > 0, "rate", "above 0", self.rate)
        _require(0 < self.factor <= 1, "factor", "above 0 and up to 1", self.factor)
        for share in self.milestones:
            _require(0 <= share <= 1, "milestones", "shares from 0 to 1", self.milestones)
        _require(0 <= self.ema < 1, "ema", "from 0 to below 1", self.ema)
        _require(0 <= self.flat <= 1, "flat", "from 0 to 1", self.flat)
        _require(all(0 <= b < 1 for b in self.betas), "betas", "from 0 to below 1", self.betas)
        staging.check(self.stages)
        for crop in {stretch.stage.crop for stretch in staging.stretches(self)}:
            _require(2 * self.rim < crop, "rim", f"less than half of crop={crop}", self.rim)
        _require(all(s >= 0 for s in self.shares), "shares", "not negative", self.shares)
        _require(
            not (self.expand and self.weight_norm), "expand", "0 with weight_norm", self.expand
        )
        least = staging.MOMENTUM_DIP if self.schedule == "one_cycle" else 0
        _require(self.betas[0] >= least, "betas", f"from {least} in one_cycle", self.betas)
        losing.check(self.losses, self.adversary)
        degrading.check(self.degradations)
        teaching.check(self.teachers)
        taught = [target for target in self._targets if target != "hr"]
        known = [teacher.model for teacher in self.teachers]
        if taught and not known:
            raise OptionError("a loss compares with a teacher, and the recipe has none: teachers=")
        if known and not taught:
            raise OptionError('teachers are for losses of target "teacher" or "auto"; none is')
        for target in self.apart:
            _require(target in known, "target", f"hr, teacher, auto or one of {known}", target)
        if not self.teachers and (self.answers or self.versions > 1):
            raise OptionError("answers and versions are of teachers, and the recipe has none")

    @property
    def perceptual(self) -> bool:
        """Whether it learns what looks right, at the expense of PSNR.

        PSNR then does not tell which weights are best.

        Examples
        --------
        >>> from srkit.training import RECIPES
        >>> RECIPES["srgan"].perceptual, RECIPES["srresnet"].perceptual
        (True, False)
        """
        kinds = FeatureLoss | Perceptual
        return self.adversary is not None or any(isinstance(x, kinds) for x in self.losses)

    @property
    def _targets(self) -> list[str]:
        """What losses and the adversary compare with."""
        parts = [*self.losses, *filter(None, [self.adversary])]
        return [losing.target_of(part, bool(self.teachers)) for part in parts]

    @property
    def apart(self) -> tuple[str, ...]:
        """Teachers whose own answers something compares with, not only their mean.

        Examples
        --------
        >>> Recipe(
        ...     model="espcn", teachers=(Teacher("bicubic"), Teacher("lanczos")),
        ...     losses=(Pixel(target="teacher"), Pixel(target="lanczos"))).apart
        ('lanczos',)
        """
        return tuple(sorted(set(self._targets) - {"hr", "teacher"}))

    @property
    def size(self) -> dict[str, int]:
        """What it states of a network's size.

        Examples
        --------
        >>> Recipe(model="compact", layers=8).size
        {'layers': 8}
        """
        return {name: value for name in SIZES if (value := getattr(self, name))}

    def changed(self, changes: Mapping[str, Any], source: str = "the recipe") -> Recipe:
        """A recipe with other values, read as from a file.

        Parameters
        ----------
        changes
            Values by field; texts are read as numbers where numbers are meant.
        source
            Where they come from, for messages.

        Raises
        ------
        OptionError
            For an unknown key or a value of a wrong type; `source` names the culprit.

        Examples
        --------
        >>> from srkit.training import RECIPES
        >>> changed = RECIPES["espcn"].changed({"steps": "10", "losses": [{"kind": "l2"}]})
        >>> changed.steps, changed.losses[0].kind
        (10, 'l2')
        """
        try:
            from pydantic import TypeAdapter, ValidationError
        except ModuleNotFoundError as error:
            raise missing_extra("changing a recipe needs pydantic", "train") from error
        given = dataclasses.asdict(self) | dict(changes)
        try:
            return TypeAdapter(Recipe).validate_python(given)
        except ValidationError as error:
            raise OptionError(f"{source}: {_told(_aptest(error.errors()))}") from error


def _require(holds: bool, name: str, wanted: str, given: object) -> None:
    if not holds:
        raise OptionError(f"{name} is {wanted}, not {given!r}")


def _aptest(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of errors about all members of a union, one about the member that `kind` names."""
    unnamed = [
        error for error in errors if error["loc"][-1] == "kind" and error["type"] == "literal_error"
    ]
    wrong = [error["loc"][:-1] for error in unnamed]
    for error in errors:
        if not any(error["loc"][: len(member)] == member for member in wrong):
            return error
    # Lists within lists: members that hold the wrong one are right themselves.
    innermost = max(unnamed, key=lambda error: len(error["loc"]))
    here = [error for error in unnamed if error["loc"][:-2] == innermost["loc"][:-2]]
    known = ", ".join(error["ctx"]["expected"].replace(" or ", ", ") for error in here)
    return {**innermost, "msg": f"Input should be one of {known}"}


def _told(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in a line, with a near miss for an unknown key."""
    # Tags of unions and types are no part of what the user wrote.
    place = [part for part in error["loc"] if isinstance(part, int) or part.islower()]
    where = ".".join(str(part) for part in place)
    if error["type"] == "unexpected_keyword_argument":
        known = [field.name for field in dataclasses.fields(Recipe)]
        near = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
        return f"there is no key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


def read_recipe(path: Path, base: Recipe) -> Recipe:
    r"""A recipe from a TOML file; what the file leaves out is taken from `base`.

    Parameters
    ----------
    path
        The file; its keys are fields of `Recipe`.
    base
        The recipe to change.

    Raises
    ------
    OptionError
        If the file is no TOML, or holds an unknown key or a wrong value, or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "short.toml"
    >>> _ = path.write_text('steps = 500\nlosses = [{ kind = "l2" }]\n')
    >>> read_recipe(path, Recipe(model="espcn", batch=8)).steps
    500
    """
    try:
        refuse_pipes(path, OptionError)
        changes = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is no TOML file: {error}") from error
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror or error}") from error
    return base.changed(changes, str(path))
