"""What a comparison asks of a metric."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType

from evaluation.metrics.picture_pair import PicturePair


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
