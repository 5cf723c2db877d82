"""CompressAI's ``ssf2020`` as a codec: same network, same pictures, exact entropy parameters, clear errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from compressai.models.video import ScaleSpaceFlow
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.ssf2020 import cached_checkpoint, is_ssf2020_name, load_network
from scaleflow.codec.models.ssf2020_codec import FrozenSsfHyperprior, Ssf2020Codec, load_ssf2020
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.entropy.fixed_point import ONE, scale_index_from_sigma
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError, UsageError
from tests.places import SHARED

CLIP = SHARED / "data" / "eval" / "park_joy_480x270.y4m"
WIDTH, HEIGHT = 101, 77

TARGETS = {
    "img_encoder.6": 3.0,
    "res_encoder.6": 3.0,
    "motion_encoder.6": 2.0,
    "hyper_encoder.4": 2.0,
    "hyper_decoder_mean.4": 0.7,
    "hyper_decoder_scale.deconv3": 0.7,
    "img_decoder.6": 0.2,
    "res_decoder.6": 0.05,
    "motion_decoder.6": 0.03,
}
"""Standard deviations of layers' outputs, by the end of their names, that make random weights behave like a codec."""

BIASES = {"hyper_decoder_scale.deconv3": 2.5, "img_decoder.6": 0.5}


def _moving_pictures(count: int, width: int, height: int) -> list[Planes]:
    """A smooth random texture that moves by two samples a picture."""
    generator = np.random.default_rng(7)
    coarse = torch.from_numpy(generator.uniform(0, 255, (1, 3, 16, 20)).astype(np.float32))
    texture = nn.functional.interpolate(coarse, size=(160, 200), mode="bicubic").clamp(0, 255)[0].numpy()
    texture = (texture + generator.normal(0, 3, texture.shape)).clip(0, 255).round().astype(np.uint8)
    return [tuple(plane[:height, 2 * i : 2 * i + width] for plane in texture) for i in range(count)]


def _tensors(pictures: list[Planes]) -> list[Tensor]:
    return [torch.from_numpy(np.stack(planes).astype(np.float32))[None] / 255 for planes in pictures]


@pytest.fixture(scope="module")
def reference_network() -> ScaleSpaceFlow:
    """CompressAI's class with seeded weights whose layers are scaled, one after the other, on a real pass."""
    torch.manual_seed(3)
    network = ScaleSpaceFlow().eval().requires_grad_(False)
    for module in network.modules():
        if hasattr(module, "quantiles"):
            module.quantiles[:, 0, 1].uniform_(-1.5, 1.5)
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            handles.append(module.register_forward_hook(_scaling(name)))
    network(_tensors(_moving_pictures(2, 128, 128)))
    for handle in handles:
        handle.remove()
    return network


