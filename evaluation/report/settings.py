"""What a report shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from scaleflow.errors import UsageError

MOST_PICTURES = 50


@dataclass(frozen=True)
class ReportSettings:
    """What a report shows.

    Attributes:
        clips: names of clips; all where empty.
        bits_per_pixel: rate at which codecs are compared; the middle of the rates that all have where None.
        pictures: how many of each clip are embedded.
        anchor: codec that BD-rates are against; x264 or else the first one where None.
        device: where streams of neural codecs are decoded: ``auto``, ``cpu``, ``cuda`` or ``cuda:n``.
        models: that streams may be decoded by beside those that come with ScaleFlow, such as ``ssf2020-1``, which is
            downloaded, or ``ssf2020:PATH``.
        weights_folder: of weights files, among which those of a stream are found by their hash; without, the folder
            that the environment variable ``SCALEFLOW_WEIGHTS`` names, if it names any.
        decoder_weights: files of perceptual decoders, for points that were measured with one that does not come with
            ScaleFlow and is not in that folder; each is shown by the one whose hash it names.
        network: of results of ``scaleflow task-rd``, a run of ``scaleflow nets train`` or its weights: what it finds in
            the pictures is shown.
        labels: data of the task, as it was measured on: what should be found is shown as well.
    """

    clips: tuple[str, ...] = ()
    bits_per_pixel: float | None = None
    pictures: int = 3
    anchor: str | None = None
    device: str = "cpu"
    models: tuple[str, ...] = ()
    weights_folder: Path | None = None
    decoder_weights: tuple[Path, ...] = ()
    network: Path | None = None
    labels: Path | None = None

    def __post_init__(self) -> None:
        rate = self.bits_per_pixel
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"bits_per_pixel {rate:g} is not above 0", fields=("bits_per_pixel",))
        if not 0 <= self.pictures <= MOST_PICTURES:
            raise UsageError(f"pictures {self.pictures} is outside 0..{MOST_PICTURES}", fields=("pictures",))
        if self.labels is not None and self.network is None:
            raise UsageError(
                f"labels {self.labels}: are shown beside findings: say what finds these with network",
                fields=("labels", "network"),
            )
