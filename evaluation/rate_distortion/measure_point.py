"""One point: encode, decode what was written, compare, and see where the bits went."""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.metrics.comparison import Comparison, compare
from scaleflow.evaluation.metrics.names import AREA_INSIDE, BITS_INSIDE, with_regions
from scaleflow.evaluation.rate_distortion.clip_masks import open_masks_at
from scaleflow.evaluation.rate_distortion.codec_programs import shown_command
from scaleflow.evaluation.rate_distortion.codec_software import DECODER_WEIGHTS, software_of
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.point import FrameRecords, RatePoint
from scaleflow.evaluation.rate_distortion.point_file import read_points_in
from scaleflow.evaluation.rate_distortion.source_clip import SourceClip
from scaleflow.evaluation.rate_distortion.stream_bits import StreamBits, read_stream_bits
from scaleflow.output_file import whole_file


@dataclass(frozen=True)
class MeasuringSettings:
    """How every point is measured.

    Attributes:
        metrics: single metrics of :mod:`scaleflow.evaluation.metrics.names`; with masks, regions have them too.
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
                raise UsageError(f"{name} {getattr(self, name)} is not at least 1", fields=(name,))


@dataclass(frozen=True)
class PointTask:
    """What is to be measured; can be sent to another process."""

    source: SourceClip
    codec: EvaluatedCodec
    setting: CodecSetting
    settings: MeasuringSettings

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that are measured: of a clip with masks also those of its regions."""
        return self.settings.metrics if self.source.masks is None else with_regions(self.settings.metrics)

    def encode_command(self, program: str) -> list[str]:
        """With ``INPUT``, ``OUTPUT`` and perhaps ``MASKS``; ``program`` is the ffmpeg to call."""
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
        """See :func:`scaleflow.evaluation.rate_distortion.codec_software.software_of`."""
        return software_of(self.codec, self.setting, self.settings.ffmpeg)

    @property
    def key(self) -> str:
        """Identity of the coded file: content of the input and of the masks that its encoder is given, the commands,
        the software and its weights."""
        commands = [shown_command(self.encode_command("")), shown_command(self.decode_command(""))]
        content = self.source.clip.content
        if self.codec.needs_masks:
            content += f" with masks {self.source.clip.masks}"
        identity = repr((content, self.codec.name, commands, sorted(self.software.items())))
        return hashlib.sha256(identity.encode()).hexdigest()[:20]

    def read_bits(self, stream: Path) -> StreamBits:
        """Where the bits of its coded file went."""
        model, weights = self.codec.model_of(self.setting), self.codec.weights_of(self.setting)
        masks = None
        if self.source.masks is not None:
            with open_video(str(self.source.lossless), threads=1) as reader:
                masks = open_masks_at(self.source.masks)(reader.properties, self.source.clip.frames)
        return read_stream_bits(stream, lambda header: load_stream_model(header, model=model, weights=weights), masks)


