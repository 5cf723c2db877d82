"""One convolution with quantized weights and samples: key frames at many bits, what later frames add at few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.residual_quantization.bit_widths import block_widths, policy_macs
from scaleflow.efficient_nets.residual_quantization.int8_kernel import Int8Convolution
from scaleflow.efficient_nets.residual_quantization.quantizer import UniformQuantizer
from scaleflow.efficient_nets.residual_quantization.samples import RangeSamples
from scaleflow.efficient_nets.residual_quantization.settings import ResidualQuantizationSettings
from scaleflow.efficient_nets.video.block_grid import BlockGrid, as_pictures, as_rows, positions_of
from scaleflow.efficient_nets.video.convolution import VideoConvolution
from scaleflow.efficient_nets.video.cost import FLOAT_BITS, Cost
from scaleflow.errors import UsageError


@dataclass
class QuantizedState:
    """What one call of a layer remembers of its key frame; nothing where there are no residuals.

    Attributes:
        shape: of the input.
        reference: input of the key frame.
        output: of the key frame.
        grid: of blocks, where widths are chosen.
    """

    shape: torch.Size
    reference: Tensor | None = None
    output: Tensor | None = None
    grid: BlockGrid | None = None


@dataclass
class PreparedWeights:
    """Weights as codes, once for all frames.

    Attributes:
        version: of the weights and of their step.
        codes, step: of :class:`UniformQuantizer`.
        packed: for the kernel of 8-bit integers, by what it was packed for.
    """

    version: tuple[int, ...]
    codes: Tensor
    step: Tensor
    packed: dict[object, Int8Convolution]


class QuantizedConvolution(VideoConvolution):
    """Convolution of "ResQ: Residual Quantization for Video Perception" (arXiv 2308.09511), ICCV 2023.

    A key frame gives ``z_k = Q(W) * Q(x_k) + b`` at many bits; a later frame ``z_k + Q'(W) * Q'(x_t - x_k)`` at few,
    whose quantizers are its own. Neighbouring frames are alike, so their differences have a smaller range, and at equal
    bits a finer step. Frames are quantized with a code for zero (affine, per tensor), differences symmetrically (per
    tensor), weights symmetrically for each output channel.

    Products are of codes, which are whole numbers, scaled after the sum. Below 2^24 such sums are exact in float32,
    whatever their order: frames one by one, clips, blocks and integer kernels give the same, bit for bit before the
    scaling.
    """

    def __init__(self, dense: nn.Conv2d, settings: ResidualQuantizationSettings) -> None:
        super().__init__(dense)
        self.settings = settings
        learned = settings.scales == "learned"
        self.key_quantizer = UniformQuantizer(settings.key_bits, affine=True, learned=learned)
        self.residual_quantizers = nn.ModuleDict(
            {str(bits): UniformQuantizer(bits, learned=learned) for bits in settings.widths if bits}
        )
        weight_bits = {settings.weight_width(bits) for bits in (None, *settings.widths) if bits != 0}
        self.weight_quantizers = nn.ModuleDict(
            {
                str(bits): UniformQuantizer(bits, channels=self.out_channels, learned=learned)
                for bits in sorted(weight_bits)
            }
        )
        for part in (self.key_quantizer, self.residual_quantizers, self.weight_quantizers):
            part.to(dense.weight.device, torch.promote_types(dense.weight.dtype, torch.float32))
        self.samples: RangeSamples | None = None
        self._prepared: dict[int, PreparedWeights] = {}

    def quantizers(self) -> Iterable[UniformQuantizer]:
        """All of them."""
        return (part for part in self.modules() if isinstance(part, UniformQuantizer))

    def residual_quantizer(self, bits: int) -> UniformQuantizer:
        """Of residuals at one width."""
        found = self.residual_quantizers[str(bits)]
        assert isinstance(found, UniformQuantizer)
        return found

    def weight_quantizer(self, bits: int | None) -> UniformQuantizer:
        """Of the weights that residuals of ``bits`` meet; None for key frames."""
        found = self.weight_quantizers[str(self.settings.weight_width(bits))]
        assert isinstance(found, UniformQuantizer)
        return found

    def expected_shape(self, state: object) -> tuple[int, ...]:
        """See :class:`VideoConvolution`."""
        assert isinstance(state, QuantizedState)
        return tuple(state.shape)

    def first_frame(self, x: Tensor) -> tuple[Tensor, QuantizedState]:
        """See :class:`VideoConvolution`. Raises :class:`UsageError` where there are no ranges."""
        if self.samples is not None:
            self.samples.frames.add(x)
            return self.dense(x), QuantizedState(x.shape, x.clone())
        self._require_ranges()
        output = self._key_output(x)
        if self.settings.bits is None:
            return output, QuantizedState(x.shape)
        grid = BlockGrid(self, x.shape, self.settings.block, x.device) if self.settings.dynamic else None
        return output, QuantizedState(x.shape, self._reference(x), output.clone(), grid)

    def next_frame(self, x: Tensor, state: object) -> tuple[Tensor, Cost]:
        """See :class:`VideoConvolution`."""
        assert isinstance(state, QuantizedState)
        if self.samples is not None:
            assert state.reference is not None
            self.samples.frames.add(x)
            if self.settings.widths:
                self.samples.residuals.add(x - state.reference)
            return self.dense(x), Cost()
        if state.reference is None or state.output is None:
            output = self._key_output(x)
            return output, self.first_frame_cost(output)
        if state.grid is not None:
            return self._chosen(x - state.reference, state.output, state.grid)
        (bits,) = self.settings.widths
        if self.settings.execution == "int8":
            quantizer = self.residual_quantizer(bits)
            output = self._packed(quantizer, bits, x.shape)(x, None, state.reference).add_(state.output)
        else:
            output = self._product(x - state.reference, self.residual_quantizer(bits), bits).add_(state.output)
        return output, self._cost(self.dense_macs(output), bits)

    def first_frame_cost(self, output: Tensor) -> Cost:
        """See :class:`VideoConvolution`."""
        return self._cost(self.dense_macs(output), None)

    def whole_clip(self, clip: Tensor) -> tuple[Tensor, list[Cost]]:
        """See :class:`VideoConvolution`. In training mode, ranges that are tracked follow the clip."""
        self._require_ranges()
        settings = self.settings
        batch, length = clip.shape[:2]
        keys = clip if settings.bits is None else clip[:, :1]
        if self.training:
            self._track(keys, clip[:, 1:] - clip[:, :1])
        residuals = (clip[:, 1:] - self._reference(clip[:, 0])[:, None]).flatten(0, 1)
        outputs = self._key_output(keys.flatten(0, 1)).unflatten(0, (batch, -1))
        cost = self.first_frame_cost(outputs[:, 0])
        if settings.bits is None:
            return outputs, [cost] * length
        if length == 1:
            return outputs, [cost]
        costs = [self._cost(self.dense_macs(outputs[:, 0]), settings.widths[-1])] * (length - 1)
        if settings.dynamic:
            blocks = self._widths(residuals)
            gates = positions_of(blocks, settings.block, (outputs.shape[3], outputs.shape[4]))
            change = outputs.new_zeros(len(residuals), *outputs.shape[2:])
            for number, bits in enumerate(settings.widths):
                if bits:
                    product = self._product(residuals, self.residual_quantizer(bits), bits)
                    change = change + product * (gates == number)
            per_step = gates.unflatten(0, (batch, -1))
            costs = [self._chosen_cost(per_step[:, step], clip[:, 0], None) for step in range(length - 1)]
        else:
            (bits,) = settings.widths
            change = self._product(residuals, self.residual_quantizer(bits), bits)
        later = outputs + change.unflatten(0, (batch, -1))
        return torch.cat((outputs, later), 1), [cost, *costs]

    def _require_ranges(self) -> None:
        if not all(quantizer.is_set for quantizer in self.quantizers()):
            raise UsageError(
                f"{self.name}: its quantizers have no ranges: run calibrate(network, frames), or load a state_dict() "
                "of a network that was calibrated"
            )

    def _reference(self, x: Tensor) -> Tensor:
        """What residuals of later frames are taken from, in memory of its own; ``x`` is the key frame."""
        if self.settings.reference == "exact":
            return x.clone()
        codes, step = self.key_quantizer(x.to(self.key_quantizer.scale.dtype))
        return (codes * step).to(x.dtype)

    def _key_output(self, x: Tensor) -> Tensor:
        """``x`` at the bits of key frames, bias included."""
        if self.settings.execution == "int8" and not self.clock.clip_length:
            return self._packed(self.key_quantizer, None, x.shape)(x, self.bias)
        product = self._product(x, self.key_quantizer, None)
        return product if self.bias is None else product + self.bias[:, None, None]

    def _product(self, values: Tensor, quantizer: UniformQuantizer, bits: int | None) -> Tensor:
        """Quantized ``values`` (N, C, H, W) times the weights that go with ``bits``."""
        codes, step = quantizer(values.to(quantizer.scale.dtype))
        weights, weight_step = self._weights(bits)
        product = self._conv_forward(codes, weights, None)
        return (product * (step * weight_step.view(-1, 1, 1))).to(values.dtype)

    def _weights(self, bits: int | None) -> tuple[Tensor, Tensor]:
        """Codes and step."""
        if torch.is_grad_enabled():
            codes, step = self.weight_quantizer(bits)(self.weight.to(self.key_quantizer.scale.dtype))
            return codes, step
        prepared = self._prepare(bits)
        return prepared.codes, prepared.step

    def _prepare(self, bits: int | None) -> PreparedWeights:
        quantizer = self.weight_quantizer(bits)
        version = (id(self.weight), self.weight._version, id(quantizer.scale), quantizer.scale._version)
        prepared = self._prepared.get(quantizer.bits)
        if prepared is None or prepared.version != version:
            codes, step = quantizer(self.weight.detach().to(quantizer.scale.dtype))
            codes = codes.contiguous(memory_format=torch.channels_last)
            prepared = self._prepared[quantizer.bits] = PreparedWeights(version, codes, step.detach(), {})
        return prepared

    def _packed(self, quantizer: UniformQuantizer, bits: int | None, shape: torch.Size) -> Int8Convolution:
        """The kernel of 8-bit integers for inputs of one shape."""
        prepared = self._prepare(bits)
        low, high = quantizer.code_range
        step = quantizer.scale.item()
        key = (shape, low, high, step)
        if key not in prepared.packed:
            prepared.packed[key] = Int8Convolution(self, prepared.codes, prepared.step, step, (low, high), shape)
        return prepared.packed[key]

    def _widths(self, residual: Tensor) -> Tensor:
        """Which of the settings' widths each block gets: (N, lines, columns), from 0."""
        widths = [bits for bits in self.settings.widths if bits]
        with torch.no_grad():
            codes, step = self.residual_quantizer(widths[-1])(residual.to(self.key_quantizer.scale.dtype))
            unit = self.residual_quantizer(widths[0]).scale / step
            return block_widths(self, codes, unit, self.settings.width_thresholds, self.settings.block)

    def _chosen(self, residual: Tensor, key_output: Tensor, grid: BlockGrid) -> tuple[Tensor, Cost]:
        """Compute each block at its width: gather its residual with its halo, quantize, convolve, add."""
        widths = self._widths(residual)
        output = torch.cat((as_rows(key_output), key_output.new_zeros(1, self.out_channels)))
        rows = torch.cat((as_rows(residual), residual.new_zeros(1, self.in_channels)))
        executed = 0
        for number, bits in enumerate(self.settings.widths):
            blocks = (widths == number).flatten().nonzero()[:, 0]
            if not bits or not len(blocks):
                continue
            quantizer = self.residual_quantizer(bits)
            codes, step = quantizer(rows.index_select(0, grid.input_rows(blocks).flatten()).to(quantizer.scale.dtype))
            weights, weight_step = self._weights(bits)
            product = grid.convolve_tiles(codes, None, weights) * (step * weight_step.flatten())
            targets = grid.output_rows(blocks).flatten()
            output.index_copy_(0, targets, output.index_select(0, targets) + product.to(output.dtype))
            executed += len(targets)
        gates = positions_of(widths, self.settings.block, grid.output_size)
        cost = self._chosen_cost(gates, residual, executed * self.macs_per_position)
        return as_pictures(output[:-1], residual.shape[0], grid.output_size), cost

    def _track(self, keys: Tensor, residuals: Tensor) -> None:
        with torch.no_grad():
            self.key_quantizer.track(keys)
            for quantizer in self.quantizers():
                if quantizer.per_channel:
                    quantizer.track(self.weight)
                elif quantizer is not self.key_quantizer and len(residuals):
                    quantizer.track(residuals)

    def _cost(self, macs: int, bits: int | None) -> Cost:
        """Of a frame at one width; None for that of key frames."""
        bops = macs * (self.settings.key_bits if bits is None else bits) * self.settings.weight_width(bits)
        return Cost(macs, 0, macs, bops, macs, macs * FLOAT_BITS * FLOAT_BITS)

    def _chosen_cost(self, gates: Tensor, residual: Tensor, executed_macs: int | None) -> Cost:
        """Of a frame whose positions (N, 1, H, W) got these widths; without ``executed_macs``, each ran everywhere."""
        positions = gates.numel()
        dense = positions * self.macs_per_position
        policy = policy_macs(self, residual.numel(), positions)
        spent = bops = 0
        for number, bits in enumerate(self.settings.widths):
            if bits:
                macs = int((gates == number).sum()) * self.macs_per_position
                spent += macs
                bops += macs * bits * self.settings.weight_width(bits)
        if executed_macs is None:
            executed_macs = dense * sum(bits > 0 for bits in self.settings.widths)
        return Cost(
            macs=spent + policy,
            gate_macs=policy,
            executed_macs=executed_macs + policy,
            bops=bops + policy * self.settings.widths[-1],
            dense_macs=dense,
            dense_bops=dense * FLOAT_BITS * FLOAT_BITS,
        )
