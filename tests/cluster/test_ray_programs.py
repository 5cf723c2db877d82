"""The command line with a Ray of its own, which ends with it however it ends; and with a head that runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from tests.cli import json_page
from tests.cluster.conftest import needs_ray
from tests.codec.stand_in import StandInModel
from tests.places import REPOSITORY

pytestmark = [needs_ray, pytest.mark.cluster]

PROGRAM = """
import warnings
warnings.simplefilter("ignore")
import scaleflow.codec.models.registry
from tests.cluster.slow_model import SlowModel
scaleflow.codec.models.registry.load_model = lambda *arguments, **options: SlowModel()
from scaleflow.cli.main import main
main()
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For Ray's files, with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sf-") as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Start:
    """Starts ``scaleflow encode`` in groups of five pictures; standard streams are pipes."""

    def run(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "encode", *map(str, arguments), "--intra-period", "5", "-q", "40"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def processes_of(folder: Path) -> list[str]:
    """Those that name a folder, or have it among their variables and were started by Ray."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            variables = (place / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command or (f"TMPDIR={folder}" in variables and "ray" in command):
            found.append(command[:80])
    return found


def wait_for_end(folder: Path) -> list[str]:
    """What still runs after a while."""
    end = time.monotonic() + 180
    while (left := processes_of(folder)) and time.monotonic() < end:
        time.sleep(0.5)
    return left


def alone(clip: Path, path: Path) -> bytes:
    """What one process writes."""
    encode_file(clip, path, StandInModel(), EncodeSettings(quality=40, intra_period=5))
    return path.read_bytes()


def test_all_that_is_printed_is_ours(start: Start, folder: Path, with_audio: Path, tmp_path: Path) -> None:
    running = start(with_audio, tmp_path / "far.sfv", "--cluster", "local:2", "--json")
    printed, messages = running.communicate(timeout=600)
    assert (running.returncode, messages) == (0, "")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [wrong for line in lines for wrong in json_page.differences("encode", line)] == []
    assert lines[-1]["event"] == "summary" and any(len(line.get("workers", ())) == 2 for line in lines)
    assert (tmp_path / "far.sfv").read_bytes() == alone(with_audio, tmp_path / "alone.sfv")
    assert wait_for_end(folder) == [] and list(folder.iterdir()) == []


def test_an_interrupted_encode_keeps_groups_and_ends_its_ray(
    start: Start, folder: Path, with_audio: Path, tmp_path: Path
) -> None:
    running = start(with_audio, tmp_path / "far.sfv", "--cluster", "local:2", "--json")
    assert running.stdout is not None and json.loads(running.stdout.readline())["event"] == "progress"
    running.send_signal(signal.SIGINT)
    printed, messages = running.communicate(timeout=600)
    assert (running.returncode, messages) == (130, "")
    summary = json.loads(printed.splitlines()[-1])
    with SfvReader(tmp_path / "far.sfv") as reader:
        pictures = sum(isinstance(item, VideoPacket) for item in reader)
    assert 5 <= pictures < 75 and (summary["pictures"], summary["interrupted"]) == (pictures, True)
    assert wait_for_end(folder) == [] and list(folder.iterdir()) == []


def test_a_killed_encode_leaves_no_ray_and_no_file(
    start: Start, folder: Path, with_audio: Path, tmp_path: Path
) -> None:
    running = start(with_audio, tmp_path / "far.sfv", "--cluster", "local:2", "--json")
    assert running.stdout is not None and json.loads(running.stdout.readline())["event"] == "progress"
    assert processes_of(folder)
    running.kill()
    running.communicate(timeout=600)
    assert wait_for_end(folder) == [] and not (tmp_path / "far.sfv").exists()


@pytest.fixture
def head(folder: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a Ray that runs, with two cores."""
    with socket.socket() as free, socket.socket() as other:
        free.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, client = free.getsockname()[1], other.getsockname()[1]
    ray = shutil.which("ray", path=str(Path(sys.executable).parent))
    assert ray is not None
    options = [f"--port={port}", f"--ray-client-server-port={client}", "--num-cpus=2", "--node-ip-address=127.0.0.1"]
    surroundings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "PYTHONPATH": str(REPOSITORY)}
    log = tmp_path / "head.log"
    running = subprocess.Popen(
        [ray, "start", "--head", "--block", *options, "--include-dashboard=false", f"--temp-dir={folder}"],
        env={**os.environ, **surroundings},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 300
        while time.monotonic() < end and running.poll() is None:
            with socket.socket() as client_socket:
                if client_socket.connect_ex(("127.0.0.1", client)) == 0:
                    break
            time.sleep(0.5)
        else:
            raise AssertionError(log.read_text())
        yield f"ray://127.0.0.1:{client}"
    finally:
        running.terminate()
        running.wait(timeout=120)


def test_a_head_that_runs(start: Start, folder: Path, head: str, with_audio: Path, tmp_path: Path) -> None:
    """Twice, as it stays; the second time with a window of one group."""
    expected = alone(with_audio, tmp_path / "alone.sfv")
    for name, more in (("far", ()), ("narrow", ("--in-flight", 1, "--workers", 1))):
        running = start(with_audio, tmp_path / f"{name}.sfv", "--cluster", head, "--json", *more)
        printed, messages = running.communicate(timeout=600)
        assert (running.returncode, messages) == (0, "")
        assert all(json.loads(line) for line in printed.splitlines())
        assert (tmp_path / f"{name}.sfv").read_bytes() == expected
