"""Learned adaptors in files that say what they stand in for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scaleflow.efficient_nets.clockwork.adaptor import AdaptorConfig, AdaptorShape, ResidualAdaptor
from scaleflow.efficient_nets.clockwork.clock import Clock, clock_of
from scaleflow.efficient_nets.tensor_file import misfit, read_tensors, write_tensors
from scaleflow.errors import DataError, UsageError

FORMAT = "scaleflow-clockwork-adaptor-1"

ADAPTOR_FOLDER = "adaptor"
ADAPTOR_WEIGHTS = "adaptor.safetensors"
"""Place of an adaptor in the folder of a run."""


@dataclass(frozen=True)
class TrainedAdaptor:
    """An adaptor and where it fits: it is made for one number of steps and one clock, as the paper's.

    Attributes:
        teacher: hash of the network's weights, of :func:`scaleflow.codec.models.weights_hash.hash_tensors`.
        clock, steps: of the trajectories that it learned from.
        cut: scales that lie outside.
    """

    adaptor: ResidualAdaptor
    shape: AdaptorShape
    config: AdaptorConfig
    teacher: str
    clock: Clock
    steps: int
    cut: int


def write_adaptor(path: Path, trained: TrainedAdaptor) -> None:
    """As safetensors, whole or not at all. Raises :class:`DataError`."""
    metadata = {
        "shape": json.dumps(asdict(trained.shape)),
        "adaptor": json.dumps(asdict(trained.config)),
        "teacher": trained.teacher,
        "clock": json.dumps(asdict(trained.clock)),
        "steps": str(trained.steps),
        "cut": str(trained.cut),
    }
    write_tensors(path, FORMAT, trained.adaptor.state_dict(), metadata)


def read_adaptor(path: Path, teacher: str) -> TrainedAdaptor:
    """Read what :func:`write_adaptor` wrote.

    Args:
        teacher: hash of the weights that the adaptor is to work with.

    Raises:
        UsageError: there is none.
        DataError: it is damaged, or was made for other weights.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no adaptor: scaleflow diffusion distill RUN makes it")
    tensors, metadata = read_tensors(path, FORMAT, "adaptor of scaleflow diffusion distill")
    try:
        shape = AdaptorShape(**json.loads(metadata["shape"]))
        config = AdaptorConfig(**json.loads(metadata["adaptor"]))
        adaptor = ResidualAdaptor(shape, config)
        adaptor.load_state_dict(tensors)
        trained = TrainedAdaptor(
            adaptor.eval().requires_grad_(False),
            shape,
            config,
            metadata["teacher"],
            clock_of(json.loads(metadata["clock"])),
            int(metadata["steps"]),
            int(metadata["cut"]),
        )
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    if trained.teacher != teacher:
        raise DataError(f"{path}: was distilled from other weights than those beside it: distill it again")
    return trained
