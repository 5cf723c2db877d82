"""One measured point of a rate-distortion curve: a clip, coded by a codec at a setting."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class EvaluatedClip:
    """What was coded.

    Attributes:
        name: of the file or folder.
        path: where it was found, as given.
        content: SHA-256 of the samples of the pictures that were coded, and of their size and times.
        frames: how many pictures were coded.
        frame_rate: pictures a second, on average.
        masks: SHA-256, shortened, of the masks of its regions of interest; empty where there are none.
        masks_path: where they were found.
        change: what was done to all pictures before they were coded, such as ``shift 6,6``; empty for nothing.
    """

    name: str
    path: str
    content: str
    width: int
    height: int
    frames: int
    frame_rate: float
    bit_depth: int = 8
    masks: str = ""
    masks_path: str = ""
    change: str = ""


@dataclass(frozen=True)
class FrameRecords:
    """One value a picture.

    Attributes:
        times: seconds from the first picture.
        bits: of the picture's packet, without the container.
        kinds: ``intra`` or ``inter``.
        metrics: by name; infinite where pictures are identical, NaN where a metric cannot be computed.
    """

    times: list[float]
    bits: list[int]
    kinds: list[str]
    metrics: dict[str, list[float]]

    def __post_init__(self) -> None:
        lengths = {"bits": len(self.bits), "kinds": len(self.kinds)}
        lengths |= {name: len(values) for name, values in self.metrics.items()}
        for name, length in lengths.items():
            if length != len(self.times):
                raise ValueError(f"{name} has {length} values for {len(self.times)} pictures")


@dataclass(frozen=True)
class RatePoint:
    """What one codec did at one setting. Rates are of the whole file; metrics of what its decoder wrote.

    Attributes:
        codec: as it is named in plots.
        description: which model or encoder, its version, and what is fixed over settings.
        setting: what differs between the points of a curve, as in ``--quality 36`` or ``-crf 23``.
        encode_command, decode_command: as they were run, with ``INPUT`` and ``OUTPUT`` for the files.
        stream: path of the coded file, relative to the results folder.
        file_bytes: its size.
        stream_hash: its SHA-256, shortened.
        bits_per_pixel: bits for each sample of luma.
        bitrate: kbit/s.
        bits_per_pixel_by_kind: which add up to ``bits_per_pixel``: ``intra``, ``motion``, ``residual``, ``side
            information``, where regions are coded by wider bins ``region map``, and ``container``; of anchors
            ``intra``, ``inter`` and ``container``; of two objects ``region``, ``background``, ``masks`` and
            ``container``.
        encode_seconds, decode_seconds: wall time of the commands, start-up included.
        metrics: means over pictures by name. None where all pictures are identical (an infinite PSNR) or where the
            metric cannot be computed of such pictures. With masks also ``area-roi``, and of codecs that say where their
            bits go ``bits-roi``: the share of the samples, and of all bits, in the region, in percent.
        identical: pictures that came back without any error; they are left out of the means of PSNR.
    """

    clip: EvaluatedClip
    codec: str
    description: str
    setting: str
    encode_command: tuple[str, ...]
    decode_command: tuple[str, ...]
    stream: str
    file_bytes: int
    bits_per_pixel: float
    bitrate: float
    bits_per_pixel_by_kind: dict[str, float]
    encode_seconds: float
    decode_seconds: float
    metrics: dict[str, float | None]
    frames: FrameRecords
    identical: int = 0
    software: dict[str, str] = field(default_factory=dict)
    stream_hash: str = ""

    def with_metrics_of(self, earlier: RatePoint) -> RatePoint:
        """This point, with what was measured of the same coded file before and not now, and the masks of that."""
        clip = self.clip
        if not clip.masks:
            clip = replace(clip, masks=earlier.clip.masks, masks_path=earlier.clip.masks_path)
        frames = replace(self.frames, metrics=earlier.frames.metrics | self.frames.metrics)
        return replace(self, clip=clip, metrics=earlier.metrics | self.metrics, frames=frames)

    def to_json(self) -> str:
        """As JSON without infinities: ``null`` for what is not a finite number. See
        :mod:`scaleflow.evaluation.rate_distortion.point_file` for the way back."""
        return json.dumps(without_infinities(asdict(self)), indent=1, allow_nan=False)


def without_infinities(value: Any) -> Any:
    """Lists and dictionaries as they are, with None for numbers that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_infinities(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(part) for part in value]
    return value
