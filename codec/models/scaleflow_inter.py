"""Inter pictures of the default model, predicted from the one before: encode and decode side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.clip_coding import motion_vectors
from scaleflow.codec.models.frozen_hyperprior import ChosenLatents, DecodedLatents, FrozenHyperprior
from scaleflow.codec.models.inter_decisions import InterDecisions, Trial
from scaleflow.codec.models.latent_refinement import refine_inter
from scaleflow.codec.models.presence import (
    HYPER_CELL,
    CellMask,
    CellValues,
    FailedTrials,
    InterPresence,
    decode_presence,
    encode_presence,
    everywhere,
    positions_of,
)
from scaleflow.codec.models.quality_symbol import QualityState
from scaleflow.codec.models.scaleflow import InterPrediction, ScaleFlowNetwork, block_difference
from scaleflow.codec.models.scaleflow_picture import ScaleFlowReference, rounded_to_depth
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.codec.models.transforms import PATCH, PICTURE_CHANNELS
from scaleflow.entropy.fixed_point import ONE
from scaleflow.entropy.symbol_calls import TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder
from scaleflow.quality_range import QUALITY_STEPS


@dataclass(frozen=True)
class InterPriors:
    """The frozen priors of both kinds of latents."""

    motion: FrozenHyperprior
    residual: FrozenHyperprior


@dataclass(frozen=True)
class InterPicture:
    """A picture as decoded, packed (1, 6, H, W) and not rounded yet, and what it was put together from.
    ``failed`` is what an encoder remembers for the next."""

    decoded: Tensor
    prediction: InterPrediction
    motion: DecodedLatents
    residual: DecodedLatents
    presence: InterPresence
    failed: FailedTrials | None = None

    @property
    def fixed_latents(self) -> tuple[Tensor, Tensor]:
        """Of motion and residual, as the next picture's priors see them."""
        return self.motion.fixed, self.residual.fixed


@dataclass(frozen=True)
class _Chosen:
    """Latents of one kind, where they are present, and their symbols; None where all are absent."""

    cells: CellMask
    latents: DecodedLatents
    symbols: ChosenLatents | None = None

    @property
    def bits(self) -> tuple[float, float]:
        """Ideal bits of latents and of hyper-latents."""
        return (0.0, 0.0) if self.symbols is None else (self.symbols.bits, self.symbols.hyper_bits)

    def bits_of_cells(self) -> CellValues:
        """The same by cells."""
        return np.zeros(self.cells.shape) if self.symbols is None else self.symbols.bits_of_cells()

    def write(self, encoder: TakesSymbols) -> None:
        """Code the symbols, if there are any."""
        if self.symbols is not None:
            self.symbols.write(encoder)


def encode_inter(
    network: ScaleFlowNetwork,
    priors: InterPriors,
    source: SourcePicture,
    reference: ScaleFlowReference,
    encoder: TakesSymbols,
) -> tuple[InterPicture, dict[str, float]]:
    """Code a picture from its reference; returns it as decoded, and the ideal bits by kind of symbol.

    The picture says what latents are present if something is absent or the picture before said so.
    """
    inter, motion, residual = _InterEncoder(network, priors, source, reference).choose()
    bits: dict[str, float] = {}
    bits["motion"], bits["motion hyper"] = motion.bits
    bits["residual"], bits["residual hyper"] = residual.bits
    before, says = reference.said_present, reference.quality.has_presence or not inter.presence.complete
    if says:
        bits["presence"] = encode_presence(encoder, motion.cells, before[0])
    motion.write(encoder)
    if says:
        bits["presence"] += encode_presence(encoder, residual.cells, before[1], motion.cells)
    residual.write(encoder)
    return inter, bits


