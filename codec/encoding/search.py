"""Encodes that aim: the quality at which a file has the size, or its pictures the PSNR, that was asked for."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from scaleflow.codec.encoding.key_frames import PlannedPicture
from scaleflow.codec.encoding.quality_search import QualitySearch
from scaleflow.codec.encoding.rate_control import BITS_OCTAVES, ConstantQuality, RateGoal
from scaleflow.codec.encoding.session import EncodeSession, WrittenFile
from scaleflow.codec.encoding.settings import DEFAULT_QUALITY, EncodeSettings
from scaleflow.codec.encoding.stream_sink import CountingSink
from scaleflow.codec.encoding.summary import PassStatistics
from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError

logger = logging.getLogger(__name__)

RATE_TOLERANCE = math.log2(1.015)
PSNR_TOLERANCE = 0.05
"""In dB. An encode this near to its goal is kept."""

PSNR_SLOPE = 0.2
"""dB to a step of quality, to start with."""

MOST_PASSES = 6
"""Then the best of them is made again, if it was not the last. Small pictures of few cells take so many: what an
encoder leaves out makes PSNR rise with the quality in steps."""
SAMPLE_PASSES = 3
SAMPLE_RUNS = 3
SAMPLE_RUN_LENGTH = 16
SHORTEST_TO_SAMPLE = 3 * SAMPLE_RUNS * SAMPLE_RUN_LENGTH
"""Videos of fewer pictures are encoded whole from the start."""


class _Goal:
    """What a pass is measured by: log2 of its rate over the wanted one, or PSNR-YUV, of all or of the region."""

    def __init__(self, settings: EncodeSettings, properties: VideoProperties) -> None:
        self._settings, self._properties = settings, properties
        self._psnr = settings.wanted_psnr
        self.target = 0.0 if self._psnr is None else self._psnr
        self.slope = BITS_OCTAVES if self._psnr is None else PSNR_SLOPE
        self.tolerance = RATE_TOLERANCE if self._psnr is None else PSNR_TOLERANCE

    def value(self, statistics: PassStatistics, file_bits: float) -> float:
        """Of a whole pass."""
        if self._psnr is not None:
            return self._reached(statistics)
        goal = RateGoal.of(self._settings, self._properties)
        return math.log2(file_bits / goal.bits(float(statistics.duration), statistics.pictures))

    def value_of_sample(self, statistics: PassStatistics) -> float:
        """Of a sample, in which key frames are more frequent than in the whole."""
        if self._psnr is not None:
            return self._reached(statistics)
        means = {kind: statistics.payload_bytes[kind] / max(1, number) for kind, number in statistics.counts.items()}
        key_share = 1 / self._settings.intra_period if self._settings.intra_period else 0.0
        bits = 8 * (key_share * means["intra"] + (1 - key_share) * means["inter"])
        goal = RateGoal.of(self._settings, self._properties)
        return math.log2(max(bits, 1) / goal.bits(float(1 / self._properties.frame_rate), 1))

    def _reached(self, statistics: PassStatistics) -> float:
        of_region = self._settings.target_roi_psnr is not None
        reached = statistics.region_psnr_yuv if of_region else statistics.psnr_yuv
        if reached is None:
            raise DataError(
                "target_roi_psnr: the region of interest is empty in all pictures: give another one",
                fields=("target_roi_psnr",),
            )
        return reached

    def describe(self, value: float) -> str:
        """A pass, for people."""
        if self._psnr is not None:
            return f"PSNR-YUV {value:.2f} dB, {self.target:.2f} dB wanted"
        return f"{100 * (2**value - 1):+.1f} % of the wanted rate"


def search_quality(session: EncodeSession) -> tuple[WrittenFile, int]:
    """Encode a sample of the source at a few qualities, then all of it until the goal is met.

    Returns:
        The file that was kept, and how often the whole source was encoded.
    """
    goal = _Goal(session.settings, session.properties)
    search = QualitySearch(goal.target, goal.slope)
    quality = _search_in_sample(session, goal, search)
    passes: dict[float, float] = {}
    for number in count(1):
        following = quality

        def accept(
            statistics: PassStatistics, file_bits: float, quality: float = quality, number: int = number
        ) -> bool:
            nonlocal following
            value = goal.value(statistics, file_bits)
            logger.info("pass %d at quality %.4g: %s", number, quality, goal.describe(value))
            if not passes:
                search.shift(value, quality)
            passes[quality] = value
            search.add(quality, value)
            following = search.propose()
            if following in passes or number >= MOST_PASSES:
                following = min(passes, key=lambda tried: abs(passes[tried] - goal.target))
            return abs(value - goal.target) <= goal.tolerance or following == quality

        written = session.write_file(ConstantQuality(session.settings, quality), f"pass {number}", accept)
        if written.kept:
            break
        quality = following
    if not written.interrupted and abs(passes[quality] - goal.target) > 2 * goal.tolerance:
        logger.warning("the goal was missed: %s at quality %.4g", goal.describe(passes[quality]), quality)
    return written, number


def _search_in_sample(session: EncodeSession, goal: _Goal, search: QualitySearch) -> float:
    """The quality to start with."""
    total = session.picture_count
    if total is None or total < SHORTEST_TO_SAMPLE:
        return DEFAULT_QUALITY
    sample = list(_sample(session, total))
    if not sample:
        raise DataError("the source holds no picture")
    quality = DEFAULT_QUALITY
    for number in range(1, SAMPLE_PASSES + 1):
        sink = CountingSink(session.properties)
        control = ConstantQuality(session.settings, quality)
        session.code(sample, control, sink, f"sample {number}", len(sample))
        if session.interrupted:
            raise DataError("interrupted before anything was written")
        search.add(quality, goal.value_of_sample(sink.statistics))
        quality = search.propose()
        if search.was_tried(quality):
            break
    return quality


def _sample(session: EncodeSession, total: int) -> Iterator[PlannedPicture]:
    """Short runs of pictures, evenly spread; each starts with a key frame."""
    starts = [total * (2 * run + 1) // (2 * SAMPLE_RUNS) - SAMPLE_RUN_LENGTH // 2 for run in range(SAMPLE_RUNS)]
    number = -1
    for item in session.planned_items():
        if session.stop():
            return
        if not isinstance(item, PlannedPicture):
            continue
        number += 1
        for start in starts:
            if start <= number < start + SAMPLE_RUN_LENGTH:
                yield replace(item, since_key=min(item.since_key, number - start))
        if number >= starts[-1] + SAMPLE_RUN_LENGTH:
            return
