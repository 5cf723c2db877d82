"""Figures as files: the same figure gives the same bytes, and half a file is never seen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from scaleflow.errors import UsageError
from scaleflow.output_file import check_output, write_whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG_DOTS_PER_INCH = 200

FIGURE_SUFFIXES: dict[str, dict[str, str | None]] = {
    # What would make each file different: dates. Names that readers show are left as they are.
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {},
}
"""Forms of figures, with the metadata that they are written with."""


def check_figure_output(path: Path, overwrite: bool) -> None:
    """Refuse an output of another form, or one that exists, before anything is read.

    Raises:
        UsageError: says which, and the remedy.
    """
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise UsageError(f"{path}: figures are written as {', '.join(FIGURE_SUFFIXES)}; end the name with one of these")
    check_output(str(path), overwrite)


def write_figure(figure: Figure, path: Path, *, overwrite: bool = False) -> None:
    """Write a figure as its suffix says. Text in SVG stays text, fonts are embedded in PDF.

    Raises:
        UsageError: another suffix, or the output exists or cannot be made.
        DataError: writing fails; nothing is kept.
    """
    import matplotlib

    check_figure_output(path, overwrite)
    suffix = path.suffix.lower()
    data = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scaleflow", "pdf.fonttype": 42}):
        figure.savefig(data, format=suffix[1:], dpi=PNG_DOTS_PER_INCH, metadata=FIGURE_SUFFIXES[suffix])
    write_whole_file(str(path), data.getvalue(), overwrite)
