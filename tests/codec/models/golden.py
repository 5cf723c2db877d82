"""A fixed clip and its payloads. ``python -m tests.codec.models.golden`` writes them anew, when weights or format
change."""

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
WIDTH, HEIGHT, QUALITY = 64, 48, 30.0

Call = tuple[NDArray[np.int32], NDArray[Any], FrequencyTables]


def golden_pictures() -> list[Planes]:
    """A chequered ramp that moves."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pictures: list[Planes] = []
    for time in range(3):
        moved = x + 2 * time
        luma = (40 + 2 * (moved % WIDTH) + ((y // 8 + moved // 8) % 2) * 60).astype(np.uint8)
        chroma = np.full((HEIGHT // 2, WIDTH // 2), 100 + 5 * time, np.uint8)
        pictures.append((luma, chroma, 255 - chroma))
    return pictures


def encode_golden(model: VideoModel) -> list[bytes]:
    """The payload of each picture."""
    encoder = FrameEncoder(model, width=WIDTH, height=HEIGHT, bit_depth=8)
    return [encoder.encode(planes, key=False, quality=QUALITY).payload for planes in golden_pictures()]


class RecordingDecoder(SymbolDecoder):
    """Keeps what was decoded, and with which tables, in ``calls``."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.calls: list[Call] = []

    def decode(self, indices: NDArray[Any], tables: FrequencyTables) -> NDArray[np.int32]:
        symbols = super().decode(indices, tables)
        self.calls.append((symbols.copy(), indices.copy(), tables))
        return symbols


def decode_golden(model: VideoModel, payloads: list[bytes]) -> list[Planes]:
    """The pictures."""
    decoder = FrameDecoder(model, width=WIDTH, height=HEIGHT, bit_depth=8)
    return [decoder.decode(payload, key=number == 0) for number, payload in enumerate(payloads)]


def hash_symbols(calls: list[Call]) -> str:
    """A digest of all symbols and of the table rows that they were coded with."""
    digest = hashlib.sha256()
    for symbols, indices, _ in calls:
        digest.update(symbols.astype("<i4").tobytes() + indices.astype("<i4").tobytes())
    return digest.hexdigest()


def record_calls(model: VideoModel, payloads: list[bytes], patch: Any) -> list[list[Call]]:
    """The symbols of each payload; ``patch`` is pytest's MonkeyPatch."""
    recorders: list[RecordingDecoder] = []

    def make(payload: bytes) -> RecordingDecoder:
        recorders.append(RecordingDecoder(payload))
        return recorders[-1]

    patch.setattr("scaleflow.codec.models.scaleflow_codec.SymbolDecoder", make)
    decode_golden(model, payloads)
    return [recorder.calls for recorder in recorders]


def main() -> None:
    """Write the file."""
    from pytest import MonkeyPatch

    model = load_model()
    payloads = encode_golden(model)
    with MonkeyPatch.context() as patch:
        calls = record_calls(model, payloads, patch)
    record = {
        "weights": model.weights_hash,
        "payloads": [payload.hex() for payload in payloads],
        "symbols": [hash_symbols(of_picture) for of_picture in calls],
    }
    PAYLOADS_FILE.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
