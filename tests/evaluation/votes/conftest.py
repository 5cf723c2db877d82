"""Votes as a page saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Save = Callable[..., Path]


def side(codec: str, file_bytes: int = 1000) -> dict[str, Any]:
    return {"codec": codec, "setting": "-crf 30", "file_bytes": file_bytes, "bits_per_pixel": 0.1}


def votes_file(
    choices: Sequence[str | None],
    codecs: tuple[str, str] = ("b", "a"),
    session: str = "0" * 32,
    clips: Sequence[str] = ("clip.y4m",),
    sizes: tuple[int, int] = (1000, 1100),
) -> dict[str, Any]:
    """A file of a page that shows one pair of codecs, on clips in turn."""
    votes = [
        {
            "pair": number + 1,
            "clip": clips[number % len(clips)],
            "mode": ("still", "zoom", "moving")[number % 3],
            "first_picture": 2,
            "pictures": 1,
            "left": side(codecs[0], sizes[0]),
            "right": side(codecs[1], sizes[1]),
            "choice": choice,
            "milliseconds": 1500,
            "original_shown": False,
        }
        for number, choice in enumerate(choices)
    ]
    head = {"format": "scaleflow votes 1", "version": "0.2.0", "page": "ab" * 16, "seed": 3, "session": session}
    return {**head, "pairs": 40, "votes": votes}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a value as a JSON file."""

    def write(name: str, value: object) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(value))
        return path

    return write
