"""What a run may continue from: checkpoints, exported weights, the shipped ones; and what it may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scaleflow.codec.models.registry import load_scaleflow
from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.export import export_checkpoint
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.start import load_start
from scaleflow.training.loop.checkpoint import save_checkpoint
from scaleflow.training.loop.configuration_file import override


def configuration(*changes: str) -> TrainingConfig:
    values = preset("tiny")
    override(values, ["model.intra_latents=16", "model.residual_latents=16", "model.motion_latents=8", *changes])
    return configuration_of(values)


def new_model(seed: int, *changes: str) -> ScaleFlowTraining:
    torch.manual_seed(seed)
    config = configuration(*changes)
    return ScaleFlowTraining(config.model, config.loss, config.optimization)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    model = new_model(1)
    names = [name for name, _ in model.network.named_parameters() if name.startswith("motion.")]
    averages = {name: model.network.state_dict()[name] + 0.01 for name in names}
    state = {"config": configuration().to_mapping(), "network": model.network.state_dict(), "stage": 2, "step": 0}
    average = {"values": averages, "updates": 5}
    save_checkpoint(tmp_path / "a.ckpt", state | {"seconds": {}, "optimizer": None, "average": average})
    return tmp_path / "a.ckpt"


def test_averaged_weights_of_a_checkpoint(checkpoint: Path) -> None:
    model, source = new_model(2), new_model(1)
    load_start(model, str(checkpoint))
    for name, value in source.network.state_dict().items():
        averaged = name.startswith("motion.") and name in dict(source.network.named_parameters())
        assert torch.equal(model.network.state_dict()[name], value + 0.01 if averaged else value)


def test_exported_weights_hold_all_that_training_needs(checkpoint: Path, tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    export_checkpoint(checkpoint, weights)
    from_weights, from_checkpoint = new_model(2), new_model(3)
    load_start(from_weights, str(weights))
    load_start(from_checkpoint, str(checkpoint))
    for (name, ours), theirs in zip(
        from_weights.network.named_parameters(), from_checkpoint.network.parameters(), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=2**-10, atol=1e-6), name  # float16


def test_what_only_training_needs_does_not_change_streams(checkpoint: Path, tmp_path: Path) -> None:
    weights, bare = tmp_path / "a.safetensors", tmp_path / "bare.safetensors"
    export_checkpoint(checkpoint, weights)
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    save_file({k: v for k, v in tensors.items() if not k.startswith("training.")}, bare, metadata=metadata)
    assert load_scaleflow(bare).weights_hash == load_scaleflow(weights).weights_hash
    with pytest.raises(DataError, match="integer priors only"):
        load_start(new_model(2), str(bare))


def test_shipped_weights(tmp_path: Path) -> None:
    values = preset("finetune")
    config = configuration_of(values)
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    load_start(model, "default")
    frozen = model.freeze()
    for ours, theirs in zip(frozen.frozen_tensors().items(), load_scaleflow_default_tensors().items(), strict=True):
        assert ours[0] == theirs[0]
        if ours[0].startswith("network."):
            assert torch.equal(ours[1], theirs[1]), ours[0]
        elif ours[0].endswith(".gain"):
            assert np.array_equal(ours[1], theirs[1]), ours[0]


def load_scaleflow_default_tensors() -> dict[str, torch.Tensor]:
    from scaleflow.codec.models.registry import WEIGHTS_FOLDER

    return load_scaleflow(WEIGHTS_FOLDER / "default.safetensors").frozen_tensors()


@pytest.mark.parametrize(
    ("start", "error", "words"),
    [
        ("none.ckpt", UsageError, "no such checkpoint"),
        ("none.safetensors", UsageError, "no such weights file"),
        ("default", DataError, "another architecture than default as configured: its intra.*is .*256.*not .*16"),
    ],
)
def test_what_cannot_be_started_from(start: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load_start(new_model(1), start)


def test_checkpoint_of_another_architecture(checkpoint: Path) -> None:
    with pytest.raises(DataError, match=r"another architecture.*not \("):
        load_start(new_model(1, "model.residual_latents=32"), str(checkpoint))
