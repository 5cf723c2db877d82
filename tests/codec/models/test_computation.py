"""What the host program sets changes no payload and no sample, and is as it was afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch

import scaleflow
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.computation import picture_computation, standard_settings
from scaleflow.codec.models.layers import Convolution, steady_sigmoid
from scaleflow.codec.models.picture_order import LatentRefinement
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError
from tests.codec.models.conftest import packaged_clip, read_planes

CPU = torch.device("cpu")
BACKENDS: Any = torch.backends

pytestmark = pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "matmul"), reason="PyTorch before 2.9 has not the settings that are changed"
)


def state() -> dict[str, object]:
    """Everything that a host program may have set."""
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "matmul": BACKENDS.mkldnn.matmul.fp32_precision,
        "conv": BACKENDS.mkldnn.conv.fp32_precision,
        "generic": BACKENDS.fp32_precision,
        "oneDNN": BACKENDS.mkldnn.enabled,
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@pytest.fixture(autouse=True)
def as_started() -> Iterator[None]:
    """Settings of the process do not outlive a test."""
    before = state()
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_float32_matmul_precision("highest")
    BACKENDS.fp32_precision = "none"
    BACKENDS.mkldnn.matmul.fp32_precision = BACKENDS.mkldnn.conv.fp32_precision = "none"
    BACKENDS.mkldnn.enabled = True
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)
    torch.set_num_threads(before["threads"])


def _set(target: Any, name: str, value: object) -> None:
    setattr(target, name, value)


HOSTS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "precision high": lambda: torch.set_float32_matmul_precision("high"),
    "precision medium": lambda: torch.set_float32_matmul_precision("medium"),
    "products in bfloat16": lambda: _set(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"),
    "convolutions in bfloat16": lambda: _set(BACKENDS.mkldnn.conv, "fp32_precision", "bf16"),
    "everything in bfloat16": lambda: _set(BACKENDS, "fp32_precision", "bf16"),
    "without oneDNN": lambda: _set(BACKENDS.mkldnn, "enabled", False),
    "float64": lambda: torch.set_default_dtype(torch.float64),
    "half": lambda: torch.set_default_dtype(torch.float16),
    "device meta": lambda: torch.set_default_device("meta"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "denormals flushed": lambda: torch.set_flush_denormal(True),
    "three threads": lambda: torch.set_num_threads(3),
}
AROUND: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to half": lambda: torch.autocast("cpu", torch.float16),
    "autocast off": lambda: torch.autocast("cpu", enabled=False),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "device meta for a while": lambda: torch.device("meta"),
}

OF_EVERY_MODEL = ("precision medium", "float64", "device meta", "autocast to half")
"""Tried with every model; all the others with the shipped one."""

CASES = [("fp32", host) for host in (*HOSTS, *AROUND)]
CASES += [(name, host) for name in ("bf16", "recurrent") for host in OF_EVERY_MODEL]

Coded = tuple[list[bytes], list[Planes]]


@pytest.fixture(scope="module")
def pictures() -> list[Planes]:
    return read_planes(packaged_clip("carphone_pristine.mp4"), 3, (46, 58))


def recurrent() -> RecurrentCodec:
    """Untrained, but not without effect."""
    torch.manual_seed(0)
    with standard_settings(CPU):
        codec = RecurrentCodec()
        with torch.no_grad():
            for parameter in codec.network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.01)
        codec.freeze()
    return codec


MODELS: dict[str, Callable[[], VideoModel]] = {
    "fp32": load_model,
    "bf16": lambda: load_model(precision="bf16"),
    "recurrent": recurrent,
}


def encoded(model: VideoModel, pictures: list[Planes]) -> Coded:
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(model, width=width, height=height)
    frames = [encoder.encode(planes, key=False, quality=35.0) for planes in pictures]
    return [frame.payload for frame in frames], [frame.planes for frame in frames]


def decoded(model: VideoModel, payloads: list[bytes], like: Planes) -> list[Planes]:
    decoder = FrameDecoder(model, width=like[0].shape[1], height=like[0].shape[0])
    return [decoder.decode(payload, key=number == 0) for number, payload in enumerate(payloads)]


def same(first: list[Planes], second: list[Planes]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(np.array_equal(a, b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def plainly(pictures: list[Planes]) -> dict[str, Coded]:
    """What each model makes of the pictures where nothing is set."""
    return {name: encoded(make(), pictures) for name, make in MODELS.items()}


@pytest.mark.parametrize(("name", "host"), CASES)
def test_the_host_program_changes_nothing(
    name: str, host: str, pictures: list[Planes], plainly: dict[str, Coded]
) -> None:
    """The model is loaded, and pictures are coded and decoded, by a program with settings of its own."""
    payloads, planes = plainly[name]
    HOSTS.get(host, lambda: None)()
    with AROUND.get(host, nullcontext)():
        before = state()
        model = MODELS[name]()
        assert state() == before
        found = encoded(model, pictures)
        assert state() == before
        back = decoded(model, payloads, pictures[0])
        assert state() == before
    assert found[0] == payloads
    assert same(found[1], planes)
    assert same(back, planes)


@pytest.mark.parametrize("name", MODELS)
def test_the_memory_format_of_weights_changes_nothing(name: str, plainly: dict[str, Coded]) -> None:
    payloads, planes = plainly[name]
    model = MODELS[name]()
    assert isinstance(model, torch.nn.Module)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model.to(memory_format=memory_format)  # type: ignore[call-overload]
        assert same(decoded(model, payloads, planes[0]), planes)


def test_a_picture_of_one_cell_does_not_depend_on_the_memory_format() -> None:
    """Of one position, tensors are of every memory format at once, and PyTorch chooses by their strides."""
    generator = np.random.default_rng(0)
    pictures: list[Planes] = [
        tuple(generator.integers(0, 255, (side, side), np.uint8) for side in (16, 8, 8)) for _ in range(3)
    ]
    model = load_model()
    assert isinstance(model, torch.nn.Module)
    payloads, planes = encoded(model, pictures)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert same(decoded(model, payloads, planes[0]), planes)


def test_refinement_within_inference_mode_is_the_same(pictures: list[Planes]) -> None:
    payloads = []
    for around in (nullcontext, torch.inference_mode):
        with around():
            model = load_model()
            encoder = FrameEncoder(model, width=58, height=46)
            frame = encoder.encode(pictures[0], key=True, quality=30.0, refinement=LatentRefinement(steps=2))
            payloads.append(frame.payload)
    assert payloads[0] == payloads[1]


def test_settings_are_restored_when_a_picture_is_damaged() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    before = state()
    decoder = FrameDecoder(load_model(), width=58, height=46)
    with pytest.raises(DataError):
        decoder.decode(b"\xff" * 40, key=True)
    with pytest.raises(ZeroDivisionError), picture_computation(CPU, "bf16"):
        _ = 1 / 0
    assert state() == before


def test_the_host_program_has_its_settings_between_pictures(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[Planes]
) -> None:
    """The decoder is a generator: the host program runs between its pictures."""
    folder = tmp_path_factory.mktemp("between")
    source, coded = folder / "source.y4m", folder / "coded.sfv"
    samples = [b"".join([b"FRAME\n", *(plane.tobytes() for plane in planes)]) for planes in pictures]
    source.write_bytes(b"YUV4MPEG2 W58 H46 F25:1 Ip A1:1 C420jpeg\n" + b"".join(samples))
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float64)
    before = state()
    scaleflow.encode(source, coded, quality=30)
    assert state() == before
    with torch.autocast("cpu", torch.bfloat16), scaleflow.open_decoder(coded) as decoder:
        around = state()
        for _ in decoder:
            assert state() == around
    assert state() == before


def test_computations_of_several_threads_end_in_any_order() -> None:
    """The first one to end must not give back what another one still needs, nor the last one forget what was set."""
    torch.set_float32_matmul_precision("medium")
    first_ended, second_began = threading.Event(), threading.Event()
    seen = []

    def second() -> None:
        with standard_settings(CPU):
            second_began.set()
            assert first_ended.wait(10)
            seen.append(torch.get_float32_matmul_precision())

    thread = threading.Thread(target=second)
    with standard_settings(CPU):
        thread.start()
        assert second_began.wait(10)
    first_ended.set()
    thread.join()
    assert seen == ["highest"]
    assert torch.get_float32_matmul_precision() == "medium"


def test_what_the_host_program_sets_meanwhile_stays_in_force() -> None:
    torch.set_float32_matmul_precision("medium")
    with standard_settings(CPU):
        torch.set_float32_matmul_precision("high")
        with standard_settings(CPU):
            assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "high"


def test_precision_that_followed_a_wider_setting_follows_it_afterwards() -> None:
    BACKENDS.fp32_precision = "bf16"
    with standard_settings(CPU):
        assert BACKENDS.mkldnn.conv.fp32_precision == "ieee"
    assert BACKENDS.mkldnn.conv.fp32_precision == "bf16"
    BACKENDS.fp32_precision = "none"
    assert BACKENDS.mkldnn.conv.fp32_precision == "none"


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 2), (3, 1)])
def test_convolutions_are_those_of_pytorch(kernel: int, stride: int) -> None:
    """Within rounding, in inference; with gradients, by PyTorch's own choice and of any device that has them."""
    torch.manual_seed(0)
    layer = Convolution(24, 16, kernel, stride=stride, padding=kernel // 2)
    x = torch.randn(1, 24, 10, 12)
    expected = torch.nn.functional.conv2d(
        x.double(),
        layer.weight.double(),
        layer.bias.double(),
        stride,
        kernel // 2,  # type: ignore[union-attr]
    )
    with torch.inference_mode():
        assert (layer(x) - expected).abs().max() < 1e-5
    layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_the_sigmoid_is_rounded_once() -> None:
    x = torch.linspace(-9, 9, 1001)
    assert torch.equal(steady_sigmoid(x), (1 / (1 + torch.exp(-x.double()))).float())
