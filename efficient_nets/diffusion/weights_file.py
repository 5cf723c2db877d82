"""Restoration models in files that say what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialized
from torch import Tensor

from codec.errors import DataError, UsageError
from codec.video.output_file import write_whole_file
from efficient_nets.diffusion.noise_schedule import NoiseSchedule
from efficient_nets.diffusion.restoration import RestorationDiffusion
from efficient_nets.diffusion.unet import UNetConfig

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
        crop = int(metadata["crop"])
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    return TrainedRestoration(model.eval().requires_grad_(False), (float(lowest), float(highest)), crop)


def write_tensors(path: Path, kind: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file of a format, whole or not at all. Raises :class:`DataError`."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole_file(str(path), serialized(plain, {"format": kind, **metadata}), True)


def read_tensors(path: Path, kind: str, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file of a format.

    Raises:
        DataError: it is damaged, or of another format than that of ``what``.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            found = metadata.get("format")
            tensors = {name: file.get_tensor(name) for name in file.keys()} if found == kind else {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: is damaged, or no safetensors file") from error
    if found != kind:
        raise DataError(f"{path}: holds no {what} (its format is {found!r}, not {kind!r})")
    return tensors, metadata


def misfit(path: Path, error: Exception) -> DataError:
    """The error to raise where a file's tensors are not those of what it says that it holds."""
    said = str(error).splitlines()[0]
    return DataError(f"{path}: its weights do not fit what it says of itself: {said}")
