"""What a model may be able to do beyond coding pictures. Callers ask with ``isinstance``, or with the functions here,
which say what a model cannot do."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.picture_analysis import PictureAnalysis
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.entropy.symbol_coder import SymbolDecoder
from scaleflow.errors import UsageError


@runtime_checkable
class AnalysesPictures(VideoModel, Protocol):
    """Says where the bits of a picture went and what moved."""

    def analyse_picture(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureAnalysis]:
        """Decode as :meth:`scaleflow.codec.models.video_model.VideoModel.decode_picture`, and take the picture
        apart."""


@runtime_checkable
class TellsPictureChange(VideoModel, Protocol):
    """Says where a decoded picture can differ from the one before."""

    def decode_picture_and_change(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureChange | None]:
        """Decode as :meth:`scaleflow.codec.models.video_model.VideoModel.decode_picture`; no change is told of a
        picture that was coded alone."""


@runtime_checkable
class DecodesSymbols(VideoModel, Protocol):
    """Decodes with a decoder of symbols that its caller made, and may watch."""

    def decode_symbols(
        self, decoder: SymbolDecoder, geometry: PictureGeometry, reference: Reference | None
    ) -> Reference:
        """Decode as :meth:`scaleflow.codec.models.video_model.VideoModel.decode_picture` does, of the payload that
        ``decoder`` was given."""


@runtime_checkable
class UsesFeatures(VideoModel, Protocol):
    """Writes payloads that a reader of version 1 of the file may not know."""

    stream_features: tuple[str, ...]
    """Names out of :data:`scaleflow.codec.container.header.KNOWN_FEATURES`, for the header of its files."""


@runtime_checkable
class GivesParts(VideoModel, Protocol):
    """Gives what its decoder has of a picture, to networks that show it differently."""

    @property
    def device(self) -> torch.device:
        """Where the weights are, and such networks have to be."""

    @property
    def synthesis_transforms(self) -> tuple[nn.Module, nn.Module]:
        """Of key pictures and of residuals. Both take latents and quality, the second what is beside them as well."""

    def decode_picture_and_parts(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, DecodedParts]:
        """Decode as :meth:`scaleflow.codec.models.video_model.VideoModel.decode_picture`, with the parts."""


@runtime_checkable
class CodesRegions(VideoModel, Protocol):
    """Heeds :attr:`scaleflow.codec.models.picture_order.PictureOrder.region`."""

    region_cell: int
    """Width and height, in samples of luma, of the cells in which it tells a region from what is outside."""

    @property
    def device(self) -> torch.device:
        """Where the weights are, and networks for regions have to be."""


@runtime_checkable
class RefinesLatents(VideoModel, Protocol):
    """Heeds :attr:`scaleflow.codec.models.picture_order.PictureOrder.refinement`."""

    def check_refinement(self) -> None:
        """Raises :class:`scaleflow.errors.UsageError` where these weights lack what refinement takes."""


@runtime_checkable
class CanBeTrained(VideoModel, Protocol):
    """Holds, if its weights do, what its integers were derived from."""

    can_be_trained: bool
    """Whether these weights do."""

    def trainable_network(self) -> nn.Module:
        """The network in floating point, complete.

        Raises:
            DataError: the weights hold integers only.
        """


def features_of(model: VideoModel) -> tuple[str, ...]:
    """What a reader of the model's files must know beside version 1."""
    return model.stream_features if isinstance(model, UsesFeatures) else ()


def require_analysis(model: VideoModel) -> AnalysesPictures:
    """The model, if it takes pictures apart. Raises :class:`UsageError` otherwise."""
    if isinstance(model, AnalysesPictures):
        return model
    raise UsageError(f"model {model.name} does not say where its bits go; the default model does")


def require_parts(model: VideoModel) -> GivesParts:
    """The model, if it gives the parts of decoded pictures. Raises :class:`UsageError` otherwise."""
    if isinstance(model, GivesParts):
        return model
    raise UsageError(f"model {model.name} has no decoder 'perceptual'; default and recurrent have", fields=("decoder",))


def require_symbols(model: VideoModel) -> DecodesSymbols:
    """The model, if its symbols can be watched. Raises :class:`UsageError` otherwise."""
    if isinstance(model, DecodesSymbols):
        return model
    raise UsageError(f"model {model.name} does not show its symbols; default, recurrent and ssf2020 do")


def require_picture_change(model: VideoModel) -> TellsPictureChange:
    """The model, if it says where pictures change. Raises :class:`UsageError` otherwise."""
    if isinstance(model, TellsPictureChange):
        return model
    raise UsageError(f"model {model.name} does not say what changed; the default model does")


def require_regions(model: VideoModel) -> CodesRegions:
    """The model, if it codes regions of interest. Raises :class:`UsageError` otherwise."""
    if isinstance(model, CodesRegions):
        return model
    raise UsageError(f"model {model.name} codes no regions of interest: use the default model")


def require_refinement(model: VideoModel) -> RefinesLatents:
    """The model, if it refines latents. Raises :class:`UsageError` where it, or its weights, do not."""
    if not isinstance(model, RefinesLatents):
        raise UsageError(
            f"model {model.name} refines no latents: use the default model, or leave out refinement",
            fields=("refinement",),
        )
    model.check_refinement()
    return model


def require_cpu(model: VideoModel) -> None:
    """Raises :class:`UsageError` where a model that is to be sent to a cluster is elsewhere than on a CPU."""
    device = getattr(model, "device", None)
    if isinstance(device, torch.device) and device.type != "cpu":
        raise UsageError(
            f"model {model.name} is on device {device}, and workers of a cluster compute on CPUs: load it with device "
            "cpu",
            fields=("device",),
        )
