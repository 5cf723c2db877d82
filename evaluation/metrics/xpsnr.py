"""XPSNR, the extended perceptually weighted PSNR (Helmrich et al., ICASSP 2020), by ffmpeg's filter xpsnr."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from scaleflow.errors import DataError
from scaleflow.evaluation.ffmpeg import find_ffmpeg
from scaleflow.evaluation.metrics.filter_process import FilterProcess
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.picture_pair import PicturePair

_LOG = "xpsnr.log"
_LINE = re.compile(r"XPSNR y: *(\S+) +XPSNR u: *(\S+) +XPSNR v: *(\S+)")


class Xpsnr(Metric):
    """XPSNR of Y, Cb and Cr in dB, infinite where a plane is identical.

    Its weights heed the picture before and, above 32 pictures a second, the one before that.

    Raises:
        UsageError: no ffmpeg has the filter.
    """

    def __init__(self, names: tuple[str, ...], frame_rate: Fraction, ffmpeg: Path | None = None) -> None:
        super().__init__(names)
        program = find_ffmpeg(ffmpeg, filters=("xpsnr",))
        # The filter takes its weights from its first input, which it calls "main".
        self._process = FilterProcess(program, f"xpsnr=stats_file={_LOG}", ("original", "decoded"), _LOG, frame_rate)

    def add(self, pair: PicturePair) -> None:
        """Send the next picture."""
        self._process.add(pair)

    def finish(self) -> dict[str, float]:
        """Collect the values."""
        for line in self._process.finish().splitlines():
            match = _LINE.search(line)
            if match is None or not line.startswith("n:"):
                continue
            for name, value in zip(("xpsnr-y", "xpsnr-u", "xpsnr-v"), match.groups(), strict=True):
                if name in self.frames:
                    self.frames[name].append(_number(value))
        return {}

    def close(self) -> None:
        """End ffmpeg, if it still runs."""
        self._process.close()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"xpsnr's log is not understood ({text!r}); name another program", fields=("program",)
        ) from None
