"""Checkpoints of others: complete and of the right types, or refused; nothing in them runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from scaleflow.errors import DataError, UsageError
from scaleflow.training.loop.checkpoint import FORMAT, final_weights, give_weights, load_checkpoint

SOUND: dict[str, Any] = {
    "format": FORMAT,
    "config": {"optimization": {"average": 0.9}},
    "network": {"weight": torch.ones(1, 1), "bias": torch.zeros(1)},
    "stage": 0,
    "step": 3,
    "seconds": {},
    "optimizer": None,
    "average": {"updates": 1, "values": {"bias": torch.ones(1)}},
}


class _Harmful:
    def __init__(self, proof: Path) -> None:
        self._proof = str(proof)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self._proof, "w")


def saved(folder: Path, **changes: Any) -> Path:
    torch.save({key: value for key, value in (SOUND | changes).items() if value is not ...}, folder / "a.ckpt")
    return folder / "a.ckpt"


def test_a_sound_one_gives_its_averages(tmp_path: Path) -> None:
    state = load_checkpoint(saved(tmp_path))
    assert {key: float(value) for key, value in final_weights(state).items()} == {"weight": 1.0, "bias": 1.0}
    layer = nn.Linear(1, 1)
    give_weights(layer, final_weights(state))
    assert float(layer.bias) == 1.0
    with pytest.raises(DataError, match="does not fit its own configuration"):
        give_weights(nn.Linear(2, 1), final_weights(state))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("config", ...), ("config", None), ("config", {}), ("config", {"optimization": 3}), ("config", [1])),
        *(("network", ...), ("network", {1: torch.ones(1)}), ("network", {"weight": [1.0]})),
        *(("stage", ...), ("stage", "0"), ("stage", -1), ("step", None), ("step", -5), ("seconds", ...)),
        *(("optimizer", ...), ("optimizer", 3), ("average", ...), ("average", {}), ("average", {"values": {"a": 1}})),
    ],
)
def test_parts_that_are_not_there_or_of_another_type(tmp_path: Path, part: str, value: object) -> None:
    with pytest.raises(DataError, match=rf"a.ckpt: is damaged: its .*{part}"):
        load_checkpoint(saved(tmp_path, **{part: value}))


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such checkpoint"):
        load_checkpoint(tmp_path / "none.ckpt")
    for content in (
        b"",
        b"text",
        bytes(1000),
        b"root:x:0:0:root:/root:/bin/bash\n",
        saved(tmp_path).read_bytes()[:900],
    ):
        (tmp_path / "other.ckpt").write_bytes(content)
        with pytest.raises(DataError, match="is damaged, or no checkpoint"):
            load_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(DataError, match="is damaged, or no checkpoint"):
        load_checkpoint(tmp_path)
    with pytest.raises(DataError, match="is damaged, or no checkpoint"):
        load_checkpoint(saved(tmp_path, seconds=_Harmful(tmp_path / "proof")))
    assert not (tmp_path / "proof").exists()
    with pytest.raises(DataError, match="is no checkpoint of scaleflow train"):
        load_checkpoint(saved(tmp_path, format="other"))
