"""A clip beside its decoded copy: coded to a real file and decoded from it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.decoding.file import decode_file
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import DataError


@dataclass(frozen=True)
class CodedClip:
    """Pictures (3, H, W), RGB in 0..1, and what became of them.

    Attributes:
        name: of the file.
        bits_per_pixel: of the coded file, container included.
    """

    name: str
    original: tuple[Tensor, ...]
    decoded: tuple[Tensor, ...]
    bits_per_pixel: float


def code_clip(
    path: Path, model: VideoModel, quality: float, *, first: int = 0, frames: int = 4, crop: int = 0
) -> CodedClip:
    """Code the first pictures of a video, or of its middle.

    Args:
        quality: 0..63.
        first: number of the first picture.
        frames: most pictures.
        crop: side of the square in the middle that is taken; 0 for whole pictures.

    Raises:
        UsageError: there is no such file.
        DataError: it is no video, too short, or smaller than ``crop``.
    """
    with tempfile.TemporaryDirectory(prefix="scaleflow-diffusion-") as folder:
        source, coded, decoded = (Path(folder) / name for name in ("source.y4m", "coded.sfv", "decoded.y4m"))
        count, pixels = _write_source(path, source, first, frames, crop)
        summary = encode_file(source, coded, model, EncodeSettings(quality=quality, scene_cut=False))
        decode_file(coded, decoded, lambda header: model)
        rate = 8 * summary.file_bytes / (count * pixels)
        return CodedClip(path.name, _read(source), _read(decoded), rate)


def _write_source(path: Path, target: Path, first: int, frames: int, crop: int) -> tuple[int, int]:
    """Returns how many pictures there are, and of how many samples each is."""
    count = 0
    with open_video(path, threads=1) as reader:
        found = reader.properties
        if min(found.width, found.height) < crop:
            raise DataError(f"{path}: has pictures of {found.width}x{found.height}, too small for a crop of {crop}")
        width, height = (crop, crop) if crop else (found.width, found.height)
        with open_output(target, _as_y4m(found, width, height)) as writer:
            for picture in islice(reader, first, first + frames):
                writer.write(Picture(_middle(picture.planes, width, height), count))
                count += 1
            if not count:
                raise DataError(f"{path}: has no picture {first}")
    return count, width * height


def _as_y4m(source: VideoProperties, width: int, height: int) -> VideoProperties:
    suffix = "" if source.bit_depth == 8 else "10le"
    return replace(
        source,
        width=width,
        height=height,
        pixel_format=f"yuv420p{suffix}",
        time_base=1 / source.frame_rate,
        rotation=0,
    )


def _middle(planes: Planes, width: int, height: int) -> Planes:
    """At an even place, where chroma begins."""
    top, left = ((whole - part) // 4 * 2 for whole, part in zip(planes[0].shape, (height, width), strict=True))
    luma = planes[0][top : top + height, left : left + width]
    lines, columns = slice(top // 2, (top + height + 1) // 2), slice(left // 2, (left + width + 1) // 2)
    return tuple(np.ascontiguousarray(plane) for plane in (luma, *(plane[lines, columns] for plane in planes[1:])))


def _read(path: Path) -> tuple[Tensor, ...]:
    with open_video(path, working_format="rgb", threads=1) as reader:
        top = 2**reader.properties.bit_depth - 1
        return tuple(torch.from_numpy(np.stack(one.planes).astype(np.float32) / top) for one in reader)
