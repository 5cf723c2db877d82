"""Makes the streams of ``scaleflow conformance`` anew, with what is expected of them.

    python -m benchmarks.conformance_streams [FOLDER] [--weights-folder FOLDER]

Everything is coded from pictures and sounds that are computed. The bounds of samples stand in
:data:`BOUNDS`; what was measured under other arithmetic is in ``docs/stability.md``. Streams are made anew when weights
are shipped, or when a feature is added; without ``--weights-folder``, those of earlier sets of weights are kept as they
are in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import scaleflow
from benchmarks.conformance_pictures import moving, noise, scenes, still, write_video
from scaleflow.codec.conformance.check import decode_stream, hash_audio
from scaleflow.codec.conformance.expected_samples import hash_samples, write_samples
from scaleflow.codec.conformance.suite import (
    EXPECTATIONS,
    SUITE_FOLDER,
    ConformanceStream,
    read_suite,
    suite_record,
)
from scaleflow.codec.container import AudioPacket, SfvReader, SfvWriter, VideoPacket
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS
from scaleflow.codec.models.video_model import Precision, VideoModel
from scaleflow.codec.models.weights_folder import find_weights
from scaleflow.codec.picture import Planes
from scaleflow.roi.coding import RegionMode

BOUNDS: dict[Precision, int] = {"fp32": 4, "bf16": 16}
"""Largest difference of a sample in code values of 8 bits; four times that in 10 bits."""


@dataclass(frozen=True)
class Recipe:
    """How a stream is made.

    Attributes:
        feature: what it is there for.
        pictures: makes them.
        settings: of the encode.
        precision: of the model.
        mode: of a region of interest in the left half; None without one.
        times: of the pictures, in milliseconds; None where they are even.
        audio: encoders of the tones that go with it.
        single: one inter picture a packet.
    """

    feature: str
    pictures: Callable[[], list[Planes]]
    settings: EncodeSettings = field(default_factory=lambda: EncodeSettings(quality=32))
    precision: Precision = "fp32"
    mode: RegionMode | None = None
    times: tuple[int, ...] | None = None
    audio: tuple[str, ...] = ()
    single: bool = False


def _at(quality: float, **more: object) -> EncodeSettings:
    return EncodeSettings(quality=quality, **more)  # type: ignore[arg-type]


RECIPES = {
    "plain": Recipe("8 bits, even size", lambda: moving(96, 64, 10)),
    "quality-lowest": Recipe("quality 0", lambda: moving(96, 64, 8), _at(0)),
    "quality-highest": Recipe("quality 63", lambda: moving(64, 48, 5), _at(63)),
    "ten-bit": Recipe("10 bits", lambda: moving(64, 48, 8, 10)),
    "odd-size": Recipe("67x45, odd both ways", lambda: moving(67, 45, 8)),
    "one-pixel": Recipe("1x1", lambda: moving(1, 1, 3)),
    "narrow": Recipe("3x80, one cell wide", lambda: moving(3, 80, 6)),
    "still": Recipe("latents left out, repeated pictures", lambda: still(176, 112, 7), _at(30)),
    "noise": Recipe("values beyond the tables", lambda: noise(48, 32, 4), _at(63)),
    "scene-cuts": Recipe("key frames at cuts", lambda: scenes(64, 48, 14, 5)),
    "intra-only": Recipe("key frames alone", lambda: moving(64, 48, 5), _at(32, intra_period=1)),
    "short-groups": Recipe("a key frame every 4", lambda: moving(64, 48, 11), _at(24, intra_period=4)),
    "long-group": Recipe(
        "31 pictures after a key frame", lambda: moving(48, 32, 32, speed=1), _at(35, scene_cut=False)
    ),
    "changing-quality": Recipe(
        "quality changes in a group", lambda: scenes(80, 48, 16, 8), EncodeSettings(bitrate=90_000, scene_cut=False)
    ),
    "single-packets": Recipe("one inter picture a packet", lambda: moving(64, 48, 6), single=True),
    "region-scaling": Recipe("region by latent scaling", lambda: moving(96, 64, 6), mode="latent-scaling"),
    "region-learned": Recipe("region by learned scaling", lambda: moving(96, 64, 4), mode="learned-scaling"),
    "region-implicit": Recipe("region by the implicit variant", lambda: moving(96, 64, 4), mode="implicit"),
    "variable-rate": Recipe("uneven times", lambda: moving(64, 48, 8), times=(0, 40, 70, 150, 151, 300, 333, 1000)),
    "audio": Recipe("two streams of audio", lambda: moving(64, 48, 10), audio=("aac", "pcm_s16le")),
    "bf16": Recipe("bf16, 8 bits", lambda: moving(96, 64, 10), precision="bf16"),
    "bf16-ten-bit": Recipe("bf16, 10 bits, odd size", lambda: moving(67, 45, 6, 10), precision="bf16"),
    "bf16-region": Recipe("bf16, latent scaling", lambda: moving(96, 64, 4), precision="bf16", mode="latent-scaling"),
    "bf16-long-group": Recipe(
        "bf16, 31 pictures after a key frame",
        lambda: moving(48, 32, 32, speed=1),
        _at(35, scene_cut=False),
        precision="bf16",
    ),
}
"""By name; coded with the weights that are shipped."""

EARLIER = Recipe("earlier weights", lambda: moving(96, 64, 8))
"""Coded with each earlier set of weights."""


class LeftHalf:
    """Implements :class:`scaleflow.codec.encoding.region_masks.MaskSource`."""

    def __init__(self, width: int, height: int) -> None:
        self._mask = np.zeros((height, width), np.float32)
        self._mask[:, : width // 2] = 1

    def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
        """The same for all pictures."""
        return self._mask


def make_stream(name: str, recipe: Recipe, model: VideoModel, shipped: bool, folder: Path) -> ConformanceStream:
    """Write the files of one stream into a folder."""
    pictures = recipe.pictures()
    height, width = pictures[0][0].shape
    coded = folder / f"{name}.sfv"
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "source.nut"
        write_video(source, pictures, times=recipe.times and list(recipe.times), audio=recipe.audio)
        region = None
        if recipe.mode is not None:
            region = scaleflow.Region(masks=LeftHalf(width, height), mode=recipe.mode)
        scaleflow.encode(source, coded, replace(recipe.settings, overwrite=True), model=model, region=region)
    if recipe.single:
        _split_packets(coded)
    found = decode_stream(coded, lambda header: model)
    assert not found.damage and len(found.pictures) == len(pictures), found.damage
    bit_depth = 8 if pictures[0][0].dtype == np.uint8 else 10
    stream = ConformanceStream(
        name=name,
        feature=recipe.feature,
        precision=model.precision,
        bit_depth=bit_depth,
        weights=RELEASED_WEIGHTS[model.weights_hash].name,
        shipped=shipped,
        bound=BOUNDS[model.precision] << (bit_depth - 8),
        times=tuple(found.times),
        symbols=tuple(found.symbols),
        samples=hash_samples(found.pictures),
        audio=hash_audio(found.audio),
        content=hashlib.sha256(coded.read_bytes()).hexdigest(),
    )
    write_samples(stream.samples_file(folder), found.pictures)
    return stream


def _split_packets(coded: Path) -> None:
    """Write a file anew with each inter picture in a packet of its own."""
    with SfvReader(coded) as reader:
        items = list(reader)
        header, last_duration = reader.header, reader.last_duration
    with SfvWriter(coded, header, overwrite=True, pictures_per_packet=1) as writer:
        for item in items:
            if isinstance(item, VideoPacket):
                writer.write_video(item.payload, item.kind, item.pts)
            else:
                assert isinstance(item, AudioPacket), item
                writer.write_audio(item.stream_index, item.pts, item.dts, item.duration, item.flags, item.payload)
        writer.last_duration = last_duration


def make_suite(folder: Path, weights_folder: Path | None) -> Iterator[ConformanceStream]:
    """Write all streams."""
    models = {precision: load_model(precision=precision) for precision in BOUNDS}
    for name, recipe in RECIPES.items():
        yield make_stream(name, recipe, models[recipe.precision], True, folder)
    kept = {stream.name: stream for stream in read_suite(folder)} if (folder / EXPECTATIONS).is_file() else {}
    for weights_hash, released in RELEASED_WEIGHTS.items():
        if weights_hash == models["fp32"].weights_hash:
            continue
        name = f"weights-{released.name}"
        found = find_weights(weights_hash, weights_folder) if weights_folder is not None else None
        if found is not None:
            recipe = replace(EARLIER, feature=f"weights {released.name}")
            yield make_stream(name, recipe, load_model(weights=found), False, folder)
        elif name in kept:
            yield kept[name]


def main() -> None:
    """Write the files, and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SUITE_FOLDER)
    parser.add_argument("--weights-folder", type=Path, help="holds earlier sets of weights")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    streams, total = [], 0
    for stream in make_suite(options.folder, options.weights_folder):
        sizes = [file(options.folder).stat().st_size for file in (stream.stream_file, stream.samples_file)]
        total += sum(sizes)
        print(f"{stream.name:20} {len(stream.times):3} pictures {sizes[0]:7} + {sizes[1]:7} bytes", flush=True)
        streams.append(stream)
    place = options.folder / EXPECTATIONS
    place.write_text(json.dumps(suite_record(streams), indent=1) + "\n", encoding="utf-8")
    print(f"{len(streams)} streams, {total + place.stat().st_size} bytes")


if __name__ == "__main__":
    main()
