"""Clips that are made on the spot with the ffmpeg program that imageio-ffmpeg holds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from scaleflow.codec.picture import Picture
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.codec.video.writer import open_output
from tests.places import SHARED

FFmpeg = Callable[..., bytes]
EVALUATION_CLIPS = SHARED / "data" / "eval"


@pytest.fixture(scope="session")
def ffmpeg() -> FFmpeg:
    """Runs ffmpeg with arguments (and bytes for its standard input) and returns its standard output."""
    program = imageio_ffmpeg.get_ffmpeg_exe()

    def run(*arguments: str | Path, stdin: bytes = b"") -> bytes:
        command = [program, "-v", "error", "-nostdin" if not stdin else "-y", "-y", *map(str, arguments)]
        done = subprocess.run(command, input=stdin or None, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture(scope="session")
def noise() -> Callable[..., bytes]:
    """Smooth random samples for ``size`` bytes of 8-bit raw video; ``top`` is the largest value for 16-bit samples."""

    def make(samples: int, top: int = 255, seed: int = 0) -> bytes:
        random = np.random.default_rng(seed)
        levels = random.integers(0, top + 1, samples // 5 + 1).repeat(5)[:samples]
        return levels.astype(np.uint8 if top <= 255 else "<u2").tobytes()

    return make


@pytest.fixture
def read_all() -> Callable[..., tuple[VideoReader, list[Picture], list[AudioPacketData]]]:
    """Reads a whole video; returns its (closed) reader, its pictures, and its audio packets."""

    def read(path: Path | str, **options: object) -> tuple[VideoReader, list[Picture], list[AudioPacketData]]:
        with open_video(path, **options) as reader:  # type: ignore[arg-type]
            items = list(reader.items())
        pictures = [item for item in items if isinstance(item, Picture)]
        return reader, pictures, [item for item in items if isinstance(item, AudioPacketData)]

    return read


@pytest.fixture
def copy_video() -> Callable[..., None]:
    """Reads ``source`` and writes it to ``target``, as encoding and decoding do without the codec between."""

    def copy(source: Path | str, target: Path | str, working_format: str = "yuv420", **options: object) -> None:
        with (
            open_video(source, working_format=working_format) as reader,  # type: ignore[arg-type]
            open_output(target, reader.properties, audio=reader.audio_streams, **options) as writer,  # type: ignore[arg-type]
        ):
            for item in reader.items():
                if isinstance(item, Picture):
                    writer.write(item)
                else:
                    writer.write_audio(item)

    return copy


@pytest.fixture(scope="session")
def evaluation_clip() -> Callable[[str], Path]:
    """A clip of the shared evaluation data; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = EVALUATION_CLIPS / name
        if not path.exists():
            pytest.skip(f"needs {name} of ../shared/data/eval")
        return path

    return find
