"""What a comparison asks of a metric."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType

from scaleflow.evaluation.metrics.picture_pair import PicturePair, RegionWeights


class Metric(ABC):
    """Measures pictures one after another, in constant memory. A context manager, which frees what it holds.

    Attributes:
        frames: by name of the metric, a value for each picture so far; after :meth:`finish` they are complete.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.frames: dict[str, list[float]] = {name: [] for name in names}

    @abstractmethod
    def add(self, pair: PicturePair) -> None:
        """Measure the next picture.

        Raises:
            DataError: it cannot be measured.
        """

    def finish(self) -> dict[str, float]:
        """End the measurement; returns means that are not means of the values of pictures, by name.

        Raises:
            DataError: what computes the metric has failed.
        """
        return {}

    def close(self) -> None:
        """Free what is held. Safe to call twice and before :meth:`finish`."""
        return None

    def __enter__(self) -> Metric:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalMetric(Metric):
    """A metric that parts of pictures have too: ``frames`` also have its names with each of ``regions`` behind them.

    A picture in which a region is empty has NaN there.
    """

    def __init__(self, names: tuple[str, ...], regions: Sequence[str] = ()) -> None:
        super().__init__(tuple(name + region for region in ("", *regions) for name in names))
        self._names, self._regions = names, ("", *regions)

    def add(self, pair: PicturePair) -> None:
        """Measure the next picture, whole and in each region."""
        for region in self._regions:
            values = dict.fromkeys(self._names, math.nan)
            if region in pair.regions:
                values = self.measure(pair, region, pair.regions[region])
            for name in self._names:
                self.frames[name + region].append(values[name])

    @abstractmethod
    def measure(self, pair: PicturePair, region: str, weights: RegionWeights | None) -> dict[str, float]:
        """The values of a picture by name, without the region's.

        Args:
            region: its name, empty of the whole picture.
            weights: what each sample of luma counts, which is not all 0; None of the whole picture.
        """
