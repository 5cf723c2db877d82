"""The perceptual decoder beside the codec: what it shows, and what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from scaleflow.adversarial.perceptual_network import (
    PerceptualConfig,
    PerceptualNetwork,
    move_detail,
    small_perceptual,
    tiny_perceptual,
)

from scaleflow.adversarial.perceptual_codec import PerceptualCodec, decoder_of, with_perceptual_decoder
from scaleflow.adversarial.perceptual_weights import load_perceptual_network, serialized_perceptual_weights
from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.transforms import PICTURE_CHANNELS
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from tests.adversarial.test_discriminators import counted_macs

PICTURES = 3


@pytest.fixture(scope="module")
def codec() -> ScaleFlowCodec:
    torch.set_num_threads(1)
    model = load_model()
    assert isinstance(model, ScaleFlowCodec)
    return model


@pytest.fixture(scope="module")
def network() -> PerceptualNetwork:
    """Random weights that change a picture visibly."""
    torch.manual_seed(0)
    network = PerceptualNetwork(tiny_perceptual())
    with torch.no_grad():
        network.last.weight.normal_(0, 0.05)
    return network


@pytest.fixture(scope="module")
def coded(codec: ScaleFlowCodec, carphone: Path) -> list[CodedFrame]:
    with open_video(carphone) as reader:
        pictures = [picture.planes for _, picture in zip(range(PICTURES), reader, strict=False)]
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(codec, width=width, height=height)
    return [encoder.encode(planes, key=number == 0, quality=15.0) for number, planes in enumerate(pictures)]


def shown(model: object, coded: list[CodedFrame]) -> list[Planes]:
    height, width = coded[0].planes[0].shape
    decoder = FrameDecoder(model, width=width, height=height)  # type: ignore[arg-type]
    return [decoder.decode(frame.payload, key=frame.key) for frame in coded]


def same(one: Planes, other: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_new_network_adds_nothing(codec: ScaleFlowCodec, coded: list[CodedFrame]) -> None:
    pictures = shown(PerceptualCodec(codec, PerceptualNetwork(tiny_perceptual())), coded)
    assert all(same(ours, frame.planes) for ours, frame in zip(pictures, coded, strict=True))


def test_what_is_predicted_from_does_not_change(
    codec: ScaleFlowCodec, network: PerceptualNetwork, coded: list[CodedFrame]
) -> None:
    """At no strength is what is shown what is predicted from: with 0, later pictures are exactly the encoder's."""
    pictures = shown(PerceptualCodec(codec, network), coded)
    assert all(not same(ours, frame.planes) for ours, frame in zip(pictures, coded, strict=True))
    plain = shown(PerceptualCodec(codec, network, 0.0), coded)
    assert all(same(ours, frame.planes) for ours, frame in zip(plain, coded, strict=True))


def test_strength_lies_between(codec: ScaleFlowCodec, network: PerceptualNetwork, coded: list[CodedFrame]) -> None:
    full, half = (shown(PerceptualCodec(codec, network, strength), coded) for strength in (1.0, 0.5))
    for number, frame in enumerate(coded):
        whole = full[number][0].astype(int) - frame.planes[0]
        part = half[number][0].astype(int) - frame.planes[0]
        inside = (full[number][0] > 0) & (full[number][0] < 255)
        assert np.abs(2 * part - whole)[inside].max() <= 2  # rounding of both
        assert np.abs(whole).max() > 3


def test_detail_depends_on_what_was_added_before(
    codec: ScaleFlowCodec, network: PerceptualNetwork, coded: list[CodedFrame]
) -> None:
    model = PerceptualCodec(codec, network)
    height, width = coded[0].planes[0].shape
    first = FrameDecoder(model, width=width, height=height)
    for frame in coded[:2]:
        first.decode(frame.payload, key=frame.key)
    key_again = FrameDecoder(model, width=width, height=height)
    assert same(key_again.decode(coded[0].payload, key=True), shown(model, coded)[0])
    moved = PerceptualNetwork(network.config)
    moved.load_state_dict(network.state_dict())
    with torch.no_grad():
        moved.stem.weight[:, 4 * PICTURE_CHANNELS :] = 0  # blind for the past
    blind = shown(PerceptualCodec(codec, moved), coded)
    seeing = shown(model, coded)
    assert same(blind[0], seeing[0]) and not same(blind[1], seeing[1])


def test_encoding_is_the_codec_s(codec: ScaleFlowCodec, network: PerceptualNetwork, coded: list[CodedFrame]) -> None:
    height, width = coded[0].planes[0].shape
    encoders = [FrameEncoder(model, width=width, height=height) for model in (codec, PerceptualCodec(codec, network))]
    for number, frame in enumerate(coded):
        payloads = {e.encode(frame.planes, key=number == 0, quality=20.0).payload for e in encoders}
        assert len(payloads) == 1


def test_detail_moves_with_the_flow() -> None:
    torch.manual_seed(0)
    detail = torch.randn(1, 6, 16, 16)
    flow = torch.zeros(1, 2, 8, 8)
    assert torch.allclose(move_detail(detail, flow), detail, atol=1e-5)
    flow[:, 1] = 2.0  # from two samples of luma below: one packed sample
    assert torch.allclose(move_detail(detail, flow)[:, :, 2:-2], detail[:, :, 3:-1], atol=1e-4)
    assert not move_detail(detail, None).any()


