"""CompressAI's ``ssf2020`` as a codec: its networks, with entropy parameters in exact integers.

The bits differ from those of CompressAI's own coder, and so does what holds for them: means and scales come from
decoded integers by integer arithmetic, all symbols of a picture share one range coder, and the reference picture is
rounded to 8 bits. Tables of the factorised priors are computed in float64 when a checkpoint is loaded, since
third-party checkpoints hold none that fit. Another platform's elementary functions may differ in the last digit, which
could, very rarely, move one frequency by one; the weights hash covers the tables, so that a stream from such a
platform would be refused and not decoded to garbage.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from compressai.entropy_models import EntropyBottleneck
from compressai.models.video import ScaleSpaceFlow
from numpy.typing import NDArray
from torch import Tensor, nn

from scaleflow.codec.models.clip_coding import CodedClip, padded
from scaleflow.codec.models.computation import picture_computation
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality
from scaleflow.codec.models.ssf2020 import FROM_FILE, bits_of_likelihoods, load_network
from scaleflow.codec.models.ssf2020_gains import Part, VariableRateScaleSpaceFlow
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference
from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.factorized_tables import factorized_tables
from scaleflow.entropy.fixed_point import ONE, scale_index_from_sigma
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.integer_network import IntegerNetwork
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError, UsageError
from scaleflow.quality_range import QUALITY_STEPS, quality_code

CELL = 128
"""Pictures are padded to a multiple of this, one position of the hyper-latents."""

QRELU_LARGEST = 255
"""Activations of the scale decoder are kept within 0 and this (CompressAI's QReLU of 8 bits)."""


def load_ssf2020(name: str, device: str | torch.device = "cpu") -> Ssf2020Codec:
    """The codec that ``name`` stands for: ``ssf2020-1`` to ``ssf2020-9``, or ``ssf2020:PATH``.

    Raises:
        UsageError: not a name of this kind.
        DataError: the weights cannot be had, or are not those of this network.
    """
    network = load_network(name)
    try:
        # Streams carry the name of the codec, and name no file.
        codec = Ssf2020Codec(network, name="ssf2020" if name.startswith(FROM_FILE) else name)
    except ValueError as error:
        raise DataError(f"{name}: these weights cannot be coded with ({error})") from error
    return codec.to(device)


@dataclass(frozen=True)
class Ssf2020Reference:
    """The decoded picture, padding included: (1, 3, H, W), multiples of 1/255 in 0..1; and its quality, None for
    networks with one rate."""

    picture: Tensor
    quality: QualityState | None
    geometry: PictureGeometry

    def planes(self) -> Planes:
        """Red, green and blue planes of the picture's size."""
        visible = self.picture[0, :, : self.geometry.height, : self.geometry.width]
        codes: NDArray[np.uint8] = (visible * 255).round().to(torch.uint8).cpu().numpy()
        return tuple(np.ascontiguousarray(plane) for plane in codes)


class FrozenSsfHyperprior(nn.Module):
    """One of the three hyperpriors as the coder runs it."""

    medians: Tensor

    def __init__(self, source: nn.Module, grid: ScaleGrid, gaussian: FrequencyTables) -> None:
        super().__init__()
        self.hyper_encoder: nn.Module = source.hyper_encoder  # type: ignore[assignment]
        self.mean_decoder = IntegerNetwork.from_float(source.hyper_decoder_mean)  # type: ignore[arg-type]
        scale = source.hyper_decoder_scale
        layers: list[nn.Module] = []
        for convolution in (scale.deconv1, scale.deconv2, scale.deconv3):  # type: ignore[union-attr]
            layers += [convolution, nn.Hardtanh(0.0, QRELU_LARGEST)]  # type: ignore[list-item]
        self.scale_decoder = IntegerNetwork.from_float(nn.Sequential(*layers))
        bottleneck = source.entropy_bottleneck
        assert isinstance(bottleneck, EntropyBottleneck)
        medians = (bottleneck.quantiles.detach()[:, 0, 1].double() * ONE).round()
        self.register_buffer("medians", medians.view(1, -1, 1, 1))
        self.hyper_tables = factorized_tables(_centred(bottleneck, medians / ONE))
        self.grid = grid
        self.gaussian = gaussian

    def encode(self, latents: Tensor, encoder: SymbolEncoder) -> tuple[Tensor, float, float]:
        """Code ``latents`` (1, C, h, w); returns them as decoded, and the ideal bits of latents and hyper-latents."""
        hyper = (self.hyper_encoder(latents).double() - self.medians / ONE).round().clamp(-(2**30), 2**30)
        hyper_symbols = hyper.to(torch.int32).cpu().numpy()
        channels = _channel_indices(hyper_symbols.shape)
        encoder.encode(hyper_symbols, channels, self.hyper_tables)
        means, indices = self.entropy_parameters(hyper)
        residue = (latents.double() - means / ONE).round().clamp(-(2**30), 2**30)
        symbols = residue.to(torch.int32).cpu().numpy()
        encoder.encode(symbols, indices, self.gaussian)
        bits = self.gaussian.bits(symbols, indices), self.hyper_tables.bits(hyper_symbols, channels)
        return (residue + means / ONE).float(), *bits

    def decode(self, size: tuple[int, int], decoder: SymbolDecoder) -> Tensor:
        """Inverse of :meth:`encode` for hyper-latents of ``size`` (h, w)."""
        channels = _channel_indices((1, self.medians.shape[1], *size))
        hyper = self._from_symbols(decoder.decode(channels, self.hyper_tables))
        means, indices = self.entropy_parameters(hyper)
        residue = self._from_symbols(decoder.decode(indices, self.gaussian))
        return (residue + means / ONE).float()

    def entropy_parameters(self, hyper: Tensor) -> tuple[Tensor, NDArray[np.uint8]]:
        """Fixed-point means and scale indices from hyper symbols (float64 integers); exact on every device."""
        fixed = hyper * ONE + self.medians
        indices = scale_index_from_sigma(self.scale_decoder(fixed), self.grid)
        return self.mean_decoder(fixed), indices.to(torch.uint8).cpu().numpy()

    def _from_symbols(self, symbols: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(symbols.astype(np.float64)).to(self.medians.device)


NETWORK_CELL = 128
"""CompressAI's network takes sides that are multiples of this."""


class Ssf2020Codec(nn.Module):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` for CompressAI's network, one rate for each
    checkpoint, or with gains (:mod:`scaleflow.codec.models.ssf2020_gains`), every rate.

    Tables and integer networks are derived here, at load.
    """

    working_format: WorkingFormat = "rgb"

    def __init__(self, network: ScaleSpaceFlow, *, name: str = "ssf2020") -> None:
        """Raises ValueError where weights are too large, or not finite, for exact integers."""
        super().__init__()
        if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
            raise ValueError("a weight is not finite")
        self.name = name
        self.precision: Precision = "fp32"
        self.network = network
        self.variable_rate = isinstance(network, VariableRateScaleSpaceFlow)
        grid = ScaleGrid()
        gaussian = gaussian_tables(grid)
        self.intra_prior = FrozenSsfHyperprior(network.img_hyperprior, grid, gaussian)
        self.motion_prior = FrozenSsfHyperprior(network.motion_hyperprior, grid, gaussian)
        self.residual_prior = FrozenSsfHyperprior(network.res_hyperprior, grid, gaussian)
        self.weights_hash = self._hash(gaussian)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.intra_prior.medians.device

    def forward(self, planes: tuple[Tensor, ...], quality: Tensor) -> CodedClip:
        """Code clips of tensors as CompressAI's network does, with gradients where its parameters have any.

        Args:
            planes: one tensor of R'G'B', (N, T, 3, H, W), 0..1, of any size.
            quality: (N,), 0..63; plays no part without gains.

        Raises:
            UsageError: shapes that do not fit.
        """
        if len(planes) != 1 or planes[0].dim() != 5 or planes[0].shape[2] != 3 or len(quality) != len(planes[0]):
            raise UsageError(
                f"planes of shapes {[tuple(plane.shape) for plane in planes]} and quality of shape "
                f"{tuple(quality.shape)}: expected one of (N, T, 3, H, W), and (N,)"
            )
        (rgb,) = planes
        pictures = list(padded(rgb, NETWORK_CELL).unbind(1))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            given = (pictures, quality) if isinstance(self.network, VariableRateScaleSpaceFlow) else (pictures,)
            coded = self.network(*given)
        shown = torch.stack([picture.float() for picture in coded["x_hat"]], 1)[..., : rgb.shape[3], : rgb.shape[4]]
        bits = torch.stack([bits_of_likelihoods(likelihoods) for likelihoods in coded["likelihoods"]], 1)
        return CodedClip((shown.clamp(0, 1),), bits)

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`; the quality plays no part without gains."""
        order.require_plain(self.name)
        assert reference is None or isinstance(reference, Ssf2020Reference)
        encoder = SymbolEncoder()
        bits: dict[str, float] = {}
        network = self.network
        code = quality_code(order.quality) if self.variable_rate else None
        with picture_computation(self.device, self.precision):
            picture = self._to_picture(planes, geometry)
            if code is not None:
                bits["quality"] = encode_quality(encoder, QualityState(code), reference.quality if reference else None)
            if reference is None:
                gain = self._gain("img", code)
                latents = network.img_encoder(picture).float() * gain
                decoded, bits["intra"], bits["intra hyper"] = self.intra_prior.encode(latents, encoder)
                result = self._reference(network.img_decoder(decoded / gain), code, geometry)
            else:
                earlier = reference.picture
                gain = self._gain("motion", code)
                latents = network.motion_encoder(torch.cat((picture, earlier), 1)).float() * gain
                motion, bits["motion"], bits["motion hyper"] = self.motion_prior.encode(latents, encoder)
                motion = motion / gain
                prediction = self._predict(earlier, motion)
                gain = self._gain("res", code)
                latents = network.res_encoder(picture - prediction).float() * gain
                residual, bits["residual"], bits["residual hyper"] = self.residual_prior.encode(latents, encoder)
                result = self._reference(self._add_residual(prediction, residual / gain, motion), code, geometry)
        return EncodedPicture(encoder.finish(), result, bits)

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        return self.decode_symbols(SymbolDecoder(payload), geometry, reference)

    def decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> Reference:
        """See :class:`scaleflow.codec.models.capabilities.DecodesSymbols`."""
        assert reference is None or isinstance(reference, Ssf2020Reference)
        size = (-(-geometry.height // CELL), -(-geometry.width // CELL))
        try:
            with picture_computation(self.device, self.precision):
                code = None
                if self.variable_rate:
                    state = decode_quality(decoder, reference.quality if reference else None)
                    if state.has_map or state.has_presence:
                        raise DataError(f"damaged picture: model {self.name} codes no map of bin widths or presence")
                    code = state.code
                if reference is None:
                    latents = self.intra_prior.decode(size, decoder) / self._gain("img", code)
                    return self._reference(self.network.img_decoder(latents), code, geometry)
                motion = self.motion_prior.decode(size, decoder) / self._gain("motion", code)
                residual = self.residual_prior.decode(size, decoder) / self._gain("res", code)
                prediction = self._predict(reference.picture, motion)
                return self._reference(self._add_residual(prediction, residual, motion), code, geometry)
        except DamagedSymbolsError as error:
            raise DataError(str(error)) from error

    def _gain(self, part: Part, code: int | None) -> Tensor:
        """What latents are multiplied by at a quality; one for networks with one rate."""
        if code is None or not isinstance(self.network, VariableRateScaleSpaceFlow):
            return torch.ones(1, device=self.device)
        return self.network.gain(part, torch.tensor([code / QUALITY_STEPS], device=self.device))

    def _predict(self, earlier: Tensor, motion: Tensor) -> Tensor:
        prediction: Tensor = self.network.forward_prediction(earlier, self.network.motion_decoder(motion).float())
        return prediction

    def _add_residual(self, prediction: Tensor, residual: Tensor, motion: Tensor) -> Tensor:
        decoded: Tensor = self.network.res_decoder(torch.cat((residual, motion), 1))
        return prediction + decoded.float()

    def _to_picture(self, planes: Planes, geometry: PictureGeometry) -> Tensor:
        """Code values to (1, 3, H, W) in 0..1, padded to whole cells by repeating the border."""
        if geometry.bit_depth != 8:
            raise UsageError(f"{self.name} codes pictures of 8 bits, not {geometry.bit_depth}: use the default model")
        height, width = -(-geometry.height // CELL) * CELL, -(-geometry.width // CELL) * CELL
        picture = torch.from_numpy(np.stack(planes).astype(np.float32)).to(self.device)[None] / 255
        padding = (0, width - geometry.width, 0, height - geometry.height)
        return F.pad(picture, padding, mode="replicate")

    @staticmethod
    def _reference(decoded: Tensor, code: int | None, geometry: PictureGeometry) -> Ssf2020Reference:
        """The decoded picture as both sides keep it: rounded to 8 bits."""
        quality = None if code is None else QualityState(code)
        return Ssf2020Reference((decoded.float() * 255).round().clamp(0, 255) / 255, quality, geometry)

    def _hash(self, gaussian: FrequencyTables) -> str:
        """Over all parameters and tables; not over the tables of CompressAI's own coder, which a file may lack."""
        tensors = {f"network.{key}": value.detach() for key, value in self.network.named_parameters()}
        tables = {"gaussian": gaussian}
        for kind in ("intra", "motion", "residual"):
            tables[kind] = getattr(self, f"{kind}_prior").hyper_tables
        for kind, table in tables.items():
            tensors |= {f"{kind}.{key}": value for key, value in table.to_tensors().items()}
        return hash_tensors(tensors)


@torch.no_grad()
def _centred(bottleneck: EntropyBottleneck, medians: Tensor) -> EntropyBottleneck:
    """The prior of ``z - median``: the shift joins the first layer's bias, as W (v + m) + b = W v + (W m + b)."""
    centred = copy.deepcopy(bottleneck).cpu().double()
    centred.biases[0] += F.softplus(centred.matrices[0]) * medians.cpu().view(-1, 1, 1)
    return centred


def _channel_indices(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Row of the factorised tables, its channel, for each hyper-latent of ``shape`` (1, C, h, w)."""
    return np.broadcast_to(np.arange(shape[1], dtype=np.uint8).reshape(1, -1, 1, 1), shape)
