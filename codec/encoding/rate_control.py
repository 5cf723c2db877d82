"""One-pass rate control: the quality of each picture from the sizes of those before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scaleflow.codec.encoding.key_frames import PlannedPicture
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.picture import VideoProperties
from scaleflow.quality_range import HIGHEST_QUALITY, round_quality

BITS_OCTAVES = 6 / HIGHEST_QUALITY
"""Octaves of rate to a step of quality, to start with."""

START_BITS_PER_PIXEL = {True: 0.6, False: 0.08}
"""Of key frames and inter pictures at quality 32, to start with; the first pictures put it right."""

MOST_CHANGED = 2.0
"""A scene's first picture is coded again where its size, once known, asks for a quality further away than this."""

MOST_RECONSIDERED = 3
"""Times that a picture is coded again."""

LARGEST_STEP = 3.0
"""Most that the quality differs from that of the picture before."""

LARGEST_STEP_AT_CHANGE = 12.0
"""The same where it shows less or must be: for key frames, for the first pictures of a scene, and near the end."""

NEW_PICTURES = 4
LAST_PICTURES = 12

HORIZON_SECONDS = 2.0
"""Errors are made up for within this time, or until the end where that is nearer."""


class QualityControl(Protocol):
    """Chooses the quality of each picture and is told what became of it."""

    def choose(self, planned: PlannedPicture) -> float:
        """Quality of the next picture, 0..63."""

    def reconsider(self, planned: PlannedPicture, quality: float, bits: int) -> float | None:
        """A better quality for a picture that took ``bits`` at ``quality``, or None where it may stay as it is."""

    def observe(self, planned: PlannedPicture, quality: float, bits: int, file_bits: float) -> None:
        """Bits of the picture that was coded, and of the whole file so far."""


class ConstantQuality:
    """One number for all pictures, but for what key frames and the cascade add to it."""

    def __init__(self, settings: EncodeSettings, quality: float) -> None:
        self._settings, self._quality = settings, quality

    def choose(self, planned: PlannedPicture) -> float:
        """See :class:`QualityControl`."""
        return self._settings.quality_of(self._quality, planned.since_key)

    def reconsider(self, planned: PlannedPicture, quality: float, bits: int) -> float | None:
        """See :class:`QualityControl`; what was asked for is what is done."""
        return None

    def observe(self, planned: PlannedPicture, quality: float, bits: int, file_bits: float) -> None:
        """See :class:`QualityControl`; nothing depends on it."""


@dataclass(frozen=True)
class RateGoal:
    """Bits that a file may have: for each second and for each picture."""

    per_second: float
    per_picture: float

    @classmethod
    def of(cls, settings: EncodeSettings, properties: VideoProperties) -> RateGoal:
        """What the settings ask for."""
        if settings.bitrate is not None:
            return cls(settings.bitrate, 0.0)
        assert settings.bits_per_pixel is not None
        return cls(0.0, settings.bits_per_pixel * properties.width * properties.height)

    def bits(self, seconds: float, pictures: float) -> float:
        """Bits for so much video."""
        return self.per_second * seconds + self.per_picture * pictures


class _SizeModel:
    """Bits of the next picture of one kind: 2^(level + octaves * quality)."""

    def __init__(self, bits_at_32: float) -> None:
        self.octaves = BITS_OCTAVES
        self._level = math.log2(bits_at_32) - 32 * self.octaves
        self._seen = 0

    def bits(self, quality: float) -> float:
        return 2.0 ** (self._level + self.octaves * quality)

    def distrust(self) -> None:
        """What comes next may be of another kind: learn quickly again."""
        self._seen = min(self._seen, 1)

    def correct(self, quality: float, bits: int) -> float:
        """Take a size at its word. Returns by how many octaves it was off."""
        error = self._error(quality, bits)
        self._level += error
        return error

    def shift(self, octaves: float) -> None:
        """Expect more by so much, unless sizes of this kind have been seen."""
        if not self._seen:
            self._level += octaves

    def observe(self, quality: float, bits: int) -> None:
        self._seen += 1
        # The first ones say more than the start values; later ones are smoothed.
        self._level += self._error(quality, bits) * max(1 / self._seen, 0.3)

    def _error(self, quality: float, bits: int) -> float:
        return math.log2(max(bits, 8)) - self._level - self.octaves * quality


