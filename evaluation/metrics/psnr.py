"""Peak signal-to-noise ratio of Y, Cb and Cr, of the three weighted 6:1:1, and of R'G'B'.

The peak is the largest code value, 2^n - 1 for n bits, in limited range too, as in FFmpeg's filter ``psnr``. PSNR-RGB
is that of the mean squared error over the three components; PSNR-YUV is (6 Y + U + V) / 8 of the PSNRs of the planes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaleflow.codec.distortion import IDENTICAL_PSNR, plane_mse, psnr_of_mse, weighted_psnr, weights_of_plane
from scaleflow.codec.picture import Planes
from scaleflow.evaluation.metrics.metric import LocalMetric
from scaleflow.evaluation.metrics.names import OF_MEAN_MSE
from scaleflow.evaluation.metrics.picture_pair import PicturePair, RegionWeights

_PLANES = ("psnr-y", "psnr-u", "psnr-v")


class Psnr(LocalMetric):
    """PSNRs in dB, infinite where the samples are identical, NaN for the chroma of grey video.

    In PSNR-YUV a plane that is identical counts as :data:`~scaleflow.codec.distortion.IDENTICAL_PSNR`, unless all are.
    In a region, squared errors are averaged with the weights of the samples; a sample of chroma weighs as much as those
    of luma that it covers.
    """

    def __init__(self, names: tuple[str, ...], regions: Sequence[str] = ()) -> None:
        super().__init__(names, regions)
        self._errors: dict[str, dict[str, float]] = {}
        self._pictures: dict[str, int] = {}

    def measure(self, pair: PicturePair, region: str, weights: RegionWeights | None) -> dict[str, float]:
        """See :class:`LocalMetric`."""
        errors: dict[str, float] = {}
        depth = pair.form.yuv.pixel_format.bit_depth
        if set(self._names) - {"psnr-rgb"}:
            values = _plane_errors(*pair.yuv, weights)
            errors |= dict(zip(_PLANES, values, strict=True))
        if "psnr-rgb" in self._names:
            errors["psnr-rgb"] = sum(plane_mse(a, b, weights) for a, b in zip(*pair.rgb, strict=True)) / 3
        self._depths = {"psnr-rgb": pair.form.rgb_bit_depth} | dict.fromkeys(_PLANES, depth)
        sums = self._errors.setdefault(region, dict.fromkeys(errors, 0.0))
        for name, value in errors.items():
            sums[name] += value
        self._pictures[region] = self._pictures.get(region, 0) + 1
        return self._psnrs(errors)

    def finish(self) -> dict[str, float]:
        """PSNRs of the mean squared errors over all pictures, or all in which a region is not empty."""
        found: dict[str, float] = {}
        for region, sums in self._errors.items():
            means = {name: total / self._pictures[region] for name, total in sums.items()}
            found |= {name + region + OF_MEAN_MSE: value for name, value in self._psnrs(means).items()}
        return found

    def _psnrs(self, errors: dict[str, float]) -> dict[str, float]:
        """The PSNRs that were asked for, of mean squared errors by name."""
        values = {name: psnr_of_mse(error, self._depths[name]) for name, error in errors.items()}
        if "psnr-yuv" in self._names:
            values["psnr-yuv"] = _weighted([values[name] for name in _PLANES])
        return {name: value for name, value in values.items() if name in self._names}


def _plane_errors(original: Planes, decoded: Planes, weights: RegionWeights | None) -> list[float]:
    errors = [
        plane_mse(a, b, None if weights is None else weights_of_plane(weights, a.shape))
        for a, b in zip(original, decoded, strict=True)
    ]
    return errors + [math.nan] * (len(_PLANES) - len(errors))


def _weighted(planes: list[float]) -> float:
    if all(math.isinf(value) for value in planes):
        return math.inf
    return weighted_psnr([min(value, IDENTICAL_PSNR) if math.isinf(value) else value for value in planes])
