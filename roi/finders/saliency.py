"""What is unlike the rest of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.roi.mask_sources.fitting import rescale

WIDTH = 64
"""Of the picture that is looked at, in samples."""

FADING = 4
"""Samples over which it fades into its mean at each border."""

SMOOTHING = 2.5
"""Standard deviation of the last filter, in samples of that picture."""

FLAT = 0.5 / 255
"""Standard deviation of a picture in which nothing is to be seen."""

OBJECT = 3.0
"""Saliency of an object, in means of the picture."""


class SaliencyFinder:
    """Implements :class:`scaleflow.roi.finders.region_finder.RegionFinder` by the spectral residual.

    Hou and Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007: of the log spectrum of a small
    picture, what a local mean does not explain is taken back into a picture with the phase as it was, and squared. What
    reaches three times the mean is an object there; here the mask rises from 0 at the mean to 1 at that. Before
    that the picture fades into its mean at the border: the Fourier transform takes opposite borders for neighbours,
    whose difference would be the most salient of all.
    """

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        """See :class:`scaleflow.roi.finders.region_finder.RegionFinder`."""
        luma = picture.planes[0].astype(np.float32) / np.float32((1 << video.bit_depth) - 1)
        height = max(2, round(WIDTH * video.height / video.width))
        small = rescale(luma, height, WIDTH).astype(np.float64)
        if small.std() < FLAT:
            return np.zeros(small.shape, np.float32)
        spectrum = np.fft.fft2((small - small.mean()) * _fading(height)[:, None] * _fading(WIDTH))
        log_amplitude = np.log(np.abs(spectrum) + 1e-9)
        residual = log_amplitude - uniform_filter(log_amplitude, 3, mode="nearest")
        saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        smooth = gaussian_filter(saliency, SMOOTHING, mode="nearest")
        relative = smooth / smooth.mean()
        return ((relative - 1) / (OBJECT - 1)).clip(0, 1).astype(np.float32)


def _fading(length: int) -> NDArray[np.float64]:
    """What is left of each of so many samples in a line."""
    from_border = np.minimum(np.arange(length) + 0.5, length - np.arange(length) - 0.5)
    return np.minimum(from_border / FADING, 1)
