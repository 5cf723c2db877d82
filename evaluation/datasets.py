"""The data sets that video codecs are compared on, by name: what they hold, and whether a folder holds it.

Nothing is downloaded; each entry says where its files come from and on which conditions. Where the facts come from:

- UVG, MCL-JCV, HEVC classes B to E: names, sizes, numbers of pictures and rates are those of the test configuration
  that the authors of DCVC publish (github.com/microsoft/DCVC, ``test_cfg/all_yuv420.json``). The rates of UVG and HEVC
  stand in the file names. Some distributions of HEVC's files hold one picture more, which is accepted and not counted.
- DAVIS: the 50 sequences of DAVIS-2016 as ``db_seqs.m`` of github.com/davisvideochallenge/davis-matlab lists them, at
  480p; their numbers of pictures add up to the 3455 that the paper (Perazzi et al., CVPR 2016) gives. 24 pictures/s is
  the paper's.
- Kodak: 24 stills of 768x512, some of them upright (r0k.us/graphics/kodak).

Notes on licences are a hint where to look, not advice. Raw files are recognised by their exact length, so that a
download that was cut off is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from codec.errors import DataError, UsageError
from codec.video.picture_sequence import PICTURE_SUFFIXES
from codec.video.raw_format import RawVideoFormat
from codec.video.reader import open_video

Kind = Literal["raw", "pictures", "stills"]

_MOST_NAMED = 6
"""Problems that a message spells out; the rest are counted."""


@dataclass(frozen=True)
class ExpectedClip:
    """One clip of a data set.

    Attributes:
        path: of the file, or of the folder of pictures, inside the data set's folder.
        width, height: in pixels; for stills either way round.
        frames: how many pictures.
        frame_rate: pictures a second; of stills and of pictures without times a convention.
    """

    path: str
    width: int
    height: int
    frames: int
    frame_rate: Fraction

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frame_rate <= 0:
            raise ValueError(f"{self.path}: {self.frames = } and {self.frame_rate = } must be positive")

    @property
    def raw_format(self) -> RawVideoFormat:
        """The form of the file, if it is a raw one."""
        return RawVideoFormat(self.width, self.height, self.frame_rate)


@dataclass(frozen=True)
class Dataset:
    """What a data set consists of.

    Attributes:
        name: as :func:`open_dataset` takes it.
        title: as people write it.
        kind: "raw" files of 8-bit 4:2:0, folders of "pictures", or single "stills".
        clips: all of them.
        url: where the files come from.
        license_note: what may be done with them.
        bit_depth: of the samples.
        spare_frames: pictures that a raw file may hold beyond those that count.
    """

    name: str
    title: str
    kind: Kind
    clips: tuple[ExpectedClip, ...]
    url: str
    license_note: str
    bit_depth: int = 8
    spare_frames: int = 0

    def __post_init__(self) -> None:
        if len({clip.path for clip in self.clips}) != len(self.clips) or not self.clips:
            raise ValueError(f"{self.name}: clips are missing or named twice")


@dataclass(frozen=True)
class EvaluationClip:
    """A clip that is there, and how to open it: ``open_video(path, raw=raw, frame_rate=frame_rate)``.

    Attributes:
        name: without folder and suffix.
        path: of the file or of the folder of pictures.
        width, height: in pixels.
        frames: how many pictures.
        raw: form of a raw file, None of others.
        frame_rate: of pictures, which have no times; None of raw files, whose form has it.
    """

    name: str
    path: Path
    width: int
    height: int
    frames: int
    raw: RawVideoFormat | None
    frame_rate: Fraction | None


def _raw(lines: str) -> tuple[ExpectedClip, ...]:
    """Clips from lines of file name, width, height, frames and frame rate."""
    return tuple(
        ExpectedClip(name, int(width), int(height), int(frames), Fraction(rate))
        for name, width, height, frames, rate in (line.split() for line in lines.strip().splitlines())
    )


_UVG = _raw(
    "\n".join(
        f"{name}_1920x1080_120fps_420_8bit_YUV.yuv 1920 1080 {frames} 120"
        for name, frames in (
            ("Beauty", 600),
            ("Bosphorus", 600),
            ("HoneyBee", 600),
            ("Jockey", 600),
            ("ReadySteadyGo", 600),
            ("ShakeNDry", 300),
            ("YachtRide", 600),
        )
    )
)
_MCL_JCV_RATES = "30 30 30 30 25 25 25 25 25 30 30 30 30 30 30 30 24 25 30 25 24 24 24 24 24 30 30 30 24 30".split()
_MCL_JCV = _raw(
    "\n".join(  # each lasts five seconds
        f"videoSRC{number:02}_1920x1080_{rate}.yuv 1920 1080 {5 * int(rate)} {rate}"
        for number, rate in enumerate(_MCL_JCV_RATES, start=1)
    )
)
_CLASS_B = _raw("""
    BQTerrace_1920x1080_60.yuv 1920 1080 600 60
    BasketballDrive_1920x1080_50.yuv 1920 1080 500 50
    Cactus_1920x1080_50.yuv 1920 1080 500 50
    Kimono1_1920x1080_24.yuv 1920 1080 240 24
    ParkScene_1920x1080_24.yuv 1920 1080 240 24
