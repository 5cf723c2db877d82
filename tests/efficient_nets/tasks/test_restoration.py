"""Restoration: the noise is what it is called, pictures of videos are the ones they are called, measures are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scaleflow.efficient_nets.data.video_pictures import read_pictures
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import make_task
from scaleflow.efficient_nets.tasks.restoration import Restoration
from scaleflow.efficient_nets.tasks.task import PictureTask, example, generator_of_frame
from scaleflow.errors import DataError, UsageError
from scaleflow.training.networks.batches import LabelledSamples
from scaleflow.training.networks.configuration import NetworkDataConfig
from tests.places import SHARED

DATA = SHARED / "data"
CLIP = DATA / "train" / "intel_asl_milk.mkv"


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    task = Restoration(25)
    assert isinstance(task, PictureTask) and not isinstance(make_task("segmentation"), PictureTask)
    picture = torch.full((3, 200, 200), 0.5)
    shown, target = example(task, picture, torch.empty(0), generator_of_frame(0))
    assert torch.equal(target[0], picture) and torch.equal(target[1], shown)
    assert 255 * float((shown - picture).std()) == pytest.approx(25, rel=0.01)
    assert torch.equal(shown, example(task, picture, torch.empty(0), generator_of_frame(0))[0])
    assert not torch.equal(shown, example(task, picture, torch.empty(0), generator_of_frame(1))[0])
    meter = task.meter(("red", "green", "blue"))
    meter.add("", task.prediction(picture + 0.1, (9, 9)), target)
    values = meter.values()
    assert values["psnr"] == pytest.approx(20) and values["noisy psnr"] == pytest.approx(20.17, abs=0.1)
    assert values["gain"] == values["psnr"] - values["noisy psnr"]


def test_measures_without_what_was_shown() -> None:
    task = Restoration()
    picture = task.prediction(torch.rand(3, 8, 8), (8, 8))
    meter = task.meter(())
    meter.add("", picture, picture)
    assert meter.values() == {"psnr": math.inf}
    assert task.change(picture, picture - 0.5) == pytest.approx(127.5)
    outputs, targets = torch.zeros(2, 3, 4, 4), torch.rand(2, 2, 3, 4, 4)
    assert float(task.loss(outputs, targets)) == pytest.approx(255 * float(targets[:, 0].mean()), rel=1e-4)


def test_samples_are_noisy_parts_of_pictures_and_the_parts_themselves(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 80, 3), np.uint8)).save(tmp_path / "a.png")
    task = Restoration(10)
    config = NetworkDataConfig(size=(80, 64), crop=(48, 32), scale=(1.0, 1.0))
    samples = LabelledSamples(task.open(tmp_path, "train"), task, config, 1, seed=0)
    clip, targets = samples.load(0)
    assert clip.shape == (1, 3, 32, 48) and targets.shape == (1, 2, 3, 32, 48)
    assert torch.equal(clip, targets[:, 1])
    assert 255 * float((clip - targets[:, 0]).std()) == pytest.approx(10, rel=0.1)
    assert targets[:, 0].min() >= 0 and targets[:, 0].max() <= 1
    assert torch.equal(clip, samples.load(0)[0]) and not torch.equal(clip, samples.load(1)[0])


def test_pictures_of_a_video_are_those_that_decoding_gives() -> None:
    if not CLIP.is_file():
        pytest.skip("needs ../shared/data/train/intel_asl_milk.mkv")
    frames = make_task("restoration").open(CLIP, "val").frames
    chosen = [frames[number] for number in (0, 7, 20)]
    decoded = list(read_pictures(chosen))
    for frame, picture in zip(chosen, decoded, strict=True):
        assert torch.equal(frame.read_picture(), picture)
    assert not torch.equal(decoded[0], decoded[2])


def test_videos_pictures_and_folders_of_pictures(tmp_path: Path) -> None:
    samples = np.zeros((32, 32, 3), np.uint8)
    for name in ("b.png", "a.jpg", "walk/1.png", "walk/2.png", "walk/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("") if name.endswith("txt") else Image.fromarray(samples).save(tmp_path / name)
    data = make_task("restoration", TaskSettings(noise=50)).open(tmp_path, "train")
    assert [frame.full_name for frame in data.frames] == [
        f"{tmp_path.name}/a.jpg", f"{tmp_path.name}/b.png", "walk/1.png", "walk/2.png",
    ]  # fmt: skip
    assert data.condition == "noise of 50 added" == data.chosen(["walk"]).condition
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="val: holds no videos, pictures or folders of pictures"):
        make_task("restoration").open(tmp_path, "val")
    (tmp_path / "val" / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"broken.mp4: cannot be opened as a video; it is damaged, empty or no video"):
        make_task("restoration").open(tmp_path, "val")


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"task\.noise = 0: a standard deviation above 0"):
        Restoration(0)
    with pytest.raises(UsageError, match="there is no such folder or video"):
        Restoration().open(tmp_path / "none", "train")
