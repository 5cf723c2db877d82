"""Ranges of quantizers from sample frames."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from scaleflow.efficient_nets.residual_quantization.clipping import fit
from scaleflow.efficient_nets.residual_quantization.convolution import QuantizedConvolution
from scaleflow.efficient_nets.residual_quantization.samples import RangeSamples
from scaleflow.efficient_nets.video.cost_record import CostRecord
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError

SEED = 0
"""Of the samples that are drawn: calibrating twice gives the same."""


def calibrate(network: VideoNetwork, *videos: Iterable[Tensor]) -> None:
    """Fit the ranges of weights, frames and residuals to sample frames, on which the network runs in full precision.

    Ranges are kept with the weights, in ``state_dict()``. Residuals are those of the network's own key frames, so that
    videos should be longer than its ``key_interval``, and ranges hold for that interval. What was streaming ends;
    costs stay as they are.

    Args:
        network: made by ``accelerate`` with a ``ResidualQuantization``.
        videos: frames as the network takes them, in order; each is a video of its own.

    Raises:
        UsageError: the network has no quantized layers; there are no frames; or of a layer that ran, no residual is
            known, because each video was one frame long.
    """
    layers = [layer for layer in network.converted_layers() if isinstance(layer, QuantizedConvolution)]
    if not layers:
        raise UsageError("the network has no quantized layers: make it with accelerate(model, ResidualQuantization())")
    generator = torch.Generator().manual_seed(SEED)
    record, network.clock.record = network.clock.record, CostRecord()
    try:
        for layer in layers:
            layer.samples = RangeSamples(generator)
        for video in videos:
            network.reset()
            for frame in video:
                network(frame)
        for layer in layers:
            _fit(layer)
    finally:
        network.clock.record = record
        network.reset()
        for layer in layers:
            layer.samples = None


@torch.no_grad()
def _fit(layer: QuantizedConvolution) -> None:
    samples, settings = layer.samples, layer.settings
    assert samples is not None
    frames, residuals = samples.frames, samples.residuals
    if not frames.count:
        raise UsageError(f"{layer.name}: did not run in the sample frames: give frames that need it, or exclude it")
    found = fit(frames.rows, settings.key_bits, True, settings.clipping, ends=frames.ends)
    layer.key_quantizer.set_range(found)
    for quantizer in layer.quantizers():
        if quantizer.per_channel:
            quantizer.set_range(fit(layer.weight.flatten(1), quantizer.bits, False, settings.clipping))
        elif quantizer is not layer.key_quantizer:
            if not residuals.count:
                raise UsageError(f"{layer.name}: no residual is known: give videos of two frames or more")
            found = fit(residuals.rows, quantizer.bits, False, settings.clipping, ends=residuals.ends)
            quantizer.set_range(found)