def test_cost_is_what_the_configuration_says() -> None:
    for config in (small_perceptual(), tiny_perceptual()):
        network = PerceptualNetwork(config)
        parts = DecodedParts(
            torch.zeros(1, 6, 32, 32), torch.zeros(1, 256, 4, 4), torch.zeros(1, 2, 16, 16), torch.tensor([20.0])
        )
        with torch.no_grad():
            macs = counted_macs(network, lambda n=network, p=parts: n(p, p.picture))  # type: ignore[misc]
        assert macs / 64**2 / 1000 == pytest.approx(config.kilo_macs_per_pixel, rel=1e-6)
    assert small_perceptual().kilo_macs_per_pixel < 15


def test_weights_files_come_back(network: PerceptualNetwork, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(serialized_perceptual_weights(network, "abc", ("lpips: 3 steps",)))
    loaded, belongs_to = load_perceptual_network(path)
    assert belongs_to == "abc" and loaded.config == network.config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float())
    assert len(serialized_perceptual_weights(PerceptualNetwork(small_perceptual()), "abc")) < 8e6


def altered(network: PerceptualNetwork, **changes: object) -> bytes:
    """A weights file with other tensors (``tensors``, by name, None to leave it out) or other metadata."""
    tensors = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    given = changes.pop("tensors", {})
    assert isinstance(given, dict)
    tensors = {name: value for name, value in (tensors | given).items() if value is not None}
    metadata = {"format": "scaleflow-perceptual-1", "codec": "abc", "sizes": json.dumps(asdict(network.config))}
    return save(tensors, {key: str(value) for key, value in (metadata | changes).items() if value is not None})


def sizes(**changes: object) -> str:
    return json.dumps(asdict(tiny_perceptual()) | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "scaleflow-1"}, "holds 'scaleflow-1', no perceptual decoder"),
        ({"format": None}, "holds '', no perceptual decoder"),
        ({"codec": None}, "does not name the codec's weights that it belongs to"),
        ({"codec": "two\nlines"}, r"codec is 'two\\nlines'"),
        ({"sizes": "{"}, "names no sizes of a perceptual decoder"),
        ({"sizes": "[" * 100_000}, "names no sizes of a perceptual decoder"),
        ({"sizes": "[1]"}, "sizes: expected an object"),
        ({"sizes": sizes(quarter=10**9)}, "quarter = 1000000000 of a perceptual decoder is outside"),
        ({"sizes": sizes(quarter="16")}, "sizes.quarter: expected a number"),
        ({"sizes": sizes(blocks=1.5)}, "sizes.blocks: expected a whole number"),
        ({"sizes": sizes(colour=3)}, "'colour' is not known"),
        ({"sizes": sizes(eighth=512, sixteenth=512, blocks=16)}, "do not fit: down.0.weight is"),
        ({"tensors": {"last.weight": None}}, "do not fit: last.weight is missing"),
        ({"tensors": {"last.weight": torch.zeros(3)}}, r"do not fit: last.weight is \(3,\) of torch.float32, not"),
        ({"tensors": {"last.bias": torch.zeros(4, dtype=torch.int32)}}, "last.bias is .* of torch.int32"),
        ({"tensors": {"last.bias": torch.full((4,), float("nan"))}}, "last.bias holds values that are no finite"),
        ({"tensors": {"last.bias": torch.full((4,), float("inf"))}}, "last.bias holds values that are no finite"),
        ({"tensors": {"more": torch.zeros(1)}}, "do not fit: 'more' is unknown"),
    ],
)
def test_altered_files_are_refused(
    network: PerceptualNetwork, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(altered(network))
    assert load_perceptual_network(path)[1] == "abc"
    path.write_bytes(altered(network, **changes))
    with pytest.raises(DataError, match=words) as caught:
        load_perceptual_network(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("kept", [0, 5, 200, 50_000])
def test_what_is_no_weights_file_is_refused(network: PerceptualNetwork, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(DataError, match="no such file of a perceptual decoder"):
        load_perceptual_network(path)
    with pytest.raises(DataError, match="is no safetensors file"):
        load_perceptual_network(tmp_path)
    data = altered(network)
    assert len(data) > kept
    path.write_bytes(data[:kept])
    with pytest.raises(DataError, match="is no safetensors file"):
        load_perceptual_network(path)
    path.write_bytes((2**62).to_bytes(8, "little") + data[8:])
    with pytest.raises(DataError, match="is no safetensors file"):
        load_perceptual_network(path)


def test_a_decoder_of_another_codec_is_refused(
    codec: ScaleFlowCodec, network: PerceptualNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(serialized_perceptual_weights(network, "another"))
    with pytest.raises(DataError, match=f"belongs to weights another of a codec, and {codec.weights_hash} decode here"):
        with_perceptual_decoder(codec, path)
    narrow = PerceptualNetwork(tiny_perceptual(256, 100))
    path.write_bytes(serialized_perceptual_weights(narrow, codec.weights_hash))
    with pytest.raises(DataError, match=r"takes latents of \(256, 100\) channels, the codec's have \(256, 256\)"):
        with_perceptual_decoder(codec, path)


def test_requests_are_checked(codec: ScaleFlowCodec, network: PerceptualNetwork) -> None:
    with pytest.raises(UsageError, match=r"perception 1\.5 is outside"):
        PerceptualCodec(codec, network, 1.5)
    with pytest.raises(UsageError, match="perception nan"):
        decoder_of("perceptual", float("nan"))
    with pytest.raises(UsageError, match="decoder 'sharp' is unknown"):
        decoder_of("sharp")
    with pytest.raises(UsageError, match="perception is of decoder 'perceptual'"):
        decoder_of("fidelity", 0.5)
    with pytest.raises(UsageError, match="decoder_weights is of decoder"):
        decoder_of("fidelity", weights="x.safetensors")
    assert decoder_of("fidelity")(codec) is codec
    with pytest.raises(UsageError, match="blocks = 99"):
        PerceptualConfig(blocks=99)
