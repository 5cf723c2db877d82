"""What a picture of a still scene costs at every quality: surveillance clips, and clips made of a photograph.

    python -m benchmarks.still_camera PHOTOGRAPH [--clip CAMERA.mp4 ...] [--pictures 9] [--size 384x208] [--step 1]
        [--save points.json] [--against earlier.json]

Of the photograph three clips are made: the same picture again and again; with noise of a sensor (a normal deviation of
2 code values, anew in each picture); and with a square of 32 samples that moves by 2 samples a picture. Each clip is
coded to files at qualities 0 to 63, one key picture and then inter pictures. The table gives the bytes that an inter
picture adds to the file, container included, and by how much these, and the whole file, ever fall from one quality to
the next. PSNR-YUV is that of the decoded pictures. ``--against`` adds the BD-rate of the whole files to the points of
an earlier run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from scaleflow.cli.threads import set_threads
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.evaluation.rate_distortion.results import Curve
from scaleflow.evaluation.statistics.bd_rate import bd_rate

NOISE = 2.0
SQUARE, SPEED = 32, 2
SHOWN = (0, 8, 16, 24, 32, 40, 48, 56, 63)
"""Qualities in the table."""


@dataclass(frozen=True)
class Point:
    """A clip at one quality: the bytes of a whole file, those of each inter picture, and PSNR-YUV in dB."""

    quality: float
    file_bytes: int
    inter_bytes: float
    psnr: float


def read_clip(path: Path, count: int, size: tuple[int, int], start: int = 0) -> list[Planes]:
    """Pictures of a video, or of a photograph one, cut to (width, height) in the middle."""
    with open_video(path) as reader:
        pictures = [picture.planes for picture in islice(reader, start, start + count)]
    return [cut(planes, size) for planes in pictures]


def cut(planes: Planes, size: tuple[int, int]) -> Planes:
    """The middle of a picture, whole if it is smaller, of even place and size."""
    width, height = (min(wanted, whole) // 2 * 2 for wanted, whole in zip(size, planes[0].shape[::-1], strict=True))
    top, left = ((whole - part) // 4 * 2 for whole, part in zip(planes[0].shape, (height, width), strict=True))
    luma = planes[0][top : top + height, left : left + width]
    rows, columns = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
    return tuple(np.ascontiguousarray(plane) for plane in (luma, planes[1][rows, columns], planes[2][rows, columns]))


def made_clips(photograph: Planes, count: int) -> dict[str, list[Planes]]:
    """A photograph again and again, with noise, and with a square of itself that moves."""
    generator = np.random.default_rng(0)
    noisy = [
        tuple(
            np.clip(np.rint(plane + generator.normal(0, NOISE, plane.shape)), 0, 255).astype(np.uint8)
            for plane in photograph
        )
        for _ in range(count)
    ]
    return {
        "photograph": [photograph] * count,
        "photograph, noise": noisy,
        "photograph, small object": [with_square(photograph, SPEED * number) for number in range(count)],
    }


def with_square(photograph: Planes, moved: int) -> Planes:
    """The upper left corner of a photograph, upside down, at the height of its middle."""
    planes = []
    for plane, side, step in zip(photograph, (SQUARE, SQUARE // 2, SQUARE // 2), (1, 2, 2), strict=True):
        changed = plane.copy()
        top, left = plane.shape[0] // 2, plane.shape[1] // 4 + moved // step
        changed[top : top + side, left : left + side] = plane[side - 1 :: -1, :side]
        planes.append(changed)
    return tuple(planes)


def measure(model: VideoModel, pictures: list[Planes], quality: float, folder: Path) -> Point:
    """Code a clip, and its first picture alone."""
    height, width = pictures[0][0].shape
    properties = VideoProperties(width, height, "yuv420p", 8, Fraction(25), Fraction(1, 25))
    source, coded = folder / "clip.y4m", folder / "clip.sfv"
    with open_output(source, properties, overwrite=True) as writer:
        for number, planes in enumerate(pictures):
            writer.write(Picture(planes, number))
    settings = EncodeSettings(quality=quality, measure=True, scene_cut=False, intra_period=0, overwrite=True)
    whole = encode_file(source, coded, model, settings)
    alone = encode_file(source, coded, model, replace(settings, frames=1))
    assert whole.psnr_yuv is not None
    added = (whole.file_bytes - alone.file_bytes) / (len(pictures) - 1)
    return Point(quality, whole.file_bytes, added, whole.psnr_yuv)


def largest_fall(sizes: list[tuple[float, float]]) -> str:
    """The most by which sizes fall from one quality to the next; (quality, bytes) by rising quality."""
    most, quality = max((before - size, quality) for (_, before), (quality, size) in pairwise(sizes))
    return f"{most:.1f} (at {quality:g})" if most > 0 else "never"


def row(name: str, points: list[Point], earlier: list[Point] | None) -> str:
    """A line of the table."""
    shown = [point for point in points if point.quality in SHOWN]
    cells = [f"{point.inter_bytes:.0f}" for point in shown]
    if earlier is not None:
        change = bd_rate(curve(name, points), curve(name, earlier), "psnr-yuv")
        cells.append(f"{change.percent:+.1f} %")
    cells.append(largest_fall([(point.quality, point.inter_bytes) for point in points]))
    cells.append(largest_fall([(point.quality, float(point.file_bytes)) for point in points]))
    return f"| {name} | " + " | ".join(cells) + " |"


def curve(name: str, points: list[Point]) -> Curve:
    """As the evaluation compares them; rates are bytes, of which only ratios count."""
    rates = tuple(float(point.file_bytes) for point in points)
    settings, qualities = tuple(f"{point.quality:g}" for point in points), tuple(point.psnr for point in points)
    return Curve("scaleflow", name, settings, rates, rates, {"psnr-yuv": qualities})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--clip", type=Path, nargs="+", default=[], help="of a still camera")
    parser.add_argument("--start", type=int, default=0, help="first picture of the clips")
    parser.add_argument("--pictures", type=int, default=9)
    parser.add_argument("--size", default="384x208")
    parser.add_argument("--step", type=int, default=1, help="from quality to quality")
    parser.add_argument("--save", type=Path, help="write the points, as JSON")
    parser.add_argument("--against", type=Path, help="points of an earlier run")
    options = parser.parse_args()
    set_threads(1)
    width, height = (int(part) for part in options.size.split("x"))
    photograph = read_clip(options.photograph, 1, (width, height))[0]
    clips = {path.stem: read_clip(path, options.pictures, (width, height), options.start) for path in options.clip}
    clips |= made_clips(photograph, options.pictures)
    earlier = json.loads(options.against.read_text()) if options.against else {}
    qualities = range(0, 64, options.step)
    columns = [f"q {quality}" for quality in qualities if quality in SHOWN]
    columns += ["BD-rate"] * bool(earlier) + ["largest fall", "of the file"]
    print("| clip | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|", flush=True)
    model = load_model()
    found: dict[str, list[Point]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pictures in clips.items():
            found[name] = [measure(model, pictures, quality, Path(folder)) for quality in qualities]
            before = [Point(**point) for point in earlier[name]] if name in earlier else None
            print(row(name, found[name], before), flush=True)
    if options.save:
        options.save.write_text(json.dumps({name: [vars(p) for p in points] for name, points in found.items()}))


if __name__ == "__main__":
    main()
