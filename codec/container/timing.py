"""Which time the next picture or audio packet is expected to have, so that only exceptions cost bytes."""

from __future__ import annotations

from scaleflow.codec.container.packet_format import AudioTimes
from scaleflow.codec.picture import VideoProperties


class FrameClock:
    """Expected times of pictures at a constant frame rate, rounded to the time base as most muxers do."""

    def __init__(self, video: VideoProperties) -> None:
        ticks = 1 / (video.frame_rate * video.time_base)
        self._numerator, self._denominator = ticks.numerator, ticks.denominator

    def _nominal(self, frame_number: int) -> int:
        return (2 * frame_number * self._numerator + self._denominator) // (2 * self._denominator)

    def after(self, pts: int, frame_number: int, steps: int = 1) -> int:
        """Time expected ``steps`` pictures after picture ``frame_number`` at ``pts``, in units of the time base."""
        return pts + self._nominal(frame_number + steps) - self._nominal(frame_number)


def following_audio(before: AudioTimes) -> AudioTimes:
    """Times expected of the packet after ``before`` in the same stream."""
    step = before.duration or 0
    pts = None if before.pts is None else before.pts + step
    dts = None if before.dts is None else before.dts + step
    return AudioTimes(pts, dts, before.duration, before.flags)
