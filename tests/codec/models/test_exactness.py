"""The same symbols everywhere; the same samples with any number of threads, memory format, and AVX2 or AVX-512."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.codec.frame_coder import FrameEncoder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from tests.places import REPOSITORY

DECODE = Path(__file__).with_name("decode_in_this_environment.py")

HAS_AVX2 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")

ENVIRONMENTS = {
    "one thread": {"threads": "1"},
    "two threads": {"threads": "2"},
    "AVX2": {
        "threads": "1",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "contiguous": {"threads": "2", "memory_format": "contiguous"},
}


@pytest.fixture(scope="module")
def coded(
    default_model: VideoModel, clips: dict[str, list[Planes]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[Planes]]]:
    """Four clips at three qualities, coded once: the file for the decoders, and what the encoder saw."""
    streams, seen = {}, {}
    for name, pictures in clips.items():
        for quality in (5.0, 30.0, 60.0):
            height, width = pictures[0][0].shape
            encoder = FrameEncoder(default_model, width=width, height=height)
            frames = [encoder.encode(planes, key=False, quality=quality) for planes in pictures]
            key = f"{name} {quality:g}"
            streams[key] = {"width": width, "height": height, "payloads": [f.payload.hex() for f in frames]}
            seen[key] = [frame.planes for frame in frames]
    path = tmp_path_factory.mktemp("coded") / "streams.json"
    path.write_text(json.dumps(streams))
    return path, seen


def decoded_under(environment: dict[str, str], streams: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Hashes of all symbols by stream, and all planes side by side, decoded by another process."""
    output = streams.with_suffix(".npz")
    variables = {key: value for key, value in environment.items() if key.isupper()}
    command = [sys.executable, str(DECODE), str(streams), str(output), environment["threads"]]
    command.append(environment.get("memory_format", "channels_last"))
    done = subprocess.run(
        command,
        env={**os.environ, **variables, "PYTHONPATH": str(REPOSITORY), "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), dict(np.load(output))


@pytest.fixture(scope="module")
def plainly(coded: tuple[Path, dict[str, list[Planes]]]) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """As :func:`decoded_under` gives it on this machine when nothing is set."""
    return decoded_under(ENVIRONMENTS["one thread"], coded[0])


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_symbols_and_samples_are_equal(
    coded: tuple[Path, dict[str, list[Planes]]], plainly: tuple[dict[str, str], dict[str, np.ndarray]], name: str
) -> None:
    streams, seen = coded
    symbols, decoded = plainly if name == "one thread" else decoded_under(ENVIRONMENTS[name], streams)
    assert len(symbols) == 12
    assert symbols == plainly[0]
    for key, pictures in seen.items():
        for ours, theirs in zip(pictures, decoded[key], strict=True):
            flat = np.concatenate([plane.ravel() for plane in ours])
            assert np.abs(flat.astype(int) - theirs).max() <= (0 if HAS_AVX2 else 1)
