"""What must hold while pictures are computed, whatever the host program has set: one place for encoders and decoders.

Entropy coding is exact anyway. Samples are floating point, and the picture that is predicted from is rounded: where a
sum falls on the other side of a rounding, a sample changes by one code value, and prediction carries that on. So the
settings that choose how PyTorch computes sums are made the same for every picture, and are given back afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from scaleflow.codec.models.video_model import Precision


@dataclass(frozen=True)
class _Setting:
    """A setting of the whole process: how it is read and written, and what it is while pictures are computed."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    wanted: object


@dataclass
class _ProcessSettings:
    """Settings that PyTorch keeps for all threads, held by any number of computations at a time.

    The first computation sets them and the last one gives them back, so that computations of several threads, which end
    in any order, do not restore what another one had set. What the host program changes meanwhile in another thread is
    set again by the next computation, and stays in force after the last.
    """

    settings: tuple[_Setting, ...]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _inside: int = 0
    _found: dict[int, object] = field(default_factory=dict)

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            for number, setting in enumerate(self.settings):
                found = setting.read()
                if found != setting.wanted:
                    self._found[number] = found
                    setting.write(setting.wanted)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    for number in sorted(self._found, reverse=True):
                        if self.settings[number].read() == self.settings[number].wanted:
                            self.settings[number].write(self._found[number])
                    self._found.clear()


def _matmul_precision() -> str:
    """As PyTorch says it for all devices together; where these differ, their own settings say it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "highest"


def _float32_precision(operations: Any) -> _Setting:
    """Of one library's operations, which PyTorch 2.9 and later keep apart: ``ieee`` is float32 throughout.

    They follow a wider setting until they have one of their own. A value that is given back is left to the wider
    setting where that says the same.
    """

    def read() -> str:
        value = str(operations.fp32_precision)
        return "ieee" if value == "none" else value

    def write(value: str) -> None:
        operations.fp32_precision = "none"
        if read() != value:
            operations.fp32_precision = value

    return _Setting(read, write, "ieee")


def _flag(library: Any, name: str, wanted: object) -> _Setting:
    return _Setting(lambda: getattr(library, name), lambda value: setattr(library, name, value), wanted)


def _settings(device: str) -> tuple[_Setting, ...]:
    """Of this version of PyTorch, those that matter to a kind of device."""
    backends: Any = torch.backends
    found = [
        _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Setting(_matmul_precision, torch.set_float32_matmul_precision, "highest"),
    ]
    if backends.mkldnn.is_available():
        found.append(_flag(backends.mkldnn, "enabled", True))
    operations = [getattr(backends.mkldnn, name, None) for name in ("matmul", "conv")]
    if device == "cuda":
        found += [_flag(backends.cudnn, "benchmark", False), _flag(backends.cudnn, "deterministic", True)]
        if hasattr(backends.cudnn, "conv"):
            operations += [backends.cuda.matmul, backends.cudnn.conv]
        else:
            found.append(_flag(backends.cudnn, "allow_tf32", False))
    return (*found, *(_float32_precision(each) for each in operations if each is not None))


_PROCESS = {device: _ProcessSettings(_settings(device)) for device in ("cpu", "cuda")}


@contextmanager
def standard_settings(device: torch.device) -> Iterator[None]:
    """Settings as PyTorch starts with them, where they decide what a model computes.

    Held for all threads of the process: default dtype, precision of float32 products and convolutions (no TF32, no
    bfloat16), oneDNN in use; on CUDA, cuDNN does not choose its algorithms by measuring. Held for this thread alone:
    new tensors lie in main memory where no device is named. The number of threads is left as it is, and so are
    deterministic algorithms and the treatment of denormal numbers, on which no sample depends.

    What was found is given back when the context ends, also by an exception. A generator must not yield within it: the
    host program runs there.

    Args:
        device: where the model is.
    """
    elsewhere = torch.get_default_device().type != "cpu"
    with _PROCESS[device.type if device.type == "cuda" else "cpu"].held():
        with torch.device("cpu") if elsewhere else nullcontext():
            yield


@contextmanager
def picture_computation(device: torch.device, precision: Precision) -> Iterator[None]:
    """Around all that computes a picture, in encoders and decoders: :func:`standard_settings`, no gradients, and
    autocast as the stream's precision says and not as the host program does.

    Args:
        device: where the model is.
        precision: of the stream.
    """
    around = torch.is_autocast_enabled(device.type)
    if around:
        torch.clear_autocast_cache()  # weights that the host program's autocast has cast may be of another dtype
    try:
        with (
            standard_settings(device),
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            yield
    finally:
        if around:
            torch.clear_autocast_cache()  # what was cast here has no gradients
