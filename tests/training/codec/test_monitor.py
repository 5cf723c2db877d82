"""What TensorBoard is given: scalars, a picture with flow and scale, rate-distortion points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scaleflow.training.codec.configuration import StageConfig
from scaleflow.training.codec.models.trainable import FlowField, StepResult
from scaleflow.training.codec.monitor import TensorBoardMonitor
from scaleflow.training.codec.pictures import step_picture
from scaleflow.training.codec.validation import ValidationPoint
from scaleflow.training.loop.loop import TrainingProgress

STAGE = StageConfig("inter", "inter", steps=20, unroll=(2, 2))


def step_result(flow: tuple[float, float] = (3.0, 0.0), scale: float = 0.0) -> StepResult:
    luma, chroma = torch.full((2, 1, 32, 48), 0.5), torch.full((2, 2, 16, 24), 0.5)
    vectors = torch.tensor(flow)[None, :, None, None].expand(2, 2, 8, 12)
    field = FlowField(vectors, torch.full((2, 1, 8, 12), scale))
    return StepResult(torch.tensor(1.0), {}, (luma, chroma), (luma, chroma), (luma, chroma), field)


def test_files_hold_scalars_pictures_and_points(tmp_path: Path) -> None:
    monitor = TensorBoardMonitor(tmp_path)
    monitor.report(TrainingProgress(STAGE, 10, {"loss": 2.0, "blurred share": 0.25}, 5.0, step_result()))
    monitor.report(TrainingProgress(STAGE, 20, {"loss": 1.5, "blurred share": 0.5}, 0.0, step_result()))
    monitor.validated(STAGE, 20, [ValidationPoint("clip.mp4", 20.0, 0.25, 33.5)])
    monitor.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("inter/loss")] == [(10, 2.0), (20, 1.5)]
    assert events.Scalars("inter/blurred share")[1].value == 0.5
    assert events.Scalars("inter/validation clip.mp4 q20 psnr")[0].value == 33.5
    assert [image.step for image in events.Images("inter/last picture")] == [10, 20]
    assert events.Images("inter/last picture")[0].width == 5 * 48


def test_pictures_show_direction_and_blur() -> None:
    def panels(result: StepResult) -> list[np.ndarray]:
        picture = step_picture(result, clips=1)
        assert picture.shape == (32, 5 * 48, 3) and picture.dtype == np.uint8
        return [picture[:, n * 48 : (n + 1) * 48] for n in range(5)]

    source, prediction, decoded, right, sharp = panels(step_result((3.0, 0.0), 0.0))
    assert np.array_equal(source, prediction) and np.array_equal(source, decoded)
    assert np.ptp(source) <= 1  # grey
    *_, left, blurred = panels(step_result((-3.0, 0.0), 100.0))
    assert np.abs(right.astype(int) - left).max() > 200
    assert sharp.max() == 0 and blurred.min() == 255
