"""A detector that sees each frame resampled by what was found in the frame before.

Bejnordi et al., "SALISA: Saliency-Based Input Sampling for Efficient Video Object Detection", ECCV 2022. The paper's
key frames are seen by a larger detector; here by the same one, perhaps in a larger picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.data.box_rows import cut_to, known, moved
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.salisa.resampler import SIDE_POINTS, Resampler, Warped, reduction
from scaleflow.efficient_nets.salisa.saliency import saliency_map
from scaleflow.efficient_nets.salisa.settings import Salisa
from scaleflow.efficient_nets.salisa.thin_plate_spline import CHECKED_SIDE
from scaleflow.efficient_nets.video.cost_record import dense_macs


@dataclass(frozen=True)
class Look:
    """What the detector saw: a picture (1, 3, h, w), and the warp that made it, None where it was reduced evenly."""

    picture: Tensor
    warped: Warped | None
    source: tuple[int, int]


class SalisaDetector(nn.Module):
    """Resampling around any detector for pictures (N, 3, h, w). Rows are those of
    :mod:`scaleflow.efficient_nets.data.box_rows`."""

    def __init__(self, detector: nn.Module, settings: Salisa) -> None:
        super().__init__()
        self.detector = detector
        self.settings = settings
        self.resampler = Resampler(settings.points)

    def saliency(self, rows: Tensor, size: tuple[int, int]) -> Tensor:
        """Map (1, side, side) of what was found, or of labels, in a frame (height, width)."""
        rows = known(rows)
        rows = rows[rows[:, 5] >= max(self.settings.least_score, 1e-6)]
        return saliency_map(rows[:, :4], rows[:, 5], size, self.settings.saliency)[None]

    def look(self, frame: Tensor, before: Tensor | None) -> Look:
        """Resample a frame (1, 3, H, W) by the rows of the frame before; None where it is to be reduced evenly."""
        source = frame.shape[2], frame.shape[3]
        if before is None:
            whole = Window.whole(source, self.settings.even_size)
            return Look(whole.picture(frame[0])[None].contiguous(memory_format=torch.channels_last), None, source)
        width, height = self.settings.detector_size
        warped = self.resampler(frame, self.saliency(before, source), (height, width))
        return Look(warped.picture.contiguous(memory_format=torch.channels_last), warped, source)

    def rows_in_source(self, rows: Tensor, look: Look) -> Tensor:
        """Rows that were found in what the detector saw, in samples of the frame."""
        if look.warped is None:
            height, width = look.picture.shape[2:]
            found = moved(rows, (look.source[1] / width, look.source[0] / height))
        elif len(rows):
            boxes = self.resampler.boxes_to_source(rows[:, :4], look.warped)
            found = torch.cat((boxes, rows[:, 4:]), 1)
        else:
            found = rows
        return cut_to(found, look.source)

    def rows_from_source(self, rows: Tensor, warped: Warped, item: int = 0) -> Tensor:
        """Labels of a frame as the detector sees them; rows that say nothing stay."""
        says = rows[:, 4] >= 0
        boxes = rows[:, :4].clone()
        if says.any():
            boxes[says] = self.resampler.boxes_from_source(rows[says, :4], warped, item)
        size = warped.picture.shape[2], warped.picture.shape[3]
        return cut_to(torch.cat((boxes, rows[:, 4:]), 1), size)


def resampling_macs(detector: SalisaDetector, look: Look, boxes: int) -> int:
    """MACs of everything but the detector: what the network of the control points does, the spline, the look for folds,
    bilinear sampling with the blur before it, and mapping ``boxes`` back.

    A logarithm, and what else is done once for each pair of a place and a control point, counts as one. Frames that are
    reduced evenly cost nothing: the detector alone has to reduce them, too.
    """
    warped = look.warped
    if warped is None:
        return 0
    resampler = detector.resampler
    side, count = detector.settings.saliency.side, len(resampler.spline.points)
    channels, height, width = warped.picture.shape[1:]
    one = torch.empty(1)
    network = 0
    for layer, positions in ((resampler.network[0], side**2), (resampler.network[2], side**2), (resampler.last, None)):
        assert isinstance(layer, nn.Conv2d)
        places = positions if positions is not None else resampler.side**2
        network += dense_macs(layer, (one,), one.expand(1, layer.out_channels, places, 1))
    solved = (count + 3) * count * 2 * warped.checks
    folds = CHECKED_SIDE**2 * (4 * count + 2) * warped.checks
    grid = height * width * (count + 3) * 2
    blurred = channels * look.source[0] * look.source[1] if reduction(look.source, (height, width)) > 2 else 0
    mapped = boxes * 4 * SIDE_POINTS * (count * 5 + 6)
    return network + solved + folds + grid + 4 * channels * height * width + blurred + mapped
