"""The default model as a codec: networks, frozen priors and one range-coded payload for each picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scaleflow.codec.models.bin_width_map import (
    WIDTH_STEPS_PER_OCTAVE,
    BinWidthMap,
    decode_bin_widths,
    encode_bin_widths,
)
from scaleflow.codec.models.frozen_hyperprior import QUALITY_STEPS, FrozenHyperprior
from scaleflow.codec.models.latent_refinement import LatentRefinement, RefinedPicture, refine_inter, refine_intra
from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks, vector_smoothness
from scaleflow.codec.models.picture_analysis import CostRecorder, PictureAnalysis, bits_by_kind
from scaleflow.codec.models.picture_change import PictureChange, SymbolRecorder
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality, quality_code
from scaleflow.codec.models.region_coding import (
    LatentKind,
    RegionCoding,
    RegionMask,
    emphasis_of_samples,
    region_in_cells,
    region_of_latents,
)
from scaleflow.codec.models.scaleflow import (
    InterPrediction,
    IntraCoder,
    MotionCoder,
    ResidualCoder,
    ScaleFlowConfig,
    ScaleFlowNetwork,
    block_difference,
)
from scaleflow.codec.models.transforms import PATCH, PICTURE_CHANNELS, SAMPLE_RANGE, pack_planes, unpack_planes
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference
from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.fixed_point import ONE
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError, UsageError

CELL = 16
"""Pictures are padded to a multiple of this, one position of the latents."""

FLOW_STEP = 4
"""Samples of luma for each vector of the flow, along each side."""

_FLOAT_PRIORS = (".bottleneck.", ".conditional.")
_FROZEN_PARTS = (".hyperprior.synthesis.", ".gain.", *_FLOAT_PRIORS)
"""Of the network: what the coder uses in integers only."""

_FOR_TRAINING = "training."


@dataclass(frozen=True)
class ScaleFlowReference:
    """The decoded picture, and what the next picture's priors see: latents, quality, bin widths if there is a map."""

    packed: Tensor
    motion: Tensor
    residual: Tensor
    quality: QualityState
    geometry: PictureGeometry
    widths: BinWidthMap | None

    def planes(self) -> Planes:
        """Luma and two chroma planes in code values."""
        luma, chroma = unpack_planes(self.packed)
        width, height, largest = self.geometry.width, self.geometry.height, self.geometry.largest_code
        kind = torch.uint8 if self.geometry.bit_depth == 8 else torch.int32
        codes = [(plane * largest).round().clamp(0, largest).to(kind).cpu().numpy() for plane in (luma[0], chroma[0])]
        half = (slice(0, (height + 1) // 2), slice(0, (width + 1) // 2))
        planes = (codes[0][0, :height, :width], codes[1][0][half], codes[1][1][half])
        dtype = np.uint8 if self.geometry.bit_depth == 8 else np.uint16
        return tuple(np.ascontiguousarray(plane, dtype=dtype) for plane in planes)


@dataclass(frozen=True)
class InterParts:
    """What an inter picture was put together from: the prediction, and the latents of the residual (1, C, h, w)."""

    prediction: InterPrediction
    residual: Tensor


class ScaleFlowCodec(nn.Module):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` for :class:`ScaleFlowNetwork`.

    ``can_be_trained``: the weights hold what the priors were frozen from, and :meth:`complete_network` brings it into
    ``network``. ``region_coding`` is what regions of interest are coded with; decoding needs none.
    """

    working_format: WorkingFormat = "yuv420"
    variable_rate = True

    def __init__(
        self, config: ScaleFlowConfig | None = None, *, name: str = "default", with_priors: bool = True
    ) -> None:
        super().__init__()
        self.name = name
        self.precision: Precision = "fp32"
        self.weights_hash = ""
        self.can_be_trained = True
        self.region_coding: RegionCoding | None = None
        self._refinement: LatentRefinement | None = None
        self._float_priors: dict[str, Tensor] = {}
        self.network = ScaleFlowNetwork(config, with_priors)
        config = self.network.config
        self.gaussian = gaussian_tables(ScaleGrid())
        self.intra_prior = FrozenHyperprior(self.network.intra.hyperprior, self.gaussian, config.intra_latents)
        self.motion_prior = FrozenHyperprior(self.network.motion.hyperprior, self.gaussian, config.motion_latents)
        self.residual_prior = FrozenHyperprior(self.network.residual.hyperprior, self.gaussian, config.residual_latents)
        self.eval()

    @property
    def refinement(self) -> LatentRefinement | None:
        """How latents are refined when pictures are encoded.

        Raises:
            UsageError: when set, and the weights lack the float priors that this takes.
        """
        return self._refinement

    @refinement.setter
    def refinement(self, refinement: LatentRefinement | None) -> None:
        if refinement is not None:
            if not self.can_be_trained:
                raise UsageError(
                    "latents cannot be refined with weights that hold integer priors only: export them again"
                )
            self.complete_network()
        self._refinement = refinement

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.intra_prior.gain.anchors.device

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        quality: float,
        region: RegionMask | None = None,
    ) -> EncodedPicture:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`; regions need :attr:`region_coding`."""
        if region is not None and self.region_coding is None:
            raise UsageError("this model was given no way to code regions of interest: set its region_coding")
        regarded: _Region | None = None
        if region is not None and self.region_coding is not None:
            regarded = _Region(self.region_coding, region, quality_code(quality) / QUALITY_STEPS, self.device)
        state = QualityState(quality_code(quality), regarded is not None and regarded.coding.codes_widths)
        code = state.code
        encoder = SymbolEncoder()
        bits: dict[str, float] = {}
        with torch.inference_mode(), self._arithmetic():
            picture = self._to_packed(planes, geometry)
            level = torch.tensor([code / QUALITY_STEPS], device=self.device)
            assert reference is None or isinstance(reference, ScaleFlowReference)
            bits["quality"] = encode_quality(encoder, state, reference.quality if reference else None)
            widths: BinWidthMap | None = None
            if regarded is not None and state.has_map:
                wanted = regarded.bin_widths(lambda: self.network.intra.analysis(picture, level))
                widths, bits["region"] = encode_bin_widths(wanted, reference.widths if reference else None, encoder)
            if reference is None:
                analysed = self.network.intra.analysis(picture, level)
                if regarded is not None:
                    analysed = regarded.steer("intra", analysed, torch.zeros_like(analysed))
                if self.refinement is not None:
                    subject = self._refined_picture(picture, level, widths, regarded)
                    analysed = refine_intra(subject, analysed, self.refinement)
                latents, bits["intra"], bits["intra hyper"] = self.intra_prior.encode(
                    analysed, code, None, encoder, _values(widths)
                )
                decoded = self.network.intra.synthesis(latents.values, level)
                result = self._reference(decoded, None, None, state, geometry, widths)
            else:
                vectors = self._vectors(picture, reference.packed, code / QUALITY_STEPS)
                difference = block_difference(picture, reference.packed, vectors)
                motion_before = (reference.motion / ONE).float()
                analysed = self.network.motion.analysis(vectors, difference, level)
                if regarded is not None:
                    analysed = regarded.steer("motion", analysed, motion_before)
                refined: Tensor | None = None
                if self.refinement is not None and regarded is not None:
                    subject = self._refined_picture(picture, level, widths, regarded)
                    expected = subject.code("motion", analysed, motion_before).values
                    prediction = self.network.predict(expected, reference.packed, level).picture
                    refined = self._analyse_residual(picture, prediction, level, regarded)
                    residual_before = (reference.residual / ONE).float()
                    analysed, refined = refine_inter(
                        subject, analysed, refined, reference.packed, motion_before, residual_before, self.refinement
                    )
                motion, bits["motion"], bits["motion hyper"] = self.motion_prior.encode(
                    analysed, code, reference.motion, encoder, _values(widths)
                )
                prediction = self.network.predict(motion.values, reference.packed, level).picture
                context = torch.cat((reference.residual, motion.fixed), 1)
                if refined is None:
                    refined = self._analyse_residual(picture, prediction, level, regarded)
                residual, bits["residual"], bits["residual hyper"] = self.residual_prior.encode(
                    refined, code, context, encoder, _values(widths)
                )
                decoded = prediction + self.network.residual.synthesis(
                    residual.values, level, motion.values, prediction
                )
                result = self._reference(decoded, motion.fixed, residual.fixed, state, geometry, widths)
        return EncodedPicture(encoder.finish(), result, bits)

    def _analyse_residual(self, picture: Tensor, prediction: Tensor, level: Tensor, region: _Region | None) -> Tensor:
        latents: Tensor = self.network.residual.analysis(picture - prediction, level, prediction)
        return latents if region is None else region.steer("residual", latents, torch.zeros_like(latents))

    def _refined_picture(
        self, picture: Tensor, level: Tensor, widths: BinWidthMap | None, region: _Region | None
    ) -> RefinedPicture:
        octaves: Tensor | None = None
        if widths is not None:
            octaves = torch.from_numpy(widths.widths).to(self.device).float() / WIDTH_STEPS_PER_OCTAVE
        emphasis = None if region is None else region.emphasis()
        return RefinedPicture(self.network, picture, level, octaves, emphasis)

    def _vectors(self, picture: Tensor, earlier: Tensor, quality: float) -> Tensor:
        """What block matching finds between packed pictures, or nothing for networks that were not trained with it."""
        luma, earlier_luma = unpack_planes(picture)[0], unpack_planes(earlier)[0]
        if not self.network.config.guided_motion:
            return luma.new_zeros(len(luma), 2, luma.shape[2] // BLOCK, luma.shape[3] // BLOCK)
        return match_blocks(luma * 255, earlier_luma * 255, vector_smoothness(quality))

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        return self._decode_picture(SymbolDecoder(payload), geometry, reference)[0]

    def analyse_picture(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureAnalysis]:
        """Decode as :meth:`decode_picture` does, and say where the bits went and what moved."""
        decoder = CostRecorder(payload)
        decoded, parts = self._decode_picture(decoder, geometry, reference)
        size = (-(-geometry.height // CELL), -(-geometry.width // CELL))
        return decoded, PictureAnalysis(
            key=reference is None,
            planes=decoded.planes(),
            bits=bits_by_kind(decoder.costs, self._priors_by_kind(), size),
            cell=CELL,
            flow=None if parts is None else parts.prediction.flow[0].float().cpu().numpy(),
            scale=None if parts is None else parts.prediction.scale[0, 0].float().cpu().numpy(),
        )

    def decode_picture_and_change(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureChange | None]:
        """Decode as :meth:`decode_picture` does, and say where the picture can differ from its reference.

        None for a picture that was coded alone.
        """
        decoder = SymbolRecorder(payload)
        decoded, parts = self._decode_picture(decoder, geometry, reference)
        if parts is None:
            return decoded, None
        squares = self.network.residual.synthesis.linear.weight.detach().square().sum((1, 2, 3)).view(-1, 1, 1)
        samples = PICTURE_CHANNELS * PATCH * PATCH
        residual = (parts.residual[0].square() * squares).sum(0).div(samples).sqrt() * (255 / SAMPLE_RANGE)
        assert isinstance(reference, ScaleFlowReference)
        moved = (parts.prediction.picture.float() - reference.packed.float()).square().mean(1, keepdim=True)
        prediction = F.avg_pool2d(moved, CELL // 2)[0, 0].sqrt() * (255 / SAMPLE_RANGE)
        return decoded, PictureChange(
            prediction=prediction.cpu().numpy(),
            residual=residual.cpu().numpy() * decoder.latest.any((0, 1)),  # residual symbols come last, and together
            cell=CELL,
            size=(geometry.height, geometry.width),
        )

    def _decode_picture(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[ScaleFlowReference, InterParts | None]:
        try:
            return self._decode_symbols(decoder, geometry, reference)
        except DamagedSymbolsError as error:
            raise DataError(str(error)) from error

    def _decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[ScaleFlowReference, InterParts | None]:
        size = (-(-geometry.height // CELL), -(-geometry.width // CELL))
        with torch.inference_mode(), self._arithmetic():
            assert reference is None or isinstance(reference, ScaleFlowReference)
            state = decode_quality(decoder, reference.quality if reference else None)
            level = torch.tensor([state.code / QUALITY_STEPS], device=self.device)
            widths: BinWidthMap | None = None
            if state.has_map:
                widths = decode_bin_widths(size, reference.widths if reference else None, decoder)
            if reference is None:
                latents = self.intra_prior.decode(size, state.code, None, decoder, _values(widths))
                decoded = self.network.intra.synthesis(latents.values, level)
                return self._reference(decoded, None, None, state, geometry, widths), None
            motion = self.motion_prior.decode(size, state.code, reference.motion, decoder, _values(widths))
            context = torch.cat((reference.residual, motion.fixed), 1)
            residual = self.residual_prior.decode(size, state.code, context, decoder, _values(widths))
            prediction = self.network.predict(motion.values, reference.packed, level)
            decoded = prediction.picture + self.network.residual.synthesis(
                residual.values, level, motion.values, prediction.picture
            )
            result = self._reference(decoded, motion.fixed, residual.fixed, state, geometry, widths)
            return result, InterParts(prediction, residual.values)

    def freeze(self) -> None:
        """Derive tables, integer networks and integer gains from the float parts, once, at export."""
        for prior, coder in self._priors():
            prior.freeze(coder.gain)

    def frozen_tensors(self) -> dict[str, Tensor]:
        """All that a weights file holds: float parts that only shape pictures in float16, the priors in integers.

        What the priors were frozen from is kept as well, under ``training.``: coding needs none of it.
        """
        self.complete_network()
        tensors: dict[str, Tensor] = {}
        for key, value in self.network.state_dict().items():
            if not any(part in key for part in _FROZEN_PARTS):
                tensors[f"network.{key}"] = value.half()
        for key, value in self.network.named_parameters():
            if any(part in key for part in _FROZEN_PARTS):
                tensors[f"{_FOR_TRAINING}{key}"] = value.half() if ".synthesis." in key else value
        for kind, prior in self._priors_by_kind().items():
            for key, value in prior.synthesis.state_dict().items():
                tensors[f"{kind}.synthesis.{key}"] = value
            tensors[f"{kind}.gain"] = prior.gain.anchors
            assert prior.hyper_tables is not None
            for key, value in prior.hyper_tables.to_tensors().items():
                tensors[f"{kind}.hyper_tables.{key}"] = value
        for key, value in self.gaussian.to_tensors().items():
            tensors[f"gaussian.{key}"] = value
        return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}

    def load_frozen_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of :meth:`frozen_tensors`. Raises :class:`DataError` when a tensor is missing or of another shape."""
        try:
            state = self.network.state_dict()
            given = {k.removeprefix("network."): v.float() for k, v in tensors.items() if k.startswith("network.")}
            unknown = given.keys() - state.keys()
            if unknown:
                raise DataError(f"weights hold the unknown tensor {sorted(unknown)[0]!r}")
            missing = {k for k in state.keys() - given.keys() if not any(part in k for part in _FROZEN_PARTS)}
            if missing:
                raise DataError(f"weights lack the tensor {sorted(missing)[0]!r}")
            before_freezing = {key: value.float() for key, value in _below(tensors, _FOR_TRAINING).items()}
            self.can_be_trained = bool(before_freezing)
            self.network.load_state_dict(given | before_freezing, strict=False)
            self._float_priors = {
                key: value for key, value in before_freezing.items() if any(part in key for part in _FLOAT_PRIORS)
            }
            self.gaussian = FrequencyTables.from_tensors(_below(tensors, "gaussian."))
            for kind, prior in self._priors_by_kind().items():
                prior.synthesis.load_state_dict(_below(tensors, f"{kind}.synthesis."))
                prior.synthesis.check_bounds()
                prior.gain.anchors.copy_(tensors[f"{kind}.gain"])
                prior.hyper_tables = FrequencyTables.from_tensors(_below(tensors, f"{kind}.hyper_tables."))
                prior.gaussian = self.gaussian
        except (KeyError, RuntimeError, ValueError) as error:
            raise DataError(f"these weights do not fit the model: {str(error).splitlines()[0]}") from error
        self.weights_hash = hash_tensors({k: v for k, v in tensors.items() if not k.startswith(_FOR_TRAINING)})
        self.to(memory_format=torch.channels_last)

    def complete_network(self) -> None:
        """Give ``network`` the float priors that came with its weights: for training, and for estimates of rates.

        Raises:
            DataError: they are of another shape.
        """
        if not self._float_priors:
            return
        for _, coder in self._priors():
            coder.hyperprior.add_priors()
        try:
            self.network.load_state_dict(self._float_priors, strict=False)
        except RuntimeError as error:
            raise DataError(f"these weights do not fit the model: {str(error).splitlines()[0]}") from error
        self._float_priors = {}
        self.network.train(self.network.training)  # the new modules, too

    def _priors(self) -> list[tuple[FrozenHyperprior, IntraCoder | MotionCoder | ResidualCoder]]:
        network = self.network
        return [
            (self.intra_prior, network.intra),
            (self.motion_prior, network.motion),
            (self.residual_prior, network.residual),
        ]

    def _priors_by_kind(self) -> dict[str, FrozenHyperprior]:
        return {"intra": self.intra_prior, "motion": self.motion_prior, "residual": self.residual_prior}

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            yield

    def _to_packed(self, planes: Planes, geometry: PictureGeometry) -> Tensor:
        """Code values to a packed picture, padded to whole cells by repeating the border."""
        height, width = -(-geometry.height // CELL) * CELL, -(-geometry.width // CELL) * CELL
        luma, chroma = (
            torch.from_numpy(np.stack(part).astype(np.float32)).to(self.device)[None] / geometry.largest_code
            for part in (planes[:1], planes[1:])
        )
        luma = F.pad(luma, (0, width - luma.shape[3], 0, height - luma.shape[2]), mode="replicate")
        chroma = F.pad(chroma, (0, width // 2 - chroma.shape[3], 0, height // 2 - chroma.shape[2]), mode="replicate")
        return pack_planes(luma, chroma).contiguous(memory_format=torch.channels_last)

    def _reference(
        self,
        decoded: Tensor,
        motion: Tensor | None,
        residual: Tensor | None,
        quality: QualityState,
        geometry: PictureGeometry,
        widths: BinWidthMap | None,
    ) -> ScaleFlowReference:
        """The decoded picture as both sides keep it: rounded to the bit depth, with the latents or zeros."""
        largest = geometry.largest_code
        codes = ((decoded.float() / SAMPLE_RANGE + 0.5) * largest).round().clamp(0, largest)
        height, width = decoded.shape[2] // 8, decoded.shape[3] // 8
        config = self.network.config
        return ScaleFlowReference(
            (codes / largest - 0.5) * SAMPLE_RANGE,
            motion if motion is not None else self._zeros(config.motion_latents, height, width),
            residual if residual is not None else self._zeros(config.residual_latents, height, width),
            quality,
            geometry,
            widths,
        )

    def _zeros(self, channels: int, height: int, width: int) -> Tensor:
        return torch.zeros(1, channels, height, width, dtype=torch.float64, device=self.device)


class _Region:
    """The region of one picture, as the model's way to code regions sees it."""

    def __init__(self, coding: RegionCoding, mask: RegionMask, quality: float, device: torch.device) -> None:
        self.coding = coding
        self._quality = torch.tensor([quality], device=device)
        self._mask = mask
        self._cells = region_of_latents(mask, CELL).to(device)

    def bin_widths(self, analyse: Callable[[], Tensor]) -> NDArray[np.int32]:
        return self.coding.bin_widths(analyse, self._cells, self._quality)

    def emphasis(self) -> tuple[Tensor, Tensor]:
        octaves = torch.full_like(self._quality, self.coding.octaves)
        return emphasis_of_samples(region_in_cells(self._mask, CELL).to(octaves.device), octaves)

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor) -> Tensor:
        return self.coding.steer(kind, latents, towards, self._cells, self._quality)


def _values(widths: BinWidthMap | None) -> NDArray[np.int32] | None:
    return None if widths is None else widths.widths


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
