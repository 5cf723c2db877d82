"""One point: encode, decode what was written, compare, and see where the bits went."""

from __future__ import annotations

import hashlib
import logging
import math
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
from codec.stream_model import load_stream_model
from evaluation.codec_software import software_of
from evaluation.codecs import CodecSetting, EvaluatedCodec, shown_command
from evaluation.file_hash import file_hash
from evaluation.metrics.comparison import Comparison, compare
from evaluation.rate_point import FrameRecords, RatePoint
from evaluation.source_clip import SourceClip

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuringSettings:
    """How every point is measured.

    Attributes:
        metrics: single metrics of :mod:`evaluation.metrics.names`.
        intra_period: most pictures from key frame to key frame.
        threads: of each encoder, decoder and comparison.
        ffmpeg: the program; None where neither a codec nor a metric needs it.
        lpips_backbone: weights file for LPIPS.
    """

    metrics: tuple[str, ...]
    intra_period: int = 32
    threads: int = 1
    ffmpeg: Path | None = None
    lpips_backbone: Path | None = None

    def __post_init__(self) -> None:
        if not self.metrics:
            raise UsageError("no metric is named")
        for name in ("intra_period", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)} is not at least 1")


@dataclass(frozen=True)
class PointTask:
    """What is to be measured; can be sent to another process."""

    source: SourceClip
    codec: EvaluatedCodec
    setting: CodecSetting
    settings: MeasuringSettings

    def encode_command(self, program: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT``; ``program`` is the ffmpeg to call."""
        return self.codec.encode_command(self.setting, self.settings.intra_period, self.settings.threads, program)

    def decode_command(self, program: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT``; ``program`` is the ffmpeg to call."""
        depth = self.source.clip.bit_depth
        return self.codec.decode_command(self.setting, depth, self.settings.threads, program)

    @property
    def description(self) -> str:
        """What is fixed over the points of a curve."""
        options = f"{self.codec.program} {self.codec.fixed_options}".strip()
        return f"{options}, intra period {self.settings.intra_period}, threads {self.settings.threads}"

    @property
    def software(self) -> dict[str, str]:
        """See :func:`evaluation.codec_software.software_of`."""
        return software_of(self.codec, self.setting, self.settings.ffmpeg)

    @property
    def key(self) -> str:
        """Identity of the coded file: content of the input, the commands, the software and its weights."""
        commands = [shown_command(self.encode_command("")), shown_command(self.decode_command(""))]
        identity = repr((self.source.clip.content, self.codec.name, commands, sorted(self.software.items())))
        return hashlib.sha256(identity.encode()).hexdigest()[:20]


def measure_point(task: PointTask, results: Path, scratch: Path, earlier: RatePoint | None = None) -> RatePoint:
    """Encode into ``results/streams``, decode, and compare with what was encoded.

    Args:
        scratch: a folder for decoded pictures, which are deleted.
        earlier: the same point with other metrics: its coded file is decoded again, not encoded again.

    Raises:
        DataError: a command fails, which is shown; or the decoder does not give back every picture.
    """
    settings, clip, key = task.settings, task.source.clip, task.key
    stream = results / "streams" / f"{key}.{task.codec.suffix}"
    decoded = scratch / f"{key}.y4m"
    program = str(settings.ffmpeg)
    encode, decode = task.encode_command(program), task.decode_command(program)
    try:
        if earlier is not None and is_as_measured(earlier, results):
            encode_seconds = earlier.encode_seconds
        else:
            encode_seconds = _encode(encode, task.source.lossless, stream)
        decode_seconds = _run(decode, stream, decoded)
        compared = compare(
            task.source.lossless,
            decoded,
            settings.metrics,
            lpips_backbone=settings.lpips_backbone,
            ffmpeg=settings.ffmpeg,
            decoded_name=f"what {shown_command(decode)[0]} decoded",
        )
    finally:
        decoded.unlink(missing_ok=True)
    bits, kinds, by_kind = _bits(stream, task)
    if len(bits) != clip.frames:
        raise DataError(f"{stream}: holds {len(bits)} pictures of {clip.frames}")
    file_bytes = stream.stat().st_size
    samples = clip.width * clip.height * clip.frames
    by_kind["container"] = 8 * file_bytes - sum(by_kind.values())
    return RatePoint(
        clip=clip,
        codec=task.codec.name,
        description=task.description,
        setting=task.setting.label,
        encode_command=tuple(shown_command(encode)),
        decode_command=tuple(shown_command(decode)),
        stream=f"streams/{stream.name}",
        file_bytes=file_bytes,
        bits_per_pixel=8 * file_bytes / samples,
        bitrate=8e-3 * file_bytes * clip.frame_rate / clip.frames,
        bits_per_pixel_by_kind={kind: value / samples for kind, value in by_kind.items()},
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        metrics={name: value if math.isfinite(value) else None for name, value in compared.means.items()},
        frames=_frames(compared, bits, kinds),
        identical=compared.identical,
        software=task.software,
        stream_hash=file_hash(stream),
    )


def is_as_measured(point: RatePoint, results: Path) -> bool:
    """Whether a point's coded file is still there, byte for byte."""
    stream = results / point.stream
    return stream.is_file() and file_hash(stream) == point.stream_hash


def _frames(compared: Comparison, bits: list[int], kinds: list[str]) -> FrameRecords:
    return FrameRecords(list(compared.times), bits, kinds, {name: list(v) for name, v in compared.frames.items()})


def _encode(command: Sequence[str], source: Path, stream: Path) -> float:
    """Write a stream, which is seen complete or not at all; returns seconds."""
    unfinished = stream.with_name(f".{stream.stem}.partial{stream.suffix}")
    try:
        seconds = _run(command, source, unfinished)
        os.replace(unfinished, stream)
    finally:
        unfinished.unlink(missing_ok=True)
    return seconds


def _run(command: Sequence[str], source: Path, destination: Path) -> float:
    """Seconds that it took. Raises :class:`DataError` with what the command says of the cause."""
    full = [{"INPUT": str(source), "OUTPUT": str(destination)}.get(part, part) for part in command]
    started = time.monotonic()
    try:
        done = subprocess.run(full, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise DataError(f"{full[0]}: cannot be run: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        shown = shown_command(command)
        # ffmpeg says the cause first, then what came of it
        reason = lines[-1].removeprefix("scaleflow: ") if shown[0] == "scaleflow" else lines[0]
        raise DataError(f"{' '.join(shown)}: {reason}")
    if not destination.exists() or not destination.stat().st_size:
        raise DataError(f"{' '.join(shown_command(command))}: wrote nothing")
    return time.monotonic() - started


def _bits(stream: Path, task: PointTask) -> tuple[list[int], list[str], dict[str, float]]:
    """Bits and kind of each picture as shown, and the sums of all parts but the container."""
    if task.codec.program == "scaleflow":
        with SfvReader(stream) as reader:
            packets = [item for item in reader if isinstance(item, VideoPacket)]
        bits, kinds = [8 * len(packet.payload) for packet in packets], [str(packet.kind) for packet in packets]
        return bits, kinds, _parts(stream, task) or _by_kind(bits, kinds)
    try:
        with av.open(str(stream)) as container:
            packets_shown = sorted(
                (packet.pts, 8 * packet.size, packet.is_keyframe)
                for packet in container.demux(video=0)
                if packet.size and packet.pts is not None
            )
    except av.FFmpegError as error:
        raise DataError(f"{stream}: its packets cannot be read: {error.strerror}") from error
    bits = [size for _, size, _ in packets_shown]
    kinds = ["intra" if key else "inter" for _, _, key in packets_shown]
    return bits, kinds, _by_kind(bits, kinds)


def _by_kind(bits: Sequence[int], kinds: Sequence[str]) -> dict[str, float]:
    return {kind: float(sum(b for b, k in zip(bits, kinds, strict=True) if k == kind)) for kind in ("intra", "inter")}


def _parts(stream: Path, task: PointTask) -> dict[str, float]:
    """Of models that say where their bits go: the ideal code length of each kind."""
    model, weights = task.codec.model_of(task.setting), task.codec.weights_of(task.setting)
    parts: dict[str, float] = {}
    try:
        for picture in analyse_stream(stream, lambda header: load_stream_model(header, model=model, weights=weights)):
            for kind, cells in picture.bits.items():
                parts[kind] = parts.get(kind, 0.0) + float(cells.sum(dtype=float))
    except UsageError as error:
        logger.debug("%s", error)
        return {}
    return parts
