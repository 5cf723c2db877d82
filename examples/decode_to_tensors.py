"""Mean colour of a video's pictures, from tensors: python examples/decode_to_tensors.py clip.sfv [SECONDS]."""

from __future__ import annotations

import sys

import scaleflow


def main(path: str, start: float = 0.0) -> None:
    """Print the time and the mean R, G and B of each picture from ``start`` on."""
    with scaleflow.open_decoder(path, device="auto") as decoder:
        print(f"{decoder.width}x{decoder.height}, {float(decoder.frame_rate):g} pictures a second, on {decoder.device}")
        decoder.seek(start)  # to the picture that is shown at this time
        for frame in decoder:
            red, green, blue = frame.tensor().float().mean(dim=(1, 2)).tolist()  # (3, H, W), 0..255
            print(f"{frame.seconds:8.3f} s  R {red:5.1f}  G {green:5.1f}  B {blue:5.1f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:3]))
