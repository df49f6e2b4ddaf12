"""The folder of unfinished work beside a result: segments, and a manifest of them.

A segment counts once the manifest names it, and the manifest is replaced whole. So at
whatever moment the process is killed, what the manifest says is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from srkit.atomic import replacing
from srkit.batch.resuming import check_same, fresh
from srkit.errors import VideoError
from srkit.video.lock import clear, folder_of
from srkit.video.packets import Coded, read_packets, write_packets

VERSION = 1
MANIFEST = "manifest.json"
_NAME = re.compile(r"\d{6,}\.packets", re.ASCII)


@dataclass
class Segment:
    """A finished part of the video.

    Attributes
    ----------
    file
        Its name in the folder.
    frames, delay, first, end
        As `srkit.video.packets.Written` has them.
    broken
        Times of frames in it that were replaced, in units of the source's time base.
    """

    file: str
    frames: int
    delay: int
    first: int
    end: int
    broken: list[int] = field(default_factory=list)


def _segment(entry: dict[str, Any]) -> Segment:
    """An entry of a manifest, which anything may have written."""
    segment = Segment(**entry)
    numbers = (segment.frames, segment.delay, segment.first, segment.end, *segment.broken)
    if not _NAME.fullmatch(segment.file) or not all(type(number) is int for number in numbers):
        raise ValueError(f"{entry} is no segment")
    return segment


def write_manifest(folder: Path, settings: dict[str, Any], segments: Iterable[Segment]) -> None:
    """Write down what a result depends on, and which segments of it are finished."""
    manifest = {
        "version": VERSION,
        "settings": settings,
        "segments": [asdict(segment) for segment in segments],
    }
    with replacing(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())


def kept_frames(target: Path) -> int | None:
    """Frames of unfinished work on a result that need not be made again; None if unknown."""
    try:
        text = (folder_of(target) / MANIFEST).read_text(encoding="utf-8")
        return sum(_segment(entry).frames for entry in json.loads(text)["segments"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Work:
    """Unfinished work on one result.

    Parameters
    ----------
    folder
        Where it is kept.
    settings
        All that the result depends on, as JSON knows it.
    resume
        Go on with what is there; False throws it away.

    Raises
    ------
    VideoError
        If what is there was made by other settings or of another source.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], *, resume: bool) -> None:
        self.folder = folder
        # As a manifest gives them back: tuples become lists.
        self._settings = json.loads(json.dumps(settings))
        self.segments: list[Segment] = []
        folder.mkdir(exist_ok=True)
        if not resume:
            clear(folder)
        if (folder / MANIFEST).exists():
            self._read()
        # What a process that was killed had not finished.
        clear(folder, [MANIFEST, *(segment.file for segment in self.segments)])
        if not self.segments:
            self._save()

    @property
    def frames(self) -> int:
        """Frames in finished segments."""
        return sum(segment.frames for segment in self.segments)

    @property
    def delay(self) -> int:
        """The largest delay of a segment."""
        return max((segment.delay for segment in self.segments), default=0)

    @property
    def broken(self) -> list[int]:
        """Times of frames that were replaced."""
        return [pts for segment in self.segments for pts in segment.broken]

    def add(self, packets: Iterable[Coded], broken: list[int]) -> None:
        """Write a segment and enter it in the manifest; `broken` may grow meanwhile."""
        name = f"{len(self.segments):06d}.packets"
        written = write_packets(self.folder / name, packets)
        self.segments.append(Segment(name, *written, broken))
        self._save()

    def packets(self) -> Iterator[Coded]:
        """The packets of all segments, one after the other."""
        for segment in self.segments:
            yield from read_packets(self.folder / segment.file)

    def remove(self) -> None:
        """Remove what is in the folder; who holds it removes the folder."""
        with suppress(OSError):
            clear(self.folder)

    def _save(self) -> None:
        write_manifest(self.folder, self._settings, self.segments)

    def _read(self) -> None:
        advice = fresh(str(self.folder))
        try:
            manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            version, settings = manifest["version"], manifest["settings"]
            segments = [_segment(entry) for entry in manifest["segments"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise VideoError(f"{self.folder / MANIFEST} is damaged; {advice}") from error
        if version != VERSION:
            raise VideoError(f"{self.folder} was made by another version of srkit; {advice}")
        check_same(self.folder, settings, self._settings, VideoError, advice)
        missing = [s.file for s in segments if not (self.folder / s.file).is_file()]
        if missing:
            raise VideoError(f"{self.folder} lacks {missing[0]}, which it should hold; {advice}")
        self.segments = segments
