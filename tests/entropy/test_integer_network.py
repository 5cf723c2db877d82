"""Integer networks: equal to integer arithmetic bit by bit, in every environment, and close to the float network."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scaleflow.entropy.fixed_point import ONE
from scaleflow.entropy.integer_network import LARGEST_ACTIVATION, WEIGHT_BITS, IntegerConvolution, IntegerNetwork
from tests.places import REPOSITORY


def _deconv(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """CompressAI's, by which sizes double."""
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1)


def make_network() -> nn.Sequential:
    """Every kind of layer that has an integer form."""
    torch.manual_seed(11)
    network = nn.Sequential(
        _deconv(6, 16),
        nn.Hardtanh(0, 255),
        nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU()),
        nn.Conv2d(24, 20, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(20, 32, 1, bias=False),
        nn.PixelShuffle(2),
        nn.ConvTranspose2d(8, 8, (3, 4), stride=(1, 2), padding=(1, 0), output_padding=(0, 1)),
        nn.Conv2d(8, 7, (2, 3), stride=(1, 2), padding=(1, 2)),
    )
    network.eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.mul_(2.5)  # so that inputs matter more than biases
    return network


def make_input() -> Tensor:
    """Fixed-point numbers with fractions, some of them large, some beyond what a network takes."""
    random = np.random.default_rng(12)
    values = np.rint(random.standard_t(2, (1, 6, 7, 9)) * 3 * ONE)
    values[0, 0, 0, :3] = [LARGEST_ACTIVATION, -LARGEST_ACTIVATION, 2.0**31]
    return torch.from_numpy(values)


def digest(outputs: Tensor) -> str:
    """Of the exact numbers."""
    return hashlib.sha256(outputs.contiguous().cpu().numpy().astype("<f8").tobytes()).hexdigest()


