"""Detail of one picture at the places where it is in the next."""

from __future__ import annotations

from torch import Tensor

from scaleflow.codec.models.interpolation import enlarge, sample_at
from scaleflow.codec.models.transforms import pack_planes, unpack_planes


def move_detail(detail: Tensor, flow: Tensor) -> Tensor:
    """Packed differences of the picture before, at the places where the decoded flow says that they are now.

    Args:
        detail: packed (N, 6, H / 2, W / 2).
        flow: of :class:`scaleflow.codec.models.decoded_parts.DecodedParts`, (N, 2, H / 4, W / 4).
    """
    luma, chroma = unpack_planes(detail)
    of_luma = sample_at(luma, enlarge(flow, 4), 1, "bilinear")
    return pack_planes(of_luma, sample_at(chroma, enlarge(flow, 2) / 2, 1, "bilinear"))
