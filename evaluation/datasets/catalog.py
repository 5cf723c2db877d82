"""What the data sets hold that video codecs are compared on.

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

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from scaleflow.codec.video.raw_format import RawVideoFormat

Kind = Literal["raw", "pictures", "stills"]


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
        name: as :func:`~scaleflow.evaluation.datasets.clips.open_dataset` takes it.
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
