"""Decoding groups of pictures side by side.

A group starts with a key frame, which resets all state, so that its pictures do not depend on where it is decoded.
Only the networks run elsewhere: what is done about damage, and when pictures are shown, stays with
:class:`scaleflow.codec.decoding.stream_decoder.StreamDecoder`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from scaleflow.codec.container import Item, VideoPacket
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.models.video_model import PictureGeometry, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError
from scaleflow.workers import InOrder, Workers

LONGEST_GROUP = 256
"""Pictures; longer groups are decoded by this process, one picture after the other, as they do not fit in memory."""


@dataclass
class PacketGroup:
    """Coded pictures from a key frame on; ``first`` is the number of the first one, for people."""

    first: int
    packets: list[VideoPacket] = field(default_factory=list)

    def __str__(self) -> str:
        return f"group from picture {self.first}"


DecodedGroup = list[Planes | str | None]
"""Of each picture its planes, or why it cannot be decoded; None where it was not tried as one before was missing."""


@dataclass(frozen=True)
class GroupDecoding:
    """Implements :class:`scaleflow.workers.Work`: decodes groups."""

    model: VideoModel
    geometry: PictureGeometry
    threads: int

    def begin(self) -> None:
        """See :class:`scaleflow.workers.Work`."""
        torch.set_num_threads(self.threads)

    def frame_decoder(self) -> FrameDecoder:
        """A decoder that has seen no picture."""
        size = self.geometry
        return FrameDecoder(self.model, width=size.width, height=size.height, bit_depth=size.bit_depth)

    def do(self, task: PacketGroup) -> DecodedGroup:
        """The pictures of a group, up to the first one that cannot be decoded."""
        decoder = self.frame_decoder()
        decoded: DecodedGroup = []
        for packet in task.packets:
            if not packet.decodable:
                break
            try:
                decoded.append(decoder.decode(packet.payload, key=packet.kind == "intra"))
            except DataError as error:
                decoded.append(str(error))
                break
        return decoded + [None] * (len(task.packets) - len(decoded))


class GroupDecoder:
    """Reads ahead, has groups decoded by workers, and gives what they decode when it is asked for.

    Args:
        work: what the workers do.
        workers: that do it.
    """

    def __init__(self, work: GroupDecoding, workers: Workers[PacketGroup, DecodedGroup]) -> None:
        self._workers = workers
        self._own = work.frame_decoder()
        self._layouts: deque[list[Item]] = deque()
        self._current: tuple[VideoPacket, Planes | str | None] | None = None
        self._is_far = True

    def items(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items as they come; the pictures among them are decoded, or are being decoded, when they are given."""
        for decoded in InOrder(self._groups(items), self._workers):
            self._is_far = decoded is not None
            pictures = iter(decoded or ())
            for item in self._layouts.popleft():
                if isinstance(item, VideoPacket):
                    self._current = item, next(pictures, None)
                yield item

    def decode(self, packet: VideoPacket) -> Planes:
        """The picture of the last packet that :meth:`items` has given.

        Raises:
            DataError: it cannot be decoded.
        """
        if not self._is_far:
            return self._own.decode(packet.payload, key=packet.kind == "intra")
        assert self._current is not None and self._current[0] is packet
        decoded = self._current[1]
        if isinstance(decoded, str):
            raise DataError(decoded)
        assert decoded is not None
        return decoded

    def _groups(self, items: Iterable[Item]) -> Iterator[PacketGroup | None]:
        """Groups, with all items put aside; None for parts of groups that are too long, and for items without any
        picture."""
        layout: list[Item] = []
        group = PacketGroup(0)
        is_part = False
        for item in items:
            if isinstance(item, VideoPacket):
                is_key = item.kind == "intra"
                is_full = len(group.packets) == LONGEST_GROUP
                if group.packets and (is_key or is_full):
                    self._layouts.append(layout)
                    is_part |= not is_key
                    yield None if is_part else group
                    is_part &= not is_key
                    layout, group = [], PacketGroup(0)
                if not group.packets:
                    group.first = item.frame_number
                group.packets.append(item)
            layout.append(item)
        if layout:
            self._layouts.append(layout)
            yield group if group.packets and not is_part else None
