"""Files that are coded and decoded on a real Ray of two workers, one of which is killed."""

from __future__ import annotations

import logging
import os
import signal
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
from scaleflow.errors import DataError, UsageError
from scaleflow.remote_worker import Greeting
from tests.cluster.conftest import needs_ray
from tests.codec.stand_in import StandInModel

pytestmark = [needs_ray, pytest.mark.usefixtures("ray_of_two")]


def _settings(**changes: object) -> EncodeSettings:
    return EncodeSettings(quality=40, intra_period=5, **changes)  # type: ignore[arg-type]


def test_a_worker_is_killed_in_the_middle_and_nothing_is_lost(
    with_audio: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes are those of one process; progress names the workers; decoding gives the same pictures."""
    model = StandInModel()
    encode_file(with_audio, tmp_path / "alone.sfv", model, _settings())
    killed: set[int] = set()
    names: set[str] = set()

    def watch(now: EncodeProgress) -> None:
        names.update(worker.name for worker in now.workers)
        if not killed:
            busy = next((worker for worker in now.workers if worker.task is not None), now.workers[0])
            os.kill(busy.process, signal.SIGKILL)
            killed.add(busy.process)

    cluster = ClusterSettings("local:2")
    with caplog.at_level(logging.WARNING, "scaleflow"):
        encode_file(with_audio, tmp_path / "far.sfv", model, _settings(cluster=cluster), progress=watch)
    assert (tmp_path / "far.sfv").read_bytes() == (tmp_path / "alone.sfv").read_bytes()
    assert killed and names
    lost = [message for message in caplog.messages if "was lost (its process ended): group " in message]
    assert len(lost) <= 1 and all("is done again, try 2 of 4" in message for message in lost)

    for name, settings in (("alone", DecodeSettings()), ("far", DecodeSettings(cluster=cluster))):
        decode_file(tmp_path / "alone.sfv", tmp_path / f"{name}.y4m", lambda header: model, settings)
    assert (tmp_path / "far.y4m").read_bytes() == (tmp_path / "alone.y4m").read_bytes()


@dataclass
class Fatal(StandInModel):
    """Ends the process that codes a picture of a quality: that of key frames of one group."""

    home: int = 0

    def encode_picture(
        self, planes: object, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        if os.getpid() != self.home:
            os._exit(1)
        return super().encode_picture(planes, geometry, reference, order)  # type: ignore[arg-type]


def test_a_group_over_which_workers_are_lost_is_named(carphone: Path, tmp_path: Path) -> None:
    cluster = ClusterSettings("local:2", workers=None, retries=1)
    with pytest.raises(DataError, match=r"group \d at \d\.\d{3} s: 2 workers were lost over it, the last one \S+-\d"):
        encode_file(carphone, tmp_path / "far.sfv", Fatal(home=os.getpid()), _settings(cluster=cluster, frames=8))
    assert not list(tmp_path.iterdir())


def test_a_failure_on_a_worker_is_that_of_one_process(carphone: Path, tmp_path: Path) -> None:
    settings = _settings(cluster=ClusterSettings("local:2"), frames=8)
    with pytest.raises(DataError, match="the stand-in fails here"):
        encode_file(carphone, tmp_path / "far.sfv", StandInModel(fails_at=2), settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scaleflow": "9.9"}, "has ScaleFlow .*, and this machine 9.9: install the same on all nodes"),
        ({"code": "0" * 64}, "has other code of ScaleFlow .* than this machine: install the same"),
        ({"torch": "9.9"}, "has PyTorch .*, and this machine 9.9"),
    ],
)
def test_workers_of_other_software_are_refused(
    carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], message: str
) -> None:
    own = replace(Greeting.of_this_process(), **change)
    monkeypatch.setattr("scaleflow.ray_workers.Greeting.of_this_process", lambda: own)
    settings = _settings(cluster=ClusterSettings("local:2"), frames=8)
    with pytest.raises(UsageError, match=rf"^cluster local:2: worker \S+-1 {message}") as refused:
        encode_file(carphone, tmp_path / "far.sfv", StandInModel(), settings)
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


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
