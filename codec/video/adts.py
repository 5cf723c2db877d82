"""AAC in ADTS framing (ISO/IEC 13818-7, 6.2), as MPEG-TS carries it, and in the raw frames of other containers."""

from __future__ import annotations

from scaleflow.errors import DataError

_HEADER_SIZE, _CHECKSUM_SIZE = 7, 2


def _header(data: bytes) -> tuple[int, int]:
    """Size of the header of the first frame, and of the whole frame."""
    if len(data) < _HEADER_SIZE or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        raise DataError("its AAC is in no framing that is known")
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    header = _HEADER_SIZE + (0 if data[1] & 1 else _CHECKSUM_SIZE)
    if data[6] & 3:
        raise DataError("its ADTS frames hold several AAC frames each, which other containers do not")
    if size < header:
        raise DataError(f"an ADTS frame says that it has {size} bytes, fewer than its header")
    return header, size


def audio_specific_config(packet: bytes) -> bytes:
    """The two bytes of AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) that say what the header of a packet says.

    Raises:
        DataError: the packet does not begin with an ADTS header, or its channels are in no standard layout.
    """
    _header(packet)
    profile, rate = packet[2] >> 6, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    if not channels or rate > 12:
        raise DataError("its AAC has a channel layout or sample rate that its packets' headers cannot tell")
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def strip_adts(packet: bytes) -> bytes:
    """The raw frame in a packet of one ADTS frame.

    Raises:
        DataError: it is not one whole frame.
    """
    header, size = _header(packet)
    if size != len(packet):
        raise DataError(f"an ADTS frame of {size} bytes is in a packet of {len(packet)} bytes")
    return packet[header:]
