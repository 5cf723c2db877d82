"""Pictures and sounds that are computed, for streams that may be passed on without asking anyone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes


def _planes(luma: NDArray[np.int64], cb: NDArray[np.int64], cr: NDArray[np.int64], bit_depth: int) -> Planes:
    """Code values of 10 bits, at the bit depth."""
    kind = np.uint8 if bit_depth == 8 else np.uint16
    return tuple((np.clip(plane, 0, 1023) >> (10 - bit_depth)).astype(kind) for plane in (luma, cb, cr))


def _grid(width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.mgrid[0:height, 0:width]
    return rows.astype(np.int64), columns.astype(np.int64)


def _texture(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hills and chequers with a faint weave, in code values of 10 bits."""
    hills = np.abs((columns * 5 + rows * 3) % 256 - 128) + np.abs((rows * 7 - columns * 2) % 320 - 160)
    chequers = ((rows // 12 + columns // 12) % 2) * 120
    weave = (rows * 37 + columns * 61) % 8
    return 160 + hills + chequers + weave


def moving(width: int, height: int, count: int, bit_depth: int = 8, speed: int = 2) -> list[Planes]:
    """A ground that moves to the left and a bright square that moves down to the right, with coloured halves."""
    rows, columns = _grid(width, height)
    half_rows, half_columns = _grid((width + 1) // 2, (height + 1) // 2)
    pictures = []
    for time in range(count):
        luma = _texture(rows, columns + speed * time)
        top, left = 4 + time, 6 + 3 * time
        inside = (rows >= top) & (rows < top + 14) & (columns >= left) & (columns < left + 18)
        luma = np.where(inside, 820 + 8 * ((rows - top) % 8), luma)
        cb = 420 + ((half_columns + time) // 9 % 3) * 70
        cr = 560 - (half_rows // 7 % 3) * 60 + 3 * time
        pictures.append(_planes(luma, cb, cr, bit_depth))
    return pictures


def still(width: int, height: int, count: int, bit_depth: int = 8) -> list[Planes]:
    """A ground on which nothing moves, until a square moves in its lower right corner."""
    first = moving(width, height, 1, bit_depth)[0]
    pictures = []
    for time in range(count):
        planes = tuple(plane.copy() for plane in first)
        if time > 2:
            left = width - 50 + 4 * (time - 3)
            planes[0][height - 36 : height - 12, left : left + 24] = planes[0].dtype.type(200)
        pictures.append(planes)
    return pictures


def scenes(width: int, height: int, count: int, length: int) -> list[Planes]:
    """Another scene every ``length`` pictures."""
    pictures = []
    for number in range(count):
        scene, time = divmod(number, length)
        luma, cb, cr = moving(width, height, time + 1)[-1]
        luma = (255 - luma) if scene % 3 == 1 else np.ascontiguousarray(luma[::-1]) if scene % 3 == 2 else luma
        pictures.append((luma, np.roll(cb, 11 * scene, 1), np.clip(cr.astype(int) + 25 * scene, 0, 255).astype("u1")))
    return pictures


def noise(width: int, height: int, count: int) -> list[Planes]:
    """Black, white and everything between, of which nothing can be predicted."""
    rows, columns = _grid(width, height)
    pictures = []
    for time in range(count):
        mixed = (rows * 7919 + columns * 104729 + time * 15485863) * 2654435761
        luma = (mixed >> 11) & 1023
        luma = np.where((rows // 8 + time) % 3 == 0, (luma & 1) * 1023, luma)
        half = luma[::2, ::2]
        pictures.append(_planes(luma, 1023 - half, half, 8))
    return pictures


def write_video(
    path: Path,
    pictures: list[Planes],
    *,
    times: list[int] | None = None,
    rate: int = 25,
    audio: tuple[str, ...] = (),
) -> None:
    """A NUT file of plain samples.

    Args:
        path: that is written.
        pictures: 8 bits where they are ``uint8``, otherwise 10.
        times: of the pictures in milliseconds; without, evenly at ``rate`` a second.
        rate: of pictures a second.
        audio: encoders of PyAV, each of which gets a tone as long as the pictures.
    """
    height, width = pictures[0][0].shape
    form = "yuv420p" if pictures[0][0].dtype == np.uint8 else "yuv420p10le"
    with av.open(str(path), "w") as container:
        video = container.add_stream("rawvideo", rate=rate, width=width, height=height, pix_fmt=form)
        video.codec_context.time_base = Fraction(1, 1000)
        tones = [container.add_stream(name, rate=16000, layout="mono") for name in audio]
        for number, planes in enumerate(pictures):
            frame = av.VideoFrame(width, height, form)
            for plane, samples in zip(frame.planes, planes, strict=True):
                _fill(plane, samples)
            frame.pts = times[number] if times is not None else round(1000 * number / rate)
            frame.time_base = Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for which, tone in enumerate(tones):
            length = 16000 * len(pictures) // rate
            time = np.arange(length)
            wave = np.abs(time * (40 + 30 * which) % 2048 - 1024) * 12 - 6000
            sound = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 16000, 0, Fraction(1, 16000)
            container.mux(tone.encode(sound))
            container.mux(tone.encode())


def _fill(plane: av.video.plane.VideoPlane, samples: NDArray[np.generic]) -> None:
    rows = np.zeros((plane.height, plane.line_size), np.uint8)
    content = np.ascontiguousarray(samples).view(np.uint8).reshape(samples.shape[0], -1)
    rows[: content.shape[0], : content.shape[1]] = content
    plane.update(rows.tobytes())
