"""How many threads the networks use."""

from __future__ import annotations


def set_threads(threads: int | None) -> None:
    """Use so many threads for each operation; None leaves PyTorch's choice, one a core."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
