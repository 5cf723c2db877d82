"""Makes results folders of real encodes: x264 and the shipped model on the first pictures of a clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scaleflow.codec.decoding.file import decode_file
from scaleflow.codec.decoding.info import read_info
from scaleflow.codec.distortion import picture_psnr, weighted_psnr
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video import open_video
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, FrameRecords, RatePoint
from scaleflow.evaluation.rate_distortion.source_clip import ContentHash

RunFfmpeg = Callable[..., None]


def add_points(
    folder: Path,
    clip: Path,
    frames: int,
    ffmpeg: RunFfmpeg,
    crfs: Sequence[int] = (22, 30, 38),
    qualities: Sequence[int] = (16, 28, 40),
    model: VideoModel | None = None,
) -> None:
    """Encode, decode, measure, and write ``points/`` and ``streams/``."""
    for name in ("points", "streams"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    original, properties = read_planes(clip, frames)
    content = ContentHash(properties)
    for planes in original:
        content.add(planes)
    depth, rate = properties.bit_depth, float(properties.frame_rate)
    evaluated = EvaluatedClip(
        clip.name, str(clip), content.digest(),
        properties.width, properties.height, len(original), rate, depth,
    )  # fmt: skip

    def add(
        codec: str, setting: str, stream: Path, decoded: Path, kinds: list[str], seconds: tuple[float, float]
    ) -> None:
        found, _ = read_planes(decoded, frames)
        planes = [picture_psnr(a, b, depth) for a, b in zip(original, found, strict=True)]
        values = {f"psnr-{name}": [p[n] for p in planes] for n, name in enumerate("yuv")}
        values["psnr-yuv"] = [weighted_psnr(p) for p in planes]
        values["psnr-rgb"] = [min(p) for p in planes]
        size = stream.stat().st_size
        bits_per_pixel = 8 * size / (properties.width * properties.height * len(original))
        key = kinds.count("intra")
        point = RatePoint(
            clip=evaluated,
            codec=codec,
            description=f"{codec} in a test",
            setting=setting,
            encode_command=("encode", "INPUT", "OUTPUT", *setting.split()),
            decode_command=("decode", "INPUT", "OUTPUT"),
            stream=f"streams/{stream.name}",
            file_bytes=size,
            bits_per_pixel=bits_per_pixel,
            bitrate=8 * size * rate / len(original) / 1000,
            bits_per_pixel_by_kind={"intra": bits_per_pixel * key / len(kinds), "container": 0.0},
            encode_seconds=seconds[0],
            decode_seconds=seconds[1],
            metrics={name: float(np.mean(column)) for name, column in values.items()},
            frames=FrameRecords(
                [n / rate for n in range(len(original))],
                [8 * size * (4 if kind == "intra" else 1) // (len(kinds) + 3 * key) for kind in kinds],
                kinds,
                values,
            ),
        )
        (folder / "points" / f"{stream.stem}.json").write_text(point.to_json())

    scratch = folder / "scratch"
    scratch.mkdir()
    for crf in crfs:
        stream = folder / "streams" / f"{clip.stem}-x264-{crf}.mp4"
        started = time.monotonic()
        options = ("-c:v", "libx264", "-preset", "medium", "-bf", 0, "-g", 32, "-crf", crf)
        ffmpeg("-i", clip, "-frames:v", frames, *options, stream)
        kinds = ["intra"] + ["inter"] * (frames - 1)
        add("x264", f"-crf {crf}", stream, stream, kinds, (time.monotonic() - started, 0.01))
    model = model or load_model()
    for quality in qualities:
        stream, decoded = folder / "streams" / f"{clip.stem}-scaleflow-{quality}.sfv", scratch / f"{quality}.y4m"
        encoding = encode_file(clip, stream, model, EncodeSettings(quality=float(quality), frames=frames))
        decoding = decode_file(stream, decoded, lambda header: model)
        keys = {key.frame_number for key in read_info(str(stream)).key_frames}
        kinds = ["intra" if n in keys else "inter" for n in range(encoding.pictures)]
        add("scaleflow", f"--quality {quality}", stream, decoded, kinds, (encoding.seconds, decoding.seconds))
        decoded.unlink()
    scratch.rmdir()


def read_planes(path: Path, frames: int) -> tuple[list[Planes], VideoProperties]:
    """The first pictures of a video."""
    with open_video(path) as reader:
        return [picture.planes for picture, _ in zip(reader, range(frames), strict=False)], reader.properties
