"""The perceptual decoder beside the codec: what it shows, and what it leaves alone."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from scaleflow.adversarial.moved_detail import move_detail
from scaleflow.adversarial.perceptual_codec import PerceptualCodec, decoder_of, with_perceptual_decoder
from scaleflow.adversarial.perceptual_weights import load_second_synthesis, serialized_second_synthesis
from scaleflow.adversarial.second_synthesis import LUMA_CHANNELS, SecondSynthesis
from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.presence import positions_of
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.scaleflow_picture import CELL, ScaleFlowReference
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from tests.adversarial.changed_decoder import changed_synthesis
from tests.adversarial.test_discriminators import counted_macs

PICTURES = 3


@pytest.fixture(scope="module")
def codec() -> ScaleFlowCodec:
    torch.set_num_threads(1)
    model = load_model()
    assert isinstance(model, ScaleFlowCodec)
    return model


@pytest.fixture(scope="module")
def synthesis(codec: ScaleFlowCodec) -> SecondSynthesis:
    return changed_synthesis(codec)


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


def test_a_new_synthesis_shows_what_the_codec_decodes(codec: ScaleFlowCodec, coded: list[CodedFrame]) -> None:
    """But for the luma of cells whose residual the encoder left out, which the codec's synthesis adds nothing to."""
    pictures = shown(PerceptualCodec(codec, SecondSynthesis(codec)), coded)
    assert same(pictures[0], coded[0].planes)
    height, width = coded[0].planes[0].shape
    reference = None
    for ours, frame in zip(pictures, coded, strict=True):
        reference = codec.decode_picture(frame.payload, PictureGeometry(width, height), reference)
        assert isinstance(reference, ScaleFlowReference)
        present = reference.said_present[1]
        cells = np.ones(reference.size, bool) if present is None else positions_of(present, reference.size)
        mended = np.kron(cells, np.ones((CELL, CELL), bool))[:height, :width]
        assert mended.any() and np.array_equal(ours[0][mended], frame.planes[0][mended])
        assert all(np.array_equal(one, other) for one, other in zip(ours[1:], frame.planes[1:], strict=True))


def test_what_is_predicted_from_does_not_change(
    codec: ScaleFlowCodec, synthesis: SecondSynthesis, coded: list[CodedFrame]
) -> None:
    """At no strength is what is shown what is predicted from: with 0, later pictures are exactly the encoder's."""
    pictures = shown(PerceptualCodec(codec, synthesis), coded)
    assert all(not same(ours, frame.planes) for ours, frame in zip(pictures, coded, strict=True))
    plain = shown(PerceptualCodec(codec, synthesis, 0.0), coded)
    assert all(same(ours, frame.planes) for ours, frame in zip(plain, coded, strict=True))


def test_strength_lies_between(codec: ScaleFlowCodec, synthesis: SecondSynthesis, coded: list[CodedFrame]) -> None:
    full, half = (shown(PerceptualCodec(codec, synthesis, strength), coded) for strength in (1.0, 0.5))
    for number, frame in enumerate(coded):
        whole = full[number][0].astype(int) - frame.planes[0]
        part = half[number][0].astype(int) - frame.planes[0]
        inside = (full[number][0] > 0) & (full[number][0] < 255)
        assert np.abs(2 * part - whole)[inside].max() <= 2  # rounding of both
        assert np.abs(whole).max() > 3


def test_detail_depends_on_what_was_added_before(
    codec: ScaleFlowCodec, synthesis: SecondSynthesis, coded: list[CodedFrame]
) -> None:
    blind = copy.deepcopy(synthesis)
    with torch.no_grad():
        blind.inter.get_parameter("finish_first.weight")[:, -LUMA_CHANNELS:] = 0
    forgetting, seeing = (shown(PerceptualCodec(codec, one), coded) for one in (blind, synthesis))
    assert same(forgetting[0], seeing[0]) and not same(forgetting[1], seeing[1])
    height, width = coded[0].planes[0].shape
    decoder = FrameDecoder(PerceptualCodec(codec, synthesis), width=width, height=height)
    for frame in coded:
        decoder.decode(frame.payload, key=frame.key)
    assert same(decoder.decode(coded[0].payload, key=True), seeing[0])  # nothing is seen in key pictures


def test_encoding_is_the_codec_s(codec: ScaleFlowCodec, synthesis: SecondSynthesis, coded: list[CodedFrame]) -> None:
    height, width = coded[0].planes[0].shape
    encoders = [FrameEncoder(model, width=width, height=height) for model in (codec, PerceptualCodec(codec, synthesis))]
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


