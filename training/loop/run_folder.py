"""The folder of a run: what lies in it beside the checkpoints."""

from __future__ import annotations

from pathlib import Path

from scaleflow.errors import UsageError
from scaleflow.output_file import write_whole_file
from scaleflow.training.loop.loop import LAST_CHECKPOINT

CONFIGURATION = "config.yaml"
CARD = "model-card.md"


def check_run_folder(folder: Path, resume: bool) -> None:
    """Raises :class:`UsageError` where a new run would go into the folder of another."""
    if not resume and (folder / LAST_CHECKPOINT).exists():
        raise UsageError(
            f"{folder}: holds a run already; continue it with resume=True, or choose another folder",
            fields=("resume",),
        )


def write_text(path: Path, text: str) -> None:
    """Write a file of a run, which replaces that of an earlier part of the run when it is complete.

    Raises:
        UsageError: it cannot be made.
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole_file(str(path), text.encode(), True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
