"""Files that are coded and decoded on a real Ray of two workers, one of which is killed."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scaleflow.cluster import ClusterSettings
from scaleflow.codec.decoding.file import DecodeSettings, decode_file
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.session import EncodeProgress
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Reference
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.remote_worker import Greeting
from scaleflow.workers import WorkerReport
from tests.cli.conftest import typed
from tests.cluster.conftest import needs_ray
from tests.cluster.slow_model import SlowModel
from tests.codec.stand_in import StandInModel

pytestmark = [needs_ray, pytest.mark.usefixtures("ray_of_two")]


def _settings(**changes: object) -> EncodeSettings:
    return EncodeSettings(quality=40, intra_period=5, **changes)  # type: ignore[arg-type]


def test_a_worker_is_killed_in_the_middle_and_nothing_is_lost(
    with_audio: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes are those of one process; progress names the workers; decoding gives the same pictures."""
    encode_file(with_audio, tmp_path / "alone.sfv", StandInModel(), _settings())
    killed: list[WorkerReport] = []
    seen: set[str] = set()

    def watch(now: EncodeProgress) -> None:
        seen.update(worker.name for worker in now.workers)
        busy = [worker for worker in now.workers if worker.task is not None]
        if busy and not killed:
            os.kill(busy[0].process, signal.SIGKILL)
            killed.append(busy[0])

    cluster = ClusterSettings("local:2")
    with caplog.at_level(logging.WARNING, "scaleflow"):
        encode_file(with_audio, tmp_path / "far.sfv", SlowModel(), _settings(cluster=cluster), progress=watch)
    assert (tmp_path / "far.sfv").read_bytes() == (tmp_path / "alone.sfv").read_bytes()
    (worker,) = killed
    assert len(seen) >= 2 and worker.name in seen
    (message,) = caplog.messages
    lost = rf"worker {worker.name} was lost \(its process ended\): group \d+ at \d\.\d{{3}} s is done again, try 2 of 4"
    assert re.fullmatch(lost, message)

    for name, settings in (("alone", DecodeSettings()), ("far", DecodeSettings(cluster=cluster))):
        decode_file(tmp_path / "alone.sfv", tmp_path / f"{name}.y4m", lambda header: StandInModel(), settings)
    assert (tmp_path / "far.y4m").read_bytes() == (tmp_path / "alone.y4m").read_bytes()


def test_exit_codes_of_programs_are_known_after_a_connection(carphone: Path, tmp_path: Path) -> None:
    encode_file(carphone, tmp_path / "far.sfv", StandInModel(), _settings(cluster=ClusterSettings("local:2"), frames=2))
    assert subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=False).returncode == 3


@dataclass
class Fatal(StandInModel):
    """Ends each process that codes with it, but one."""

    home: int = 0

    def encode_picture(
        self, planes: Planes, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        if os.getpid() != self.home:
            os._exit(1)
        return super().encode_picture(planes, geometry, reference, order)


@pytest.mark.cluster
def test_a_group_over_which_workers_are_lost_is_named(carphone: Path, tmp_path: Path) -> None:
    cluster = ClusterSettings("local:2", retries=1)
    with pytest.raises(DataError, match=r"group \d at \d\.\d{3} s: 2 workers were lost over it, the last one \S+-\d"):
        encode_file(carphone, tmp_path / "far.sfv", Fatal(home=os.getpid()), _settings(cluster=cluster, frames=8))
    assert not list(tmp_path.iterdir())


@pytest.mark.cluster
def test_a_failure_on_a_worker_is_that_of_one_process(carphone: Path, tmp_path: Path) -> None:
    settings = _settings(cluster=ClusterSettings("local:2"), frames=8)
    with pytest.raises(DataError, match="the stand-in fails here"):
        encode_file(carphone, tmp_path / "far.sfv", StandInModel(fails_at=2), settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scaleflow": "9.9"}, "has ScaleFlow 9.9, and this machine "),
        ({"code": "0" * 64}, "has other code of ScaleFlow .* than this machine"),
        ({"torch": "9.9"}, "has PyTorch 9.9, and this machine "),
        ({"node": "other", "process": 1, "instructions": "other"}, None),
    ],
)
def test_software_that_would_code_otherwise_is_told(change: dict[str, str], message: str | None) -> None:
    own = Greeting.of_this_process()
    told = own.difference(replace(own, **change))  # type: ignore[arg-type]
    assert told is None if message is None else re.match(message, told or "")


