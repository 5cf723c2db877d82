"""Bits where something moves, or where masks say: python examples/encode_with_a_region.py clip.mp4 clip.sfv [MASKS]."""

from __future__ import annotations

import sys

import scaleflow


def main(clip: str, coded: str, masks: str | None = None) -> None:
    """Encode a clip at 300 kbit/s, what is of interest eight times finer than the rest."""
    if masks is None:
        region = scaleflow.Region(finder="motion", strength=8)
    else:
        region = scaleflow.Region(masks=masks, strength=8)
    settings = scaleflow.EncodeSettings(bitrate=300_000, overwrite=True)
    summary = scaleflow.encode(clip, coded, settings, region=region)
    print(f"{summary.pictures} pictures, {summary.bits_per_pixel:.3f} bits per pixel")


if __name__ == "__main__":
    main(*sys.argv[1:])
