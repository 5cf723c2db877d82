"""The recurrent model as a codec: what the encoder saw is decoded, at any size, within the budget of the decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.picture_order import LatentRefinement, PictureOrder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError
from tests.codec.models.conftest import packaged_clip, read_planes


@pytest.fixture(scope="module")
def codec() -> RecurrentCodec:
    """Untrained, but not without effect: every layer that starts at zero is given small weights."""
    torch.manual_seed(0)
    codec = RecurrentCodec()
    with torch.no_grad():
        for parameter in codec.network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.01)
    codec.freeze()
    return codec


def coded(codec: RecurrentCodec, pictures: list[Planes], quality: float, depth: int = 8) -> list[CodedFrame]:
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(codec, width=width, height=height, bit_depth=depth)
    return [encoder.encode(planes, key=False, quality=quality) for planes in pictures]


def decoded(codec: RecurrentCodec, frames: list[CodedFrame], depth: int = 8) -> list[Planes]:
    height, width = frames[0].planes[0].shape
    decoder = FrameDecoder(codec, width=width, height=height, bit_depth=depth)
    return [decoder.decode(frame.payload, key=frame.key) for frame in frames]


def same(first: Planes, second: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_real_clip_is_decoded_as_the_encoder_saw_it(codec: RecurrentCodec) -> None:
    pictures = read_planes(packaged_clip("bikes.mp4"), 4, (144, 208))
    for quality in (5.0, 45.0):
        frames = coded(codec, pictures, quality)
        assert [frame.key for frame in frames] == [True, False, False, False]
        assert all(same(a, b.planes) for a, b in zip(decoded(codec, frames), frames, strict=True))
        for frame in frames:
            ideal = sum(frame.estimated_bits.values()) / 8
            assert len(frame.payload) < 1.006 * ideal + 6  # escapes of untrained scales cost less than is estimated


@pytest.mark.parametrize("size", [(1, 1), (17, 5), (77, 101), (50, 66)])
@pytest.mark.parametrize("depth", [8, 10])
def test_any_size_and_bit_depth(codec: RecurrentCodec, size: tuple[int, int], depth: int) -> None:
    generator = np.random.default_rng(7)
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    kind = np.uint8 if depth == 8 else np.uint16
    pictures: list[Planes] = [
        tuple(generator.integers(0, 1 << depth, shape).astype(kind) for shape in (size, half, half)) for _ in range(3)
    ]
    frames = coded(codec, pictures, 30.0, depth)
    assert all(same(a, b.planes) for a, b in zip(decoded(codec, frames, depth), frames, strict=True))


def test_threads_and_memory_format_change_no_symbol(codec: RecurrentCodec) -> None:
    pictures = read_planes(packaged_clip("bikes.mp4"), 3, (80, 112))
    frames = coded(codec, pictures, 40.0)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        codec.to(memory_format=torch.channels_last)
        others = decoded(codec, frames)
    finally:
        torch.set_num_threads(threads)
        codec.to(memory_format=torch.contiguous_format)
    for ours, theirs in zip(frames, others, strict=True):
        for one, other in zip(ours.planes, theirs, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 2


def test_a_still_picture_costs_next_to_nothing() -> None:
    """Where the network has learned to add nothing, motion and residual are absent."""
    torch.manual_seed(0)
    codec = RecurrentCodec()
    codec.freeze()
    pictures = read_planes(packaged_clip("bikes.mp4"), 1, (144, 208))
    first = coded(codec, pictures, 20.0)[0]
    frames = coded(codec, [pictures[0], *[first.planes] * 3], 20.0)
    assert all(len(frame.payload) <= 20 for frame in frames[1:])
    assert all(same(a, b.planes) for a, b in zip(decoded(codec, frames), frames, strict=True))


def test_cost_of_decoding_is_within_the_budget(codec: RecurrentCodec) -> None:
    pictures = read_planes(packaged_clip("bikes.mp4"), 2, (256, 256))
    encoder, decoder = (kind(codec, width=256, height=256) for kind in (FrameEncoder, FrameDecoder))
    for most_decoding, most_encoding, planes in ((20, 45, pictures[0]), (25, 45, pictures[1])):
        with FlopCounterMode(display=False) as counter:
            frame = encoder.encode(planes, key=False, quality=40.0)
        assert counter.get_total_flops() / 2 / 256**2 < most_encoding * 1000
        with FlopCounterMode(display=False) as counter:
            decoder.decode(frame.payload, key=frame.key)
        assert counter.get_total_flops() / 2 / 256**2 < most_decoding * 1000
    assert sum(parameter.numel() for parameter in codec.network.parameters()) < 12e6


def test_damage_is_named(codec: RecurrentCodec) -> None:
    frames = coded(codec, read_planes(packaged_clip("bikes.mp4"), 1, (64, 64)), 40.0)
    decoder = FrameDecoder(codec, width=64, height=64)
    generator = np.random.default_rng(0)
    for _ in range(10):
        payload = generator.integers(0, 256, len(frames[0].payload)).astype(np.uint8).tobytes()
        try:
            decoder.decode(payload, key=True)
        except DataError as error:
            assert "damaged" in str(error)


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="memory"):
        RecurrentConfig(memory=4)
    with pytest.raises(ValueError, match="multiple of 3"):
        RecurrentConfig(context=100)


def test_what_it_cannot_do_is_refused(codec: RecurrentCodec) -> None:
    planes = read_planes(packaged_clip("bikes.mp4"), 1, (64, 64))[0]
    with pytest.raises(UsageError, match="refines no latents"):
        order = PictureOrder(30.0, refinement=LatentRefinement(2))
        codec.encode_picture(planes, PictureGeometry(64, 64), None, order)
