"""The ffmpeg program: which one, what it can do, and running it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from codec.errors import UsageError

Ability = Literal["encoders", "filters"]


def find_ffmpeg(
    given: Path | None = None, *, encoders: Sequence[str] = (), filters: Sequence[str] = ()
) -> tuple[str, str]:
    """Path and version of an ffmpeg that has what is asked for: the given one, else the system's, else imageio-ffmpeg's.

    Raises:
        UsageError: there is none; it says what the best one lacks.
    """
    candidates = [str(given)] if given is not None else _installed()
    if not candidates:
        raise UsageError("no ffmpeg found: install it, or pip install imageio-ffmpeg, or name one with --ffmpeg")
    missing: list[str] = []
    for program in candidates:
        lacking = [f"encoder {name}" for name in encoders if name not in abilities(program, "encoders")]
        lacking += [f"filter {name}" for name in filters if name not in abilities(program, "filters")]
        if not lacking:
            return program, version(program)
        missing = lacking
    raise UsageError(
        f"{candidates[-1]} has no {', '.join(missing)}: name an ffmpeg that has with --ffmpeg"
        + ("" if given is None else ", or leave it out to use imageio-ffmpeg's")
    )


def _installed() -> list[str]:
    found = [path for path in (shutil.which("ffmpeg"),) if path is not None]
    try:
        import imageio_ffmpeg

        return [*found, imageio_ffmpeg.get_ffmpeg_exe()]
    except (ImportError, RuntimeError):
        return found


@lru_cache(maxsize=16)
def abilities(program: str, kind: Ability) -> frozenset[str]:
    """Names of the encoders or filters of an ffmpeg. Raises :class:`UsageError` where it cannot be run."""
    lines = _output(program, "-hide_banner", f"-{kind}").splitlines()
    return frozenset(words[1] for words in (line.split() for line in lines) if len(words) > 2)


@lru_cache(maxsize=4)
def version(program: str) -> str:
    """As ffmpeg says it. Raises :class:`UsageError` where it cannot be run."""
    words = _output(program, "-version").split()
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"


def _output(program: str, *options: str) -> str:
    try:
        return subprocess.run([program, *options], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"{program}: is no ffmpeg that runs here ({error})") from error
