"""Processes of one run: what ``torchrun`` started, or this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import nn

from scaleflow.errors import DataError
from scaleflow.limits import is_out_of_memory


@dataclass(frozen=True)
class Processes:
    """``rank`` of ``count`` processes, and the device that this one works on."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """The process that writes."""
        return self.rank == 0

    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Sum the gradients of all processes in place (each holds its share of the mean)."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # every process must send the same
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        with _losses_told():
            distributed.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def share_weights(self, network: nn.Module) -> None:
        """Give all processes the first one's parameters and buffers."""
        if self.count > 1:
            with _losses_told():
                for tensor in network.state_dict().values():
                    distributed.broadcast(tensor, 0)

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in one of the processes."""
        if self.count == 1:
            return condition
        flag = torch.tensor([float(condition)], device=self.device)
        with _losses_told():
            distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            with _losses_told():
                distributed.barrier()

    def sum_scalars(self, values: dict[str, float]) -> dict[str, float]:
        """Sums over all processes; each must hold the same keys."""
        if self.count == 1 or not values:
            return values
        numbers = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        with _losses_told():
            distributed.all_reduce(numbers)
        return dict(zip(values, numbers.tolist(), strict=True))


@contextmanager
def _losses_told() -> Iterator[None]:
    """Around what all processes do together: where one is gone, the others say so in one line.

    Raises:
        DataError: another process, or the machine it ran on, is lost.
    """
    try:
        yield
    except RuntimeError as error:  # the backends know no narrower kind
        if is_out_of_memory(error):
            raise
        raise DataError(
            "another process of this run is gone: start them all again with resume; the last checkpoint is whole",
            fields=("resume",),
        ) from error


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """The group that ``torchrun`` describes in the environment: nccl on GPUs, gloo on CPUs; otherwise this process.

    Raises:
        DataError: in what processes do together: one of them is gone.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if count == 1:
        yield Processes(0, 1, place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo", rank=rank, world_size=count)
    try:
        yield Processes(rank, count, place)
    finally:
        distributed.destroy_process_group()


def _choose_device(device: str, local_rank: int) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        return torch.device("cuda", local_rank % max(1, torch.cuda.device_count()))
    return torch.device(device)