class OnePassControl:
    """Plans so that what is spent meets the goal at a horizon: at the end of the video, or about two seconds ahead.

    Sizes of key frames and inter pictures are modelled apart, each as an exponential of the quality whose level follows
    the pictures coded. The quality chosen is the one at which the model's bits for all pictures up to the horizon are
    what remains of their budget, so that the cost of key frames is spread over their groups.
    """

    def __init__(self, settings: EncodeSettings, properties: VideoProperties, total_pictures: int | None) -> None:
        self._settings = settings
        self._time_base = float(properties.time_base)
        self._frame_rate = float(properties.frame_rate)
        self._places = range(1, len(settings.quality_cascade) + 1)
        self._goal = RateGoal.of(settings, properties)
        self._total = total_pictures
        pixels = properties.width * properties.height
        self._models = {key: _SizeModel(bits * pixels) for key, bits in START_BITS_PER_PIXEL.items()}
        self._first_pts: int | None = None
        self._coded = 0
        self._spent = 0.0
        self._decided: float | None = None
        self._last: float | None = None
        self._regular_key_in: int | None = 0
        self._scene_pictures = 0
        self._reconsidered = 0

    def choose(self, planned: PlannedPicture) -> float:
        """See :class:`QualityControl`."""
        if self._first_pts is None:
            self._first_pts = planned.picture.pts
        if planned.key and self._regular_key_in != 1:
            # Not a regular one: a cut.
            self._scene_pictures = 0
            for model in self._models.values():
                model.distrust()
        self._reconsidered = 0
        return self._decide(planned)

    def _decide(self, planned: PlannedPicture) -> float:
        """The quality of the picture, by the one number that is planned."""
        self._decided = round_quality(self._plan(planned))
        return self._settings.quality_of(self._decided, planned.since_key)

    def _plan(self, planned: PlannedPicture) -> float:
        """The quality of inter pictures that spends what is left up to the horizon."""
        assert self._first_pts is not None
        elapsed = (planned.picture.pts - self._first_pts) * self._time_base
        ahead = self._horizon(planned)
        budget = self._goal.bits(elapsed + ahead / self._frame_rate, self._coded + ahead) - self._spent
        keys = self._keys_ahead(planned, ahead)
        quality = self._solve(budget, keys, ahead - keys)
        if self._last is not None:
            changes = planned.key or self._scene_pictures < NEW_PICTURES or ahead <= LAST_PICTURES
            step = LARGEST_STEP_AT_CHANGE if changes else LARGEST_STEP
            quality = min(max(quality, self._last - step), self._last + step)
        return quality

    def reconsider(self, planned: PlannedPicture, quality: float, bits: int) -> float | None:
        """See :class:`QualityControl`; only for the first picture of a scene, of which nothing was known."""
        if not planned.key or self._scene_pictures or self._reconsidered == MOST_RECONSIDERED:
            return None
        self._reconsidered += 1
        error = self._models[True].correct(quality, bits)
        # What is hard to code alone is mostly hard to predict as well.
        self._models[False].shift(error)
        before, better = self._decided, self._decide(planned)
        if abs(better - quality) <= MOST_CHANGED:
            self._decided = before
            return None
        return better

    def observe(self, planned: PlannedPicture, quality: float, bits: int, file_bits: float) -> None:
        """See :class:`QualityControl`."""
        self._models[planned.key].observe(quality, bits)
        self._last = self._decided
        self._coded += 1
        self._scene_pictures += 1
        self._regular_key_in = planned.until_key
        self._spent = file_bits

    def _horizon(self, planned: PlannedPicture) -> int:
        """Pictures to plan for, this one included."""
        period = self._settings.intra_period or 32
        ahead = max(math.ceil(HORIZON_SECONDS * self._frame_rate), period)
        if planned.until_key is not None:
            # To the end of a group, so that the share of key frames is that of the video.
            ahead = planned.until_key + max(0, math.ceil((ahead - planned.until_key) / period)) * period
        left = None if self._total is None else self._total - self._coded
        return ahead if left is None else min(ahead, max(left, 1))

    def _keys_ahead(self, planned: PlannedPicture, ahead: int) -> int:
        keys = int(planned.key)
        if planned.until_key is not None and ahead > planned.until_key:
            keys += 1 + (ahead - planned.until_key - 1) // self._settings.intra_period
        return keys

    def _solve(self, budget: float, keys: int, inters: int) -> float:
        low, high = 0.0, HIGHEST_QUALITY
        for _ in range(12):
            middle = (low + high) / 2
            bits = keys * self._models[True].bits(self._settings.quality_of(middle, 0))
            # Which phases of the cascade these are does not matter: there are many, or few bits.
            of_cascade = (self._models[False].bits(self._settings.quality_of(middle, place)) for place in self._places)
            bits += inters * sum(of_cascade) / len(self._places)
            low, high = (low, middle) if bits > budget else (middle, high)
        return (low + high) / 2