""")
_CLASS_C = _raw("""
    BQMall_832x480_60.yuv 832 480 600 60
    BasketballDrill_832x480_50.yuv 832 480 500 50
    PartyScene_832x480_50.yuv 832 480 500 50
    RaceHorses_832x480_30.yuv 832 480 300 30
""")
_CLASS_D = _raw("""
    BQSquare_416x240_60.yuv 416 240 600 60
    BasketballPass_416x240_50.yuv 416 240 500 50
    BlowingBubbles_416x240_50.yuv 416 240 500 50
    RaceHorses_416x240_30.yuv 416 240 300 30
""")
_CLASS_E = _raw("""
    FourPeople_1280x720_60.yuv 1280 720 600 60
    Johnny_1280x720_60.yuv 1280 720 600 60
    KristenAndSara_1280x720_60.yuv 1280 720 600 60
""")
_KODAK = tuple(ExpectedClip(f"kodim{number:02}.png", 768, 512, 1, Fraction(25)) for number in range(1, 25))
_DAVIS_FRAMES = """
    bear 82 blackswan 50 bmx-bumps 90 bmx-trees 80 boat 75 breakdance 84 breakdance-flare 71 bus 80 camel 90
    car-roundabout 75 car-shadow 40 car-turn 80 cows 104 dance-jump 60 dance-twirl 90 dog 60 dog-agility 25
    drift-chicane 52 drift-straight 50 drift-turn 64 elephant 80 flamingo 80 goat 90 hike 80 hockey 75
    horsejump-high 50 horsejump-low 60 kite-surf 50 kite-walk 80 libby 49 lucia 70 mallard-fly 70 mallard-water 80
    motocross-bumps 60 motocross-jump 40 motorbike 43 paragliding 70 paragliding-launch 80 parkour 100 rhino 90
    rollerblade 35 scooter-black 43 scooter-gray 75 soapbox 99 soccerball 48 stroller 91 surf 55 swing 60 tennis 70
    train 80
