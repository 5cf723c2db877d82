"""Restoration models in files that say what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.diffusion.unet import UNetConfig
from scaleflow.efficient_nets.tensor_file import misfit, read_tensors, write_tensors
from scaleflow.errors import UsageError

FORMAT = "scaleflow-diffusion-1"

RUN_WEIGHTS = "diffusion.safetensors"
"""In the folder of a run."""


@dataclass(frozen=True)
class TrainedRestoration:
    """A model, and what it was trained for.

    Attributes:
        model: in eval mode.
        quality: lowest and highest quality of the codec that it has seen.
        crop: side of the patches that it has seen, in samples.
    """

    model: RestorationDiffusion
    quality: tuple[float, float]
    crop: int


def weights_of_run(run: Path) -> Path:
    """The weights in a run's folder.

    Raises:
        UsageError: there are none.
    """
    path = run / RUN_WEIGHTS
    if not path.is_file():
        raise UsageError(
            f"{run}: holds no {RUN_WEIGHTS}: give the folder of a run that scaleflow diffusion train has finished"
        )
    return path


def write_restoration(path: Path, trained: TrainedRestoration) -> None:
    """As safetensors, whole or not at all; replaces a file that is there. Raises :class:`DataError`."""
    metadata = {
        "unet": json.dumps(asdict(trained.model.unet.config)),
        "schedule": json.dumps(asdict(trained.model.schedule)),
        "quality": json.dumps(trained.quality),
        "crop": str(trained.crop),
    }
    write_tensors(path, FORMAT, trained.model.state_dict(), metadata)


def read_restoration(path: Path) -> TrainedRestoration:
    """Read what :func:`write_restoration` wrote.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    tensors, metadata = read_tensors(path, FORMAT, "restoration model of scaleflow diffusion train")
    try:
        sizes: dict[str, Any] = json.loads(metadata["unet"])
        config = UNetConfig(
            **sizes | {"channels": tuple(sizes["channels"]), "blocks": tuple(sizes["blocks"])},
        )
        model = RestorationDiffusion(config, NoiseSchedule(**json.loads(metadata["schedule"])))
        model.load_state_dict(tensors)
        lowest, highest = json.loads(metadata["quality"])
        qualities = float(lowest), float(highest)
        crop = int(metadata["crop"])
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    return TrainedRestoration(model.eval().requires_grad_(False), qualities, crop)
