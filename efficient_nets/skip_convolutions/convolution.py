"""One Skip-Convolution: computes where its input changed, and keeps its output elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.skip_convolutions.compiled_steps import CompiledSteps
from scaleflow.efficient_nets.skip_convolutions.gates import NormGate, change_map
from scaleflow.efficient_nets.skip_convolutions.given_gate import GivenGate
from scaleflow.efficient_nets.skip_convolutions.learned_gate import LearnedGate
from scaleflow.efficient_nets.skip_convolutions.settings import SkipConvSettings
from scaleflow.efficient_nets.skip_convolutions.state import Opening, PreparedWeights, SkipState
from scaleflow.efficient_nets.video.block_grid import BlockGrid, as_pictures, as_rows, positions_of
from scaleflow.efficient_nets.video.convolution import VideoConvolution
from scaleflow.efficient_nets.video.cost import Cost, dense_cost, gated_cost
from scaleflow.errors import UsageError

PRODUCT_CHANNELS = 96
"""Input channels from which on a matrix product is faster than a convolution of small pictures.

The convolution brings the weights into an order of its own in each call, which takes longer than the work itself where
channels are many and open blocks are few; the product gathers each sample once for each tap.
"""

COMPILED_PRODUCT_CHANNELS = 32
"""The same where gathering is compiled, and so takes less time."""


class SkipConvolution(VideoConvolution):
    """Convolution with a gate on the residual: Habibian et al., "Skip-Convolutions", CVPR 2021.

    The paper adds the convolution of the residual where the gate is open. With ``reference="opened"`` the residual of a
    position is what it has not seen since it was last computed. The sum of both is then the convolution of the input
    itself, so that is what is computed: as many MACs, the bias once, and no rounding errors that add up. With
    ``reference="every"`` the residual is that of the frame before, whose convolution (without the bias) is added.

    What a position has not seen is bounded, not stored for each: input under open gates becomes the reference, and the
    size of its change is put down at closed positions whose kernels overlap. By the triangle inequality no change gets
    lost, and a gate opens no later than its own reference would have opened it. Learned gates look at the residual
    itself, whose size is no measure for them; what a position has not seen is not noted for these. Given gates do not
    look at the input at all, which is the reference as it is.
    """

    def __init__(self, dense: nn.Conv2d, settings: SkipConvSettings) -> None:
        super().__init__(dense)
        self.settings = settings
        self.gate: NormGate | LearnedGate | GivenGate
        if settings.gate == "given":
            self.gate = GivenGate(settings.block)
        elif settings.gate == "learned":
            self.gate = LearnedGate(dense, settings.threshold, settings.block)
        else:
            self.gate = NormGate(dense, settings.gate, settings.threshold, settings.block)
        self._weights: PreparedWeights | None = None

    def first_frame(self, x: Tensor) -> tuple[Tensor, SkipState]:
        """See :class:`VideoConvolution`."""
        output = self.dense(x)
        state = self._start(x, output)
        if self.settings.execution == "compiled" and self._compiles(x):
            state.steps = CompiledSteps(state.grid, state.reference, state.output, state.unseen)
        return output, state

    def next_frame(self, x: Tensor, state: object) -> tuple[Tensor, Cost]:
        """See :class:`VideoConvolution`."""
        assert isinstance(state, SkipState)
        cost = self._update(x, state) if state.steps is None else self._update_compiled(x, state, state.steps)
        if cost is None:
            output = self.dense(x)
            state.output[:-1] = as_rows(output)
            return output, self._cost(None, state.grid, masked=False)
        return as_pictures(state.output[:-1], x.shape[0], state.grid.output_size).clone(), cost

    def whole_clip(self, clip: Tensor) -> tuple[Tensor, list[Cost]]:
        """See :class:`VideoConvolution`; computes every frame in full and lets through what is open."""
        if isinstance(self.gate, GivenGate):
            raise UsageError("given gates take frames one by one: call the network, not forward_clip()")
        computed = self.dense(clip.flatten(0, 1)).unflatten(0, clip.shape[:2])
        outputs = [computed[:, 0]]
        with torch.no_grad():
            state = self._start(clip[:, 0], computed[:, 0])
        costs = [dense_cost(self.dense_macs(computed[:, 0]))]
        shares = []
        for step in range(1, clip.shape[1]):
            x, drawn = clip[:, step], None
            if self.training and isinstance(self.gate, LearnedGate):
                drawn = self.gate.draw(self.gate(x, self._reference(state).clone()))
                shares.append(drawn.mean())
            with torch.no_grad():
                decision = (drawn > 0.5, None) if drawn is not None else self._decide(x, state)
                opening = self._open(x, *decision, state, always=drawn is not None)
            base = outputs[-1] if self.settings.reference == "opened" else computed[:, step - 1]
            if opening is None:
                outputs.append(computed[:, step])
            elif drawn is not None:
                gate = positions_of(drawn, self.settings.block, state.grid.output_size)
                outputs.append(outputs[-1] + gate * (computed[:, step] - base))
            elif self.settings.reference == "opened":
                outputs.append(torch.where(opening.gate, computed[:, step], base))
            else:
                outputs.append(outputs[-1] + opening.gate * (computed[:, step] - base))
            costs.append(self._cost(opening, state.grid, masked=True))
        if shares:
            self.clock.choices.append((self.dense_macs(computed[:, 1:].flatten(0, 1)), torch.stack(shares).mean()))
        return torch.stack(outputs, 1), costs

    def expected_shape(self, state: object) -> tuple[int, ...]:
        """See :class:`VideoConvolution`."""
        assert isinstance(state, SkipState)
        return state.grid.input_shape

    def _start(self, x: Tensor, output: Tensor) -> SkipState:
        grid = BlockGrid(self, x.shape, self.settings.block, x.device)
        unseen = x.new_zeros((x.shape[0], 1, *grid.output_size), dtype=torch.float32)
        return SkipState(grid, _with_last_row(x), _with_last_row(output), unseen)

    def _prepared(self) -> PreparedWeights:
        """From the weights as they are now."""
        version = (self.weight.data_ptr(), self.weight._version)
        if self._weights is None or self._weights.version != version:
            scale = self.gate.scale(self) if isinstance(self.gate, NormGate) else 1.0
            self._weights = PreparedWeights(version, scale)
        return self._weights

    def _matrix(self) -> Tensor:
        prepared = self._prepared()
        if prepared.matrix is None:
            taps_first = self.weight.detach().permute(2, 3, 1, 0)
            prepared.matrix = taps_first.reshape(-1, self.out_channels).contiguous()
        return prepared.matrix

    def _reference(self, state: SkipState) -> Tensor:
        batch, _, height, width = state.grid.input_shape
        return as_pictures(state.reference[:-1], batch, (height, width))

    def _compiles(self, x: Tensor) -> bool:
        """Whether there are compiled steps for the layer; else it runs as ``sparse`` does."""
        fits = x.device.type == "cpu" and x.dtype == torch.float32 and self.padding_mode == "zeros"
        return fits and not isinstance(self.gate, LearnedGate) and self.settings.reference == "opened"

    def _update(self, x: Tensor, state: SkipState) -> Cost | None:
        """Bring the state forward; None where so much is open that all positions are to be computed."""
        opening = self._open(x, *self._decide(x, state), state)
        if opening is None:
            return None
        masked = self.settings.execution == "masked"
        (self._advance_masked if masked else self._advance)(opening, state)
        return self._cost(opening, state.grid, masked)

    def _update_compiled(self, x: Tensor, state: SkipState, steps: CompiledSteps) -> Cost | None:
        """The same in compiled steps."""
        rows, scale = as_rows(x).contiguous(), self._prepared().scale
        looks = isinstance(self.gate, NormGate)
        if looks:
            blocks = steps.open_blocks(rows, scale, self.settings.threshold)
        else:
            blocks = self._decide(x, state)[0].flatten().nonzero()[:, 0].numpy()
        if len(blocks) > self.settings.dense_above * steps.blocks:
            _see_all(rows, state)
            return None
        inside = 0
        if len(blocks):
            if looks:
                steps.let_through(rows, scale, blocks)
            multiplies = self._multiplies(COMPILED_PRODUCT_CHANNELS)
            samples = (steps.patches if multiplies else steps.tiles)(rows, blocks)
            inside = steps.scatter(self._product(samples, multiplies, state.grid, self.bias), blocks)
        return self._sparse_cost(inside, len(blocks), state.grid)

    def _decide(self, x: Tensor, state: SkipState) -> tuple[Tensor, Tensor | None]:
        """Open blocks (N, lines, columns), and the change map where the gate made one."""
        if isinstance(self.gate, LearnedGate):
            return self.gate(x, self._reference(state)) > 0, None
        if isinstance(self.gate, GivenGate):
            if self.clock.changed is None:
                raise UsageError("gate = 'given' needs network.change_map() before each frame after the first")
            return self.gate.open_blocks(self, self.clock.changed, x), None
        change = change_map(x, self._reference(state))
        sizes = self.gate.sizes(self, change, self._prepared().scale)
        return self.gate.open_blocks(sizes.add_(state.unseen)), change

    def _open(
        self, x: Tensor, open_blocks: Tensor, change: Tensor | None, state: SkipState, always: bool = False
    ) -> Opening | None:
        """Bring the reference forward; None where so much is open that all positions are to be computed.

        With ``always``, the decision holds however much is open.
        """
        blocks = open_blocks.flatten().nonzero()[:, 0]
        rows = as_rows(x)
        if not always and len(blocks) > self.settings.dense_above * open_blocks.numel():
            _see_all(rows, state)
            return None
        gate = positions_of(open_blocks, self.settings.block, state.grid.output_size)
        if isinstance(self.gate, GivenGate):
            state.reference[:-1] = rows
            return Opening(blocks, gate, state.reference)
        if self.settings.reference == "every":
            residual = torch.zeros_like(state.reference)
            torch.sub(rows, state.reference[:-1], out=residual[:-1])
            state.reference[:-1] = rows
            return Opening(blocks, gate, residual)
        if len(blocks):
            self._let_through(rows, change, blocks, gate, state)
        return Opening(blocks, gate, state.reference)

    def _let_through(self, rows: Tensor, change: Tensor | None, blocks: Tensor, gate: Tensor, state: SkipState) -> None:
        """Input under open blocks becomes the reference."""
        seen = torch.zeros(len(state.reference), dtype=torch.bool, device=rows.device)
        seen[state.grid.input_rows(blocks).flatten()] = True
        if change is not None and isinstance(self.gate, NormGate):
            lost = self.gate.sizes(self, change * seen[:-1].view_as(change), self._prepared().scale)
            state.unseen.add_(lost).masked_fill_(gate, 0)
        changed = seen[:-1].nonzero()[:, 0]
        state.reference.index_copy_(0, changed, rows.index_select(0, changed))

    def _advance(self, opening: Opening, state: SkipState) -> None:
        """Compute open blocks alone: gather their input with its halo, convolve as a batch, put back."""
        if not len(opening.blocks):
            return
        targets = state.grid.output_rows(opening.blocks).flatten()
        if self.settings.reference == "opened":
            computed = self._convolve(opening, state.grid, self.bias)
        else:
            computed = self._convolve(opening, state.grid, None).add_(state.output.index_select(0, targets))
        state.output.index_copy_(0, targets, computed)

    def _convolve(self, opening: Opening, grid: BlockGrid, bias: Tensor | None) -> Tensor:
        """Rows of output (n * block * block, O) in open blocks."""
        multiplies = self._multiplies(PRODUCT_CHANNELS)
        rows = (grid.patch_rows if multiplies else grid.input_rows)(opening.blocks)
        return self._product(opening.source.index_select(0, rows.flatten()), multiplies, grid, bias)

    def _multiplies(self, least_channels: int) -> bool:
        """Whether open blocks are computed as one matrix product, from patches, or as a convolution of tiles."""
        return self.groups == 1 and (self.in_channels >= least_channels or self.kernel_size == (1, 1))

    def _product(self, samples: Tensor, multiplies: bool, grid: BlockGrid, bias: Tensor | None) -> Tensor:
        """Rows of output of what was gathered for it."""
        if not multiplies:
            return grid.convolve_tiles(samples, bias)
        matrix = self._matrix()
        patches = samples.view(-1, len(matrix))
        return patches @ matrix if bias is None else torch.addmm(bias, patches, matrix)

    def _advance_masked(self, opening: Opening, state: SkipState) -> None:
        """Compute everything and keep what is open."""
        batch, _, height, width = state.grid.input_shape
        picture = as_pictures(opening.source[:-1], batch, (height, width))
        output = as_pictures(state.output[:-1], batch, state.grid.output_size)
        if self.settings.reference == "opened":
            output.copy_(torch.where(opening.gate, self.dense(picture), output))
        else:
            output.add_(self._conv_forward(picture, self.weight, None) * opening.gate)

    def _cost(self, opening: Opening | None, grid: BlockGrid, masked: bool) -> Cost:
        if opening is not None and not masked:
            return self._sparse_cost(int(opening.gate.sum()), len(opening.blocks), grid)
        dense = grid.outside_row * self.macs_per_position
        spent = dense if opening is None else int(opening.gate.sum()) * self.macs_per_position
        return gated_cost(spent, self.gate.macs(grid.input_shape, grid.outside_row), dense, dense)

    def _sparse_cost(self, positions: int, blocks: int, grid: BlockGrid) -> Cost:
        gate = self.gate.macs(grid.input_shape, grid.outside_row)
        spent, executed, dense = (
            count * self.macs_per_position for count in (positions, blocks * self.settings.block**2, grid.outside_row)
        )
        return gated_cost(spent, gate, executed, dense)


def _see_all(rows: Tensor, state: SkipState) -> None:
    """The input of a frame that is computed in full becomes the reference."""
    state.reference[:-1] = rows
    state.unseen.zero_()


def _with_last_row(x: Tensor) -> Tensor:
    """Rows of (N, C, H, W) in memory of their own, and one of zeros behind."""
    rows = as_rows(x)
    return torch.cat((rows, rows.new_zeros(1, rows.shape[1])))
