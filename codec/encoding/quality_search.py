"""Search on the one number: which quality gives a wanted rate or PSNR."""

from __future__ import annotations

from collections.abc import Callable

from scipy.interpolate import PchipInterpolator

from scaleflow.quality_range import HIGHEST_QUALITY_CODE, QUALITY_STEPS, round_quality

FLATTEST = 0.25
"""Of the slope that is assumed at first: least slope beyond the measurements, which noise may turn around."""


class QualitySearch:
    """Inter- and extrapolates measurements of something that rises with the quality.

    ``slope`` is the rise for a step of quality to assume where a single measurement is known.
    """

    def __init__(self, target: float, slope: float) -> None:
        self.target = target
        self._slope = slope
        self._points: dict[float, float] = {}

    def add(self, quality: float, value: float) -> None:
        """Note that ``quality`` gives ``value``."""
        self._points[quality] = value

    def shift(self, value: float, quality: float) -> None:
        """Move all measurements so that ``quality`` gives ``value``: what a sample says of differences still holds."""
        difference = value - self.predict(quality) if self._points else 0.0
        self._points = {point: old + difference for point, old in self._points.items()}
        self.add(quality, value)

    def predict(self, quality: float) -> float:
        """The value expected at ``quality``; at least one measurement must be known.

        Between measurements along a monotone cubic (Fritsch and Butland, "A Method for Constructing Local Monotone
        Piecewise Cubic Interpolants", 1984), which follows the bend of the curve; beyond them along a line.
        """
        return self._expectation()(quality)

    def _expectation(self) -> Callable[[float], float]:
        """:meth:`predict` of the measurements so far, for many qualities."""
        qualities, values = (list(column) for column in zip(*sorted(self._points.items()), strict=True))
        if len(qualities) == 1:
            return lambda quality: values[0] + self._slope * (quality - qualities[0])
        curve = PchipInterpolator(qualities, values)

        def expected(quality: float) -> float:
            nearest = min(max(quality, qualities[0]), qualities[-1])
            slope = max(float(curve(nearest, 1)), FLATTEST * self._slope)
            return float(curve(nearest)) + slope * (quality - nearest)

        return expected

    def propose(self) -> float:
        """The quality, on the grid of sixteenths, whose expected value is nearest to the target."""
        grid = [step / QUALITY_STEPS for step in range(HIGHEST_QUALITY_CODE + 1)]
        expected = self._expectation()
        return round_quality(min(grid, key=lambda quality: abs(expected(quality) - self.target)))

    def was_tried(self, quality: float) -> bool:
        """Whether ``quality`` has been measured."""
        return quality in self._points
