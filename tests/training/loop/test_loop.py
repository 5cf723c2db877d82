"""The loop: resumed runs and runs of two processes give the weights of a plain one; broken steps are survived."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor

from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.losses import spread_qualities
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.loop.configuration_file import override
from scaleflow.training.loop.distributed import Processes, join_processes
from scaleflow.training.loop.loop import LoopHooks, TrainingLoop, TrainingProgress
from scaleflow.training.loop.parts import MicroBatch

ALONE = Processes(0, 1, torch.device("cpu"))


def configuration(*changes: str) -> TrainingConfig:
    values = preset("tiny")
    small = [
        "model.intra_latents=16",
        "model.residual_latents=16",
        "model.motion_latents=8",
        "optimization.precision=fp32",
    ]
    steps = ["stages.intra.steps=4", "stages.inter.steps=4", "stages.intra.batch=4", "stages.intra.micro_batch=2"]
    override(
        values, [*small, *steps, "stages.inter.batch=2", "stages.inter.micro_batch=1", "checkpoint_every=2", *changes]
    )
    return configuration_of(values)


def moving_pictures(number: int, frames: int) -> tuple[Tensor, Tensor]:
    """A smooth picture that moves: luma (T, 1, 64, 64) and chroma, a function of the number alone."""
    generator = torch.Generator().manual_seed(number)
    noise = torch.rand(1, 3, 10, 10, generator=generator)
    large = torch.nn.functional.interpolate(noise, size=(96, 96), mode="bicubic").clamp(0, 1)[0]
    luma = torch.stack([large[:1, 3 * t : 3 * t + 64, 2 * t : 2 * t + 64] for t in range(frames)])
    chroma = torch.stack([large[1:, 3 * t : 3 * t + 64 : 2, 2 * t : 2 * t + 64 : 2] for t in range(frames)])
    return luma, chroma


class Batches:
    """Micro-batches of made clips for one of several processes."""

    def __init__(self, seed: int = 0, rank: int = 0, count: int = 1) -> None:
        self.seed, self.rank, self.count = seed, rank, count

    def start(self, number: int, stage: StageConfig) -> Iterator[ClipBatch]:
        alone = Batches(self.seed)
        return (part.clips for parts in alone.steps(number, stage, 0) for part in parts)

    def steps(self, number: int, stage: StageConfig, first_step: int) -> Iterator[list[MicroBatch]]:
        for step in range(first_step, stage.steps):
            size = stage.micro_batch
            parts = []
            for part in range(self.rank, stage.batch // size, self.count):
                first = 1000 * number + step * stage.batch + part * size
                clips = [moving_pictures(n, stage.frames_at(step)) for n in range(first, first + size)]
                planes = tuple(torch.stack(plane) for plane in zip(*clips, strict=True))
                quality = spread_qualities(first, size, *stage.quality, self.seed)
                parts.append(MicroBatch(part, size / stage.batch, ClipBatch(planes, quality)))
            yield parts


def make(
    config: TrainingConfig, folder: Path, processes: Processes = ALONE, hooks: LoopHooks | None = None
) -> TrainingLoop:
    torch.manual_seed(config.seed)
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    batches = Batches(config.seed, processes.rank, processes.count)
    return TrainingLoop(config, model, batches, folder, processes, hooks)


def weights(folder: Path) -> dict[str, Tensor]:
    state = torch.load(folder / "inter.ckpt", weights_only=True)
    return {**state["network"], **{f"average {name}": value for name, value in state["average"]["values"].items()}}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """With more, some sums are in no fixed order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The weights of a run that went through."""
    folder = tmp_path_factory.mktemp("plain")
    assert make(configuration(), folder).run()
    return weights(folder)


@pytest.mark.parametrize("stops", [[3, 2], [4, 1, 2]])
def test_a_resumed_run_is_the_run_that_was_not_stopped(
    plain: dict[str, Tensor], tmp_path: Path, stops: list[int]
) -> None:
    for number, steps in enumerate(stops):
        loop = make(configuration(), tmp_path)
        if number:
            loop.resume()
        calls = iter(range(1000))
        assert not loop.run(lambda: next(calls) >= steps)  # noqa: B023 - asked at once
    loop = make(configuration(), tmp_path)
    loop.resume()
    assert loop.run()
    resumed = weights(tmp_path)
    assert resumed.keys() == plain.keys()
    assert all(torch.equal(resumed[name], value) for name, value in plain.items())


def _train_two(rank: int, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with join_processes("cpu") as processes:
        assert make(configuration(), Path(folder), processes).run()


def test_two_processes_do_what_one_does_with_twice_the_batch(plain: dict[str, Tensor], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_train_two, (str(tmp_path), port), nprocs=2)
    both = weights(tmp_path)
    for name, value in plain.items():
        assert torch.allclose(both[name].float(), value.float(), rtol=1e-3, atol=2e-5), name


def test_the_loss_falls(tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    steps = ["stages.intra.steps=24", "stages.inter.steps=24", "stages.inter.unroll=[2, 2]", "log_every=8"]
    assert make(configuration(*steps), tmp_path, hooks=LoopHooks(report=seen.append)).run()
    losses = {name: [p.scalars["loss"] for p in seen if p.stage.name == name] for name in ("intra", "inter")}
    assert all(of_stage[-1] < of_stage[0] for of_stage in losses.values()), losses
    assert "blurred share" in seen[-1].scalars and seen[-1].last.motion is not None


def test_steps_without_a_finite_gradient_are_skipped_and_many_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = configuration("optimization.most_skipped=3", "stages.intra.steps=6")
    loop = make(config, tmp_path)
    model = loop._model
    step, calls = model.step, iter(range(1000))

    def broken(batch: ClipBatch, stage: StageConfig):  # type: ignore[no-untyped-def]
        result = step(batch, stage)
        if next(calls) >= 2:  # two parts a step: from the second step on
            result.loss.data.mul_(float("nan"))
            return type(result)(result.loss * float("nan"), result.scalars, result.picture, result.decoded)
        return result

    model.step = broken  # type: ignore[method-assign]
    with pytest.raises(DataError, match="3 successive steps"):
        loop.run()
    assert caplog.text.count("is skipped") == 3
    assert all(
        torch.isfinite(value).all() for value in model.network.state_dict().values() if value.is_floating_point()
    )


def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such checkpoint"):
        make(configuration(), tmp_path).resume()
    calls = iter(range(1000))
    assert not make(configuration(), tmp_path).run(lambda: next(calls) >= 1)
    with pytest.raises(UsageError, match="other settings of stages"):
        make(configuration("stages.intra.steps=5"), tmp_path).resume()
    whole = (tmp_path / "last.ckpt").read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"no checkpoint", whole[:100] + bytes(100) + whole[200:]):
        (tmp_path / "last.ckpt").write_bytes(broken)
        with pytest.raises(DataError, match=r"last\.ckpt"):
            make(configuration(), tmp_path).resume()
