"""Fixed clips and their payloads. ``python -m tests.codec.models.golden`` writes them anew, when weights or format
change, or what encoders decide."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import SymbolDecoder

PAYLOADS_FILE = Path(__file__).with_name("golden_payloads.json")
QUALITY = 30.0

Call = tuple[NDArray[np.int32], NDArray[Any], FrequencyTables]


def moving_pictures() -> list[Planes]:
    """A chequered ramp that moves."""
    y, x = np.mgrid[0:48, 0:64]
    pictures: list[Planes] = []
    for time in range(3):
        moved = x + 2 * time
        luma = (40 + 2 * (moved % 64) + ((y // 8 + moved // 8) % 2) * 60).astype(np.uint8)
        chroma = np.full((24, 32), 100 + 5 * time, np.uint8)
        pictures.append((luma, chroma, 255 - chroma))
    return pictures


def still_pictures() -> list[Planes]:
    """Still ground, 3x2 cells of 64x64 samples: nothing changes, then a square moves in the last cell."""
    y, x = np.mgrid[0:112, 0:176]
    pictures: list[Planes] = []
    for time in range(4):
        luma = (60 + x // 4 + y // 2).astype(np.uint8)
        if time > 1:
            left = 124 + 6 * time
            luma[72:104, left : left + 32] = 160 + 20 * ((x + y) // 8 % 2)[:32, :32]
        chroma = np.full((56, 88), 120, np.uint8)
        pictures.append((luma, chroma, 255 - chroma))
    return pictures


GOLDEN_CLIPS = {"moving": moving_pictures, "still": still_pictures}


def encode_golden(model: VideoModel, clip: str) -> list[bytes]:
    """The payload of each picture."""
    pictures = GOLDEN_CLIPS[clip]()
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(model, width=width, height=height, bit_depth=8)
    return [encoder.encode(planes, key=False, quality=QUALITY).payload for planes in pictures]


class RecordingDecoder(SymbolDecoder):
    """Keeps what was decoded, and with which tables, in ``calls``."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.calls: list[Call] = []

    def decode(self, indices: NDArray[Any], tables: FrequencyTables) -> NDArray[np.int32]:
        symbols = super().decode(indices, tables)
        self.calls.append((symbols.copy(), indices.copy(), tables))
        return symbols


def decode_golden(model: VideoModel, clip: str, payloads: list[bytes]) -> list[Planes]:
    """The pictures."""
    height, width = GOLDEN_CLIPS[clip]()[0][0].shape
    decoder = FrameDecoder(model, width=width, height=height, bit_depth=8)
    return [decoder.decode(payload, key=number == 0) for number, payload in enumerate(payloads)]


def hash_symbols(calls: list[Call]) -> str:
    """A digest of all symbols and of the table rows that they were coded with."""
    digest = hashlib.sha256()
    for symbols, indices, _ in calls:
        digest.update(symbols.astype("<i4").tobytes() + indices.astype("<i4").tobytes())
    return digest.hexdigest()


def record_calls(model: VideoModel, clip: str, payloads: list[bytes], patch: Any) -> list[list[Call]]:
    """The symbols of each payload; ``patch`` is pytest's MonkeyPatch."""
    recorders: list[RecordingDecoder] = []

    def make(payload: bytes) -> RecordingDecoder:
        recorders.append(RecordingDecoder(payload))
        return recorders[-1]

    patch.setattr("scaleflow.codec.models.scaleflow_codec.SymbolDecoder", make)
    decode_golden(model, clip, payloads)
    return [recorder.calls for recorder in recorders]


def main() -> None:
    """Write the file."""
    from pytest import MonkeyPatch

    model = load_model()
    record: dict[str, Any] = {"weights": model.weights_hash}
    for clip in GOLDEN_CLIPS:
        payloads = encode_golden(model, clip)
        with MonkeyPatch.context() as patch:
            calls = record_calls(model, clip, payloads, patch)
        record[clip] = {
            "payloads": [payload.hex() for payload in payloads],
            "symbols": [hash_symbols(of_picture) for of_picture in calls],
        }
    PAYLOADS_FILE.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
