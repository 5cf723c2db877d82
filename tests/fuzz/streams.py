"""Small streams that are sound, and altered ones whose checksums are right nevertheless."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import cbor2
import numpy as np

from scaleflow.codec.container import AudioStream, SfvHeader, SfvWriter
from scaleflow.codec.container.header import PRELUDE_SIZE, VERSION, Key, header_size
from scaleflow.codec.container.index import write_trailer
from scaleflow.codec.container.packet_format import (
    END_MARKER,
    AudioBody,
    AudioTimes,
    BadPacket,
    PictureGroup,
    body_of,
    parse_audio,
    parse_head,
    parse_inter,
    write_audio,
    write_end,
    write_inter,
    write_key,
)
from scaleflow.codec.container.varint import write_signed, write_varint
from scaleflow.codec.frame_coder import FrameEncoder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.stream_mark import MAGIC
from tests.codec.stand_in import StandInModel
from tests.fuzz.mutation import INTEGERS, VALUES, changed_bytes, changed_value

WIDTH, HEIGHT, PICTURES, PERIOD = 36, 22, 9, 4

_LIMIT = 1 << 28
_TIMES = tuple(value for value in INTEGERS if abs(value) < 2**69)


def properties(pixel_format: str = "yuv420p", **others: Any) -> VideoProperties:
    """Of the pictures of all streams here."""
    plain = VideoProperties(WIDTH, HEIGHT, pixel_format, 8, Fraction(25), Fraction(1, 1000))
    return replace(plain, **others)


def pictures(count: int = PICTURES) -> list[Planes]:
    """A texture that moves, 4:2:0."""
    generator = np.random.default_rng(1)
    luma = np.kron(generator.integers(30, 220, (8, 12)), np.ones((5, 5))).astype(np.uint8)
    chroma = np.kron(generator.integers(90, 160, (6, 10)), np.ones((3, 3))).astype(np.uint8)
    half = (HEIGHT + 1) // 2, (WIDTH + 1) // 2
    return [
        (
            luma[:HEIGHT, n : WIDTH + n].copy(),
            chroma[: half[0], n // 2 : half[1] + n // 2].copy(),
            255 - chroma[: half[0], n // 2 : half[1] + n // 2],
        )
        for n in range(count)
    ]


def coded(model: VideoModel, count: int = PICTURES) -> list[tuple[bytes, bool]]:
    """Payloads, and whether each is of a key frame."""
    encoder = FrameEncoder(model, width=WIDTH, height=HEIGHT)
    frames = [
        encoder.encode(planes, key=n % PERIOD == 0, quality=15.0 + 5 * n) for n, planes in enumerate(pictures(count))
    ]
    return [(frame.payload, frame.key) for frame in frames]


@dataclass(frozen=True)
class Sound:
    """An audio stream and its packets."""

    stream: AudioStream
    packets: tuple[bytes, ...]
    samples: int


@cache
def sound(codec: str) -> Sound:
    """A third of a second of noise, made by FFmpeg's encoder."""
    context: Any = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.time_base = 8000, "mono", Fraction(1, 8000)
    context.format = "fltp" if codec == "aac" else "s16"
    packets: list[bytes] = []
    size = 1024
    generator = np.random.default_rng(2)
    for number in range(3):
        values = generator.normal(0, 0.1, (1, size)).astype(np.float32)
        array = values if codec == "aac" else (values * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(array, format=context.format.name, layout="mono")
        frame.sample_rate, frame.pts = 8000, number * size
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    stream = AudioStream(
        codec, context.extradata or b"", Fraction(1, 8000), 8000, "mono", 1, context.format.name, "eng"
    )
    return Sound(stream, tuple(packets), size)


@cache
def sound_streams() -> tuple[bytes, ...]:
    """Streams of the stand-in: without audio, with PCM, with AAC and PCM, of RGB pictures' format, uneven, rotated."""
    payloads = coded(StandInModel())
    forms: tuple[tuple[VideoProperties, tuple[str, ...]], ...] = (
        (properties(), ()),
        (properties(color_matrix="bt709", color_range="tv", rotation=90), ("pcm_s16le",)),
        (properties("rgb24", sample_aspect_ratio=Fraction(4, 3)), ("aac", "pcm_s16le")),
        (properties("gray"), ("flac",)),
        (properties("yuv422p10le", mastering_display=tuple(range(10, 110, 10)), content_light_level=(9, 8)), ()),
    )
    return tuple(_stream(video, tuple(map(sound, codecs)), payloads) for video, codecs in forms)


def _stream(video: VideoProperties, sounds: tuple[Sound, ...], payloads: list[tuple[bytes, bool]]) -> bytes:
    model = StandInModel()
    streams = tuple(item.stream for item in sounds)
    header = SfvHeader(model.name, model.weights_hash, video, intra_period=PERIOD, audio=streams, software="fuzz")
    output = io.BytesIO()
    with SfvWriter(output, header, pictures_per_packet=2) as writer:
        for number, (payload, key) in enumerate(payloads):
            for place, item in enumerate(sounds):
                if number < len(item.packets):
                    time = number * item.samples
                    writer.write_audio(place, time, time, item.samples, 1, item.packets[number])
            writer.write_video(payload, "intra" if key else "inter", number * 40 + number % 3)
    return output.getvalue()


def sealed_header(body: bytes) -> bytes:
    """The start of a file around CBOR, with its length and its checksum."""
    start = MAGIC + struct.pack("<BI", VERSION, len(body)) + body
    return start + struct.pack("<I", zlib.crc32(start))


def split(stream: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Header, packets and trailer of a sound stream."""
    start = header_size(stream[:PRELUDE_SIZE])
    packets, position = [], start
    while position < len(stream) - 8:
        size = parse_head(stream[position:], _LIMIT).size
        packets.append(stream[position : position + size])
        position += size
    return stream[:start], packets, stream[position:]


def altered_stream(source: random.Random) -> bytes:
    """One of :func:`sound_streams` with a changed header, changed packets or changed bytes; sometimes all of them."""
    stream = source.choice(sound_streams())
    how = source.randrange(10)
    if how < 4:
        stream = with_altered_header(stream, source)
    elif how < 8:
        stream = with_altered_packets(stream, source)
    if how >= 8 or source.random() < 0.1:
        stream = changed_bytes(stream, source)
    return stream


def with_altered_header(stream: bytes, source: random.Random) -> bytes:
    """Other values, or other bytes, in the CBOR, whose length and checksum are right."""
    start, packets, trailer = split(stream)
    body = start[PRELUDE_SIZE:-4]
    how = source.random()
    if how < 0.4:
        body = cbor2.dumps(changed_value(cbor2.loads(body), source))
    elif how < 0.8:
        entries = cbor2.loads(body)
        maps = [entries, entries[int(Key.VIDEO)], *entries.get(int(Key.AUDIO), [])]
        _set_field(source.choice(maps), source)
        body = cbor2.dumps(entries)
    if source.random() < 0.3:
        body = changed_bytes(body, source, 2)
    return b"".join((sealed_header(body), *packets, trailer))


def _set_field(fields: dict[int, Any], source: random.Random) -> None:
    """Another value for a field that may be there, or that is left out where it has its default."""
    key = source.randrange(16)
    before = fields.get(key)
    likely = [value for value in VALUES if isinstance(value, type(before))] if before is not None else []
    fields[key] = source.choice(likely if likely and source.random() < 0.6 else VALUES)


def with_altered_packets(stream: bytes, source: random.Random) -> bytes:
    """Packets whose fields, bodies or order are changed, with checksums that are right."""
    start, packets, trailer = split(stream)
    for _ in range(source.choice((1, 1, 2, 3))):
        place = source.randrange(len(packets))
        how = source.randrange(8)
        if how == 0:
            del packets[place]
        elif how == 1:
            packets.insert(place, source.choice(packets))
        elif how == 2:
            other = source.randrange(len(packets))
            packets[place], packets[other] = packets[other], packets[place]
        else:
            packets[place] = _altered_packet(packets[place], source)
        if not packets:
            break
    if packets and packets[-1][:4] == END_MARKER:
        trailer = write_trailer(len(packets[-1]))
    return b"".join((start, *packets, trailer))


def _altered_packet(packet: bytes, source: random.Random) -> bytes:
    try:
        return _with_other_fields(packet, source)
    except BadPacket:  # It was altered before.
        return changed_bytes(packet, source)


def _with_other_fields(packet: bytes, source: random.Random) -> bytes:
    head = parse_head(packet, _LIMIT)
    if head.kind == "intra":
        payload = _maybe_changed(body_of(head, packet), source)
        pts = source.choice(_TIMES) if source.random() < 0.5 else head.pts
        number = abs(source.choice(_TIMES)) if source.random() < 0.5 else head.frame_number
        return write_key(payload, pts, number)
    if head.kind == "inter":
        group = parse_inter(head, packet, _LIMIT)
        payloads = tuple(_maybe_changed(payload, source) for payload in group.payloads)
        times = group.time_differences
        if source.random() < 0.6:
            times = tuple(source.choice(_TIMES) for _ in payloads)
        number = source.randrange(256) if source.random() < 0.3 else group.sequence
        return write_inter(PictureGroup(number, payloads, times))
    if head.kind == "audio":
        return _altered_audio(parse_audio(head, packet), head.count, source)
    return write_end(_altered_end(body_of(head, packet), source))


def _altered_audio(body: AudioBody, stream: int, source: random.Random) -> bytes:
    def time() -> int | None:
        return None if source.random() < 0.2 else source.choice(_TIMES)

    times = body.times
    if source.random() < 0.7:
        length = time()
        times = AudioTimes(time(), time(), None if length is None else abs(length), source.choice((0, 1, 3, 2**31)))
    number = source.randrange(16) if source.random() < 0.2 else stream
    return write_audio(number, AudioBody(times, _maybe_changed(body.payload, source)))


def _altered_end(body: bytes, source: random.Random) -> bytes:
    if source.random() < 0.5:
        return changed_bytes(body, source, 2)
    entries = source.randrange(4)
    parts = [write_varint(abs(source.choice(_TIMES))), write_varint(entries)]
    for _ in range(entries):
        parts += [
            write_varint(source.randrange(300)),
            write_signed(source.choice(_TIMES)),
            write_varint(source.randrange(900)),
        ]
    return b"".join(parts) + (write_varint(abs(source.choice(_TIMES))) if source.random() < 0.5 else b"")


def _maybe_changed(payload: bytes, source: random.Random, share: float = 0.3) -> bytes:
    change: Callable[[], bytes] = source.choice((lambda: changed_bytes(payload, source), lambda: b""))
    return change() if source.random() < share else payload
