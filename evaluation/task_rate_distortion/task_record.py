"""What stands beside a network's point: which coded files it is of, and their rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskRecord


def task_record(point: NetworkPoint, rates: Mapping[str, RatePoint] | None) -> TaskRecord:
    """Of what a network found; ``rates`` are those of the videos by name, None of what was not coded."""
    if rates is None:
        return TaskRecord(UNCOMPRESSED, "", "as given", None, None, {}, {}, [], point.identity.key)
    coded = list(rates.values())
    samples = sum(one.clip.width * one.clip.height * one.clip.frames for one in coded)
    seconds = sum(one.clip.frames / one.clip.frame_rate for one in coded)
    bits = 8 * sum(one.file_bytes for one in coded)
    names = [name for name in coded[0].metrics if all(one.metrics.get(name) is not None for one in coded)]
    fidelity: dict[str, float | None] = {
        name: sum(one.metrics[name] or 0.0 for one in coded) / len(coded) for name in names
    }
    return TaskRecord(
        codec=coded[0].codec,
        description=coded[0].description,
        setting=coded[0].setting,
        bits_per_pixel=bits / samples,
        bitrate=bits / seconds / 1000,
        streams={name: one.stream_hash for name, one in rates.items()},
        fidelity=fidelity,
        part_rates=_part_rates(point, coded),
        network=point.identity.key,
    )


def _part_rates(point: NetworkPoint, coded: Sequence[RatePoint]) -> list[float]:
    """Bits per pixel of the pictures of each part; the container's bits are shared out evenly."""
    bits: list[float] = []
    for one in coded:
        extra = (8 * one.file_bytes - sum(one.frames.bits)) / one.clip.frames
        bits += [(value + extra) / (one.clip.width * one.clip.height) for value in one.frames.bits]
    return [sum(bits[part.first : part.first + part.frames]) / part.frames for part in point.parts]