""".split()
_DAVIS = tuple(
    ExpectedClip(f"JPEGImages/480p/{name}", 854, 480, int(frames), Fraction(24))
    for name, frames in zip(_DAVIS_FRAMES[::2], _DAVIS_FRAMES[1::2], strict=True)
)


def _hevc(letter: str, clips: tuple[ExpectedClip, ...]) -> Dataset:
    return Dataset(
        f"hevc-{letter.lower()}",
        f"HEVC class {letter}",
        "raw",
        clips,
        "https://www.itu.int/wftp3/av-arch/jctvc-site (material of JCT-VC's common test conditions)",
        "each sequence under its owner's terms, mostly for developing and testing video coding standards only",
        spare_frames=1,
    )


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset("uvg", "UVG", "raw", _UVG, "https://ultravideo.fi/dataset.html", "CC BY-NC 3.0, says its site"),
        Dataset(
            "mcl-jcv",
            "MCL-JCV",
            "raw",
            _MCL_JCV,
            "https://mcl.usc.edu/mcl-jcv-dataset",
            "copyright University of Southern California; see its site",
        ),
        _hevc("B", _CLASS_B),
        _hevc("C", _CLASS_C),
        _hevc("D", _CLASS_D),
        _hevc("E", _CLASS_E),
        Dataset(
            "kodak",
            "Kodak",
            "stills",
            _KODAK,
            "https://r0k.us/graphics/kodak",
            "released by Kodak for unrestricted use, says its site",
        ),
        Dataset(
            "davis",
            "DAVIS-2016",
            "pictures",
            _DAVIS,
            "https://davischallenge.org/davis2016/code.html",
            "see its site; made for research",
        ),
    )
}
"""All data sets by name."""


def open_dataset(name: str, folder: Path, *, partial: bool = False) -> list[EvaluationClip]:
    """Find the clips of a data set and check their sizes and numbers of pictures.

    Args:
        name: a key of :data:`DATASETS`; upper case, blanks and underscores make no difference.
        folder: with the raw files or stills in it; of DAVIS the one that holds ``JPEGImages``.
        partial: take what is there. What is there must be right all the same.

    Raises:
        UsageError: there is no such data set or folder.
        DataError: clips are missing or differ; names them, and where the data set comes from.
    """
    dataset = DATASETS.get("-".join(name.lower().replace("_", " ").replace("-", " ").split()))
    if dataset is None:
        raise UsageError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; {dataset.title} comes from {dataset.url}")
    find = _FINDERS[dataset.kind]
    clips, problems, missing = [], [], []
    for expected in dataset.clips:
        path = folder / expected.path
        if not path.exists():
            missing.append(f"{expected.path} is missing")
            continue
        try:
            clips.append(find(dataset, expected, path))
        except DataError as error:
            problems.append(str(error))
    if not partial or not (clips or problems):
        problems += missing
    if problems:
        named = "; ".join(problems[:_MOST_NAMED])
        more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
        raise DataError(
            f"{folder}: does not hold {dataset.title} as it is published: {named}{more}; it comes from {dataset.url}"
        )
    return clips


def _find_raw(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    raw = expected.raw_format
    if not path.is_file():
        raise DataError(f"{expected.path} is no file")
    found, left_over = divmod(path.stat().st_size, raw.frame_size)
    if left_over or not expected.frames <= found <= expected.frames + dataset.spare_frames:
        part = f" and {left_over} bytes" if left_over else ""
        raise DataError(
            f"{expected.path} has {found} pictures{part} of {raw.width}x{raw.height}, not {expected.frames}"
        )
    return EvaluationClip(path.stem, path, raw.width, raw.height, expected.frames, raw, None)


def _find_pictures(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    if not path.is_dir():
        raise DataError(f"{expected.path} is no folder")
    found = sum(file.suffix.lower() in PICTURE_SUFFIXES for file in path.iterdir())
    if found != expected.frames:
        raise DataError(f"{expected.path} has {found} pictures, not {expected.frames}")
    size = _picture_size(path)
    if size != (expected.width, expected.height):
        raise DataError(f"{expected.path} is {size[0]}x{size[1]}, not {expected.width}x{expected.height}")
    return EvaluationClip(path.name, path, *size, found, None, expected.frame_rate)


def _find_still(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    size = _picture_size(path)
    if sorted(size) != sorted((expected.width, expected.height)):
        raise DataError(f"{expected.path} is {size[0]}x{size[1]}, not {expected.width}x{expected.height}")
    return EvaluationClip(path.stem, path, *size, 1, None, expected.frame_rate)


def _picture_size(path: Path) -> tuple[int, int]:
    with open_video(path, working_format="rgb") as reader:
        return reader.properties.width, reader.properties.height


_FINDERS: dict[Kind, Callable[[Dataset, ExpectedClip, Path], EvaluationClip]] = {
    "raw": _find_raw,
    "pictures": _find_pictures,
    "stills": _find_still,
}
