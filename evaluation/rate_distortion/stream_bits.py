"""Where the bits of a coded file went: to which pictures, to which kinds, and into the region of interest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.container import SfvHeader, SfvReader, VideoPacket
from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.encoding.region_masks import MaskSource
from scaleflow.codec.models.picture_analysis import PictureAnalysis
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.codec_programs import OBJECTS_SUFFIX
from scaleflow.roi.baselines.objects import object_bits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamBits:
    """Bits of a coded file.

    Attributes:
        pictures: of each picture as shown, without the container.
        kinds: ``intra`` or ``inter``, of each.
        by_kind: sums over pictures, as exactly as the codec says: at least ``intra`` and ``inter``.
        in_region: of each picture, the share of its bits that lie in the region of interest, 0..1; None where the codec
            does not say where its bits go, or there is no region.
    """

    pictures: list[int]
    kinds: list[str]
    by_kind: dict[str, float]
    in_region: list[float] | None = None

    @property
    def share_in_region(self) -> float | None:
        """Of all pictures together, 0..1."""
        if self.in_region is None:
            return None
        return sum(bits * share for bits, share in zip(self.pictures, self.in_region, strict=True)) / sum(self.pictures)


def read_stream_bits(
    stream: Path,
    choose_model: Callable[[SfvHeader], VideoModel],
    masks: MaskSource | None = None,
) -> StreamBits:
    """Take a coded file apart.

    Args:
        stream: of ScaleFlow, of object-based coding, or any that FFmpeg reads.
        choose_model: of ScaleFlow's streams.
        masks: by the numbers of its pictures.

    Raises:
        DataError: it is damaged.
    """
    if stream.suffix == f".{OBJECTS_SUFFIX}":
        parts, kinds = object_bits(stream)
        names = dict.fromkeys(name for part in parts for name in part)
        return StreamBits(
            [sum(part.values()) for part in parts],
            kinds,
            {name: float(sum(part[name] for part in parts)) for name in names},
        )
    if stream.suffix != ".sfv":
        return _of_container(stream)
    with SfvReader(stream) as reader:
        packets = [item for item in reader if isinstance(item, VideoPacket)]
    bits, kinds = [8 * len(packet.payload) for packet in packets], [str(packet.kind) for packet in packets]
    by_kind: dict[str, float] = {}
    shares: list[float] = []
    try:
        for number, picture in enumerate(analyse_stream(stream, choose_model)):
            for kind, cells in picture.bits.items():
                by_kind[kind] = by_kind.get(kind, 0.0) + float(cells.sum(dtype=float))
            if masks is not None:
                shares.append(share_in_region(picture, masks.mask_at(number, 0.0)))
    except UsageError as error:
        logger.debug("%s", error)
        return StreamBits(bits, kinds, _sums(bits, kinds))
    return StreamBits(bits, kinds, by_kind, None if masks is None else shares)


def share_in_region(picture: PictureAnalysis, mask: NDArray[np.float32]) -> float:
    """The share of a picture's bits that lie within a mask (height, width): those of a cell are spread evenly over it.

    Cells beyond the border count as the nearest ones within.
    """
    starts = [np.arange(0, side, picture.cell) for side in mask.shape]
    inside, whole = (
        np.add.reduceat(np.add.reduceat(part, starts[0], 0), starts[1], 1) for part in (mask, np.ones_like(mask))
    )
    bits = np.sum(list(picture.bits.values()), axis=0, dtype=float)
    beyond = [(0, side - known) for side, known in zip(bits.shape, inside.shape, strict=True)]
    return float((bits * np.pad(inside / whole, beyond, mode="edge")).sum() / bits.sum())


def _of_container(stream: Path) -> StreamBits:
    try:
        with av.open(str(stream)) as container:
            shown = sorted(
                (packet.pts, 8 * packet.size, packet.is_keyframe)
                for packet in container.demux(video=0)
                if packet.size and packet.pts is not None
            )
    except av.FFmpegError as error:
        raise DataError(f"{stream}: its packets cannot be read: {error.strerror}") from error
    bits = [size for _, size, _ in shown]
    kinds = ["intra" if key else "inter" for _, _, key in shown]
    return StreamBits(bits, kinds, _sums(bits, kinds))


def _sums(bits: Sequence[int], kinds: Sequence[str]) -> dict[str, float]:
    return {kind: float(sum(b for b, k in zip(bits, kinds, strict=True) if k == kind)) for kind in ("intra", "inter")}
