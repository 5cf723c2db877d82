"""The default model as a codec: networks, frozen priors and one range-coded payload for each picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.bin_width_map import BinWidthMap, decode_bin_widths, encode_bin_widths
from scaleflow.codec.models.clip_coding import CodedClip, code_clip
from scaleflow.codec.models.computation import picture_computation, standard_settings
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.frozen_hyperprior import FrozenHyperprior
from scaleflow.codec.models.latent_region import LatentRegion
from scaleflow.codec.models.picture_analysis import CostRecorder, PictureAnalysis, bits_by_kind
from scaleflow.codec.models.picture_change import PictureChange, SymbolRecorder
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.presence import CellMask, everywhere, positions_of
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import ScaleFlowConfig, ScaleFlowNetwork
from scaleflow.codec.models.scaleflow_inter import InterPicture, InterPriors, decode_inter, encode_inter
from scaleflow.codec.models.scaleflow_intra import IntraPicture, decode_intra, encode_intra
from scaleflow.codec.models.scaleflow_picture import CELL, ScaleFlowReference, cells_of, pack_picture, reference_of
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.codec.models.scaleflow_weights import complete_network, frozen_tensors, load_frozen_tensors
from scaleflow.codec.models.transforms import PATCH, PICTURE_CHANNELS, SAMPLE_RANGE
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_calls import SymbolCalls
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError, UsageError
from scaleflow.quality_range import QUALITY_STEPS, quality_code


class ScaleFlowCodec(nn.Module):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` for :class:`ScaleFlowNetwork`, and all of
    :mod:`scaleflow.codec.models.capabilities`.

    ``can_be_trained``: the weights hold what the priors were frozen from, and :meth:`complete_network` brings it into
    ``network``.
    """

    working_format: WorkingFormat = "yuv420"
    variable_rate = True
    region_cell = CELL
    stream_features = ("presence",)

    def __init__(
        self, config: ScaleFlowConfig | None = None, *, name: str = "default", with_priors: bool = True
    ) -> None:
        super().__init__()
        self.name = name
        self.precision: Precision = "fp32"
        self.weights_hash = ""
        self.can_be_trained = True
        self._float_priors: dict[str, Tensor] = {}
        self.network = ScaleFlowNetwork(config, with_priors)
        config = self.network.config
        self.gaussian = gaussian_tables(ScaleGrid())
        self.intra_prior = FrozenHyperprior(self.network.intra.hyperprior, self.gaussian, config.intra_latents)
        self.motion_prior = FrozenHyperprior(self.network.motion.hyperprior, self.gaussian, config.motion_latents)
        self.residual_prior = FrozenHyperprior(self.network.residual.hyperprior, self.gaussian, config.residual_latents)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.intra_prior.gain.anchors.device

    @property
    def synthesis_transforms(self) -> tuple[nn.Module, nn.Module]:
        """See :class:`scaleflow.codec.models.capabilities.GivesParts`."""
        return self.network.intra.synthesis, self.network.residual.synthesis

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        assert reference is None or isinstance(reference, ScaleFlowReference)
        if order.refinement is not None:
            self.check_refinement()
            self.complete_network()
        code = quality_code(order.quality)
        region: LatentRegion | None = None
        if order.region is not None:
            region = LatentRegion(order.region.coding, order.region.mask, CELL, code / QUALITY_STEPS, self.device)
        state = QualityState(code, region is not None and region.coding.codes_widths)
        calls = SymbolCalls()
        network, config = self.network, self.network.config
        with picture_computation(self.device, self.precision):
            packed = pack_picture(planes, geometry, self.device)
            level = torch.tensor([code / QUALITY_STEPS], device=self.device)
            bits: dict[str, float] = {}
            widths: BinWidthMap | None = None
            if region is not None and state.has_map:
                wanted = region.bin_widths(lambda: network.intra.analysis(packed, level))
                widths, bits["region"] = encode_bin_widths(wanted, reference.widths if reference else None, calls)
            source = SourcePicture(packed, level, code, widths, region, order.refinement)
            if reference is None:
                decoded, of_latents = encode_intra(network, self.intra_prior, source, calls)
                result = reference_of(decoded, None, config, state, geometry, widths)
            else:
                inter, of_latents = encode_inter(network, self._inter_priors(), source, reference, calls)
                says = reference.quality.has_presence or not inter.presence.complete
                state = replace(state, has_presence=says)
                latents = inter.fixed_latents
                result = reference_of(
                    inter.decoded, latents, config, state, geometry, widths, inter.presence, inter.failed
                )
            encoder = SymbolEncoder()
            bits["quality"] = encode_quality(encoder, state, reference.quality if reference else None)
            calls.write(encoder)
        return EncodedPicture(encoder.finish(), result, bits | of_latents)

    def forward(self, planes: tuple[Tensor, ...], quality: Tensor) -> CodedClip:
        """Code clips of tensors, with gradients and without a bitstream: for training loops.

        Bits are estimated by the float priors that the integer ones were frozen from. In training mode
        (``model.train()``) noise stands in for rounding, so that gradients of the rate flow; in evaluation mode what is
        estimated is what is rounded, within a percent of the coded size where the encoder leaves nothing out. What a
        person encodes follows changed weights
        only once they are frozen anew (``scaleflow export``).

        Args:
            planes: luma (N, T, 1, H, W) and chroma (N, T, 2, ceil(H / 2), ceil(W / 2)), 0..1; what
                :func:`scaleflow.codec.video.color_tensors.rgb_to_planes` makes of RGB.
            quality: (N,), 0..63.

        Returns:
            The same planes as the decoder has them, and the bits of each picture, (N, T).

        Raises:
            UsageError: shapes that do not fit.
            DataError: the weights hold integer priors only.

        Example:
            >>> import scaleflow, torch
            >>> model = scaleflow.load_model("default").train()
            >>> luma, chroma = torch.rand(1, 2, 1, 64, 64), torch.rand(1, 2, 2, 32, 32)
            >>> coded = model((luma, chroma), torch.tensor([30.0]))
            >>> loss = coded.bits_per_pixel + 100 * (coded.planes[0] - luma).square().mean()
            >>> loss.backward()
            >>> coded.planes[0].shape, coded.bits.shape
            (torch.Size([1, 2, 1, 64, 64]), torch.Size([1, 2]))
        """
        network = self.trainable_network()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return code_clip(network, planes, quality)

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        return self.decode_symbols(SymbolDecoder(payload), geometry, reference)

    def decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> Reference:
        """See :class:`scaleflow.codec.models.capabilities.DecodesSymbols`."""
        return self._decode_picture(decoder, geometry, reference)[0]

    def analyse_picture(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureAnalysis]:
        """Decode as :meth:`decode_picture` does, and say where the bits went and what moved."""
        decoder = CostRecorder(payload)
        decoded, parts = self._decode_picture(decoder, geometry, reference)
        present: dict[LatentKind, CellMask] = {"intra": everywhere(cells_of(geometry))}
        if isinstance(parts, InterPicture):
            present = {"motion": parts.presence.motion, "residual": parts.presence.residual}
        return decoded, PictureAnalysis(
            key=reference is None,
            planes=decoded.planes(),
            bits=bits_by_kind(decoder.costs, self._priors(), cells_of(geometry), present),
            cell=CELL,
            flow=None if isinstance(parts, IntraPicture) else parts.prediction.flow[0].float().cpu().numpy(),
            scale=None if isinstance(parts, IntraPicture) else parts.prediction.scale[0, 0].float().cpu().numpy(),
            widths=None if decoded.widths is None else decoded.widths.widths,
        )

    def decode_picture_and_change(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureChange | None]:
        """Decode as :meth:`decode_picture` does, and say where the picture can differ from its reference.

        None for a picture that was coded alone.
        """
        decoder = SymbolRecorder(payload)
        decoded, parts = self._decode_picture(decoder, geometry, reference)
        if isinstance(parts, IntraPicture):
            return decoded, None
        mended = positions_of(parts.presence.residual, cells_of(geometry)).copy()
        if mended.any():
            mended[mended] = decoder.latest.any((0, 1)).reshape(-1)  # residual symbols come last, and together
        squares = self.network.residual.synthesis.linear.weight.detach().square().sum((1, 2, 3)).view(-1, 1, 1)
        samples = PICTURE_CHANNELS * PATCH * PATCH
        residual = (parts.residual.values[0].square() * squares).sum(0).div(samples).sqrt() * (255 / SAMPLE_RANGE)
        assert isinstance(reference, ScaleFlowReference)
        moved = (parts.prediction.picture.float() - reference.packed.float()).square().mean(1, keepdim=True)
        prediction = F.avg_pool2d(moved, CELL // 2)[0, 0].sqrt() * (255 / SAMPLE_RANGE)
        return decoded, PictureChange(
            prediction=prediction.cpu().numpy(),
            residual=np.where(mended, residual.cpu().numpy(), np.float32(0)),
            cell=CELL,
            size=(geometry.height, geometry.width),
        )

    def decode_picture_and_parts(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, DecodedParts]:
        """See :class:`scaleflow.codec.models.capabilities.GivesParts`."""
        decoded, parts = self._decode_picture(SymbolDecoder(payload), geometry, reference)
        level = torch.tensor([decoded.quality.code / QUALITY_STEPS], device=self.device)
        if isinstance(parts, IntraPicture):
            return decoded, DecodedParts(decoded.packed, parts.latents.values, None, level)
        flow, beside = parts.prediction.flow.float(), (parts.motion.values, parts.prediction.picture)
        return decoded, DecodedParts(decoded.packed, parts.residual.values, flow, level, beside)

    def _decode_picture(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[ScaleFlowReference, IntraPicture | InterPicture]:
        try:
            return self._decode_symbols(decoder, geometry, reference)
        except DamagedSymbolsError as error:
            raise DataError(str(error)) from error

    def _decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[ScaleFlowReference, IntraPicture | InterPicture]:
        assert reference is None or isinstance(reference, ScaleFlowReference)
        network, config, size = self.network, self.network.config, cells_of(geometry)
        with picture_computation(self.device, self.precision):
            state = decode_quality(decoder, reference.quality if reference else None)
            level = torch.tensor([state.code / QUALITY_STEPS], device=self.device)
            widths: BinWidthMap | None = None
            if state.has_map:
                widths = decode_bin_widths(size, reference.widths if reference else None, decoder)
            values = None if widths is None else widths.widths
            if reference is None:
                intra = decode_intra(network, self.intra_prior, size, state.code, level, values, decoder)
                return reference_of(intra.decoded, None, config, state, geometry, widths), intra
            inter = decode_inter(network, self._inter_priors(), state, level, values, reference, decoder)
            latents = inter.fixed_latents
            return reference_of(inter.decoded, latents, config, state, geometry, widths, inter.presence), inter

    def freeze(self) -> None:
        """Derive tables, integer networks and integer gains from the float parts, once, at export."""
        for kind, prior in self._priors().items():
            prior.freeze(self.network.coder(kind).gain)

    def frozen_tensors(self) -> dict[str, Tensor]:
        """See :func:`scaleflow.codec.models.scaleflow_weights.frozen_tensors`."""
        self.complete_network()
        return frozen_tensors(self.network, self._priors(), self.gaussian)

    def load_frozen_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of :meth:`frozen_tensors`. Raises :class:`DataError` when a tensor is missing or of another shape."""
        loaded = load_frozen_tensors(self.network, self._priors(), tensors)
        self.weights_hash, self.gaussian = loaded.hash, loaded.gaussian
        self.can_be_trained, self._float_priors = loaded.can_be_trained, loaded.float_priors
        self.to(memory_format=torch.channels_last)

    def complete_network(self) -> None:
        """Give ``network`` the float priors that came with its weights: for training, and for estimates of rates.

        Raises:
            DataError: they are of another shape.
        """
        if self._float_priors:
            with standard_settings(self.device), torch.inference_mode(False):  # gradients pass through its weights
                complete_network(self.network, self._float_priors)
            self._float_priors = {}

    def check_refinement(self) -> None:
        """See :class:`scaleflow.codec.models.capabilities.RefinesLatents`."""
        if not self.can_be_trained:
            raise UsageError("latents cannot be refined with weights that hold integer priors only: export them again")

    def trainable_network(self) -> ScaleFlowNetwork:
        """See :class:`scaleflow.codec.models.capabilities.CanBeTrained`."""
        if not self.can_be_trained:
            raise DataError("the weights hold integer priors only; export the checkpoint again, or continue from that")
        self.complete_network()
        return self.network

    def _priors(self) -> dict[LatentKind, FrozenHyperprior]:
        return {"intra": self.intra_prior, "motion": self.motion_prior, "residual": self.residual_prior}

    def _inter_priors(self) -> InterPriors:
        return InterPriors(self.motion_prior, self.residual_prior)
