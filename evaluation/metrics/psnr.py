"""Peak signal-to-noise ratio of Y, Cb and Cr, of the three weighted 6:1:1, and of R'G'B'.

The peak is the largest code value, 2^n - 1 for n bits, in limited range too, as in FFmpeg's filter ``psnr``. PSNR-RGB
is that of the mean squared error over the three components; PSNR-YUV is (6 Y + U + V) / 8 of the PSNRs of the planes.
"""

from __future__ import annotations

import math

from codec.distortion import IDENTICAL_PSNR, plane_mse, psnr_of_mse, weighted_psnr
from codec.picture import Planes
from evaluation.metrics.metric import Metric
from evaluation.metrics.names import OF_MEAN_MSE
from evaluation.metrics.picture_pair import PicturePair

_PLANES = ("psnr-y", "psnr-u", "psnr-v")


class Psnr(Metric):
    """PSNRs in dB, infinite where the samples are identical, NaN for the chroma of grey video.

    In PSNR-YUV a plane that is identical counts as :data:`~codec.distortion.IDENTICAL_PSNR`, unless all are.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self._error_sums: dict[str, float] = {}
        self._pictures = 0

    def add(self, pair: PicturePair) -> None:
        """Measure the next picture."""
        errors: dict[str, float] = {}
        depth = pair.form.yuv.pixel_format.bit_depth
        if self.frames.keys() - {"psnr-rgb"}:
            values = _plane_errors(*pair.yuv)
            errors |= dict(zip(_PLANES, values, strict=True))
        if "psnr-rgb" in self.frames:
            errors["psnr-rgb"] = sum(plane_mse(a, b) for a, b in zip(*pair.rgb, strict=True)) / 3
        self._depths = {"psnr-rgb": pair.form.rgb_bit_depth} | dict.fromkeys(_PLANES, depth)
        for name, value in errors.items():
            self._error_sums[name] = self._error_sums.get(name, 0.0) + value
        self._pictures += 1
        for name, value in self._psnrs(errors).items():
            self.frames[name].append(value)

    def finish(self) -> dict[str, float]:
        """PSNRs of the mean squared errors over all pictures."""
        means = {name: total / self._pictures for name, total in self._error_sums.items()}
        return {name + OF_MEAN_MSE: value for name, value in self._psnrs(means).items()}

    def _psnrs(self, errors: dict[str, float]) -> dict[str, float]:
        """The PSNRs that were asked for, of mean squared errors by name."""
        values = {name: psnr_of_mse(error, self._depths[name]) for name, error in errors.items()}
        if "psnr-yuv" in self.frames:
            values["psnr-yuv"] = _weighted([values[name] for name in _PLANES])
        return {name: value for name, value in values.items() if name in self.frames}


def _plane_errors(original: Planes, decoded: Planes) -> list[float]:
    errors = [plane_mse(a, b) for a, b in zip(original, decoded, strict=True)]
    return errors + [math.nan] * (len(_PLANES) - len(errors))


def _weighted(planes: list[float]) -> float:
    if all(math.isinf(value) for value in planes):
        return math.inf
    return weighted_psnr([min(value, IDENTICAL_PSNR) if math.isinf(value) else value for value in planes])
