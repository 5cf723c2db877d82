"""How far a decoded picture can differ from the one before, told by what the decoder has read: for networks that run on
decoded video and need not look where nothing changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import Indices, SymbolDecoder, Symbols


class SymbolRecorder(SymbolDecoder):
    """Decodes, and keeps the symbols of the last call."""

    latest: Symbols

    def decode(self, indices: Indices, tables: FrequencyTables) -> Symbols:
        """See :meth:`scaleflow.entropy.symbol_coder.SymbolDecoder.decode`."""
        self.latest = super().decode(indices, tables)
        return self.latest


@dataclass(frozen=True)
class PictureChange:
    """What prediction and residual say of each cell of a picture that was coded from the one before.

    It comes from what the decoder has at hand: the prediction, and latents. What the networks that finish a picture do
    where there is neither (they sharpen, and remove what blocks left) does not show.

    Attributes:
        prediction: float32 (h, w), root mean square of what motion and blur change, in code values of 8 bits: of the
            prediction against the picture before, over the samples of a cell. Displacements themselves say less: in
            even areas, where any of them predicts well, they may be long though nothing moves.
        residual: float32 (h, w), root mean square of the residual, in code values of 8 bits: the energy of its latents
            in the samples of the cell, as if the kernels of their linear synthesis were orthogonal. 0 where all symbols
            of a cell are 0: what the prior expects there is the same everywhere, and says nothing of the picture.
        cell: width and height of a cell in samples of luma; the last ones reach beyond the picture's border.
        size: height and width of the picture.
    """

    prediction: NDArray[np.float32]
    residual: NDArray[np.float32]
    cell: int
    size: tuple[int, int]

    def samples(self, cells: NDArray[Any]) -> NDArray[Any]:
        """A map of cells (h, w) as one of samples, of the picture's size."""
        spread = cells.repeat(self.cell, 0).repeat(self.cell, 1)
        return spread[: self.size[0], : self.size[1]]
