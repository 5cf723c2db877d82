"""One point: encode, decode what was written, compare, and see where the bits went."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from codec.container import SfvReader, VideoPacket
from codec.errors import DataError, UsageError
from codec.stream_analysis import analyse_stream
from codec.version import VERSION
from evaluation.codecs import CodecSetting, EvaluatedCodec
from evaluation.metrics.comparison import Comparison, compare
from evaluation.rate_point import FrameRecords, RatePoint
from evaluation.source_clip import SourceClip

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuringSettings:
    """How every point is measured.

    Attributes:
        metrics: names or groups, see :mod:`evaluation.metrics`.
        intra_period: most pictures from key frame to key frame.
        threads: of each encoder and decoder.
        ffmpeg: the program.
        ffmpeg_version: as it says it.
        lpips_backbone: weights file for LPIPS.
    """

    metrics: tuple[str, ...]
    intra_period: int
    threads: int
    ffmpeg: str
    ffmpeg_version: str
    lpips_backbone: Path | None = None


def point_key(source: SourceClip, codec: EvaluatedCodec, setting: CodecSetting, settings: MeasuringSettings) -> str:
    """Identity of a coded file: content of the input, the codec's commands, its software and its weights."""
    commands = (
        codec.encode_command(setting, settings.intra_period, settings.threads, "ffmpeg"),
        codec.decode_command(source.clip.bit_depth, settings.threads, "ffmpeg"),
    )
    shown = [[part for part in command if part not in _interpreter(codec)] for command in commands]
    identity = repr((source.clip.content, codec.name, shown, sorted(_software(codec, settings).items())))
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def measure_point(
    source: SourceClip,
    codec: EvaluatedCodec,
    setting: CodecSetting,
    settings: MeasuringSettings,
    *,
    results: Path,
    scratch: Path,
    earlier: RatePoint | None = None,
) -> RatePoint:
    """Encode into ``results/streams``, decode, and compare with what was encoded.

    Args:
        scratch: a folder for decoded pictures, which are deleted.
        earlier: the same point with other metrics: its coded file is decoded again, not encoded again.

    Raises:
        DataError: a command fails, which is shown; or the decoder does not give back every picture.
    """
    key = point_key(source, codec, setting, settings)
    stream = results / "streams" / f"{key}.{codec.suffix}"
    decoded = scratch / f"{key}.y4m"
    encode = codec.encode_command(setting, settings.intra_period, settings.threads, settings.ffmpeg)
    decode = codec.decode_command(source.clip.bit_depth, settings.threads, settings.ffmpeg)
    try:
        if earlier is None or not stream.exists():
            unfinished = stream.with_name(f".{stream.name}".replace(f".{codec.suffix}", f".part.{codec.suffix}"))
            try:
                encode_seconds = _run(encode, source.lossless, unfinished)
                os.replace(unfinished, stream)
            finally:
                unfinished.unlink(missing_ok=True)
        else:
            encode_seconds = earlier.encode_seconds
        decode_seconds = _run(decode, stream, decoded)
        compared = compare(
            source.lossless,
            decoded,
            settings.metrics,
            lpips_backbone=settings.lpips_backbone,
            ffmpeg=Path(settings.ffmpeg),
        )
        bits, kinds, by_kind = _bits(stream, codec)
    finally:
        decoded.unlink(missing_ok=True)
    if len(bits) != source.clip.frames:
        raise DataError(f"{stream}: holds {len(bits)} pictures of {source.clip.frames}")
    file_bytes = stream.stat().st_size
    samples = source.clip.width * source.clip.height * source.clip.frames
    by_kind["container"] = 8 * file_bytes - sum(by_kind.values())
    return RatePoint(
        clip=source.clip,
        codec=codec.name,
        description=_description(codec, settings),
        setting=setting.label,
        encode_command=tuple(_shown(encode)),
        decode_command=tuple(_shown(decode)),
        stream=f"streams/{stream.name}",
        file_bytes=file_bytes,
        bits_per_pixel=8 * file_bytes / samples,
        bitrate=8e-3 * file_bytes * source.clip.frame_rate / source.clip.frames,
        bits_per_pixel_by_kind={kind: value / samples for kind, value in by_kind.items()},
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        metrics=dict(compared.means),
        frames=_frames(compared, bits, kinds),
        identical=compared.identical,
        software=_software(codec, settings),
    )