def _scaling(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
    target = next((value for end, value in TARGETS.items() if name.endswith(end)), 1.0)
    shift = next((value for end, value in BIASES.items() if name.endswith(end)), 0.0)
    seen = []

    def scale(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if seen:
            return None
        seen.append(name)
        factor = target / float(output.std())
        module.weight.mul_(factor)
        module.bias.mul_(factor).add_(shift)
        return output * factor + shift

    return scale


@pytest.fixture(scope="module")
def checkpoint(reference_network: ScaleSpaceFlow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "ssf.pth.tar"
    torch.save(reference_network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def codec(checkpoint: Path) -> Ssf2020Codec:
    return load_ssf2020(f"ssf2020:{checkpoint}")


def test_network_is_that_of_compressai(reference_network: ScaleSpaceFlow, codec: Ssf2020Codec) -> None:
    theirs, ours = reference_network.state_dict(), codec.network.state_dict()
    assert list(ours) == list(theirs)
    frames = _tensors(_moving_pictures(3, 128, 128))
    with torch.no_grad():
        expected, found = reference_network(frames), codec.network(frames)
    for one, other in zip(expected["x_hat"], found["x_hat"], strict=True):
        assert torch.allclose(one, other, atol=1e-6, rtol=0)
        assert float(one.std()) > 0.05
    for one, other in zip(expected["likelihoods"], found["likelihoods"], strict=True):
        assert one.keys() == other.keys()
        for kind in one:
            for part in ("y", "z"):
                assert torch.allclose(one[kind][part], other[kind][part], atol=1e-6, rtol=0)


def test_coded_pictures_are_those_of_compressai(reference_network: ScaleSpaceFlow, codec: Ssf2020Codec) -> None:
    """The path through the coder gives what CompressAI's ``forward`` gives, but for rounding."""
    pictures = _moving_pictures(2, 128, 128)
    encoder = FrameEncoder(codec, width=128, height=128)
    intra = np.stack(encoder.encode(pictures[0], key=True, quality=0).planes)
    inter = np.stack(encoder.encode(pictures[1], key=False, quality=0).planes)
    first, second = _tensors(pictures)
    with torch.no_grad():
        expected, _ = reference_network.forward_keyframe(first)
        _assert_close(intra, expected)
        reference = torch.from_numpy(intra.astype(np.float32))[None] / 255
        expected, _ = reference_network.forward_inter(second, reference)
        _assert_close(inter, expected)


def _assert_close(planes: NDArray[np.uint8], expected: Tensor) -> None:
    codes = (expected[0].clamp(0, 1) * 255).numpy()
    difference = np.abs(planes - codes)
    # rounding alone makes 1/4; the rest comes from the latents that fixed-point means move by one
    assert difference.mean() < 0.5
    assert np.quantile(difference, 0.99) < 3
    assert codes.std() > 2


def test_latents_are_those_of_compressai(reference_network: ScaleSpaceFlow) -> None:
    """Fixed-point means differ by thousandths, so that of thousands of latents a few are rounded the other way."""
    source = reference_network.img_hyperprior
    with torch.no_grad():
        latents = reference_network.img_encoder(_tensors(_moving_pictures(1, 128, 128))[0])
        expected, _ = source(latents)
        found, *_ = _prior(source).encode(latents, SymbolEncoder())
    difference = (found - expected).abs()
    moved = difference > 0.5
    assert float(difference[~moved].max()) < 0.01
    assert float(moved.float().mean()) < 0.002


@pytest.mark.parametrize("source", ["synthetic", "park_joy"])
def test_decoder_has_what_the_encoder_has(codec: Ssf2020Codec, source: str) -> None:
    pictures = _moving_pictures(4, WIDTH, HEIGHT) if source == "synthetic" else _real_pictures(4)
    encoder = FrameEncoder(codec, width=WIDTH, height=HEIGHT)
    decoder = FrameDecoder(codec, width=WIDTH, height=HEIGHT)
    for number, planes in enumerate(pictures):
        coded = encoder.encode(planes, key=number == 3, quality=40)
        assert coded.key == (number in (0, 3))
        ideal = sum(coded.estimated_bits.values())
        assert ideal > 5000  # latents are not all zero
        assert 8 * len(coded.payload) == pytest.approx(ideal, rel=0.01)
        decoded = decoder.decode(coded.payload, key=coded.key)
        for ours, theirs in zip(decoded, coded.planes, strict=True):
            assert ours.shape == (HEIGHT, WIDTH)
            assert ours.dtype == np.uint8
            assert np.array_equal(ours, theirs)


def _real_pictures(count: int) -> list[Planes]:
    if not CLIP.exists():
        pytest.skip(f"{CLIP.name} is not in ../shared/data/eval")
    with open_video(CLIP, working_format="rgb") as reader:
        return [tuple(plane[60 : 60 + HEIGHT, 150 : 150 + WIDTH] for plane in p.planes) for p in islice(reader, count)]


@pytest.mark.parametrize("kind", ["img", "motion", "res"])
@pytest.mark.parametrize("level", [0.2, 1.0, 6.0], ids=["low rate", "middle rate", "high rate"])
def test_integers_cost_little(reference_network: ScaleSpaceFlow, kind: str, level: float) -> None:
    """Latents drawn from the float model cost nearly the same under fixed-point means and scales on the grid."""
    source = getattr(reference_network, f"{kind}_hyperprior")
    last = source.hyper_decoder_scale.deconv3
    saved = last.weight.clone(), last.bias.clone()
    last.weight.mul_(level / 2.5)
    last.bias.mul_(level / 2.5)
    try:
        prior = _prior(source)
        generator = torch.Generator().manual_seed(1)
        hyper = (2 * torch.randn(1, 192, 2, 2, generator=generator)).round()
        decoded = hyper + source.entropy_bottleneck.quantiles[:, 0, 1].view(1, -1, 1, 1)
        with torch.no_grad():
            means, scales = source.hyper_decoder_mean(decoded), source.hyper_decoder_scale(decoded)
            latents = means + scales.clamp_min(0.11) * torch.randn(means.shape, generator=generator)
            _, likelihoods = source.gaussian_conditional(latents, scales, means, training=False)
        float_bits = float(-likelihoods.double().log2().sum())
        fixed_means, indices = prior.entropy_parameters(hyper.double())
        symbols = (latents.double() - fixed_means / ONE).round().to(torch.int32).numpy()
        bits = prior.gaussian.bits(symbols, indices)
    finally:
        last.weight.copy_(saved[0])
        last.bias.copy_(saved[1])
    assert float_bits > 1000
    assert abs(bits / float_bits - 1) < 0.005, f"{bits:.0f} bits against {float_bits:.0f}"


def _prior(source: nn.Module) -> FrozenSsfHyperprior:
    return FrozenSsfHyperprior(source, ScaleGrid(), gaussian_tables(ScaleGrid()))


def test_scale_indices_are_the_nearest_on_the_grid() -> None:
    grid = ScaleGrid()
    fixed = torch.cat((torch.arange(0, 4096), torch.arange(4096, 1 << 21, 977))).double()
    indices = scale_index_from_sigma(fixed, grid).numpy()
    scales = np.array([grid.scale(i) for i in range(grid.size)])
    octaves = np.abs(np.log2(fixed.clamp_min(1).numpy() / ONE)[:, None] - np.log2(scales)[None])
    assert np.allclose(octaves[np.arange(len(indices)), indices], octaves.min(1), atol=1e-12)
    assert (indices[0], indices[-1]) == (0, grid.size - 1)


def test_hyper_latents_cost_what_they_cost_in_compressai(reference_network: ScaleSpaceFlow) -> None:
    source = reference_network.img_hyperprior
    prior = _prior(source)
    hyper = 4 * torch.randn(1, 192, 6, 6, generator=torch.Generator().manual_seed(2))
    _, likelihoods = source.entropy_bottleneck(hyper, training=False)
    medians = source.entropy_bottleneck.quantiles[:, 0, 1].view(1, -1, 1, 1)
    symbols = (hyper - medians).round().to(torch.int32).numpy()
    channels = np.broadcast_to(np.arange(192).reshape(1, -1, 1, 1), symbols.shape)
    expected = float(-likelihoods.double().log2().sum())
    assert prior.hyper_tables.bits(symbols, channels) == pytest.approx(expected, rel=0.002)


def test_no_latent_is_clipped(codec: Ssf2020Codec) -> None:
    """Latents far outside every table come back."""
    prior = codec.intra_prior
    latents = torch.zeros(1, 192, 8, 8)
    latents[0, 0, 0, 0], latents[0, 5, 3, 2], latents[0, 191, 7, 7] = 90000.0, -70000.0, 12345.0
    encoder = SymbolEncoder()
    with torch.no_grad():
        values, *_ = prior.encode(latents, encoder)
        decoded = prior.decode((1, 1), SymbolDecoder(encoder.finish()))
    assert torch.equal(decoded, values)
    assert float((decoded - latents).abs().max()) <= 0.51


def test_damage_is_a_data_error_or_another_picture(codec: Ssf2020Codec) -> None:
    geometry = PictureGeometry(WIDTH, HEIGHT)
    pictures = _moving_pictures(2, WIDTH, HEIGHT)
    first = codec.encode_picture(pictures[0], geometry, None, PictureOrder(0))
    second = codec.encode_picture(pictures[1], geometry, first.reference, PictureOrder(0))
    generator = np.random.default_rng(5)
    for coded, reference in ((first, None), (second, first.reference)):
        for _ in range(6):
            damaged = bytearray(coded.payload[: int(generator.integers(0, len(coded.payload)))])
            for _ in range(min(3, len(damaged))):
                damaged[int(generator.integers(0, len(damaged)))] ^= int(generator.integers(1, 256))
            try:
                result = codec.decode_picture(bytes(damaged), geometry, reference)
            except DataError as error:
                assert "damaged" in str(error)
            else:
                assert result.planes()[0].shape == (HEIGHT, WIDTH)


def test_deep_pictures_are_refused(codec: Ssf2020Codec) -> None:
    planes = tuple(np.zeros((32, 32), dtype=np.uint16) for _ in range(3))
    with pytest.raises(UsageError, match="8 bits, not 10"):
        codec.encode_picture(planes, PictureGeometry(32, 32, 10), None, PictureOrder(40))


def test_every_form_of_checkpoint_loads_to_the_same_weights(
    codec: Ssf2020Codec, checkpoint: Path, tmp_path: Path
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    old = {}
    for key, value in state.items():
        for new, before in (("matrices.", "_matrix"), ("biases.", "_bias"), ("factors.", "_factor")):
            key = key.replace(f"entropy_bottleneck.{new}", f"entropy_bottleneck.{before}")
        old[f"module.{key}"] = value
    assert old.keys() != {f"module.{key}" for key in state}
    torch.save({"epoch": 3, "state_dict": old}, tmp_path / "old.pth.tar")
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "new.safetensors")
    coded_by_compressai = load_network(f"ssf2020:{checkpoint}")
    coded_by_compressai.update()
    torch.save(coded_by_compressai.state_dict(), tmp_path / "updated.pth")
    assert len(codec.weights_hash) == 64
    for name in ("old.pth.tar", "new.safetensors", "updated.pth"):
        assert load_ssf2020(f"ssf2020:{tmp_path / name}").weights_hash == codec.weights_hash


def test_other_weights_have_another_hash(codec: Ssf2020Codec, checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["img_decoder.6.bias"][1] += 0.001
    torch.save(state, tmp_path / "other.pth")
    assert load_ssf2020(f"ssf2020:{tmp_path / 'other.pth'}").weights_hash != codec.weights_hash


class _Harmful:
    """A pickle of this would run code when loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return eval, ("1 / 0",)


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "other network", "list", "code", "shape", "safetensors"])
def test_wrong_checkpoint_is_a_data_error(checkpoint: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("wrong.safetensors" if kind == "safetensors" else "wrong.pth.tar")
    if kind in ("text", "safetensors"):
        path.write_text("not weights")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "other network":
        torch.save(nn.Conv2d(3, 8, 3).state_dict(), path)
    elif kind == "list":
        torch.save([torch.zeros(3)], path)
    elif kind == "code":
        torch.save({"a": _Harmful()}, path)
    elif kind == "shape":
        state = torch.load(checkpoint, weights_only=True)
        state["img_encoder.0.weight"] = torch.zeros(128, 4, 5, 5)
        torch.save(state, path)
    with pytest.raises(DataError, match="wrong") as caught:
        load_ssf2020(f"ssf2020:{path}")
    assert "\n" not in str(caught.value)


def test_weights_too_large_or_not_finite_are_data_errors(checkpoint: Path, tmp_path: Path) -> None:
    for value, message in ((1e9, "too large"), (float("nan"), "not finite")):
        state = torch.load(checkpoint, weights_only=True)
        state["img_hyperprior.hyper_decoder_mean.0.weight"][0, 0, 0, 0] = value
        torch.save(state, tmp_path / "huge.pth")
        with pytest.raises(DataError, match=message):
            load_ssf2020(f"ssf2020:{tmp_path / 'huge.pth'}")


def test_without_network_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path))

    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with caplog.at_level(logging.INFO), pytest.raises(DataError) as caught:
        load_ssf2020("ssf2020-4")
    assert "downloads https://compressai" in caplog.text
    message = str(caught.value)
    assert "\n" not in message
    for part in ("no route to host", "connect to the network once", str(tmp_path / "checkpoints"), "ssf2020:path/to"):
        assert part in message
    assert capsys.readouterr().out == ""  # standard output may be carrying a video


def test_cached_checkpoint_is_used_without_a_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path))
    path = cached_checkpoint(4)
    path.parent.mkdir()
    path.symlink_to(checkpoint)
    with caplog.at_level(logging.INFO):
        network = load_network("ssf2020-4")
    assert not caplog.records
    assert torch.equal(network.img_encoder[0].weight, torch.load(checkpoint, weights_only=True)["img_encoder.0.weight"])
    path.unlink()
    path.write_bytes(b"half a download")
    with pytest.raises(DataError, match="delete it to have it downloaded again"):
        load_network("ssf2020-4")


def test_names() -> None:
    assert all(is_ssf2020_name(f"ssf2020-{quality}") for quality in range(1, 10))
    assert is_ssf2020_name("ssf2020:a/b.pth.tar")
    for name in ("ssf2020", "ssf2020-0", "ssf2020-10", "ssf2020-x", "ssf2020:", "default", "xssf2020-1"):
        assert not is_ssf2020_name(name)
        with pytest.raises(UsageError, match="ssf2020-1 to ssf2020-9"):
            load_ssf2020(name)


def test_clips_of_tensors_give_what_the_network_gives(codec: Ssf2020Codec) -> None:
    clip = torch.rand(2, 2, 3, 40, 56, generator=torch.Generator().manual_seed(3))
    quality = torch.tensor([20.0, 40.0])
    with torch.no_grad():
        coded = codec((clip,), quality)
        whole = torch.nn.functional.pad(clip.flatten(0, 1), (0, 72, 0, 88), mode="replicate").unflatten(0, (2, 2))
        expected = codec.network([whole[:, 0], whole[:, 1]])
    assert coded.planes[0].shape == clip.shape and coded.bits.shape == (2, 2) and bool((coded.bits > 0).all())
    assert torch.allclose(coded.planes[0][:, 1], expected["x_hat"][1][..., :40, :56].clamp(0, 1), atol=1e-5)
    with pytest.raises(UsageError, match=r"expected one of \(N, T, 3, H, W\)"):
        codec((clip[0],), quality)