class _InterEncoder:
    """Decides on one picture."""

    def __init__(
        self, network: ScaleFlowNetwork, priors: InterPriors, source: SourcePicture, reference: ScaleFlowReference
    ) -> None:
        self.network, self.priors, self.source, self.reference = network, priors, source, reference
        self.decisions = InterDecisions(source, reference)

    def choose(self) -> tuple[InterPicture, _Chosen, _Chosen]:
        """The picture, and the motion and the residual to write."""
        refined = self._refined() if self.source.refinement is not None and self.source.region is not None else None
        unmoved = self.decisions.errors(self.reference.packed)
        trial = self.decisions.motion(unmoved)
        motion, prediction, predicted = self._motion(trial, unmoved, refined and refined[0])
        mending = self.decisions.residual(predicted, motion.cells)
        residual, decoded = self._residual(mending, motion, prediction, refined and refined[1])
        failed = FailedTrials(trial.failed, mending.failed)
        if motion.symbols is not None or residual.symbols is not None:
            errors = self.decisions.errors(rounded_to_depth(decoded, self.reference.geometry))
            spent = sum(motion.bits) + sum(residual.bits)
            spent += self.decisions.bits(InterPresence(motion.cells, residual.cells))
            still, unmended = self._absent(self.priors.motion), self._absent(self.priors.residual)
            of_nothing = self.decisions.bits(InterPresence(still.cells, unmended.cells))
            if unmoved.sum() + of_nothing <= errors.sum() + spent:
                failed = FailedTrials(unmoved, unmoved)
                return self._finished(still, self._predict(still), unmended, self.reference.packed, failed)
        return self._finished(motion, prediction, residual, decoded, failed)

    def _finished(
        self,
        motion: _Chosen,
        prediction: InterPrediction,
        residual: _Chosen,
        decoded: Tensor,
        failed: FailedTrials,
    ) -> tuple[InterPicture, _Chosen, _Chosen]:
        presence = InterPresence(motion.cells, residual.cells)
        inter = InterPicture(decoded, prediction, motion.latents, residual.latents, presence, failed)
        return inter, motion, residual

    def _motion(
        self, trial: Trial, unmoved: CellValues, refined: Tensor | None
    ) -> tuple[_Chosen, InterPrediction, CellValues]:
        """Motion, what it predicts, and the errors of that; of latents that were refined, if they were."""
        motion = self._absent(self.priors.motion)
        prediction, errors = self._predict(motion), unmoved
        if trial.tried.any():
            analysed = self._analyse_motion() if refined is None else refined
            moving = self._chosen(self.priors.motion, analysed, self.reference.motion, trial.tried)
            moved = self._predict(moving)
            moved_errors = self.decisions.errors(moved.picture)
            kept = trial.keep(moving.bits_of_cells(), moved_errors)
            if kept is trial.tried:
                motion, prediction, errors = moving, moved, moved_errors
            elif kept.any():
                motion = self._chosen(self.priors.motion, analysed, self.reference.motion, kept)
                prediction = self._predict(motion)
                errors = self.decisions.errors(prediction.picture)
        return motion, prediction, errors

    def _residual(
        self, trial: Trial, motion: _Chosen, prediction: InterPrediction, refined: Tensor | None
    ) -> tuple[_Chosen, Tensor]:
        """The residual, and the picture with it; of latents that were refined where these saw the motion that is."""
        residual, decoded = self._absent(self.priors.residual), prediction.picture
        if trial.tried.any():
            analysed = _analyse_residual(self.network, self.source, prediction.picture)
            if refined is not None:
                moved = torch.from_numpy(positions_of(motion.cells, self._size)).to(refined.device)
                analysed = torch.where(moved, refined, analysed)
            context = _residual_context(self.reference, motion.latents)
            mending = self._chosen(self.priors.residual, analysed, context, trial.tried)
            mended = self._put_together(prediction, motion, mending)
            errors = self.decisions.errors(rounded_to_depth(mended, self.reference.geometry))
            kept = trial.keep(mending.bits_of_cells(), errors)
            if kept is trial.tried:
                residual, decoded = mending, mended
            elif kept.any():
                residual = self._chosen(self.priors.residual, analysed, context, kept)
                decoded = self._put_together(prediction, motion, residual)
        return residual, decoded

    def _refined(self) -> tuple[Tensor, Tensor]:
        """Latents of motion and residual that descended together, as if all of both were present."""
        network, source, reference = self.network, self.source, self.reference
        assert source.refinement is not None
        motion_before = (reference.motion / ONE).float()
        analysed = self._analyse_motion()
        subject = source.to_refine(network)
        expected = network.predict(
            subject.code("motion", analysed, motion_before).values, reference.packed, source.level
        )
        return refine_inter(
            subject,
            analysed,
            _analyse_residual(network, source, expected.picture),
            reference.packed,
            motion_before,
            (reference.residual / ONE).float(),
            source.refinement,
        )

    def _analyse_motion(self) -> Tensor:
        network, source, reference = self.network, self.source, self.reference
        vectors = motion_vectors(network, source.packed, reference.packed, [source.code / QUALITY_STEPS])
        difference = block_difference(source.packed, reference.packed, vectors)
        before = (reference.motion / ONE).float()
        return source.steer("motion", network.motion.analysis(vectors, difference, source.level), before)

    def _chosen(self, prior: FrozenHyperprior, analysed: Tensor, context: Tensor, cells: CellMask) -> _Chosen:
        within = None if cells.all() else cells
        symbols = prior.choose(analysed, self.source.code, context, self.source.bin_widths, within)
        return _Chosen(cells, symbols.decoded, symbols)

    def _absent(self, prior: FrozenHyperprior) -> _Chosen:
        return _Chosen(~everywhere(self._size), prior.nothing(self._size))

    @property
    def _size(self) -> tuple[int, int]:
        return self.reference.motion.shape[2], self.reference.motion.shape[3]

    def _predict(self, motion: _Chosen) -> InterPrediction:
        return _predict(self.network, motion.latents, motion.cells, self.reference, self.source.level)

    def _put_together(self, prediction: InterPrediction, motion: _Chosen, residual: _Chosen) -> Tensor:
        latents = motion.latents, residual.latents
        return _put_together(self.network, prediction, *latents, residual.cells, self.source.level)


