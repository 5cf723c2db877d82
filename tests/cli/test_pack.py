"""``pack`` as a user runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.packed import PackedClips
from scaleflow.training.data.shards import ShardedClips
from tests.cli.conftest import Result
from tests.places import REPOSITORY
from tests.training.conftest import bikes, vimeo_septuplets

__all__ = ["bikes", "vimeo_septuplets"]

Run = Callable[..., Result]
SMALL = ("--kind", "vimeo", "--crop", 64, "--frames", 3, "--seed", 5)


def test_arrays_and_shards_hold_the_same_clips(scaleflow: Run, vimeo_septuplets: Path, tmp_path: Path) -> None:
    arrays, shards = tmp_path / "arrays", tmp_path / "deeper" / "shards"
    packed = scaleflow("pack", vimeo_septuplets, arrays, "--clips", 5, *SMALL)
    assert packed.code == 0 and packed.stderr == ""
    size = sum(path.stat().st_size for path in arrays.iterdir())
    assert re.fullmatch(rf"{arrays}: 5 clips, {size / 1e6:.1f} MB; .*data\.kind=packed.*\n", packed.stdout)
    sharded = scaleflow("pack", vimeo_septuplets, shards, "--clips", 5, *SMALL, "--shards", 2, "--json")
    records = [json.loads(line) for line in sharded.stdout.splitlines()]
    assert records[0] == {"event": "progress", "stage": "pack", "clips": 1, "of": 5}
    size = sum(path.stat().st_size for path in shards.iterdir())
    assert records[-1] == {"event": "summary", "output": str(shards), "clips": 5, "bytes": size}
    assert [path.name for path in sorted(shards.iterdir())] == ["000000.tar", "000001.tar", "000002.tar"]
    request = ClipRequest(3, 64, flip=False, reverse=False)
    for number in range(5):
        one, other = (
            source.read(number, request, np.random.default_rng(0))
            for source in (PackedClips(arrays), ShardedClips(shards))
        )
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def test_pictures_are_packed_alone(scaleflow: Run, vimeo_septuplets: Path, tmp_path: Path) -> None:
    folder = vimeo_septuplets / "sequences" / "00002"
    assert scaleflow("pack", folder, tmp_path / "out", "--kind", "images", "--clips", 3, "--crop", 64).code == 0
    assert PackedClips(tmp_path / "out").describe().startswith("3 packed clips of 1 pictures of 64x64. 35 pictures")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{vimeo}", "{tmp}/full", *SMALL), 2, "full: is not empty; choose another folder"),
        (("{vimeo}", "{tmp}/full/notes.txt", *SMALL), 2, "notes.txt: is a file; choose another folder"),
        (("{tmp}/none", "{tmp}/out"), 2, "none: there is no such folder of videos"),
        (("{tmp}/full", "{tmp}/out"), 1, "full: holds no video that can be read"),
        (("{tmp}/full", "{tmp}/out", "--kind", "vimeo"), 2, "sep_trainlist.txt"),
        (("{vimeo}", "{tmp}/out", "--kind", "tape"), 2, "kind = 'tape'"),
        (("{vimeo}", "{tmp}/out", "--kind", "vimeo", "--crop", 100), 2, "crop = 100 is no multiple of 64: use 64"),
        (
            ("{vimeo}", "{tmp}/out", "--kind", "vimeo", "--crop", 320, "--frames", 1),
            1,
            "too small for crops of 320",
        ),
        (("{vimeo}", "{tmp}/out", "--kind", "vimeo", "--frames", 8), 2, "8 pictures are asked for, sequences of"),
    ],
)
def test_what_cannot_be_packed_is_one_clear_line(
    scaleflow: Run, vimeo_septuplets: Path, tmp_path: Path, arguments: tuple[object, ...], code: int, words: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    places = {"tmp": tmp_path, "vimeo": vimeo_septuplets}
    done = scaleflow("pack", *(str(argument).format(**places) for argument in arguments))
    lines = [line for line in done.stderr.splitlines() if "left out" not in line and "no videos that" not in line]
    assert done.code == code and len(lines) == 1 and words in lines[0], done.stderr
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("shards", [(), ("--shards", 3)])
def test_a_terminated_packing_leaves_nothing(
    vimeo_septuplets: Path, tmp_path: Path, shards: tuple[object, ...]
) -> None:
    arguments = ("pack", vimeo_septuplets, tmp_path / "out", *SMALL, "--clips", 100000, "--json", *shards)
    command = [*scaleflow_command(), *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["clips"] > 6:
                break
        assert (tmp_path / ".out.partial").is_dir() and not (tmp_path / "out").exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert not (tmp_path / "out").exists() and not (tmp_path / ".out.partial").exists()
