"""The video that a verb reads, from what a person typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from scaleflow.cli.console import console
from scaleflow.cli.values import parse_frame_rate, parse_size
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.cli.options import RawOptions
    from scaleflow.codec.encoding.request import VideoSource


def video_source(path: str, form: RawOptions) -> VideoSource:
    """What to read, from INPUT and what is said of it. Raises :class:`UsageError`."""
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.video.raw_format import RawVideoFormat

    protocols = parse_protocols(form.allow_protocols)
    frame_rate = None if form.fps is None else parse_frame_rate(form.fps)
    if form.size is None:
        if form.pix_fmt is not None:
            raise UsageError("--pix-fmt is for raw input: say its --size and --fps too")
        return VideoSource(path, frame_rate=frame_rate, allow_protocols=protocols, max_pixels=form.max_pixels)
    if frame_rate is None:
        raise UsageError("raw input has no frame rate: say it with --fps")
    width, height = parse_size(form.size)
    pixels = RawVideoFormat(width, height, frame_rate, form.pix_fmt or "yuv420p")
    return VideoSource(path, raw=pixels, max_pixels=form.max_pixels)


def parse_protocols(text: str | None) -> tuple[str, ...]:
    """Names of FFmpeg's protocols, with commas between.

    Raises:
        UsageError: one is no name.
    """
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    for name in names:
        if not name.isalnum():
            raise UsageError(f"--allow-protocols {text!r}: {name!r} is no name of a protocol, such as file or https")
    return names


def check_input(path: str, form: RawOptions | None = None) -> None:
    """Refuse a name that is plainly nothing before the networks are loaded; patterns are left to the reader."""
    if form is not None and form.allow_protocols is not None and ":" in path:
        return
    if path != "-" and not Path(path).exists() and not set(path) & set("%*?["):
        remedy = "; an address is opened with --allow-protocols only" if "://" in path else ""
        raise UsageError(f"{path}: there is no such file{remedy}")


def exit_if_damaged(damage: Sequence[str], form: RawOptions) -> None:
    """End with an exit code where the input was found damaged and that is not tolerated; the reader has said what is.

    Raises:
        typer.Exit: with 1.
    """
    if damage and not form.tolerate_damage:
        console.print(
            "scaleflow: the input is damaged; what could be read of it is written. --tolerate-damage exits with 0",
            markup=False,
        )
        raise typer.Exit(1)
