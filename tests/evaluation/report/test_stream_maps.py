"""Maps of a stream: quantization steps are shown where they differ, with the outline of what is finest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.evaluation.report.stream_maps import analyse_pictures, draw_region, stream_maps
from scaleflow.roi.coding import RegionSettings
from scaleflow.roi.mask_sources.mask_file import open_mask_file


def test_quantization_steps_and_their_outline(carphone: Path, tmp_path: Path) -> None:
    mask = np.zeros((72, 88), np.uint8)
    mask[:32, :48] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    model, streams = load_model(), [tmp_path / "region.sfv", tmp_path / "plain.sfv"]
    region = EncodeSettings(quality=10, frames=2, region=RegionSettings("latent-scaling", strength=8))
    encode_file(carphone, streams[0], model, region, masks=partial(open_mask_file, tmp_path / "mask.png"))
    encode_file(carphone, streams[1], model, EncodeSettings(quality=10, frames=2))
    with_map, without = (analyse_pictures(stream, [0, 1], lambda header: model) for stream in streams)
    for picture in with_map.values():
        outline = draw_region(picture)
        assert outline is not None and outline.shape == (72, 88, 4)
        lines, columns = np.nonzero((outline[..., :3] == 255).all(-1))
        assert (lines.max(), columns.max()) == (32, 48)
    for maps in stream_maps(with_map).values():
        (steps,) = [one for one in maps if one.title == "quantization steps"]
        assert steps.range == "1 to 8 times as wide" and steps.image.shape == (18, 22, 3)
    assert all(draw_region(picture) is None for picture in without.values())
    assert not any(one.title == "quantization steps" for maps in stream_maps(without).values() for one in maps)
