"""Decode coded pictures and print a hash of every stream's symbols; run by test_exactness in other environments."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import torch

from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.models.registry import load_model
from scaleflow.entropy.symbol_coder import SymbolDecoder


def main(streams: str, output: str, threads: str, memory_format: str) -> None:
    """Decode with this many threads; weights in this memory format."""
    torch.set_num_threads(int(threads))
    model = load_model()
    if memory_format == "contiguous":
        model.to(memory_format=torch.contiguous_format)  # type: ignore[attr-defined]
    digest = hashlib.sha256()
    original = SymbolDecoder.decode

    def recording(self, indices, tables):  # type: ignore[no-untyped-def]
        symbols = original(self, indices, tables)
        digest.update(np.ascontiguousarray(indices).tobytes() + symbols.tobytes())
        return symbols

    SymbolDecoder.decode = recording  # type: ignore[method-assign]
    hashes, decoded = {}, {}
    with open(streams) as file:
        for name, stream in json.load(file).items():
            digest = hashlib.sha256()
            decoder = FrameDecoder(model, width=stream["width"], height=stream["height"])
            pictures = [
                decoder.decode(bytes.fromhex(payload), key=number == 0)
                for number, payload in enumerate(stream["payloads"])
            ]
            hashes[name] = digest.hexdigest()
            decoded[name] = np.stack([np.concatenate([plane.ravel() for plane in planes]) for planes in pictures])
    np.savez(output, **decoded)
    print(json.dumps(hashes))


if __name__ == "__main__":
    main(*sys.argv[1:])
