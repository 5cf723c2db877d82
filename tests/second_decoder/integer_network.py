"""Exact arithmetic of the networks that scales and means come from: docs/bitstream.md, "Integer hyper-synthesis"."""

from __future__ import annotations

import numpy as np

from tests.second_decoder.symbols import Integers
from tests.second_decoder.weights import Weights

LARGEST = 1 << 26
LARGEST_GAINED = 1 << 30
LARGEST_GAIN = 8192
LAST_SCALE = 103
OCTAVE = np.array([round(2 ** (step / 512) * 2**20) for step in range(512)], np.int64)


def shift(values: Integers, bits: Integers | int) -> Integers:
    """``values`` / 2^``bits``, rounded, halves up."""
    return (values + (np.int64(1) << (np.asarray(bits, np.int64) - 1))) >> bits


def limit(values: Integers) -> Integers:
    """As networks take and give them."""
    return np.clip(values, -LARGEST, LARGEST)


def convolve(values: Integers, weights: Weights, name: str) -> Integers:
    """A convolution of channels, rows and columns, with zeros around; its size follows from the weights."""
    matrix, bias = weights.integers[f"{name}.weight"], weights.integers[f"{name}.bias"]
    channels, height, width = values.shape
    if matrix.shape[1] == 9 * channels:
        around = np.pad(values, ((0, 0), (1, 1), (1, 1)))
        parts = [around[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
        columns = np.stack(parts, 1).reshape(9 * channels, height * width)
    else:
        columns = values.reshape(channels, height * width)
    sums = bias[:, None] + matrix @ columns
    return limit(shift(sums, 14)).reshape(-1, height, width)


def rectify(values: Integers) -> Integers:
    """ReLU."""
    return np.maximum(values, 0)


def pixel_shuffle(values: Integers) -> Integers:
    """Four channels become one of twice the height and width."""
    channels, height, width = values.shape
    blocks = values.reshape(channels // 4, 2, 2, height, width)
    return blocks.transpose(0, 3, 1, 4, 2).reshape(channels // 4, 2 * height, 2 * width)


def amplify(values: Integers, steps: Integers) -> Integers:
    """A gain of ``steps`` of 1/512 octave."""
    octaves, rest = np.divmod(np.clip(steps, -LARGEST_GAIN, LARGEST_GAIN), 512)
    limited = np.clip(values, -LARGEST_GAINED, LARGEST_GAINED)
    return np.clip(shift(limited * OCTAVE[rest], 20 - octaves), -LARGEST_GAINED, LARGEST_GAINED)


def scale_rows(fixed_point: Integers) -> Integers:
    """Rows of the Gaussian tables."""
    return np.clip(shift(fixed_point, 10), 0, LAST_SCALE)


def gains_of(anchors: Integers, quality: int) -> Integers:
    """Steps of each channel at a quality in sixteenths: docs/bitstream.md, "Gains of a quality"."""
    count = len(anchors)
    place = quality * (count - 1)
    left = min(place // 1008, count - 2)
    right = place - 1008 * left
    return (anchors[left] * (1008 - right) + anchors[left + 1] * right + 504) // 1008