def decode_inter(
    network: ScaleFlowNetwork,
    priors: InterPriors,
    quality: QualityState,
    level: Tensor,
    widths: NDArray[np.int32] | None,
    reference: ScaleFlowReference,
    decoder: SymbolDecoder,
) -> InterPicture:
    """Inverse of :func:`encode_inter`.

    Args:
        network, priors: the transforms, and the frozen priors of both kinds of latents.
        quality: of the picture, and whether it says what is present.
        level: the quality as the networks see it, (1,).
        widths: of bins, (h, w); None without a map.
        reference: what the picture is predicted from.
        decoder: of the payload, after quality and map.
    """
    size, before, code = reference.size, reference.said_present, quality.code
    moving = mended = everywhere(size)
    if quality.has_presence:
        moving = decode_presence(decoder, size, before[0])
    motion = _decode(priors.motion, size, code, reference.motion, decoder, widths, moving)
    if quality.has_presence:
        mended = decode_presence(decoder, size, before[1], moving)
    context = _residual_context(reference, motion)
    residual = _decode(priors.residual, size, code, context, decoder, widths, mended)
    prediction = _predict(network, motion, moving, reference, level)
    decoded = _put_together(network, prediction, motion, residual, mended, level)
    return InterPicture(decoded, prediction, motion, residual, InterPresence(moving, mended))


def _decode(
    prior: FrozenHyperprior,
    size: tuple[int, int],
    code: int,
    context: Tensor,
    decoder: SymbolDecoder,
    widths: NDArray[np.int32] | None,
    cells: CellMask,
) -> DecodedLatents:
    if not cells.any():
        return prior.nothing(size)
    return prior.decode(size, code, context, decoder, widths, None if cells.all() else cells)


def _predict(
    network: ScaleFlowNetwork, motion: DecodedLatents, cells: CellMask, reference: ScaleFlowReference, level: Tensor
) -> InterPrediction:
    """The reference, moved where there is motion."""
    height, width = (4 * side for side in reference.size)
    if not cells.any():
        flow = reference.packed.new_zeros(1, 2, height, width)
        return InterPrediction(reference.packed, flow, flow[:, :1])
    prediction = network.predict(motion.values, reference.packed, level)
    if cells.all():
        return prediction
    moving = _spread(cells, prediction.flow)
    picture = torch.where(_spread(cells, reference.packed), prediction.picture.float(), reference.packed)
    return InterPrediction(picture, prediction.flow * moving, prediction.scale * moving)


def _put_together(
    network: ScaleFlowNetwork,
    prediction: InterPrediction,
    motion: DecodedLatents,
    residual: DecodedLatents,
    cells: CellMask,
    level: Tensor,
) -> Tensor:
    """The prediction, mended where there is a residual."""
    if not cells.any():
        return prediction.picture
    change = network.residual.synthesis(residual.values, level, motion.values, prediction.picture)
    if not cells.all():
        change = change * _spread(cells, change)
    return prediction.picture + change


def _spread(cells: CellMask, like: Tensor) -> Tensor:
    """A mask of cells, of the height and width of a tensor, to multiply it or to choose by."""
    size = like.shape[2], like.shape[3]
    side = HYPER_CELL * PATCH if like.shape[1] == PICTURE_CHANNELS else HYPER_CELL * 4
    return torch.from_numpy(positions_of(cells, size, side)).to(like.device)


def _residual_context(reference: ScaleFlowReference, motion: DecodedLatents) -> Tensor:
    """What the prior of the residual sees: the residual before, and this picture's motion."""
    return torch.cat((reference.residual, motion.fixed), 1)


def _analyse_residual(network: ScaleFlowNetwork, source: SourcePicture, prediction: Tensor) -> Tensor:
    return source.steer("residual", network.residual.analysis(source.packed - prediction, source.level, prediction))
