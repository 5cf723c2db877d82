"""Options of the verbs that measure codecs at several settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from scaleflow.cli import options
from scaleflow.cli.cluster_options import Cluster, who_works
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError
from scaleflow.quality_range import is_quality

if TYPE_CHECKING:
    from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
    from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings


@dataclass(frozen=True)
class CodecOptions:
    """What codes it."""

    PANEL: ClassVar[str] = "Codecs"

    codec: Annotated[
        list[str] | None,
        typer.Option(
            help="scaleflow, ssf2020, x264, x265, svtav1, vvenc, mpeg1, with --roi also roi-blur, roi-objects and "
            "roi-x265, 'NAME=ffmpeg -c:v ... -crf {20,30,40}' or 'NAME=scaleflow --weights mine.safetensors' or "
            "'NAME=scaleflow --roi {masks}'; may be repeated.",
            show_default="scaleflow, x264, x265",
        ),
    ] = None
    quality: Annotated[
        list[str] | None,
        typer.Option(
            help="Qualities of ScaleFlow's models, with commas between; may be repeated.",
            show_default="0,10,20,30,40,50,63",
        ),
    ] = None
    intra_period: Annotated[int, typer.Option(min=1, help="Most pictures from key frame to key frame.")] = 32


@dataclass(frozen=True)
class SweepDecoderOptions(options.DecoderOptions):
    """What decodes ScaleFlow's codecs, but for those whose options say it themselves."""

    PANEL: ClassVar[str] = CodecOptions.PANEL


@dataclass(frozen=True)
class SweepMachineOptions:
    """What it runs on."""

    PANEL: ClassVar[str] = "Machine"

    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Points that are measured at the same time; with --cluster most of its workers to use.",
            show_default="1, or all of the cluster",
        ),
    ] = None
    cluster: Cluster = None
    threads: Annotated[int, typer.Option(min=1, help="Threads of each encoder and decoder.")] = 1

    def given(self) -> dict[str, Any]:
        """What says to a sweep by whom points are measured. Raises :class:`UsageError`."""
        return who_works(self.cluster, self.workers)


def parse_codecs(coders: CodecOptions, decoder: SweepDecoderOptions) -> list[EvaluatedCodec]:
    """The codecs that were named, or the usual ones.

    Args:
        decoder: of ScaleFlow's codecs, but for those whose options say it themselves.

    Raises:
        UsageError: they cannot be read.
    """
    from scaleflow.evaluation.rate_distortion.codecs import parse_codec
    from scaleflow.evaluation.rate_distortion.decoder_choice import DecoderChoice

    qualities = _qualities(",".join(coders.quality)) if coders.quality else ()
    chosen = DecoderChoice(decoder.decoder.value, decoder.perception, decoder.decoder_weights)
    return [parse_codec(text, qualities, chosen) for text in coders.codec or ["scaleflow", "x264", "x265"]]


def _qualities(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--quality {text!r}: give numbers with commas between, such as 10,30,50") from None
    if not all(map(is_quality, values)):
        raise UsageError(f"--quality {text!r}: qualities are 0 to 63")
    return values


def measuring_settings(
    names: tuple[str, ...],
    codecs: Sequence[EvaluatedCodec],
    coders: CodecOptions,
    aids: options.MetricOptions,
    machine: SweepMachineOptions,
) -> MeasuringSettings:
    """How every point is measured, and the threads of this process.

    Raises:
        UsageError: an encoder, weights, or what a metric needs, is missing.
    """
    from scaleflow.evaluation.metrics.comparison import check_metrics
    from scaleflow.evaluation.rate_distortion.codec_software import check_codecs
    from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings

    program = check_codecs(codecs, aids.ffmpeg) or aids.ffmpeg
    check_metrics(names, aids.lpips_backbone, program)
    settings = MeasuringSettings(names, coders.intra_period, machine.threads, program, aids.lpips_backbone)
    set_threads(machine.threads)
    return settings
