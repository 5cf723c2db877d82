"""What is disturbed: commands with their inputs, and how one sees that nothing was lost."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch


def bytes_of(path: Path) -> str:
    """A hash of a file, or of a folder's files with their names; ``absent`` where there is none."""
    if not path.exists():
        return "absent"
    hashed = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and not file.name.startswith("."):
            hashed.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return hashed.hexdigest()


def points_of(folder: Path) -> str:
    """Sizes and metrics of the points of a results folder; times differ from run to run."""
    if not folder.exists():
        return "absent"
    points = []
    for file in sorted((folder / "points").glob("*.json")):
        values = json.loads(file.read_text(encoding="utf-8"))
        points.append([file.name, values["file_bytes"], values["metrics"]])
    return json.dumps(points, sort_keys=True)


def weights_of(run: Path) -> str:
    """A hash of the network of a run's last checkpoint, which must be readable."""
    if not (run / "last.ckpt").exists():
        return "absent"
    state = torch.load(run / "last.ckpt", weights_only=True)
    hashed = hashlib.sha256(f"{state['stage']} {state['step']}".encode())
    for name, value in sorted(state["network"].items()):
        hashed.update(name.encode() + value.contiguous().numpy().tobytes())
    return hashed.hexdigest()


@dataclass(frozen=True)
class Subject:
    """A command in a folder of its own.

    Attributes:
        name: of it.
        arguments: of ``scaleflow``, with paths in the folder.
        source: the input that may be cut, in the folder.
        output: a file or a folder in the folder.
        content: what of the output must be the same whether or not something went wrong.
        goes_on: arguments of the command that goes on with a part of the output; empty where the output is whole or not
            there, and the same command is given again.
        overwrites: whether the output of an earlier command lies there, which must not be lost.
    """

    name: str
    arguments: tuple[str, ...]
    source: str
    output: str
    content: Callable[[Path], str] = bytes_of
    goes_on: tuple[str, ...] = ()
    overwrites: bool = True

    @property
    def replaces(self) -> bool:
        """Whether it writes anew what lies there."""
        return self.overwrites and not self.goes_on


_TRAIN = (
    *("train", "--preset", "tiny", "--threads", "1", "data.workers=1", "data.crop=64", "checkpoint_every=1"),
    *("log_every=1", "optimization.precision=fp32", "validation.clips=[]"),
)

_ENCODE = ("encode", "clip.y4m", "out.sfv", "--quality", "20", "--intra-period", "6", "--overwrite")


def subjects(steps: Sequence[str]) -> dict[str, Subject]:
    """All, by name; ``steps`` are the changes that make training short."""
    train = (*_TRAIN, *steps, "data.path=videos", "--out", "run")
    rd = ("rd", "clip.y4m", "--frames", "4", "--quality", "10,30", "--metrics", "psnr", "--out", "results")
    pack = ("pack", "videos", "packed", "--clips", "60", "--crop", "64", "--frames", "3")
    decode = ("decode", "in.sfv", "--overwrite")
    given = (
        Subject("encode", _ENCODE, "clip.y4m", "out.sfv"),
        Subject("encode, workers", (*_ENCODE, "--workers", "2"), "clip.y4m", "out.sfv"),
        Subject("decode to a file", (*decode, "out.y4m"), "in.sfv", "out.y4m"),
        Subject("decode to pictures", (*decode, "pictures/"), "in.sfv", "pictures"),
        Subject("rd", rd, "clip.y4m", "results", points_of, goes_on=rd),
        Subject("train", train, "videos/clip.y4m", "run", weights_of, goes_on=("train", "--resume", "--out", "run")),
        Subject("pack", pack, "videos/clip.y4m", "packed", overwrites=False),
    )
    return {subject.name: subject for subject in given}


def prepare(subject: Subject, inputs: Path, folder: Path) -> None:
    """Put inputs into a folder, and what an earlier command is supposed to have left."""
    folder.mkdir(parents=True)
    for name in ("clip.y4m", "in.sfv"):
        shutil.copy(inputs / name, folder / name)
    (folder / "videos").mkdir()
    shutil.copy(inputs / "clip.y4m", folder / "videos" / "clip.y4m")
    if subject.replaces and subject.output == "pictures":
        (folder / "pictures").mkdir()
        for number in range(3):
            (folder / "pictures" / f"{number + 1:06d}.png").write_bytes(b"an earlier picture")
    elif subject.replaces:
        (folder / subject.output).write_bytes(b"an earlier output")
