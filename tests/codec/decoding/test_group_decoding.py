"""Groups that are decoded side by side show the same as one after the other, over damage too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.decoding import group_decoding
from scaleflow.codec.decoding.file import DecodeSettings, DecodeSummary, decode_file
from scaleflow.codec.decoding.group_decoding import GroupDecoder, GroupDecoding
from scaleflow.codec.models.video_model import PictureGeometry, Reference
from scaleflow.errors import DataError, UsageError
from tests.cluster.in_this_process import InThisProcess
from tests.codec.stand_in import StandInModel

Encode = Callable[..., tuple[Path, object]]


def decoded(source: Path, model: StandInModel, monkeypatch: pytest.MonkeyPatch, **settings: object) -> list[object]:
    """What is written and told, by this process alone and by workers; the workers do their tasks here."""
    monkeypatch.setattr("scaleflow.codec.decoding.file.open_workers", lambda work, *others: InThisProcess(work))
    found: list[object] = []
    for workers in (1, 2):
        path = source.with_name(f"by-{workers}.y4m")
        given = DecodeSettings(workers=workers, overwrite=True, **settings)  # type: ignore[arg-type]
        summary = decode_file(source, path, lambda header: model, given)
        found.append((path.read_bytes(), _told(summary)))
    return found


def _told(summary: DecodeSummary) -> object:
    return (summary.pictures, summary.repeated, summary.lost, summary.damage, summary.losses)


@pytest.mark.parametrize("settings", [{}, {"start": 0.7, "duration": 1.1}, {"start": 0.6, "frames": 9}, {"frames": 3}])
def test_the_same_is_shown(
    encode: Encode, with_audio: Path, model: StandInModel, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    path, _ = encode(with_audio, intra_period=7)
    alone, apart = decoded(path, model, monkeypatch, **settings)
    assert alone == apart


@pytest.mark.parametrize("what", ["key frame", "predicted", "payload", "cut out"])
def test_damage_is_told_and_shown_the_same(
    encode: Encode, carphone: Path, model: StandInModel, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path, _ = encode(carphone, intra_period=6, frames=30)
    with SfvReader(path) as reader:
        packets = [item for item in reader if isinstance(item, VideoPacket)]
    place = packets[{"key frame": 12, "predicted": 14, "payload": 15, "cut out": 13}[what]].offset
    data = bytearray(path.read_bytes())
    if what == "cut out":
        del data[place : packets[20].offset]
    else:
        data[place + (60 if what == "payload" else 0)] ^= 0x40
    path.write_bytes(data)
    alone, apart = decoded(path, model, monkeypatch)
    assert alone == apart
    assert "Damage(offset=" in str(alone) and "Loss(first=" in str(alone)


@dataclass
class Failing(StandInModel):
    """Cannot decode one picture, whose packet is sound."""

    payload: bytes = b""

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        if payload == self.payload:
            raise DataError("symbols make no sense")
        return super().decode_picture(payload, geometry, reference)


@pytest.mark.parametrize("number", [12, 14])
def test_pictures_that_cannot_be_decoded_are_told_and_shown_the_same(
    encode: Encode, carphone: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path, _ = encode(carphone, intra_period=6, frames=30)
    with SfvReader(path) as reader:
        packets = [item for item in reader if isinstance(item, VideoPacket)]
    alone, apart = decoded(path, Failing(payload=packets[number].payload), monkeypatch)
    assert alone == apart
    assert "symbols make no sense" in str(alone) and f"Loss(first={number}, last=17)" in str(alone)


@pytest.mark.parametrize("longest", [3, 4, 5, 8])
def test_groups_that_do_not_fit_are_decoded_here(
    encode: Encode, carphone: Path, model: StandInModel, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    monkeypatch.setattr(group_decoding, "LONGEST_GROUP", longest)
    path, _ = encode(carphone, intra_period=8, key_times=(0.2, 0.6), frames=30)
    alone, apart = decoded(path, model, monkeypatch)
    assert alone == apart


def test_long_groups_stay_in_pieces(encode: Encode, carphone: Path, model: StandInModel) -> None:
    path, _ = encode(carphone, intra_period=0, scene_cut=False, frames=20)
    work = GroupDecoding(model, PictureGeometry(88, 72), 1)
    workers = InThisProcess(work)
    with pytest.MonkeyPatch.context() as patch, SfvReader(path) as reader:
        patch.setattr(group_decoding, "LONGEST_GROUP", 4)
        ahead = GroupDecoder(work, workers)
        for number, item in enumerate(ahead.items(reader)):
            assert isinstance(item, VideoPacket) and ahead.decode(item)[0].shape == (72, 88)
            assert reader.position < path.stat().st_size or number >= 4
    assert not workers.tasks


@pytest.mark.parametrize("settings", [{"workers": 0}, {"worker_threads": 0}, {"workers": 1000}])
def test_numbers_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(settings))} .* is outside"):
        DecodeSettings(**settings)  # type: ignore[arg-type]


def test_processes_show_the_same(encode: Encode, carphone: Path, model: StandInModel) -> None:
    path, _ = encode(carphone, intra_period=5, frames=20)
    for workers in (1, 2):
        decode_file(path, path.with_name(f"{workers}.y4m"), lambda header: model, DecodeSettings(workers=workers))
    assert path.with_name("1.y4m").read_bytes() == path.with_name("2.y4m").read_bytes()
