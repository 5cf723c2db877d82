"""What the perceptual decoder changes: points of it beside those of the fidelity decoder of the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scaleflow.errors import UsageError
from scaleflow.evaluation.metrics.names import LOWER_IS_BETTER
from scaleflow.evaluation.rate_distortion.decoder_choice import DecoderChoice
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.statistics.decibels import in_decibels


@dataclass(frozen=True)
class DecoderComparison:
    """One codec with the perceptual decoder against one that shows the same streams for fidelity.

    Attributes:
        codec, against: their names.
        perception: share of the perceptual decoder's detail that was shown.
        streams: how many streams both have shown.
        clips: by clip, the mean change of each metric over its streams; see :func:`change`.
    """

    codec: str
    against: str
    perception: float
    streams: int
    clips: Mapping[str, Mapping[str, float]]

    @property
    def mean(self) -> dict[str, float]:
        """Change of each metric, mean over the clips that have it."""
        return _means(list(self.clips.values()))


def compare_decoders(points: Sequence[RatePoint]) -> list[DecoderComparison]:
    """Of each codec and strength of a perceptual decoder whose streams, byte for byte, were shown for fidelity too."""
    shown = [(point, _choice(point)) for point in points]
    plain: dict[tuple[str, str], RatePoint] = {}
    for point, choice in shown:
        if point.stream_hash and not choice.is_perceptual:
            plain.setdefault((point.clip.content, point.stream_hash), point)
    changes: dict[tuple[str, str, float], dict[str, list[dict[str, float]]]] = {}
    for point, choice in shown:
        other = plain.get((point.clip.content, point.stream_hash))
        if choice.is_perceptual and other is not None:
            strength = 1.0 if choice.perception is None else choice.perception
            of_codec = changes.setdefault((point.codec, other.codec, strength), {})
            of_codec.setdefault(point.clip.name, []).append(_changes(point, other))
    return [
        DecoderComparison(*key, sum(map(len, clips.values())), {name: _means(each) for name, each in clips.items()})
        for key, clips in changes.items()
    ]


def lone_codecs(points: Sequence[RatePoint]) -> list[str]:
    """Codecs with a perceptual decoder of whose streams none was shown for fidelity."""
    perceptual = dict.fromkeys(point.codec for point in points if _choice(point).is_perceptual)
    compared = {found.codec for found in compare_decoders(points)}
    return [name for name in perceptual if name not in compared]


def is_relative(metric: str) -> bool:
    """Whether :func:`change` is in percent."""
    return metric in LOWER_IS_BETTER


def change(metric: str, value: float, before: float) -> float:
    """Of a metric, from ``before`` to ``value``.

    In percent where 0 is the best; in dB for MS-SSIM, PSNR and XPSNR; in the metric's own points else. NaN where there
    is none, as of an infinite PSNR, or in percent of what is not above 0.
    """
    after, earlier = in_decibels(metric, value), in_decibels(metric, before)
    if not is_relative(metric):
        return after - earlier
    return 100 * (after / earlier - 1) if earlier > 0 else math.nan


def _changes(point: RatePoint, other: RatePoint) -> dict[str, float]:
    def each() -> Iterator[tuple[str, float]]:
        for metric, value in point.metrics.items():
            before = other.metrics.get(metric)
            if value is not None and before is not None:
                yield metric, change(metric, value, before)

    return {metric: found for metric, found in each() if math.isfinite(found)}


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(column) / len(column) for name, column in columns.items()}


def _choice(point: RatePoint) -> DecoderChoice:
    """What showed a point; fidelity for what its command line does not say in a way that is known here."""
    try:
        return DecoderChoice.of_options(point.decode_command)
    except UsageError:
        return DecoderChoice()
