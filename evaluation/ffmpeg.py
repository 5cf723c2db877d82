"""The program ffmpeg: finding one that can do what is needed, and running it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from scaleflow.errors import DataError, UsageError

_LISTING_TIMEOUT = 60.0
"""Seconds within which a program that is an ffmpeg has listed what it can do."""


def find_ffmpeg(program: Path | None = None, *, filters: Sequence[str] = (), encoders: Sequence[str] = ()) -> Path:
    """The first ffmpeg that has all the given filters and encoders.

    Looked at are ``program`` alone where it is given; else the ``ffmpeg`` on the PATH, then that of the package
    imageio-ffmpeg.

    Raises:
        UsageError: there is none; names what each lacks, and the remedy.
    """
    if program is not None:
        found = shutil.which(program)
        if found is None:
            raise UsageError(f"{program}: there is no such program")
        candidates = [Path(found)]
    else:
        candidates = _installed()
    lacking = []
    for candidate in candidates:
        missing = _missing(candidate, "filter", filters) + _missing(candidate, "encoder", encoders)
        if not missing:
            return candidate
        lacking.append(f"{candidate} lacks the {' and the '.join(missing)}")
    wanted = " and ".join((*filters, *encoders)) or "ffmpeg"
    known = "; ".join(lacking) if lacking else "no ffmpeg is installed"
    raise UsageError(
        f'{wanted}: {known}; pip install ".[evaluate]" brings an ffmpeg, or name another program',
        fields=("program",),
    )


def ffmpeg_failure(program: Path, code: int, stderr: bytes) -> DataError:
    """The error to raise when ffmpeg has failed, with what it said last."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    reason = lines[-1] if lines else f"without a word, exit code {code}"
    return DataError(f"{program.name} failed: {reason}")


def _installed() -> list[Path]:
    candidates = []
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        candidates.append(Path(on_path))
    if find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        try:
            candidates.append(Path(imageio_ffmpeg.get_ffmpeg_exe()))
        except RuntimeError:
            pass  # The package is there without its program; the search then says that nothing was found.
    return list(dict.fromkeys(candidates))


def _missing(program: Path, kind: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    try:
        done = subprocess.run(
            [program, "-hide_banner", f"-{kind}s"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_LISTING_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{program}: cannot be run as ffmpeg ({error})") from error
    # Each line has flags, the name, and a description.
    listed = {words[1] for line in done.stdout.decode(errors="replace").splitlines() if len(words := line.split()) > 1}
    return [f"{kind} {name}" for name in names if name not in listed]
