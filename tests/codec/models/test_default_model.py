"""The shipped model codes real pictures at every rate, within its budget."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_model
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError


def encode(model: VideoModel, pictures: list[Planes], quality: float, bit_depth: int = 8) -> list[CodedFrame]:
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(model, width=width, height=height, bit_depth=bit_depth)
    return [encoder.encode(planes, key=False, quality=quality) for planes in pictures]


def decode(model: VideoModel, coded: list[CodedFrame], bit_depth: int = 8) -> list[Planes]:
    height, width = coded[0].planes[0].shape
    decoder = FrameDecoder(model, width=width, height=height, bit_depth=bit_depth)
    return [decoder.decode(frame.payload, key=frame.key) for frame in coded]


def luma_psnr(original: list[Planes], decoded: list[Planes]) -> float:
    errors = [np.square(a[0].astype(float) - b[0]).mean() for a, b in zip(original, decoded, strict=True)]
    return float(np.mean([10 * np.log10(255**2 / error) for error in errors]))


def same(first: Planes, second: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["bikes", "bigbuckbunny", "carphone", "mobile"])
def test_decoder_shows_what_the_encoder_saw(
    default_model: VideoModel, clips: dict[str, list[Planes]], name: str
) -> None:
    coded = encode(default_model, clips[name], 35.0)
    assert [frame.key for frame in coded] == [True, False, False, False]
    assert all(same(a, b.planes) for a, b in zip(decode(default_model, coded), coded, strict=True))


def test_rate_and_quality_rise_together(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    pictures = clips["carphone"]
    sizes, qualities = [], []
    for quality in (0, 12, 25, 38, 51, 63):
        coded = encode(default_model, pictures, quality)
        sizes.append(sum(len(frame.payload) for frame in coded))
        qualities.append(luma_psnr(pictures, decode(default_model, coded)))
    assert sizes == sorted(sizes) and sizes[-1] > 10 * sizes[0]
    assert qualities == sorted(qualities) and qualities[-1] > qualities[0] + 10


def test_payload_is_close_to_its_ideal_length(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    for quality in (20.0, 50.0):
        for frame in encode(default_model, clips["bikes"], quality):
            ideal = sum(frame.estimated_bits.values()) / 8
            assert abs(len(frame.payload) - ideal) < 0.005 * ideal + 4


@pytest.mark.parametrize("size", [(1, 1), (17, 5), (77, 101), (130, 66)])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_any_size_and_bit_depth(default_model: VideoModel, size: tuple[int, int], bit_depth: int) -> None:
    generator = np.random.default_rng(7)
    height, width = size
    half = ((height + 1) // 2, (width + 1) // 2)
    kind = np.uint8 if bit_depth == 8 else np.uint16
    pictures: list[Planes] = [
        tuple(generator.integers(0, 1 << bit_depth, shape).astype(kind) for shape in (size, half, half))
        for _ in range(2)
    ]
    coded = encode(default_model, pictures, 30.0, bit_depth)
    decoded = decode(default_model, coded, bit_depth)
    assert all(same(a, b.planes) for a, b in zip(decoded, coded, strict=True))
    assert [plane.shape for plane in decoded[0]] == [size, half, half]
    assert decoded[0][0].dtype == kind


def test_extreme_pictures_survive(default_model: VideoModel) -> None:
    flat = np.zeros((64, 64), np.uint8), np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8)
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8), flat[2], flat[1]
    coded = encode(default_model, [flat, checks, flat], 63.0)
    assert all(same(a, b.planes) for a, b in zip(decode(default_model, coded), coded, strict=True))


def test_groups_of_pictures_are_independent(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    first, second = clips["bikes"][:2], clips["bikes"][2:]
    encoder = FrameEncoder(default_model, width=192, height=144)
    joined = [encoder.encode(planes, key=number % 2 == 0, quality=30) for number, planes in enumerate(first + second)]
    apart = encode(default_model, first, 30) + encode(default_model, second, 30)
    assert [frame.payload for frame in joined] == [frame.payload for frame in apart]


def test_quality_may_change_from_picture_to_picture(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    encoder = FrameEncoder(default_model, width=192, height=144)
    decoder = FrameDecoder(default_model, width=192, height=144)
    for planes, quality in zip(clips["bikes"], (10.0, 63.0, 0.0, 33.3), strict=True):
        coded = encoder.encode(planes, key=False, quality=quality)
        assert same(decoder.decode(coded.payload, key=coded.key), coded.planes)


def test_damaged_payloads_raise_data_errors_or_decode_to_something(
    default_model: VideoModel, clips: dict[str, list[Planes]]
) -> None:
    intra, inter = encode(default_model, clips["carphone"][:2], 30.0)
    generator = np.random.default_rng(0)
    for _ in range(12):
        damaged = bytearray(inter.payload)
        damaged[generator.integers(len(damaged))] ^= 1 << int(generator.integers(8))
        decoder = FrameDecoder(default_model, width=176, height=144)
        decoder.decode(intra.payload, key=True)
        try:
            decoder.decode(bytes(damaged), key=False)
        except DataError:
            with pytest.raises(DataError, match="key frame"):
                decoder.decode(inter.payload, key=False)


def test_misuse_is_refused(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    with pytest.raises(DataError, match="key frame"):
        FrameDecoder(default_model, width=16, height=16).decode(b"", key=False)
    with pytest.raises(UsageError, match="quality 64"):
        FrameEncoder(default_model, width=192, height=144).encode(clips["bikes"][0], key=True, quality=64)
    with pytest.raises(UsageError, match="do not make a 64x64"):
        FrameEncoder(default_model, width=64, height=64).encode(clips["bikes"][0], key=True, quality=4)
    with pytest.raises(UsageError, match="unknown"):
        load_model("h264")


def test_weights_that_do_not_fit_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    shipped = (WEIGHTS_FOLDER / "default.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(shipped[: len(shipped) // 2])
    (tmp_path / "text.safetensors").write_text("not weights")
    for name in ("cut.safetensors", "text.safetensors", "missing.safetensors"):
        with pytest.raises(DataError, match=name):
            load_model(weights=tmp_path / name)


def test_model_is_within_its_budget(default_model: VideoModel) -> None:
    assert isinstance(default_model, ScaleFlowCodec)
    assert sum(parameter.numel() for parameter in default_model.network.parameters()) < 12e6
    assert (WEIGHTS_FOLDER / "default.safetensors").stat().st_size < 25e6


def test_coding_does_not_import_what_only_training_needs() -> None:
    """CompressAI and what it pulls in take longer to import than all the rest."""
    loading = "import sys; from scaleflow.codec.models.registry import load_model; load_model()"
    program = f"{loading}; print('compressai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_network_is_completed_on_demand() -> None:
    codec = load_model()
    assert isinstance(codec, ScaleFlowCodec)
    bare = set(codec.network.state_dict())
    codec.complete_network()
    complete = set(codec.network.state_dict())
    added = {key.split(".")[2] for key in complete - bare}
    assert added == {"bottleneck", "conditional"}
    codec.complete_network()
    assert set(codec.network.state_dict()) == complete
    assert {key for key in codec.frozen_tensors() if "bottleneck" in key}
