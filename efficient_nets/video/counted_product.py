"""Products of samples with samples, as those of attention: work without weights, made countable."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn


class CountedProduct(nn.Module, ABC):
    """A module without weights whose MACs are counted beside those of layers.

    What a model multiplies by hand is seen by no hook. A subclass does it in its ``forward``, takes positional tensors,
    and says what that took; see :data:`scaleflow.efficient_nets.video.cost_record.COUNTED_LAYERS`.
    """

    @abstractmethod
    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """MACs of the call that made ``output`` of ``inputs``."""


class AttentionProducts(CountedProduct):
    """Scaled dot-product attention: queries with keys, then the weights with the values.

    The softmax between both is not counted, as other functions of single samples are not.
    """

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Queries (..., T, C), keys (..., S, C) and values (..., S, V) to (..., T, V)."""
        return F.scaled_dot_product_attention(queries, keys, values)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """See :class:`CountedProduct`: S * C for each query, and S for each sample of the output."""
        queries, keys, _ = inputs
        return keys.shape[-2] * (queries.numel() + output.numel())
