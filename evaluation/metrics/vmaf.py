"""VMAF (Netflix), by ffmpeg's filter libvmaf with its default model, vmaf_v0.6.1."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import torch

from scaleflow.errors import DataError
from scaleflow.evaluation.ffmpeg import find_ffmpeg
from scaleflow.evaluation.metrics.filter_process import FilterProcess
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.picture_pair import PicturePair

_LOG = "vmaf.json"


class Vmaf(Metric):
    """VMAF of each picture, 0..100, from luma code values; identical pictures come close to 100 and need not reach it.

    It runs on as many threads as PyTorch, which do not change the values.

    Raises:
        UsageError: no ffmpeg has the filter.
    """

    def __init__(self, names: tuple[str, ...], frame_rate: Fraction, ffmpeg: Path | None = None) -> None:
        super().__init__(names)
        program = find_ffmpeg(ffmpeg, filters=("libvmaf",))
        options = f"libvmaf=log_fmt=json:log_path={_LOG}:n_threads={torch.get_num_threads()}"
        self._process = FilterProcess(program, options, ("decoded", "original"), _LOG, frame_rate)

    def add(self, pair: PicturePair) -> None:
        """Send the next picture."""
        self._process.add(pair)

    def finish(self) -> dict[str, float]:
        """Collect the values."""
        try:
            pictures = json.loads(self._process.finish())["frames"]
            self.frames["vmaf"] = [float(picture["metrics"]["vmaf"]) for picture in pictures]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"libvmaf's log is not understood ({error}); name another program", fields=("program",)
            ) from error
        return {}

    def close(self) -> None:
        """End ffmpeg, if it still runs."""
        self._process.close()
