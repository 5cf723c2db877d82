"""Consistency of labels along the motion of real pictures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scaleflow.efficient_nets.video.temporal_consistency import TemporalConsistency, follow_motion


def luma_of(frame: Tensor) -> Tensor:
    return (frame[0].mean(0) * 0.225 + 0.45) * 255


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-10, 4)])
def test_labels_that_move_with_the_picture_agree(shift: tuple[int, int], frames: list[Tensor]) -> None:
    whole = luma_of(frames[0])
    previous = whole[16:111, 30:153]
    luma = whole[16 - shift[0] : 111 - shift[0], 30 - shift[1] : 153 - shift[1]]
    labels_of_all = (torch.arange(128)[:, None] // 10 + torch.arange(192) // 12) % 4
    labels = labels_of_all[16 - shift[0] : 111 - shift[0], 30 - shift[1] : 153 - shift[1]]
    consistency, staying = TemporalConsistency(4), TemporalConsistency(4)
    correspondence = follow_motion(luma, previous)
    consistency.update(labels, labels_of_all[16:111, 30:153], correspondence)
    staying.update(labels, labels, correspondence)
    assert consistency.followed > 0.7
    if shift == (0, 0):
        assert consistency.agreement == consistency.mean_iou == staying.agreement == consistency.followed == 1
    else:  # even walls match anywhere
        assert consistency.agreement > staying.agreement + 0.1


def test_what_appears_is_not_followed(frames: list[Tensor]) -> None:
    previous = luma_of(frames[0])
    luma = previous.clone()
    luma[32:64, 64:96] = 255 * torch.rand(32, 32, generator=torch.Generator().manual_seed(0))
    correspondence = follow_motion(luma, previous)
    assert not correspondence.followed[32:64, 64:96].any()
    assert correspondence.followed.float().mean() > 0.9
    labels = torch.zeros(128, 192, dtype=torch.long)
    labels[32:64, 64:96] = 1
    consistency = TemporalConsistency(2)
    consistency.update(labels, torch.zeros_like(labels), correspondence)
    assert consistency.agreement == 1


def test_counts_made_by_hand(frames: list[Tensor]) -> None:
    luma = luma_of(frames[0])[:32, :32]
    still = follow_motion(luma, luma)
    consistency = TemporalConsistency(5)
    assert math.isnan(consistency.agreement) and consistency.followed == 0
    labels, previous = torch.zeros(32, 32, dtype=torch.long), torch.zeros(32, 32, dtype=torch.long)
    labels[:, 16:] = 2
    previous[:, 24:] = 2
    consistency.update(labels, previous, still)
    assert consistency.agreement == 0.75
    assert consistency.mean_iou == pytest.approx((16 / 24 + 8 / 16) / 2), "classes that never occur are left out"
    consistency.update(labels, labels, still)
    assert consistency.agreement == 0.875
    with pytest.raises(ValueError, match=r"labels \(16, 16\)"):
        consistency.update(labels[:16, :16], previous[:16, :16], still)
    with pytest.raises(ValueError, match="two planes"):
        follow_motion(luma, luma[:16])
