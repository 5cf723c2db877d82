"""What is known of each video of a folder: its pictures, their times, what changes, where scenes begin."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.scene_cut import SceneCutDetector
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.output_file import write_whole_file

logger = logging.getLogger(__name__)

VERSION = 1
INDEX_NAME = ".scaleflow-index.json"
SHRUNK = 8
"""Changes are measured on every eighth sample of every eighth row."""


@dataclass(frozen=True)
class VideoRecord:
    """One video. ``changes[n]`` is the mean absolute difference of luma between pictures n - 1 and n, of 255."""

    name: str
    size: int
    modified: int
    width: int
    height: int
    times: tuple[int, ...]
    changes: tuple[float, ...]
    cuts: tuple[int, ...]
    seekable: bool

    @property
    def pictures(self) -> int:
        """Their number."""
        return len(self.times)

    def scenes(self) -> list[tuple[int, int]]:
        """First picture of each scene, and the first one after it."""
        bounds = [0, *self.cuts, self.pictures]
        return [(start, end) for start, end in pairwise(bounds) if end > start]

    def scene_of(self, picture: int) -> tuple[int, int]:
        """The scene that a picture lies in."""
        return next((start, end) for start, end in self.scenes() if start <= picture < end)


def index_folder(folder: Path, index_path: Path | None = None) -> list[VideoRecord]:
    """Records of all readable videos below a folder, sorted by name; files that cannot be read are named and counted.

    The index lies at ``index_path``, beside the videos, or where they cannot be written to, in the user's cache. Files
    that have not changed are not read again.
    """
    path = index_path or _index_place(folder)
    known = {record.name: record for record in _load(path)}
    records: list[VideoRecord] = []
    skipped = 0
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        name = file.relative_to(folder).as_posix()
        status = file.stat()
        record = known.get(name)
        if record is None or (record.size, record.modified) != (status.st_size, status.st_mtime_ns):
            try:
                record = _describe(file, name)
            except ScaleFlowError as error:
                logger.warning("left out: %s", error)
                skipped += 1
                continue
        records.append(record)
    if skipped:
        logger.warning("%s: %d of %d files are no videos that can be read", folder, skipped, skipped + len(records))
    if {record.name: record for record in records} != known:
        _save(path, records)
    return records


def _describe(file: Path, name: str) -> VideoRecord:
    times: list[int] = []
    changes: list[float] = []
    cuts: list[int] = []
    before: NDArray[np.float32] | None = None
    detector: SceneCutDetector | None = None
    with open_video(file, threads=1) as reader:
        properties = reader.properties
        scale = 2.0 ** (8 - properties.bit_depth)
        detector = SceneCutDetector(properties.bit_depth)
        try:
            for picture in reader:
                small = picture.planes[0][::SHRUNK, ::SHRUNK].astype(np.float32) * scale
                if detector.is_cut(picture.planes[0]):
                    cuts.append(len(times))
                changes.append(0.0 if before is None else round(float(np.abs(small - before).mean()), 3))
                times.append(picture.pts)
                before = small
        except DataError as error:
            if len(times) < 2:
                raise
            logger.warning("only the first %d pictures are used: %s", len(times), error)
    status = file.stat()
    return VideoRecord(
        name,
        status.st_size,
        status.st_mtime_ns,
        properties.width,
        properties.height,
        tuple(times),
        tuple(changes),
        tuple(cuts),
        _can_seek(file, times),
    )


def _can_seek(file: Path, times: list[int]) -> bool:
    """Whether seeking arrives where decoding from the start does, at a few places."""
    for number in sorted({len(times) // 3, 2 * len(times) // 3, len(times) - 1}):
        try:
            with open_video(file, threads=1) as reader:
                reader.skip_to(times[number])
                first = next(iter(reader), None)
        except ScaleFlowError:
            return False
        if first is None or first.pts != times[number]:
            return False
    return True


def _index_place(folder: Path) -> Path:
    if os.access(folder, os.W_OK):
        return folder / INDEX_NAME
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scaleflow"
    return cache / f"index-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}.json"


def _load(path: Path) -> list[VideoRecord]:
    try:
        held = json.loads(path.read_text())
        if held["version"] != VERSION:
            return []
        tuples = ("times", "changes", "cuts")
        records = [VideoRecord(**(one | {key: tuple(one[key]) for key in tuples})) for one in held["videos"]]
        if not all(map(_is_plausible, records)):
            raise ValueError("a value is of another type, or out of range")
        return records
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        logger.warning("%s: is damaged and built again", path)
        return []


def _is_plausible(record: VideoRecord) -> bool:
    whole = (record.size, record.modified, record.width, record.height, *record.times, *record.cuts)
    return (
        isinstance(record.name, str)
        and isinstance(record.seekable, bool)
        and all(isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 for value in whole)
        and all(isinstance(value, int | float) and 0 <= value <= 255 for value in record.changes)
        and len(record.changes) == len(record.times)
        and all(0 <= cut <= record.pictures for cut in record.cuts)
        and min(record.width, record.height) > 0
    )


def _save(path: Path, records: list[VideoRecord]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"version": VERSION, "videos": [asdict(record) for record in records]}
        write_whole_file(str(path), json.dumps(content).encode(), True)
    except (OSError, ScaleFlowError) as error:
        logger.warning("%s: the index cannot be kept (%s); it is built again next time", path, error)