def test_cost_is_what_its_docstring_says(codec: ScaleFlowCodec) -> None:
    synthesis = SecondSynthesis(codec)
    picture, latents, quality = torch.zeros(1, 6, 32, 32), torch.zeros(1, 256, 4, 4), torch.tensor([20.0])
    beside = torch.zeros(1, 32, 4, 4), picture
    parts = DecodedParts(picture, latents, torch.zeros(1, 2, 16, 16), quality, beside)
    with torch.no_grad():
        macs = counted_macs(synthesis, lambda: synthesis(parts, picture))
    stated, weights = re.findall(r"(\d+\.\d) (?:thousand|million)", re.sub(r"\s+", " ", SecondSynthesis.__doc__ or ""))
    assert macs / 64**2 / 1000 == pytest.approx(float(stated), abs=0.05)
    assert macs / 64**2 < 15_000
    assert sum(value.numel() for value in synthesis.parameters()) / 1e6 == pytest.approx(float(weights), abs=0.05)
    assert len(serialized_second_synthesis(synthesis, "abc")) < 8e6


def test_weights_files_come_back(codec: ScaleFlowCodec, synthesis: SecondSynthesis, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(serialized_second_synthesis(synthesis, codec.weights_hash, ("lpips: 3 steps",)))
    loaded = load_second_synthesis(path, codec)
    for name, value in synthesis.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float())


def altered(codec: ScaleFlowCodec, synthesis: SecondSynthesis, /, **changes: object) -> bytes:
    """A weights file with other tensors (``tensors``, by name, None to leave it out) or other metadata."""
    tensors = {name: value.half().contiguous() for name, value in synthesis.state_dict().items()}
    given = changes.pop("tensors", {})
    assert isinstance(given, dict)
    tensors = {name: value for name, value in (tensors | given).items() if value is not None}
    metadata = {"format": "scaleflow-perceptual-2", "codec": codec.weights_hash}
    return save(tensors, {key: str(value) for key, value in (metadata | changes).items() if value is not None})


BIAS = "inter.finish_last.bias"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "scaleflow-1"}, "holds 'scaleflow-1', no perceptual decoder"),
        ({"format": None}, "holds '', no perceptual decoder"),
        ({"format": "scaleflow-perceptual-1"}, "holds 'scaleflow-perceptual-1', no perceptual decoder"),
        ({"codec": None}, "does not name the codec's weights that it belongs to"),
        ({"codec": "two\nlines"}, r"codec is 'two\\nlines'"),
        ({"codec": "another"}, "belongs to weights another of a codec, and [0-9a-f]+ decode here: name the file"),
        ({"tensors": {BIAS: None}}, f"do not fit: {BIAS} is missing"),
        ({"tensors": {BIAS: torch.zeros(3)}}, rf"do not fit: {BIAS} is \(3,\) of torch.float32, not \(6,\) of floats"),
        ({"tensors": {BIAS: torch.zeros(6, dtype=torch.int32)}}, f"{BIAS} is .* of torch.int32"),
        ({"tensors": {BIAS: torch.full((6,), float("nan"))}}, f"{BIAS} holds values that are no finite"),
        ({"tensors": {BIAS: torch.full((6,), float("inf"))}}, f"{BIAS} holds values that are no finite"),
        ({"tensors": {"more": torch.zeros(1)}}, "do not fit: 'more' is unknown"),
    ],
)
def test_altered_files_are_refused(
    codec: ScaleFlowCodec, synthesis: SecondSynthesis, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(altered(codec, synthesis))
    assert with_perceptual_decoder(codec, path).strength == 1.0
    path.write_bytes(altered(codec, synthesis, **changes))
    with pytest.raises(DataError, match=words) as caught:
        load_second_synthesis(path, codec)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("kept", [0, 5, 200, 50_000])
def test_what_is_no_weights_file_is_refused(
    codec: ScaleFlowCodec, synthesis: SecondSynthesis, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(DataError, match="no such file of a perceptual decoder"):
        load_second_synthesis(path, codec)
    with pytest.raises(DataError, match="is no safetensors file"):
        load_second_synthesis(tmp_path, codec)
    data = altered(codec, synthesis)
    assert len(data) > kept
    path.write_bytes(data[:kept])
    with pytest.raises(DataError, match="is no safetensors file"):
        load_second_synthesis(path, codec)
    path.write_bytes((2**62).to_bytes(8, "little") + data[8:])
    with pytest.raises(DataError, match="is no safetensors file"):
        load_second_synthesis(path, codec)


def test_requests_are_checked(codec: ScaleFlowCodec, synthesis: SecondSynthesis) -> None:
    with pytest.raises(UsageError, match=r"perception 1\.5 is outside"):
        PerceptualCodec(codec, synthesis, 1.5)
    with pytest.raises(UsageError, match="perception nan"):
        decoder_of("perceptual", float("nan"))
    with pytest.raises(UsageError, match="decoder 'sharp' is unknown"):
        decoder_of("sharp")
    with pytest.raises(UsageError, match="perception is of decoder 'perceptual'"):
        decoder_of("fidelity", 0.5)
    with pytest.raises(UsageError, match="decoder_weights is of decoder"):
        decoder_of("fidelity", weights="x.safetensors")
    assert decoder_of("fidelity")(codec) is codec
