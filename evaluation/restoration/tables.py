"""Results of restoration as CSV for programs and Markdown for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from scaleflow.evaluation.restoration.evaluate import RestorationPoint
from scaleflow.output_file import write_whole_file

CSV_FILE, MARKDOWN_FILE = "restoration.csv", "restoration.md"


def write_tables(points: Sequence[RestorationPoint], heading: str, folder: Path) -> None:
    """Both files, whole or not at all; replaces what is there. Raises :class:`scaleflow.errors.DataError`."""
    text = io.StringIO()
    rows = [asdict(point) for point in points]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole_file(str(folder / CSV_FILE), text.getvalue().encode(), True, follow_links=False)
    page = "\n".join([heading, "", *markdown_table(points), ""])
    write_whole_file(str(folder / MARKDOWN_FILE), page.encode(), True, follow_links=False)


def markdown_table(points: Sequence[RestorationPoint]) -> list[str]:
    """A line for each point. What LPIPS gained or lost is against full sampling."""
    full = next((point for point in points if point.steps), None)
    lines = [
        "| | steps | GMAC a picture | MACs saved | s a picture | CPU s | LPIPS | beside full | PSNR-RGB, dB "
        "| Fréchet, AlexNet (no FID) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for point in points:
        change = "" if full is None or not point.steps else f"{100 * (point.lpips / full.lpips - 1):+.1f} %"
        saved = 0.0 if full is None or not point.steps else 1 - point.gmacs / full.gmacs
        cells = [
            point.name,
            str(point.steps),
            f"{point.gmacs:.2f}",
            f"{100 * saved:.0f} %" if point.steps else "",
            f"{point.seconds:.2f}",
            f"{point.cpu_seconds:.2f}",
            f"{point.lpips:.4f}",
            change,
            f"{point.psnr:.2f}",
            f"{point.frechet:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
