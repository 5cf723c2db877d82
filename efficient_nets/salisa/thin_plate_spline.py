"""Thin-plate splines: smooth warps of the plane through given places of a few control points.

Bookstein, "Principal Warps", IEEE Transactions on Pattern Analysis and Machine Intelligence, 1989. Places are (x, y)
from -1 to 1 over the picture, borders included, as :func:`torch.nn.functional.grid_sample` counts them with
``align_corners=False``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scaleflow.errors import UsageError

LEAST_STRETCH = 0.05
"""Of a fold-free warp: determinant of its derivative, everywhere on the grid that is looked at."""

NEWTON_STEPS = 6
LARGEST_STEP = 0.05
CHECKED_SIDE = 65
"""Places along each side at which a warp is looked at for folds."""


def control_points(side: int) -> Tensor:
    """A grid of ``side`` x ``side`` places (side * side, 2) from border to border, in rows.

    Raises:
        UsageError: ``side`` is below 2.
    """
    if side < 2:
        raise UsageError(f"side = {side}: a grid of control points has at least 2 along each side")
    return places(side, side, borders=True).flatten(0, 1)


def places(height: int, width: int, *, borders: bool = False) -> Tensor:
    """Of samples' centres (height, width, 2); with ``borders`` the first and last lie on the picture's borders."""
    part = 0.0 if borders else 1.0
    rows, columns = (
        torch.linspace(-1 + part / side, 1 - part / side, side) if side > 1 else torch.zeros(1)
        for side in (height, width)
    )
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)


class ThinPlateSpline:
    """Warps from control points to where they are sent: ``T(p) = A (1, p) + sum_k w_k U(|p - c_k|)``, U = r^2 log r.

    A warp says for each place of the output where in the input it is taken from, so that places of outputs are mapped
    to the input directly; :meth:`inverse` goes the other way.
    """

    def __init__(self, side: int = 16) -> None:
        """``side`` control points along each side of the picture."""
        self.points = control_points(side)
        count = len(self.points)
        system = torch.zeros(count + 3, count + 3, dtype=torch.float64)
        system[:count] = _basis(self.points.double(), self.points.double())
        system[count:, :count] = system[:count, count:].T
        self._solution = torch.linalg.inv(system)[:, :count].float()
        # What depends on the places alone is kept: the places of pictures of one size, and those looked at for folds.
        self._basis: tuple[tuple[int, int], Tensor] | None = None
        self._slope: Tensor | None = None

    def coefficients(self, targets: Tensor) -> Tensor:
        """Of the warps (N, K + 3, 2) that send control points to ``targets`` (N, K, 2). Differentiable."""
        return self._solution.to(targets) @ targets

    def warp(self, coefficients: Tensor, points: Tensor) -> Tensor:
        """Where ``points`` (N, P, 2), or (P, 2) of all, of the output lie in the input."""
        basis = _basis(points, self.points.to(points))
        return basis @ coefficients

    def grid(self, coefficients: Tensor, height: int, width: int) -> Tensor:
        """(N, height, width, 2), as ``grid_sample`` takes it."""
        if self._basis is None or self._basis[0] != (height, width):
            with torch.inference_mode(False):  # or it could not be used in training later
                self._basis = (height, width), _basis(places(height, width).flatten(0, 1), self.points)
        basis = self._basis[1].to(coefficients)
        return (basis @ coefficients).unflatten(1, (height, width))

    def derivative(self, coefficients: Tensor, points: Tensor) -> Tensor:
        """Of the warp (N, P, 2, 2): how both coordinates of the input change with those of the output."""
        slope = _slope(points.expand(len(coefficients), -1, -1), self.points.to(points))
        radial = torch.einsum("npkd,nkc->npcd", slope, coefficients[:, :-3])
        return radial + coefficients[:, -2:].transpose(1, 2)[:, None]

    def inverse(self, coefficients: Tensor, points: Tensor) -> Tensor:
        """Places of the output (N, P, 2) that are taken from ``points`` (N, P, 2) of the input.

        Of fold-free warps: by Newton's method, from the nearest place of a grid. Where a point is not seen in the
        output, the place lies outside of -1 to 1.
        """
        grid = places(CHECKED_SIDE, CHECKED_SIDE, borders=True).to(points).flatten(0, 1)
        found = grid[torch.cdist(points, self.warp(coefficients, grid)).argmin(2)]
        for _ in range(NEWTON_STEPS):
            error = self.warp(coefficients, found) - points
            step = torch.linalg.solve(self.derivative(coefficients, found), error[..., None])[..., 0]
            found = found - step.clamp(-LARGEST_STEP, LARGEST_STEP)
        return found

    def stretch(self, coefficients: Tensor) -> Tensor:
        """Smallest determinant of each warp's derivative (N,), on a grid over the picture; not above 0 where it folds.

        The determinant says how many times larger the input is than the output, at a place.
        """
        if self._slope is None:
            with torch.inference_mode(False):
                checked = places(CHECKED_SIDE, CHECKED_SIDE, borders=True).flatten(0, 1)
                self._slope = _slope(checked, self.points).permute(2, 0, 1).contiguous()
        slope = self._slope.to(coefficients)
        # (N, d, P, c) of the radial functions: x and y of the input with each coordinate of the output
        radial = slope @ coefficients[:, None, :-3]
        by_x, by_y = (radial + coefficients[:, -2:, None]).unbind(1)
        return (by_x[..., 0] * by_y[..., 1] - by_x[..., 1] * by_y[..., 0]).amin(1)

    def fold_free(self, targets: Tensor) -> Tensor:
        """Coefficients of the warps to ``targets`` (N, K, 2), drawn towards the identity as far as they would fold."""
        return self.fold_free_counted(targets)[0]

    def fold_free_counted(self, targets: Tensor) -> tuple[Tensor, int]:
        """The same, and how many warps were looked at for folds, of each item."""
        identity = self.points.to(targets)
        part = torch.ones(len(targets), 1, 1).to(targets)
        count = 0
        while True:
            count += 1
            coefficients = self.coefficients(identity + part * (targets - identity))
            folds = self.stretch(coefficients.detach()) < LEAST_STRETCH
            if not folds.any():
                return coefficients, count
            part = torch.where(folds[:, None, None], 0.8 * part, part)


def _basis(points: Tensor, centres: Tensor) -> Tensor:
    """(..., P, K + 3): the radial functions of each point, 1, x and y."""
    square = (points[..., :, None, :] - centres).square().sum(-1)
    radial = square * square.clamp_min(1e-12).log() / 2
    return torch.cat((radial, torch.ones_like(points[..., :1]), points), -1)


def _slope(points: Tensor, centres: Tensor) -> Tensor:
    """(..., P, K, 2): derivative of the radial functions, U = r^2 log(r^2) / 2, by the place."""
    difference = points[..., :, None, :] - centres
    square = difference.square().sum(-1, keepdim=True)
    return difference * (square.clamp_min(1e-12).log() + 1)
