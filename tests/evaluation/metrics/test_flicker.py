"""Flicker of made clips whose answer is known, and of a real one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.evaluation.metrics.comparison import compare

WIDTH, HEIGHT, PICTURES = 96, 80, 4

Clip = list[NDArray[np.uint8]]


def write(path: Path, clip: Clip) -> Path:
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8).tobytes()
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\n".encode())
        for luma in clip:
            file.write(b"FRAME\n" + luma.tobytes() + 2 * chroma)
    return path


def moving(speed: int) -> Clip:
    """Smooth texture that moves to the right by whole samples a picture."""
    generator = np.random.default_rng(0)
    rough = np.kron(generator.integers(40, 200, (HEIGHT // 4, WIDTH // 2)), np.ones((4, 4)))
    smooth = (rough + np.roll(rough, 2, 0) + np.roll(rough, 2, 1)) / 3
    return [smooth[:, 40 - speed * t : 40 - speed * t + WIDTH].astype(np.uint8) for t in range(PICTURES)]


def flicker(tmp_path: Path, original: Clip, decoded: Clip) -> list[float]:
    files = write(tmp_path / "original.y4m", original), write(tmp_path / "decoded.y4m", decoded)
    found = compare(*files, ["flicker"])
    assert math.isnan(found.frames["flicker"][0])
    assert found.means["flicker"] == pytest.approx(np.mean(found.frames["flicker"][1:]))
    return found.frames["flicker"][1:]


def test_a_constant_error_is_none(tmp_path: Path) -> None:
    still = moving(0)
    assert flicker(tmp_path, still, [picture + np.uint8(9) for picture in still]) == pytest.approx([0, 0, 0], abs=1e-6)


def test_what_comes_and_goes_is_measured_in_code_values(tmp_path: Path) -> None:
    still = moving(0)
    blinking = [picture + np.uint8(6 * (number % 2)) for number, picture in enumerate(still)]
    assert flicker(tmp_path, still, blinking) == pytest.approx([6, 6, 6])


def test_errors_that_move_with_their_object_are_none(tmp_path: Path) -> None:
    clip = moving(4)
    error = np.random.default_rng(1).integers(0, 20, (HEIGHT, WIDTH + 16)).astype(np.uint8)
    attached = [picture + error[:, 12 - 4 * t : 12 - 4 * t + WIDTH] for t, picture in enumerate(clip)]
    fixed = [picture + error[:, :WIDTH] for picture in clip]
    moves, stays = flicker(tmp_path, clip, attached), flicker(tmp_path, clip, fixed)
    assert max(moves) < 0.25 * min(stays)


def test_identical_clips_have_none(bikes: Path) -> None:
    assert compare(bikes, bikes, ["flicker"], frames=3).frames["flicker"][1:] == [0, 0]
