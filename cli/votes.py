"""``scaleflow votes``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.console import print_json

if TYPE_CHECKING:
    from scaleflow.evaluation.votes.preferences import Preference


def votes(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="VOTES...", help="Files that blind tests saved, one a person.", show_default=False),
    ],
    by_clip: Annotated[bool, typer.Option("--by-clip", help="Print also the preferences on each clip.")] = False,
    json: options.Json = False,
) -> None:
    """Say which codecs people preferred in blind tests, and how sure that is."""
    from scaleflow.evaluation.votes.preferences import count_preferences, distinct_sessions
    from scaleflow.evaluation.votes.votes_file import read_votes

    counted = distinct_sessions([(path, read_votes(path)) for path in files])
    found = count_preferences(counted, by_clip)
    if json:
        for preference in found:
            print_json(_record(preference))
    else:
        total = sum(len(file.votes) for file in counted)
        for line in _lines(found, len(counted), total):
            typer.echo(line)


def _record(found: Preference) -> dict[str, Any]:
    return {
        "codecs": list(found.codecs),
        "clip": found.clip,
        "votes": found.votes,
        "persons": found.persons,
        "preferred": list(found.preferred),
        "ties": found.ties,
        "share": found.share,
        "interval": list(found.interval),
        "p_value": found.p_value,
        "size_ratio": found.size_ratio,
    }


_HEADINGS = ("preferred", "95 % interval", "for", "tied", "against", "p", "persons", "bytes")


def _lines(found: Sequence[Preference], persons: int, total: int) -> list[str]:
    rows = [("", *_HEADINGS), *((_name(one), *_cells(one)) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"{_counted(total, 'vote')} of {_counted(persons, 'person')}", ""]
    for name, *cells in rows:
        columns = zip(cells, widths[1:], strict=True)
        lines.append("  ".join((f"  {name:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in columns))))
    return [
        *lines,
        "",
        "Ties count half for each codec in the share and its interval; the sign test (p) leaves them out.",
    ]


def _name(found: Preference) -> str:
    return f"{found.codecs[0]} over {found.codecs[1]}" if found.clip is None else f"  {found.clip}"


def _cells(found: Preference) -> tuple[str, ...]:
    low, high = found.interval
    return (
        f"{100 * found.share:.1f} %",
        f"{100 * low:.1f} to {100 * high:.1f} %",
        str(found.preferred[0]),
        str(found.ties),
        str(found.preferred[1]),
        f"{found.p_value:.3f}" if found.p_value >= 0.001 else "<0.001",
        str(found.persons),
        f"{100 * (found.size_ratio - 1):+.1f} %",
    )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