@pytest.mark.cluster
def test_workers_of_other_software_are_refused(
    carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = replace(Greeting.of_this_process(), scaleflow="9.9")
    monkeypatch.setattr("scaleflow.ray_workers.Greeting.of_this_process", lambda: own)
    settings = _settings(cluster=ClusterSettings("local:2"), frames=8)
    message = r"^cluster local:2: worker \S+-1 has ScaleFlow .*, and this machine 9.9: install the same on all nodes$"
    with pytest.raises(UsageError, match=message):
        encode_file(carphone, tmp_path / "far.sfv", StandInModel(), settings)
    assert caplog.messages == [] and not list(tmp_path.iterdir())


@pytest.mark.cluster
def test_what_arrives_is_what_was_sent(carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has other weights than this process does not code."""
    from scaleflow.ray_workers import RayWorkers

    entered = RayWorkers.__enter__

    def enter(self: RayWorkers) -> RayWorkers:  # type: ignore[type-arg]
        entered(self)
        self._digest = "0" * 64
        return self

    monkeypatch.setattr(RayWorkers, "__enter__", enter)
    settings = _settings(cluster=ClusterSettings("local:2"), frames=8)
    with pytest.raises(UsageError, match="has received other weights than were sent"):
        encode_file(carphone, tmp_path / "far.sfv", StandInModel(), settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.cluster
def test_workers_read_a_shared_input_themselves(with_audio: Path, tmp_path: Path) -> None:
    """An excerpt, which begins within a group of the source; nothing but checksums travels."""
    excerpt = {"start": 0.7, "frames": 22}
    encode_file(with_audio, tmp_path / "alone.sfv", StandInModel(), _settings(**excerpt))
    cluster = ClusterSettings("local:2", shared_input=True, in_flight=1)
    encode_file(with_audio, tmp_path / "far.sfv", StandInModel(), _settings(cluster=cluster, **excerpt))
    assert (tmp_path / "far.sfv").read_bytes() == (tmp_path / "alone.sfv").read_bytes()


@pytest.mark.cluster
def test_an_encoder_that_fails_on_a_worker_has_failed(carphone: Path, tmp_path: Path) -> None:
    given = ("--codec", "odd=ffmpeg -c:v libx264 -preset nonesuch -crf 30", "--frames", 2, "--metrics", "psnr-y")
    done = typed("rd", carphone, "--out", tmp_path / "far", *given, "--cluster", "local:2")
    assert done.code == 1 and "wrote nothing" not in done.stderr, done.stderr
    assert "nonesuch" in done.stderr.replace("-preset nonesuch", ""), done.stderr


@pytest.mark.cluster
def test_a_sweep_measures_its_points_on_workers(carphone: Path, tmp_path: Path) -> None:
    """They are those of one process, and are kept."""
    codec = "x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -crf {22,30,38}"
    given = ["--codec", codec, "--frames", 4, "--metrics", "psnr-y", "--json"]
    for name, cluster in (("alone", ()), ("far", ("--cluster", "local:2")), ("far", ())):
        done = typed("rd", carphone, "--out", tmp_path / name, *given, *cluster)
        assert done.code == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["event"] for line in lines] == ["point"] * 3 + ["done"]
        assert [line["resumed"] for line in lines[:-1]] == [name == "far" and not cluster] * 3
        assert [bool(line.get("workers")) for line in lines[:-1]] == [bool(cluster)] * 3
    found = [
        {(point.setting, point.stream_hash, point.metrics["psnr-y"]) for point in read_points(tmp_path / name)}
        for name in ("alone", "far")
    ]
    assert found[0] == found[1] and len(found[0]) == 3
    assert {path.name for path in (tmp_path / "far").iterdir() if path.name.startswith(".")} <= {".gitignore"}
