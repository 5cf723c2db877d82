"""Which part of a picture is shown."""

from __future__ import annotations

import numpy as np
import pytest

from scaleflow.evaluation.blind_test.parts import Part, middle_part, moving_part, zoomed_part


def test_the_middle() -> None:
    assert middle_part(1000, 101, (640, 480)) == Part(180, 0, 640, 101)
    picture = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    assert Part(1, 2, 1, 2).of(picture).tolist() == picture[2:4, 1:2].tolist()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (250, 100), (299, 199)])
def test_zoom_is_where_pictures_differ_most_whichever_comes_first(x: int, y: int) -> None:
    first = np.full((200, 300, 3), 90, np.uint8)
    second = first.copy()
    second[y, x] = 255
    part = zoomed_part(first, second)
    assert (part.width, part.height) == (96, 72)
    assert part.x <= x < part.x + 96 and part.y <= y < part.y + 72
    assert 0 <= part.x <= 300 - 96 and 0 <= part.y <= 200 - 72
    assert zoomed_part(second, first) == part


def test_small_pictures() -> None:
    picture = np.zeros((9, 5, 3), np.uint8)
    part = zoomed_part(picture, picture)
    assert (part.width, part.height) == (2, 4)
    assert moving_part([picture, picture]) == Part(0, 0, 5, 9)
    assert zoomed_part(picture[:1, :1], picture[:1, :1]) == Part(0, 0, 1, 1)


def test_moving_clips_show_where_something_moves() -> None:
    pictures = [np.full((480, 640, 3), 50, np.uint8) for _ in range(3)]
    pictures[1][450, 600] = 0
    part = moving_part(pictures)
    assert (part.width, part.height) == (320, 240) and part.x + 320 > 600 and part.y + 240 > 450
