"""The recurrent model as a codec: networks, exact scales and one range-coded payload for each picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scaleflow.codec.models.absence import decode_absence, encode_absence
from scaleflow.codec.models.computation import picture_computation
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.motion_estimation import match_blocks, vector_smoothness
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality
from scaleflow.codec.models.rate_distortion import rate_distortion_cost, squared_error
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.frozen_latents import (
    DecodedLatents,
    ExactContext,
    FrozenLatentCoder,
    LatentSurroundings,
)
from scaleflow.codec.models.recurrent.network import (
    REFERENCE_PARTS,
    CodecState,
    Prediction,
    RecurrentNetwork,
    reference_picture,
)
from scaleflow.codec.models.recurrent.reference import RecurrentReference
from scaleflow.codec.models.scaleflow_picture import cells_of, pack_picture, rounded_to_depth
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError
from scaleflow.quality_range import QUALITY_STEPS, quality_code

_CHEAP = 0.05
"""Bits a pixel below which it is tried whether nothing is better."""

_LEFT_TO_RESIDUAL = 0.4
"""Share of an error of the prediction that the residual does not mend, where motion is decided on."""


@dataclass(frozen=True)
class _Decoded:
    """An inter picture as both sides have it, packed and rounded, and what follows from it."""

    picture: Tensor
    memory: Tensor
    motion: DecodedLatents
    residual: DecodedLatents


class RecurrentCodec(nn.Module):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` for :class:`RecurrentNetwork`."""

    working_format: WorkingFormat = "yuv420"
    variable_rate = True

    def __init__(self, config: RecurrentConfig | None = None, *, name: str = "recurrent") -> None:
        super().__init__()
        self.name = name
        self.precision: Precision = "fp32"
        self.weights_hash = ""
        self.network = RecurrentNetwork(config)
        self.gaussian = gaussian_tables(ScaleGrid())
        self.intra = FrozenLatentCoder(self.network.intra.latents, self.gaussian)
        self.motion = FrozenLatentCoder(self.network.inter.motion_latents, self.gaussian)
        self.residual = FrozenLatentCoder(self.network.inter.latents, self.gaussian)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.intra.gain.anchors.device

    @property
    def synthesis_transforms(self) -> tuple[nn.Module, nn.Module]:
        """See :class:`scaleflow.codec.models.capabilities.GivesParts`."""
        return self.network.intra.synthesis, self.network.inter.synthesis

    def freeze(self) -> None:
        """Derive integers from the float parts, once, at export."""
        for coder in (self.intra, self.motion, self.residual):
            coder.freeze()

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        order.require_plain(self.name)
        assert reference is None or isinstance(reference, RecurrentReference)
        state = QualityState(quality_code(order.quality))
        encoder = SymbolEncoder()
        with picture_computation(self.device, self.precision):
            picture = pack_picture(planes, geometry, self.device)
            bits = {"quality": encode_quality(encoder, state, reference.quality if reference else None)}
            if reference is None:
                result = self._encode_intra(picture, geometry, state, encoder, bits)
            else:
                result = self._encode_inter(picture, geometry, reference, state, encoder, bits)
        return EncodedPicture(encoder.finish(), result, bits)

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        return self.decode_symbols(SymbolDecoder(payload), geometry, reference)

    def decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> Reference:
        """See :class:`scaleflow.codec.models.capabilities.DecodesSymbols`."""
        return self._decode_picture(decoder, geometry, reference)[0]

    def decode_picture_and_parts(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, DecodedParts]:
        """See :class:`scaleflow.codec.models.capabilities.GivesParts`."""
        return self._decode_picture(SymbolDecoder(payload), geometry, reference)

    def _decode_picture(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[RecurrentReference, DecodedParts]:
        assert reference is None or isinstance(reference, RecurrentReference)
        try:
            with picture_computation(self.device, self.precision):
                state = decode_quality(decoder, reference.quality if reference else None)
                if state.has_map or state.has_presence:
                    raise DataError("damaged picture: this model has no maps of bin widths or of presence")
                if reference is None:
                    around = self._around(geometry, state, self.intra.nothing_before(cells_of(geometry)))
                    latents = self.intra.decoded(self.intra.read(around, decoder), around)
                    intra = self._finish_intra(latents, geometry, state, around.quality)
                    return intra, DecodedParts(intra.state.first.packed, latents.values, None, around.quality)
                return self._decode_inter(decoder, geometry, reference, state)
        except DamagedSymbolsError as error:
            raise DataError(str(error)) from error

    def _encode_intra(
        self,
        picture: Tensor,
        geometry: PictureGeometry,
        state: QualityState,
        encoder: SymbolEncoder,
        bits: dict[str, float],
    ) -> RecurrentReference:
        around = self._around(geometry, state, self.intra.nothing_before(cells_of(geometry)))
        latents = self.network.intra.analysis(picture, around.quality)
        symbols, decoded = self.intra.choose(latents, around)
        self.intra.write(symbols, around, encoder)
        bits["intra"], bits["intra hyper"] = self.intra.bits(symbols, around)
        return self._finish_intra(decoded, geometry, state, around.quality)

    def _finish_intra(
        self, latents: DecodedLatents, geometry: PictureGeometry, quality: QualityState, level: Tensor
    ) -> RecurrentReference:
        decoded, features = self.network.intra.synthesis(latents.values, level)
        state = self.network.state_after_intra(rounded_to_depth(decoded, geometry, REFERENCE_PARTS), features)
        size = cells_of(geometry)
        before = self.motion.nothing_before(size), self.residual.nothing_before(size)
        return RecurrentReference(state, *before, quality, (False, False), geometry)

    def _encode_inter(
        self,
        picture: Tensor,
        geometry: PictureGeometry,
        reference: RecurrentReference,
        quality: QualityState,
        encoder: SymbolEncoder,
        bits: dict[str, float],
    ) -> RecurrentReference:
        network, state = self.network, reference.state
        moving = self._around_motion(geometry, reference, quality)
        level = moving.quality
        vectors = self._vectors(picture, state.first.packed, quality.code / QUALITY_STEPS)
        latents = network.analyse_motion(picture, state, vectors, level)
        motion_symbols, motion = self.motion.choose(latents, moving)
        prediction = network.inter.predict(motion.values, state, level)
        spent = sum(self.motion.bits(motion_symbols, moving))
        if spent < _CHEAP * picture[0, 0].numel() * 4:
            still = self.motion.nothing(moving)
            unmoved = self.motion.decoded(still, moving)
            plain = network.inter.predict(unmoved.values, state, level)
            costs = [
                self._cost(picture, p.picture, cost, level, _LEFT_TO_RESIDUAL)
                for p, cost in ((prediction, spent), (plain, 0.0))
            ]
            if costs[1] <= costs[0]:
                motion_symbols, motion, prediction = still, unmoved, plain
        bits["motion"], bits["motion hyper"] = self.motion.bits(motion_symbols, moving)
        bits["absence"] = encode_absence(encoder, motion_symbols.absent, reference.absent[0])
        self.motion.write(motion_symbols, moving, encoder)
        contexts = self._contexts(prediction, level)
        missing = self._around_residual(geometry, reference, quality, motion, contexts[1])
        latents = network.inter.analysis(picture - prediction.picture, level, *contexts)
        symbols, residual = self.residual.choose(latents, missing)
        decoded = self._reconstruct(residual, motion, prediction, contexts, geometry, level)
        spent = sum(self.residual.bits(symbols, missing))
        if spent < _CHEAP * picture[0, 0].numel() * 4:
            nothing = self.residual.nothing(missing)
            untouched = self._reconstruct(
                self.residual.decoded(nothing, missing), motion, prediction, contexts, geometry, level
            )
            costs = [self._cost(picture, d.picture, cost, level) for d, cost in ((decoded, spent), (untouched, 0.0))]
            if costs[1] <= costs[0]:
                symbols, decoded = nothing, untouched
        bits["residual"], bits["residual hyper"] = self.residual.bits(symbols, missing)
        bits["absence"] += encode_absence(encoder, symbols.absent, reference.absent[1])
        self.residual.write(symbols, missing, encoder)
        return self._following(decoded, reference, quality, (motion_symbols.absent, symbols.absent), geometry)

    def _decode_inter(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: RecurrentReference, quality: QualityState
    ) -> tuple[RecurrentReference, DecodedParts]:
        moving = self._around_motion(geometry, reference, quality)
        motion_absent = decode_absence(decoder, reference.absent[0])
        symbols = self.motion.nothing(moving) if motion_absent else self.motion.read(moving, decoder)
        motion = self.motion.decoded(symbols, moving)
        prediction = self.network.inter.predict(motion.values, reference.state, moving.quality)
        contexts = self._contexts(prediction, moving.quality)
        missing = self._around_residual(geometry, reference, quality, motion, contexts[1])
        absent = decode_absence(decoder, reference.absent[1])
        symbols = self.residual.nothing(missing) if absent else self.residual.read(missing, decoder)
        residual = self.residual.decoded(symbols, missing)
        decoded = self._reconstruct(residual, motion, prediction, contexts, geometry, moving.quality)
        flow = prediction.motion.flow.float()
        following = self._following(decoded, reference, quality, (motion_absent, absent), geometry)
        beside = self.network.beside_residual(motion.values, contexts, prediction)
        return following, DecodedParts(decoded.picture, residual.values, flow, moving.quality, beside)

    def _around(self, geometry: PictureGeometry, quality: QualityState, before: ExactContext) -> LatentSurroundings:
        level = torch.tensor([quality.code / QUALITY_STEPS], device=self.device)
        return LatentSurroundings(cells_of(geometry), quality.code, level, before)

    def _around_motion(
        self, geometry: PictureGeometry, reference: RecurrentReference, quality: QualityState
    ) -> LatentSurroundings:
        level = torch.tensor([quality.code / QUALITY_STEPS], device=self.device)
        before = reference.state.motion
        return LatentSurroundings(cells_of(geometry), quality.code, level, reference.motion, None, before)

    def _around_residual(
        self,
        geometry: PictureGeometry,
        reference: RecurrentReference,
        quality: QualityState,
        motion: DecodedLatents,
        coarse: Tensor,
    ) -> LatentSurroundings:
        level = torch.tensor([quality.code / QUALITY_STEPS], device=self.device)
        features = torch.cat((motion.values.to(coarse.dtype), coarse), 1)
        beside = motion.context.magnitudes
        return LatentSurroundings(cells_of(geometry), quality.code, level, reference.residual, beside, features)

    def _contexts(self, prediction: Prediction, level: Tensor) -> tuple[Tensor, Tensor]:
        contexts: tuple[Tensor, Tensor] = self.network.inter.context(
            prediction.picture, prediction.memory, prediction.motion.features, level
        )
        return contexts

    def _reconstruct(
        self,
        residual: DecodedLatents,
        motion: DecodedLatents,
        prediction: Prediction,
        contexts: tuple[Tensor, Tensor],
        geometry: PictureGeometry,
        level: Tensor,
    ) -> _Decoded:
        decoded, memory = self.network.reconstruct(residual.values, prediction, motion.values, contexts, level)
        return _Decoded(rounded_to_depth(decoded, geometry, REFERENCE_PARTS), memory, motion, residual)

    def _following(
        self,
        decoded: _Decoded,
        reference: RecurrentReference,
        quality: QualityState,
        absent: tuple[bool, bool],
        geometry: PictureGeometry,
    ) -> RecurrentReference:
        before = reference.state
        state = CodecState(
            reference_picture(decoded.picture),
            before.first,
            decoded.memory,
            decoded.motion.values,
            before.motion_context,
            before.residual_context,
        )
        return RecurrentReference(state, decoded.motion.context, decoded.residual.context, quality, absent, geometry)

    def _cost(self, picture: Tensor, decoded: Tensor, bits: float, level: Tensor, share: float = 1.0) -> float:
        """Bits a pixel, and what ``share`` of the error amounts to in them."""
        error = share * squared_error(unpack_planes(picture), unpack_planes(decoded))
        rate = torch.full_like(error, bits / (picture[0, 0].numel() * 4))
        return float(rate_distortion_cost(rate, error, level))

    def _vectors(self, picture: Tensor, earlier: Tensor, quality: float) -> Tensor:
        luma, earlier_luma = unpack_planes(picture)[0], unpack_planes(earlier)[0]
        return match_blocks(luma * 255, earlier_luma * 255, vector_smoothness(quality))