def _reference_convolution(layer: IntegerConvolution, source: nn.Module, x: NDArray[np.object_]) -> NDArray[np.object_]:
    """By definition, with Python's integers."""
    assert isinstance(source, nn.Conv2d | nn.ConvTranspose2d)
    weight = source.weight.double().mul(1 << WEIGHT_BITS).round().long().numpy().astype(object)
    outputs = source.out_channels
    (kh, kw), (sh, sw), (ph, pw) = source.kernel_size, source.stride, source.padding
    _, height, width = x.shape
    if isinstance(source, nn.ConvTranspose2d):
        oh, ow = source.output_padding
        total = np.zeros((outputs, (height - 1) * sh + kh + oh, (width - 1) * sw + kw + ow), dtype=object)
        for i in range(height):
            for j in range(width):
                total[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += np.tensordot(x[:, i, j], weight, (0, 0))
        total = total[:, ph : total.shape[1] - ph, pw : total.shape[2] - pw]
    else:
        padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw)), constant_values=0)
        total = np.zeros((outputs, (height + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1), dtype=object)
        for i in range(total.shape[1]):
            for j in range(total.shape[2]):
                patch = padded[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
                total[:, i, j] = np.tensordot(weight, patch, 3)
    total = total + np.array([int(b) for b in layer.bias], dtype=object)[:, None, None]
    rounded = (total + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
    return np.clip(rounded, -int(LARGEST_ACTIVATION), int(LARGEST_ACTIVATION))


LAYERS = {
    "3x3": nn.Conv2d(5, 4, 3, padding=1),
    "strided 5x5": nn.Conv2d(5, 4, 5, stride=2, padding=2),
    "1x1": nn.Conv2d(5, 7, 1),
    "strided 1x1": nn.Conv2d(5, 7, 1, stride=2),
    "padded 1x1": nn.Conv2d(5, 7, 1, padding=1),
    "oblong": nn.Conv2d(5, 3, (2, 4), stride=(3, 1), padding=(0, 2)),
    "no bias": nn.Conv2d(5, 4, 3, bias=False),
    "transposed": nn.ConvTranspose2d(5, 4, 5, stride=2, padding=2, output_padding=1),
    "transposed oblong": nn.ConvTranspose2d(5, 3, (2, 4), stride=(1, 3), padding=(0, 1), output_padding=(0, 2)),
    "transposed 1x1": nn.ConvTranspose2d(5, 3, 1),
}


@pytest.mark.parametrize("name", list(LAYERS))
@pytest.mark.parametrize("size", [(6, 5), (5, 9)])
def test_layer_is_integer_arithmetic(name: str, size: tuple[int, int]) -> None:
    """Values are so large that float32, or a fast algorithm with fractions, could not give every digit."""
    random = np.random.default_rng(1)
    source = copy.deepcopy(LAYERS[name])
    with torch.no_grad():
        source.weight.mul_(20)
    layer = IntegerConvolution(source)
    x = random.integers(-int(LARGEST_ACTIVATION) // 8, int(LARGEST_ACTIVATION) // 8, (5, *size))
    found = layer(torch.from_numpy(x).double()[None])[0].numpy()
    expected = _reference_convolution(layer, source, x.astype(object))
    assert found.shape == expected.shape
    assert np.array_equal(found.astype(np.int64), expected.astype(np.int64))
    with torch.no_grad():
        assert found.shape == source(torch.zeros(1, 5, *size))[0].shape


def test_network_is_close_to_the_float_network() -> None:
    source = make_network()
    x = torch.from_numpy(np.rint(np.random.default_rng(2).normal(0, 4, (1, 6, 8, 10))))
    with torch.no_grad():
        expected = source.double()(x)
        found = IntegerNetwork.from_float(source)(x * ONE) / ONE
    assert found.shape == expected.shape
    assert float(expected.std()) > 1
    assert float((found - expected).abs().max()) < 0.02
    assert float((found - expected).abs().mean()) < 0.003


def test_outputs_are_bounded_integers() -> None:
    network = IntegerNetwork.from_float(make_network())
    huge = torch.full((1, 6, 5, 5), 2.0**52)
    for x in (make_input(), huge.double(), -huge.double()):
        out = network(x)
        assert torch.equal(out, out.round())
        assert float(out.abs().max()) <= LARGEST_ACTIVATION
    assert torch.equal(network(huge.double()), network(torch.full((1, 6, 5, 5), LARGEST_ACTIVATION).double()))


def test_threads_memory_formats_and_autocast_change_nothing() -> None:
    network, x = IntegerNetwork.from_float(make_network()), make_input()
    expected = network(x)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            assert torch.equal(network(x), expected)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(network(x.to(memory_format=torch.channels_last)), expected)
    strided = torch.zeros(1, 6, 14, 9, dtype=torch.float64)
    strided[:, :, ::2] = x
    assert torch.equal(network(strided[:, :, ::2]), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(x), expected)
    with torch.inference_mode():
        assert torch.equal(IntegerNetwork.from_float(make_network())(x), expected)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(network(x), expected)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(network.to(memory_format=torch.channels_last).half()(x), expected)  # nothing in it is a float


@pytest.mark.parametrize(
    "environment",
    [
        {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
        {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ATEN_CPU_CAPABILITY": "default"},
        {"MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "1"},
    ],
    ids=["AVX2", "SSE", "compatible"],
)
def test_instruction_sets_change_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    network = IntegerNetwork.from_float(make_network())
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    program = (
        "import sys; sys.path[:0] = ['tests/entropy', '.']\n"
        "from test_integer_network import *\n"
        "network = IntegerNetwork.from_float(make_network())\n"
        "network.load_state_dict(load_file(sys.argv[1]))\n"
        "print(torch.backends.cpu.get_cpu_capability(), digest(network(make_input())))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "network.safetensors")],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    capability, found = done.stdout.rsplit(maxsplit=1)
    capability = capability.replace("NO AVX", "DEFAULT")  # as earlier versions of PyTorch call it
    assert capability.lower() == environment.get("ATEN_CPU_CAPABILITY", capability.lower())
    assert found == digest(network(make_input()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_changes_nothing() -> None:
    network = IntegerNetwork.from_float(make_network())
    expected = digest(network(make_input()))
    assert digest(network.cuda()(make_input().cuda())) == expected


def test_weights_are_stored_as_integers_and_loaded_without_floats(tmp_path: Path) -> None:
    network = IntegerNetwork.from_float(make_network())
    expected = network(make_input())
    state = network.state_dict()
    assert {value.dtype for value in state.values()} == {torch.int32, torch.int64}
    save_file(state, tmp_path / "network.safetensors")
    other = make_network()
    for parameter in other.parameters():
        parameter.uniform_(-1, 1)
    twin = IntegerNetwork.from_float(other)
    assert not torch.equal(twin(make_input()), expected)
    twin.load_state_dict(load_file(tmp_path / "network.safetensors"))
    twin.check_bounds()
    assert torch.equal(twin(make_input()), expected)


@pytest.mark.parametrize("value", [3e4, 1e6, 1e9, float(1 << 18), 1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_weights_beyond_exactness_are_refused(kind: type[nn.Conv2d | nn.ConvTranspose2d], value: float) -> None:
    for place in ("weight", "bias"):
        source = kind(64, 64, 5)
        with torch.no_grad():
            getattr(source, place).view(-1)[3:40] = value
        if place == "bias" and value < 1 << 16:
            IntegerConvolution(source)  # as far as biases go, this is nothing
            continue
        with pytest.raises(ValueError, match="too large for exact integers"):
            IntegerConvolution(source)


def test_loaded_weights_beyond_exactness_are_refused() -> None:
    network = IntegerNetwork.from_float(make_network())
    state = network.state_dict()
    name = next(name for name in state if name.endswith("weight"))
    state[name] = torch.full_like(state[name], 2**31 - 1)
    network.load_state_dict(state)
    with pytest.raises(ValueError, match=r"could reach .*, limit 2\*\*53"):
        network.check_bounds()


def test_the_bound_is_that_of_the_worst_input() -> None:
    """Weights just within it, and inputs at the limit with the signs that add up most: every digit is right."""
    source = nn.Conv2d(64, 1, 3, bias=False)
    largest = 0.999 * 2**53 / (LARGEST_ACTIVATION * 576 * (1 << WEIGHT_BITS))
    with torch.no_grad():
        source.weight.copy_(largest * torch.sign(torch.randn_like(source.weight)))
    layer = IntegerConvolution(source)
    x = torch.sign(source.weight.detach()).double() * LARGEST_ACTIVATION
    seen: list[Tensor] = []
    exact = int(layer.weight.long().abs().sum()) * int(LARGEST_ACTIVATION)
    assert 0.99 * 2**53 < exact < 2**53
    seen.append(layer.weight.double() @ x.flatten())
    assert int(seen[0]) == exact
    assert float(layer(x)) == LARGEST_ACTIVATION


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Sigmoid(),
        nn.LeakyReLU(),
        nn.Hardtanh(-1 / 3, 1),
    ],
)
def test_layers_without_integer_form_are_refused(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"integer form|in numbers|multiples"):
        IntegerNetwork.from_float(nn.Sequential(layer))


def test_float32_inputs_are_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        IntegerNetwork.from_float(make_network())(make_input().float())
