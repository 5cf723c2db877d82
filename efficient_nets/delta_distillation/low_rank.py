"""A convolution in two steps of fewer channels: the linear student."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

Policy = Literal["out", "min"]
Start = Literal["svd", "random"]

RANDOM_DEVIATION = 1e-3


class LowRankConvolution(nn.Sequential):
    """A column (k x 1) to ``rank`` channels, then a row (1 x k): Habibian et al., "Delta Distillation", ECCV 2022.

    It takes what ``dense`` takes and gives what it gives, for any stride, padding, dilation and groups, and has no
    bias: it works on changes, in which the bias of ``dense`` is not. Both steps keep the groups of ``dense``; in the
    released code the first alone does, which costs more and cannot start from each group's own weights.
    """

    def __init__(self, dense: nn.Conv2d, rank: int, start: Start) -> None:
        height, width = dense.kernel_size
        down, across = dense.stride
        column_padding, row_padding = _split_padding(dense)
        form = {
            "groups": dense.groups,
            "bias": False,
            "padding_mode": dense.padding_mode,
            "device": dense.weight.device,
            "dtype": dense.weight.dtype,
        }
        column = nn.Conv2d(
            dense.in_channels,
            rank,
            (height, 1),
            (down, across if width == 1 else 1),
            column_padding,
            (dense.dilation[0], 1),
            **form,  # type: ignore[arg-type]
        )
        row = nn.Conv2d(
            rank,
            dense.out_channels,
            (1, width),
            (1, 1 if width == 1 else across),
            row_padding,
            (1, dense.dilation[1]),
            **form,  # type: ignore[arg-type]
        )
        super().__init__(OrderedDict(column=column, row=row))
        with torch.no_grad():
            if start == "svd":
                for layer, weight in zip((column, row), spatial_svd(dense.weight, rank, dense.groups), strict=True):
                    layer.weight.copy_(weight)
            else:
                for layer in (column, row):
                    nn.init.normal_(layer.weight, std=RANDOM_DEVIATION)


def _split_padding(dense: nn.Conv2d) -> tuple[str | tuple[int, int], str | tuple[int, int]]:
    """Of column and row. A row of one tap has neither padding nor stride: the column has both sides' then."""
    if isinstance(dense.padding, str):
        return dense.padding, dense.padding
    down, across = dense.padding
    return ((down, across), (0, 0)) if dense.kernel_size[1] == 1 else ((down, 0), (0, across))


def spatial_svd(weight: Tensor, rank: int, groups: int) -> tuple[Tensor, Tensor]:
    """Weights (rank, C, kh, 1) and (O, rank / groups, 1, kw) whose composition is nearest to ``weight`` (O, C, kh, kw).

    Nearest in the squared error of the weights, among all of that rank: the singular value decomposition of each
    group's weights as a matrix of C * kh by O * kw, with the roots of the singular values on both sides.
    """
    per_group, kept = weight.shape[0] // groups, rank // groups
    channels, height, width = weight.shape[1:]
    columns, rows = [], []
    for part in weight.detach().float().split(per_group):
        matrix = part.permute(1, 2, 0, 3).reshape(channels * height, per_group * width)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        roots = values[:kept].sqrt()
        columns.append((left[:, :kept] * roots).T.reshape(kept, channels, height, 1))
        rows.append((roots[:, None] * right[:kept]).view(kept, per_group, 1, width).transpose(0, 1))
    return torch.cat(columns).to(weight.dtype), torch.cat(rows).to(weight.dtype)


def student_rank(dense: nn.Conv2d, policy: Policy, gamma: float) -> int:
    """Channels between the two steps: ``gamma`` times fewer than the outputs, or than the fewer of inputs and outputs.

    At least one for each group, the same for all groups, and no more than an exact decomposition has.
    """
    channels = dense.out_channels if policy == "out" else min(dense.in_channels, dense.out_channels)
    height, width = dense.kernel_size
    exact = min(dense.in_channels * height, dense.out_channels * width) // dense.groups
    return dense.groups * min(max(1, int(channels / gamma) // dense.groups), exact)


def student_macs(dense: nn.Conv2d, rank: int) -> float:
    """MACs for each output position of ``dense``. The column runs on every sample of a line, whatever the stride."""
    height, width = dense.kernel_size
    lines = dense.stride[1] if width > 1 else 1
    return rank * (height * dense.in_channels * lines + width * dense.out_channels) / dense.groups
