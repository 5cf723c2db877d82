"""Samples follow from (seed, stage, number) alone; what cannot be read is replaced, and said once."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.samples import SampleKey, SampleSet
from scaleflow.training.data.sources import open_source
from scaleflow.training.data.vimeo import VimeoSource
from scaleflow.training.loop.configuration_file import override
from scaleflow.training.loop.distributed import Processes


class PartlyBroken:
    """Places 0 to 9; the first ``broken`` ones cannot be read, the others hold their own number."""

    def __init__(self, broken: int) -> None:
        self.broken = broken

    def __len__(self) -> int:
        return 10

    def weights(self) -> Sequence[float]:
        return [1.0] * 10

    def file_of(self, index: int) -> Path:
        return Path(f"file{index % 2}")

    def describe(self) -> str:
        return "made"

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        if index < self.broken:
            raise DataError(f"place{index}: is broken")
        return Clip((np.full((request.frames, 3, request.crop, request.crop), index, np.uint8),))


def test_broken_places_are_replaced_by_the_next_random_ones() -> None:
    whole = SampleSet(PartlyBroken(0), DataConfig(crop=64), 0, "rgb")
    samples = SampleSet(PartlyBroken(3), DataConfig(crop=64), 0, "rgb")
    found = [int(samples.load(SampleKey(0, number, 1)).planes[0][0, 0, 0, 0]) for number in range(100)]
    assert set(found) == set(range(3, 10))
    assert found == [int(samples.load(SampleKey(0, number, 1)).planes[0][0, 0, 0, 0]) for number in range(100)]
    for number, place in enumerate(found):
        wanted = whole.load(SampleKey(0, number, 1))
        assert not wanted.unread and (int(wanted.planes[0][0, 0, 0, 0]) in (place, 0, 1, 2))


@pytest.mark.parametrize("workers", [0, 2])
def test_files_that_cannot_be_read_are_named_once(workers: int, caplog: pytest.LogCaptureFixture) -> None:
    """By the process that trains, however many of their places are tried, and in whichever process."""
    changes = [f"data.workers={workers}", "data.crop=64", "stages.intra.steps=5", "stages.inter.steps=5"]
    values = preset("tiny")
    override(values, changes)
    config = configuration_of(values)
    with caplog.at_level(logging.WARNING):
        loading = ClipBatches(config, PartlyBroken(4), "rgb", Processes(0, 1, torch.device("cpu")))
        for number, stage in enumerate(config.stages):
            assert len(list(loading.steps(number, stage, 0))) == 5
    named = [record.message for record in caplog.records]
    assert len(named) == 2 and {int(message.split("place")[-1][0]) % 2 for message in named} == {0, 1}
    assert "so far: 1" in named[0] and "so far: 2" in named[1]


def test_data_that_has_gone_is_an_error() -> None:
    with pytest.raises(DataError, match=r"is broken \(nor can any of 50 places be read"):
        SampleSet(PartlyBroken(10), DataConfig(crop=64), 0, "rgb").load(SampleKey(0, 0, 1))


def configuration(path: Path, *changes: str) -> TrainingConfig:
    values = preset("tiny")
    override(values, [f"data.path={path}", "data.kind=vimeo", "data.masks=mixed", *changes])
    return configuration_of(values)


def batches(config: TrainingConfig, rank: int = 0, count: int = 1) -> ClipBatches:
    return ClipBatches(config, open_source(config.data), "yuv420", Processes(rank, count, torch.device("cpu")))


def first_steps(config: TrainingConfig, first: int, steps: int, rank: int = 0, count: int = 1) -> list[list[ClipBatch]]:
    iterator = batches(config, rank, count).steps(1, config.stages[1], first)
    return [[part.clips for part in next(iterator)] for _ in range(steps)]


def assert_equal(ours: ClipBatch, theirs: ClipBatch) -> None:
    assert all(torch.equal(a, b) for a, b in zip(ours.planes, theirs.planes, strict=True))
    assert torch.equal(ours.quality, theirs.quality)
    assert ours.mask is not None and theirs.mask is not None and torch.equal(ours.mask, theirs.mask)


def test_neither_workers_nor_the_first_step_change_samples(vimeo_septuplets: Path) -> None:
    here = first_steps(configuration(vimeo_septuplets, "data.workers=0"), 0, 4)
    beside = first_steps(configuration(vimeo_septuplets, "data.workers=1"), 2, 2)
    for ours, theirs in zip(here[2:], beside, strict=True):
        assert_equal(ours[0], theirs[0])
    batch = here[0][0]
    assert batch.planes[0].shape == (4, 2, 1, 64, 64) and batch.mask is not None
    assert batch.mask.shape == (4, 2, 1, 64, 64) and set(batch.mask.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(here[0][0].planes[0], here[1][0].planes[0])


def test_two_processes_share_the_clips_of_one(vimeo_septuplets: Path) -> None:
    config = configuration(vimeo_septuplets, "data.workers=0")
    ((whole,),) = first_steps(config, 0, 1)
    halves = [first_steps(config, 0, 1, rank, 2)[0][0] for rank in range(2)]
    assert torch.equal(whole.planes[0], torch.cat([half.planes[0] for half in halves]))
    assert torch.equal(whole.quality, torch.cat([half.quality for half in halves]))


def test_masks_do_not_change_the_clips(vimeo_septuplets: Path) -> None:
    ((masked,),) = first_steps(configuration(vimeo_septuplets, "data.workers=0"), 0, 1)
    ((plain,),) = first_steps(configuration(vimeo_septuplets, "data.workers=0", "data.masks=none"), 0, 1)
    assert plain.mask is None and torch.equal(plain.planes[0], masked.planes[0])


def test_a_stage_without_long_enough_clips_is_refused_at_once(vimeo_septuplets: Path) -> None:
    with pytest.raises(UsageError, match="8 pictures are asked for"):
        batches(configuration(vimeo_septuplets, "stages.inter.unroll=[3,8]"))


def test_errors_of_loading_processes_arrive_as_they_are(
    vimeo_septuplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configuration(vimeo_septuplets, "data.workers=1")
    loading = batches(config)
    monkeypatch.setattr(SampleSet, "load", lambda self, key: (_ for _ in ()).throw(DataError("the disk has gone")))
    with pytest.raises(DataError, match=r"^the disk has gone$"):
        next(loading.steps(0, config.stages[0], 0))


def test_what_has_vanished_is_replaced_too(vimeo_septuplets: Path, tmp_path: Path) -> None:
    """A picture that only the list promised, as in an archive that was unpacked in part, and a folder deleted since."""
    copy = tmp_path / "vimeo"
    shutil.copytree(vimeo_septuplets, copy)
    source = VimeoSource(copy)
    for number in (2, 3, 4):
        (copy / "sequences" / "00001" / "0002" / f"im{number}.png").unlink()
    shutil.rmtree(copy / "sequences" / "00001" / "0004")
    samples = SampleSet(source, DataConfig(crop=64), 0, "rgb")
    unread = [one for number in range(16) for one in samples.load(SampleKey(0, number, 4)).unread]
    assert {Path(one.file).name for one in unread} == {"0002", "0004"}
    assert all(".png: there is no such file" in one.reason for one in unread)
