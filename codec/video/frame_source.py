"""What the reader asks of a place that pictures come from: a container, or a sequence of picture files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av

from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.container_crop import Crop
from scaleflow.codec.video.source_damage import SourceDamage


class FrameSource(Protocol):
    """Decoded frames and audio packets, in the order of the file.

    ``items`` may be called once. Frames come with the presentation time that the source gives, in ``time_base`` units,
    or None. ``damage`` and ``last_duration`` (how long the last picture lasts, in ``time_base`` units, where the source
    says so) are complete when ``items`` has ended; ``crop`` is to be left out of each frame.
    """

    name: str
    frame_rate: Fraction
    time_base: Fraction
    frame_count: int | None
    audio_streams: tuple[AudioStream, ...]
    damage: SourceDamage
    crop: Crop
    last_duration: int | None

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a pixel over its height."""

    @property
    def color_primaries(self) -> int:
        """Code point of H.273, known once the first frame is."""

    @property
    def color_transfer(self) -> int:
        """Code point of H.273, known once the first frame is."""

    @property
    def chroma_is_centered(self) -> bool:
        """Whether 4:2:0 chroma lies as in JPEG."""

    @property
    def has_even_times(self) -> bool:
        """Whether pictures come at even times by the form of the source."""

    def items(self) -> Iterator[av.VideoFrame | AudioPacketData]: ...

    def close(self) -> None: ...
