"""Commands with files and numbers that nobody should give them, in this process."""

from __future__ import annotations

import contextlib
import os
import random
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from scaleflow.codec.models import registry
from scaleflow.codec.models.video_model import VideoModel
from tests.cli.conftest import typed
from tests.codec.stand_in import StandInModel
from tests.fuzz.streams import sound_streams

PLACES = (
    *(
        "missing",
        "empty",
        "folder",
        "text",
        "deep.json",
        "long-number.json",
        "bytes.bin",
        "loop",
        "stump.png",
        "",
        "/dev/null",
    ),
    *(
        "clip.y4m",
        "x.sfv",
        os.fsdecode(b"\xff\xfe.y4m"),
        "n" * 300,
        "clip.y4m/x",
        "-",
        "~",
        "%d.png",
        "*",
        "file:x",
        "a\nb",
    ),
)
"""Names of files: some are there and hold something else, some cannot be there."""

NUMBERS = (
    "0",
    "-1",
    "nan",
    "inf",
    "1e400",
    "1e-400",
    "x",
    "",
    "9" * 30,
    "9" * 5000,
    "1,2",
    "0x10",
    "½",
    "1e9",
    "2147483648",
)

TEMPLATES = (
    *(
        "info P",
        "info P --json",
        "verify P",
        "decode P o.y4m",
        "decode x.sfv P",
        "decode x.sfv o.mp4 --start N --duration N",
    ),
    *(
        "decode x.sfv o.y4m --weights P",
        "decode x.sfv o.y4m --model ssf2020:P",
        "decode x.sfv o.y4m --weights-folder P",
    ),
    *("decode x.sfv o.y4m --frames N", "decode x.sfv o.y4m --device N", "decode x.sfv o.y4m --threads N --format N"),
    *("encode P o.sfv --frames 2", "encode clip.y4m P --frames 2", "encode clip.y4m o.sfv --quality N --frames N"),
    *("encode clip.y4m o.sfv --bitrate N --frames 2", "encode clip.y4m o.sfv --fps N --intra-period N --frames 2"),
    *("encode clip.y4m o.sfv --key-at N --start N --frames 2", "encode P o.sfv --size NxN --frames 2"),
    *("encode clip.y4m o.sfv --roi P --frames 2", "encode clip.y4m o.sfv --roi-boxes P --frames 2"),
    *("encode clip.y4m o.sfv --roi clip.y4m --roi-mode implicit --roi-weights P --frames 2",),
    *(
        "encode clip.y4m o.sfv --weights P --frames 2",
        "encode clip.y4m o.sfv --roi clip.y4m --roi-strength N --frames 2",
    ),
    *("compare P clip.y4m", "compare clip.y4m P --json", "compare clip.y4m clip.y4m --frames N --metrics N"),
    *("compare clip.y4m clip.y4m --roi P", "compare clip.y4m clip.y4m --lpips-backbone P --metrics lpips"),
    *(
        "rd P --out r --frames 1",
        "rd clip.y4m --out P --frames 1 --codec P",
        "rd clip.y4m --out r --quality N --frames 0",
    ),
    *(
        "rd clip.y4m --out r --shift N --frames 1",
        "rd clip.y4m --out r --roi P --frames 1",
        "rd clip.y4m --out r --reduce N",
    ),
    *("report P -o r.html", "report folder -o P", "report folder -o r.html --bits-per-pixel N --pictures N"),
    *(
        "report folder -o r.html --blind --pairs N --seed N",
        "report P -o r.html --blind --rate-tolerance N",
        "votes P P",
    ),
    *("plot P -o p.png", "plot folder -o P", "plot P P -o p.svg --x N"),
    *(
        "roi make P m.mkv --from motion",
        "roi make clip.y4m P --from motion --frames 2",
        "roi make clip.y4m m.mkv --boxes P",
    ),
    *("roi make clip.y4m m.mkv --from segmentation --network P", "roi make clip.y4m m.mkv --from motion --frames N"),
    *("train --config P --show", "train --preset tiny --show seed=N", "train --preset tiny --show stages.steps=N"),
    *("train --preset tiny --show stages.intra.steps=N", "train --preset tiny --show data.crop=N data.path=P"),
    *("train --out run --preset tiny data.path=P", "train --resume --out P", "train --preset P --show"),
    *("train --out run --preset tiny model.start=P data.path=folder", "export P e.safetensors", "pack P packed"),
    *(
        "nets eval P P",
        "nets show P",
        "nets train segmentation --data P --out n",
        "nets train detection --data P --out n",
    ),
    *("nets train action --data P --out n", "nets train segmentation --data folder --out n training.steps=N"),
    *(
        "diffusion restore P clip.y4m o.y4m",
        "diffusion train --data P --out d",
        "baseline object-decode P o.y4m",
        "models N",
    ),
)
"""``P`` stands for one of :data:`PLACES`, ``N`` for one of :data:`NUMBERS`."""


@cache
def _clip() -> bytes:
    frame = b"FRAME\n" + bytes(range(64)) * 48 + bytes([128]) * 1536
    return b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n" + frame * 3


def _fill(folder: Path) -> None:
    contents = {
        "empty": b"",
        "text": b"hello\n",
        "deep.json": b"[" * 20000,
        "long-number.json": b"9" * 10000,
        "bytes.bin": bytes(range(256)) * 8,
        "stump.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "clip.y4m": _clip(),
        os.fsdecode(b"\xff\xfe.y4m"): _clip(),
        "x.sfv": sound_streams()[1],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")


def commands_case(source: random.Random, folder: Path) -> None:
    """One command; it ends with 0, or with 1 or 2 and a message."""
    _fill(folder)
    words = []
    for word in source.choice(TEMPLATES).split():
        for letter, values in (("P", PLACES), ("N", NUMBERS)):
            if word in (letter, f"ssf2020:{letter}") or word.endswith(f"={letter}") or word == f"{letter}x{letter}":
                word = word.replace(letter, source.choice(values))
        words.append(word)
    loaded = registry.load_model

    def load(name: str = "default", *, weights: Path | None = None, **options: Any) -> VideoModel:
        return StandInModel() if (name, weights) == ("default", None) else loaded(name, weights=weights, **options)

    with contextlib.chdir(folder), mock.patch.object(registry, "load_model", load):
        done = typed(*words)
    assert done.code in (0, 1, 2), f"{words} ended with {done.code}: {done.stderr[-500:]}"
    assert not done.code or done.stderr.strip(), f"{words} ended with {done.code} and no message"
    assert not list(folder.rglob("*.partial*")), f"{words} left {list(folder.rglob('*.partial*'))}"
