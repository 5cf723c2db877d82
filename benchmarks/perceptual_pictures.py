"""Parts of pictures at equal bytes: the original, the fidelity decoder, the perceptual decoder, and x265.

    python -m benchmarks.perceptual_pictures OUT.png CLIP:PICTURE:LEFT,TOP ... --quality 8

Each clip is coded up to the picture shown, once; both decoders show the same stream. x265 (medium, zerolatency) is
given the constant rate factor, to a tenth, whose file comes nearest to the stream's size. Labels say the bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import scaleflow
from scaleflow.adversarial.perceptual_codec import decoder_of
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.evaluation.ffmpeg import find_ffmpeg
from scaleflow.evaluation.rate_distortion.clip_files import clip_file
from scaleflow.evaluation.rate_distortion.source_clip import prepare_clip
from scaleflow.evaluation.report.stream_pictures import ChooseModel, read_pictures

LABEL_HEIGHT = 22
"""Samples above each part."""

RATE_FACTORS = (20.0, 51.0)
"""Of x265: between these the file of equal size is looked for."""


@dataclass(frozen=True)
class Place:
    """Where to look: a picture of a clip, and the part of it."""

    clip: Path
    picture: int
    left: int
    top: int

    @classmethod
    def from_text(cls, text: str) -> Place:
        """Of ``CLIP:PICTURE:LEFT,TOP``."""
        clip, picture, corner = text.rsplit(":", 2)
        left, top = corner.split(",")
        return cls(Path(clip), int(picture), int(left), int(top))


def code_with_x265(source: Path, size: int, folder: Path) -> Path:
    """The stream of x265 whose size is nearest to ``size`` bytes, by bisection over the rate factor."""
    program = find_ffmpeg(encoders=("libx265",))
    low, high = RATE_FACTORS
    tries: list[Path] = []
    while high - low > 0.1:
        factor = round((low + high) / 2, 2)
        tried = folder / f"{factor}.hevc"
        tries.append(tried)
        options = ["-c:v", "libx265", "-preset", "medium", "-tune", "zerolatency", "-bf", "0", "-crf", str(factor)]
        parameters = ["-x265-params", "log-level=error:info=0:keyint=32:pools=1"]
        command = [str(program), "-v", "error", "-y", "-i", str(source), *options, *parameters, str(tried)]
        subprocess.run(command, check=True)
        low, high = (factor, high) if tried.stat().st_size > size else (low, factor)
    return min(tries, key=lambda tried: abs(tried.stat().st_size - size))


def show(place: Place, options: argparse.Namespace) -> list[tuple[str, NDArray[np.uint8]]]:
    """The parts of one place, each with its label."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = prepare_clip(clip_file(place.clip, None), place.picture + 1, folder).lossless
        stream = folder / "clip.sfv"
        scaleflow.encode(str(source), str(stream), quality=options.quality)
        size = stream.stat().st_size
        anchor = code_with_x265(source, size, folder)
        sharpen = decoder_of("perceptual", weights=options.decoder_weights)
        videos: list[tuple[str, Path, ChooseModel]] = [
            ("original", source, load_stream_model),
            (f"fidelity, {size} bytes", stream, load_stream_model),
            ("perceptual, same stream", stream, lambda header: sharpen(load_stream_model(header))),
            (f"x265, {anchor.stat().st_size} bytes", anchor, load_stream_model),
        ]
        return [
            (label, _part(read_pictures(video, [place.picture], choose).pictures[place.picture], place, options))
            for label, video, choose in videos
        ]


def _part(picture: NDArray[np.uint8], place: Place, options: argparse.Namespace) -> NDArray[np.uint8]:
    bottom, right = place.top + options.height, place.left + options.width
    if bottom > picture.shape[0] or right > picture.shape[1]:
        raise SystemExit(f"{place.clip}: is {picture.shape[1]}x{picture.shape[0]}, the part ends at {right},{bottom}")
    return picture[place.top : bottom, place.left : right]


def draw(rows: list[list[tuple[str, NDArray[np.uint8]]]], zoom: int) -> Image.Image:
    """All places, one below the other, enlarged without smoothing."""
    height, width = (zoom * extent for extent in rows[0][0][1].shape[:2])
    canvas = Image.new("RGB", (len(rows[0]) * width, len(rows) * (height + LABEL_HEIGHT)), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for row, parts in enumerate(rows):
        for column, (label, part) in enumerate(parts):
            left, top = column * width, row * (height + LABEL_HEIGHT)
            pen.text((left + 4, top + 3), label, "black", font)
            enlarged = Image.fromarray(part).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (left, top + LABEL_HEIGHT))
    return canvas


def main() -> None:
    """Code, decode, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("places", type=Place.from_text, nargs="+", metavar="CLIP:PICTURE:LEFT,TOP")
    parser.add_argument("--decoder-weights", help="of the perceptual decoder, where it is not the shipped one")
    parser.add_argument("--quality", type=float, default=8.0)
    parser.add_argument("--width", type=int, default=160, help="columns of each part")
    parser.add_argument("--height", type=int, default=128, help="rows of each part")
    parser.add_argument("--zoom", type=int, default=2, help="how many times parts are enlarged")
    options = parser.parse_args()
    draw([show(place, options) for place in options.places], options.zoom).save(options.output)


if __name__ == "__main__":
    main()