def _frames(compared: Comparison, bits: list[int], kinds: list[str]) -> FrameRecords:
    return FrameRecords(list(compared.times), bits, kinds, {name: list(v) for name, v in compared.frames.items()})


def _run(command: Sequence[str], source: Path, destination: Path) -> float:
    """Seconds that it took. Raises :class:`DataError` with the command's last words."""
    full = [{"INPUT": str(source), "OUTPUT": str(destination)}.get(part, part) for part in command]
    started = time.monotonic()
    try:
        done = subprocess.run(full, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"{full[0]}: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"exit code {done.returncode} of {' '.join(_shown(command))}: {last}")
    if not destination.exists() or not destination.stat().st_size:
        raise DataError(f"nothing was written by {' '.join(_shown(command))}")
    return time.monotonic() - started


def _bits(stream: Path, codec: EvaluatedCodec) -> tuple[list[int], list[str], dict[str, float]]:
    """Bits and kind of each picture as shown, and the sums of all parts but the container."""
    if codec.program == "scaleflow":
        with SfvReader(stream) as reader:
            packets = [item for item in reader if isinstance(item, VideoPacket)]
        bits, kinds = [8 * len(packet.payload) for packet in packets], [packet.kind for packet in packets]
        return bits, list(kinds), _parts(stream) or _by_kind(bits, kinds)
    with av.open(str(stream)) as container:
        timed = sorted(
            (p.pts, 8 * p.size, p.is_keyframe) for p in container.demux(video=0) if p.size and p.pts is not None
        )
    bits, kinds = [size for _, size, _ in timed], ["intra" if key else "inter" for _, _, key in timed]
    return bits, kinds, _by_kind(bits, kinds)


def _by_kind(bits: Sequence[int], kinds: Sequence[str]) -> dict[str, float]:
    return {kind: float(sum(b for b, k in zip(bits, kinds, strict=True) if k == kind)) for kind in ("intra", "inter")}


def _parts(stream: Path) -> dict[str, float]:
    """Of models that say where their bits go: each part's ideal code length."""
    parts: dict[str, float] = {}
    try:
        for picture in analyse_stream(stream):
            for kind, cells in picture.bits.items():
                parts[kind] = parts.get(kind, 0.0) + float(cells.sum())
    except UsageError as error:
        logger.debug("%s", error)
        return {}
    return parts


def _software(codec: EvaluatedCodec, settings: MeasuringSettings) -> dict[str, str]:
    if codec.program == "ffmpeg":
        return {"ffmpeg": settings.ffmpeg_version}
    return {"scaleflow": VERSION, "weights": codec.weights_hash}


def _description(codec: EvaluatedCodec, settings: MeasuringSettings) -> str:
    software = ", ".join(f"{name} {value[:16]}" for name, value in _software(codec, settings).items() if value)
    return f"{' '.join(codec.options)}, intra period {settings.intra_period}; {software}"


def _interpreter(codec: EvaluatedCodec) -> set[str]:
    from evaluation.codecs import scaleflow_command

    return set(scaleflow_command()[:1]) if codec.program == "scaleflow" else set()


def _shown(command: Sequence[str]) -> list[str]:
    """As a person would type it."""
    from evaluation.codecs import scaleflow_command

    own = scaleflow_command()
    if list(command[: len(own)]) == own:
        return ["scaleflow", *command[len(own) :]]
    return [Path(command[0]).name if "ffmpeg" in command[0] else command[0], *command[1:]]
