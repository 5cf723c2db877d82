"""One picture of a clip at one rate: without a region of interest, and with it in the ways to code one; maps of bits.

    python -m benchmarks.region_pictures CLIP MASKS OUT.png --bpp 0.06 --picture 12

Each row shows the decoded picture with the edge of the region, and the bits of each 16x16 samples, all on one scale.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.distortion import region_psnr, weighted_psnr
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.region_masks import to_codes
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.evaluation.report.region_outlines import draw_outline
from scaleflow.evaluation.report.stream_maps import heat, sum_of_kinds
from scaleflow.evaluation.report.stream_pictures import read_pictures
from scaleflow.roi.coding import RegionSettings
from scaleflow.roi.mask_sources.mask_file import open_mask_file

LABEL_HEIGHT = 26
"""Samples above each row."""


@dataclass(frozen=True)
class Row:
    """One way to code the clip."""

    label: str
    picture: NDArray[np.uint8]
    bits: NDArray[np.float32]
    cell: int


def code(options: argparse.Namespace, mode: str, original: Planes, mask: NDArray[np.uint8], folder: Path) -> Row:
    """Encode at the rate asked for, and decode the picture to show."""
    model = load_model()
    coded = folder / f"{mode}.sfv"
    masks = region = None
    if mode != "none":
        region = RegionSettings(mode, options.strength, options.roi_weights)
        masks = partial(open_mask_file, options.masks)
    settings = EncodeSettings(bits_per_pixel=options.bpp, two_pass=True, frames=options.picture + 1, region=region)
    summary = encode_file(options.clip, coded, model, settings, masks=masks)
    analysis = next(islice(analyse_stream(coded, lambda header: model), options.picture, None))
    inside, outside = (region_psnr(original, analysis.planes, 8, weights) for weights in (mask, 255 - mask))
    assert inside is not None and outside is not None, "the region must be neither empty nor the whole picture"
    values = f"PSNR-YUV {weighted_psnr(inside):.1f} dB in the region, {weighted_psnr(outside):.1f} dB outside"
    label = f"{mode if masks else 'without a region'}: {summary.bits_per_pixel:.4f} bpp, {values}"
    picture = read_pictures(coded, [options.picture], lambda header: model).pictures[options.picture]
    return Row(label, picture, sum_of_kinds(analysis), analysis.cell)


def draw(rows: list[Row], outline: NDArray[np.uint8], left: int, width: int) -> Image.Image:
    """All rows, of each picture the columns from ``left`` on."""
    height = len(outline)
    canvas = Image.new("RGB", (2 * width, len(rows) * (height + LABEL_HEIGHT)), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    most = max(float(row.bits.max()) for row in rows)
    edge = Image.fromarray(outline)
    for number, row in enumerate(rows):
        top = number * (height + LABEL_HEIGHT)
        bits = np.kron(row.bits, np.ones((row.cell, row.cell)))[:height, : outline.shape[1]]
        pen.text((8, top + 4), f"{row.label}; bits, 0 to {most:.0f} in {row.cell}x{row.cell} samples", "black", font)
        for column, picture in enumerate((row.picture, heat(bits, most))):
            shown = Image.fromarray(picture)
            shown.paste(edge, mask=edge)
            canvas.paste(shown.crop((left, 0, left + width, height)), (column * width, top + LABEL_HEIGHT))
    return canvas


def main() -> None:
    """Encode, decode, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("masks", type=Path, help="as of scaleflow encode --roi")
    parser.add_argument("output", type=Path)
    parser.add_argument("--bpp", type=float, default=0.06)
    parser.add_argument("--picture", type=int, default=12, help="which to show; coding ends with it")
    parser.add_argument("--modes", nargs="+", default=["none", "latent-scaling", "implicit"])
    parser.add_argument("--strength", type=float, default=8.0)
    parser.add_argument("--roi-weights", type=Path, help="of region networks other than those that are shipped")
    parser.add_argument("--left", type=int, default=0, help="first column to show")
    parser.add_argument("--width", type=int, default=640, help="columns to show")
    options = parser.parse_args()
    with open_video(options.clip) as video:
        mask = to_codes(open_mask_file(options.masks, video.properties).mask_at(options.picture, 0.0))
        original = next(islice(video, options.picture, None)).planes
    width = min(options.width, mask.shape[1] - options.left)
    with tempfile.TemporaryDirectory() as name:
        rows = [code(options, mode, original, mask, Path(name)) for mode in options.modes]
    draw(rows, draw_outline(mask >= 128), options.left, width).save(options.output)


if __name__ == "__main__":
    main()
