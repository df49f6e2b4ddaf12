"""Names that were meant: near by their letters, or by the names that authors gave their files."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from srkit.advice import advise
from srkit.imaging.files.formats import READ_SUFFIXES


def near_names(name: str, names: Sequence[str], most: int = 3) -> list[str]:
    """Names that are near another, the nearest first.

    Capitals, hyphens and such do not count, nor does what follows a name: authors put scale and
    version there.

    Parameters
    ----------
    name
        What was asked for.
    names
        Those that there are.
    most
        How many are wanted.

    Examples
    --------
    >>> there = ["realesrgan", "realesrgan-anime", "srgan", "srresnet"]
    >>> near_names("SRResNet", there), near_names("RealESRGAN_x4plus", there, 1)
    (['srresnet'], ['realesrgan'])
    """
    plain = {_plain(one): one for one in names}
    asked = _plain(name)
    near = difflib.get_close_matches(asked, plain, most)
    begun = sorted((one for one in plain if one and asked.startswith(one)), key=len, reverse=True)
    # What is the same but for capitals needs no other beside it.
    found = [asked] if asked in plain else dict.fromkeys([*begun[:1], *near])
    return [plain[one] for one in found][:most]


def meant(name: str, names: Sequence[str]) -> str:
    """What is said of a name that no model has.

    Examples
    --------
    >>> meant("SRResNet", ["bicubic", "srresnet"]), meant("x", ["bicubic", "srresnet"])
    ('did you mean srresnet?', 'there are bicubic, srresnet')
    >>> meant("out.jpg", ["bicubic", "srresnet"])
    "srkit.upscale(image).save('out.jpg') writes a picture of that name"
    """
    if near := near_names(name, names):
        return f"did you mean {', '.join(sorted(near))}?"
    if Path(name).suffix.lower() in READ_SUFFIXES:
        return advise(
            f"srkit.upscale(image).save({name!r}) writes a picture of that name",
            f"-o {name} writes a picture of that name",
        )
    return f"there are {', '.join(sorted(names))}"


def _plain(name: str) -> str:
    """Its letters and digits."""
    return "".join(filter(str.isalnum, name.lower()))
