"""The folder that labels are written to: complete or not there, and replaced only where it is one of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scaleflow.efficient_nets.labelling.label_files import BOXES, CLASSES, POINTS
from scaleflow.errors import UsageError
from scaleflow.output_folder import whole_folder

RUN, ACTION = "run.json", "action.json"

_OWN_NAMES = re.compile("|".join([*map(re.escape, (RUN, ACTION, CLASSES, BOXES, POINTS)), r"frame_\d{6,}\.png"]))


@contextmanager
def label_folder(folder: Path, overwrite: bool, drawn: Path | None) -> Iterator[Path]:
    """A folder to write into, which gets its name at the end.

    Args:
        overwrite: replace one that holds labels and nothing else.
        drawn: a video that is written at the same time.

    Raises:
        UsageError: there is a folder that may not be replaced, or the video would lie in it.
        DataError: it cannot be written.
    """
    if drawn is not None and folder.resolve() in drawn.resolve().parents:
        raise UsageError(f"drawn {drawn}: lies in {folder}, which holds labels alone", fields=("drawn",))
    if overwrite and _holds_more(folder):
        raise UsageError(f"{folder}: holds more than labels, so it is not replaced; choose another folder")
    if not overwrite and folder.is_dir() and _holds_labels(folder):
        raise UsageError(
            f"{folder}: holds labels already; choose another folder or pass overwrite=True", fields=("overwrite",)
        )
    with whole_folder(folder, replaces=_holds_labels if overwrite else None) as partial:
        yield partial


def write_run(folder: Path, record: dict[str, Any]) -> None:
    """What was run on what, beside the labels. Raises OSError."""
    (folder / RUN).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _holds_labels(folder: Path) -> bool:
    return (folder / RUN).is_file() and not _holds_more(folder)


def _holds_more(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    names = [path.name for path in folder.iterdir()]
    return bool(names) and (RUN not in names or any(_OWN_NAMES.fullmatch(name) is None for name in names))