def measure_point(task: PointTask, results: Path, scratch: Path, earlier: RatePoint | None = None) -> RatePoint:
    """Encode into ``results/streams``, decode, and compare with what was encoded.

    Args:
        scratch: a folder for decoded pictures, which are deleted.
        earlier: the same point with other metrics: its coded file is decoded again, not encoded again, and what was
            measured of it is kept.

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
        elif (twin := _of_the_same_bytes(task, encode, results)) is not None:
            with whole_file(str(stream), overwrite=True, follow_links=False) as unfinished:
                shutil.copyfile(results / twin.stream, unfinished)
            encode_seconds = twin.encode_seconds
        else:
            encode_seconds = _encode(encode, task.source, stream)
        decode_seconds = run_command(decode, {"INPUT": stream, "OUTPUT": decoded})
        compared = compare(
            task.source.lossless,
            decoded,
            settings.metrics,
            lpips_backbone=settings.lpips_backbone,
            ffmpeg=settings.ffmpeg,
            decoded_name=f"what {shown_command(decode)[0]} decoded",
            open_masks=None if task.source.masks is None else open_masks_at(task.source.masks),
        )
        bits = task.read_bits(stream)
    finally:
        decoded.unlink(missing_ok=True)
    if len(bits.pictures) != clip.frames:
        raise DataError(f"{stream}: holds {len(bits.pictures)} pictures of {clip.frames}")
    file_bytes = stream.stat().st_size
    samples = clip.width * clip.height * clip.frames
    by_kind = bits.by_kind | {"container": 8 * file_bytes - sum(bits.by_kind.values())}
    means = {name: value if math.isfinite(value) else None for name, value in compared.means.items()}
    point = RatePoint(
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
        metrics=means | _shares(compared, bits),
        frames=_frames(compared, bits),
        identical=compared.identical,
        software=task.software,
        stream_hash=file_hash(stream),
    )
    if earlier is not None and earlier.stream_hash == point.stream_hash:
        return point.with_metrics_of(earlier)
    return point


def attempt_point(
    task: PointTask, results: Path, scratch: Path, earlier: RatePoint | None
) -> tuple[PointTask, RatePoint | None, str | None]:
    """A point as :func:`measure_point` gives it, or why it cannot be measured."""
    try:
        return task, measure_point(task, results, scratch, earlier), None
    except (ScaleFlowError, OSError) as error:
        return task, None, str(error)


def is_as_measured(point: RatePoint, results: Path) -> bool:
    """Whether a point's coded file is still there, byte for byte."""
    stream = results / point.stream
    return stream.is_file() and file_hash(stream) == point.stream_hash


def _of_the_same_bytes(task: PointTask, encode: Sequence[str], results: Path) -> RatePoint | None:
    """A point of the stream that is to be shown by a perceptual decoder, if another decoder has shown it.

    It was coded by the same command and software from the same pictures, and encoders give the same bytes again.
    """
    if not task.codec.how.decode or not task.codec.decoder_of(task.setting).is_perceptual:
        return None
    clip = task.source.clip
    software = _of_the_encoder(task.software)
    for point in read_points_in(results).values():
        is_same_input = (point.clip.content, point.clip.masks) == (clip.content, clip.masks)
        is_same_encoder = (
            list(point.encode_command) == shown_command(encode) and _of_the_encoder(point.software) == software
        )
        if is_same_input and is_same_encoder and is_as_measured(point, results):
            return point
    return None


def _of_the_encoder(software: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in software.items() if name != DECODER_WEIGHTS}


def _shares(compared: Comparison, bits: StreamBits) -> dict[str, float | None]:
    """Of the region of interest, if there is one: its share of the samples and, where it is known, of the bits."""
    if compared.region_areas is None:
        return {}
    share = bits.share_in_region
    found: dict[str, float | None] = {AREA_INSIDE: 100 * sum(compared.region_areas) / len(compared.region_areas)}
    return found if share is None else found | {BITS_INSIDE: 100 * share}


def _frames(compared: Comparison, bits: StreamBits) -> FrameRecords:
    values = {name: list(column) for name, column in compared.frames.items()}
    for name, shares in ((AREA_INSIDE, compared.region_areas), (BITS_INSIDE, bits.in_region)):
        if shares is not None:
            values[name] = [100 * share for share in shares]
    return FrameRecords(list(compared.times), bits.pictures, bits.kinds, values)


def _encode(command: Sequence[str], source: SourceClip, stream: Path) -> float:
    """Write a stream, which is seen complete or not at all; returns seconds."""
    with whole_file(str(stream), overwrite=True, follow_links=False) as unfinished:
        files = {"INPUT": source.lossless, "OUTPUT": unfinished}
        return run_command(command, files if source.masks is None else files | {"MASKS": source.masks})


def run_command(command: Sequence[str], files: Mapping[str, Path]) -> float:
    """Seconds that it took. Raises :class:`DataError` with what the command says of the cause."""
    full = [str(files.get(part, part)) for part in command]
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
    destination = files["OUTPUT"]
    if not destination.exists() or not destination.stat().st_size:
        raise DataError(f"{' '.join(shown_command(command))}: wrote nothing")
    return time.monotonic() - started
