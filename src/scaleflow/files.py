"""Whole files in one call: encode, decode, verify, and say what is inside."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scaleflow.errors import UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from scaleflow.codec.container import SfvHeader
    from scaleflow.codec.decoding.file import DecodeProgress, DecodeSettings, DecodeSummary
    from scaleflow.codec.decoding.info import StreamInfo
    from scaleflow.codec.decoding.video_decoder import VideoDecoder
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.encoding.session import EncodeProgress
    from scaleflow.codec.encoding.settings import EncodeSettings
    from scaleflow.codec.encoding.summary import EncodeSummary
    from scaleflow.codec.models.video_model import Precision, VideoModel
    from scaleflow.roi.region import Region

StrPath = str | os.PathLike[str]


def encode(
    source: StrPath | VideoSource,
    destination: StrPath,
    settings: EncodeSettings | None = None,
    *,
    quality: float | None = None,
    region: Region | None = None,
    model: VideoModel | str = "default",
    weights: StrPath | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    progress: Callable[[EncodeProgress], None] | None = None,
) -> EncodeSummary:
    """Encode a video to an ``.sfv`` file.

    Args:
        source: anything that FFmpeg reads, or a folder of pictures; ``-`` is standard input; raw video as a
            :class:`scaleflow.codec.encoding.request.VideoSource` that says its form.
        destination: the file to write, which appears when it is complete; ``-`` is standard output.
        settings: everything that can be asked for; in place of ``quality``.
        region: what bits are spent on; its mode and strength hold in place of the settings' ``region``.
        quality: 0..63; 32 where neither this nor ``settings`` is given.
        model: a name of :func:`list_models`, or what :func:`load_model` gave.
        weights: another weights file for the model that is named.
        device: ``cpu``, ``cuda``, ``cuda:n``, or ``auto``: CUDA where there is one. Of a model that is named.
        precision: ``fp32`` or ``bf16``, the arithmetic of the transforms. Of a model that is named.
        progress: called after each picture.

    Returns:
        Size, rate, qualities, and the PSNR if it was measured.

    Raises:
        UsageError: the request cannot be carried out.
        DataError: the source cannot be read or the output cannot be written. Nothing is left.

    Example:
        >>> import scaleflow
        >>> summary = scaleflow.encode(clip, folder / "clip.sfv", quality=30)
        >>> summary.pictures, summary.key_frames
        (8, 1)
    """
    from scaleflow.codec.encoding.file import encode_file
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.encoding.settings import DEFAULT_QUALITY, EncodeSettings
    from scaleflow.codec.models.registry import load_model

    if settings is None:
        settings = EncodeSettings(quality=DEFAULT_QUALITY if quality is None else quality)
    elif quality is not None:
        raise UsageError(f"quality = {quality:g} and settings are given: set the quality in the settings")
    if isinstance(model, str):
        place = None if weights is None else Path(weights)
        model = load_model(model, device=device, precision=precision, weights=place)
    elif weights is not None:
        raise UsageError(f"weights = {os.fspath(weights)!r} is of a model that is named, and a loaded one is given")
    video = source if isinstance(source, VideoSource) else VideoSource(source)
    masks = None
    if region is not None:
        masks, how = region.open(video)
        settings = replace(settings, region=how)
    return encode_file(video, destination, model, settings, masks=masks, progress=progress)


def decode(
    source: StrPath,
    destination: StrPath,
    settings: DecodeSettings | None = None,
    *,
    model: VideoModel | None = None,
    weights: StrPath | None = None,
    weights_folder: StrPath | None = None,
    device: str = "auto",
    decoder: str = "fidelity",
    perception: float | None = None,
    decoder_weights: StrPath | None = None,
    progress: Callable[[DecodeProgress], None] | None = None,
) -> DecodeSummary:
    """Decode an ``.sfv`` file to a video that plays everywhere, with its audio.

    Damage does not end it: pictures between the good ones around stand in for what is lost, and the summary says where.

    Args:
        source: an ``.sfv`` file; ``-`` is standard input.
        destination: mp4, mov, mkv, webm, y4m, yuv, or a folder or pattern of pictures.
        settings: which part of it, and the form of the output.
        model: what decodes, where it is loaded already; otherwise the model that the file names.
        weights: a weights file, where the file was not encoded with the shipped weights.
        weights_folder: a folder of weights files, among which those of an older file are found by their hash; without
            it the one that the environment variable ``SCALEFLOW_WEIGHTS`` names.
        device: as of :func:`encode`.
        decoder: ``fidelity``, or ``perceptual``: sharper at low rates, by detail that is made up.
        perception: how much of that detail is shown, 0..1; all of it by default.
        decoder_weights: of a perceptual decoder of your own.
        progress: called after each picture.

    Returns:
        How many pictures there were, and what was damaged.

    Raises:
        UsageError: the request cannot be carried out.
        DataError: no ``.sfv`` file, other weights, or the output cannot be written. Nothing is left.

    Example:
        >>> import scaleflow
        >>> summary = scaleflow.decode(coded, folder / "clip.mp4")
        >>> summary.pictures, summary.is_sound
        (8, True)
    """
    from scaleflow.adversarial.perceptual_codec import decoder_of
    from scaleflow.codec.decoding.file import decode_file

    load, show = _choose(model, weights, weights_folder, device), decoder_of(decoder, perception, decoder_weights)
    return decode_file(source, destination, lambda header: show(load(header)), settings, progress=progress)


def verify(
    source: StrPath,
    *,
    model: VideoModel | None = None,
    weights: StrPath | None = None,
    weights_folder: StrPath | None = None,
    device: str = "auto",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: Callable[[DecodeProgress], None] | None = None,
) -> DecodeSummary:
    """Check the whole of an ``.sfv`` file and decode all its pictures, writing nothing.

    Args:
        source: an ``.sfv`` file; ``-`` is standard input.
        model, weights, weights_folder, device: as of :func:`decode`.
        max_pixels: largest picture, in samples of luma; a file of larger ones is refused before memory is taken.
        progress: called after each picture.

    Raises:
        UsageError: the file cannot be opened.
        DataError: no ``.sfv`` file, other weights, a file without pictures, or of larger ones.

    Example:
        >>> import scaleflow
        >>> scaleflow.verify(coded).is_sound
        True
    """
    from scaleflow.codec.decoding.file import verify_file

    choose = _choose(model, weights, weights_folder, device)
    return verify_file(source, choose, max_pixels=max_pixels, progress=progress)


def info(source: StrPath) -> StreamInfo:
    """What an ``.sfv`` file holds, without decoding its pictures: header, counts, bytes by kind, key frames, damage.

    Raises:
        UsageError: the file cannot be opened.
        DataError: no ``.sfv`` file.

    Example:
        >>> import scaleflow
        >>> found = scaleflow.info(coded)
        >>> found.header.video.width, found.header.video.height, found.pictures
        (88, 72, 8)
    """
    from scaleflow.codec.decoding.info import read_info

    return read_info(source)


def open_decoder(
    source: StrPath,
    *,
    model: VideoModel | None = None,
    weights: StrPath | None = None,
    weights_folder: StrPath | None = None,
    device: str = "cpu",
    tolerate_damage: bool = False,
    decoder: str = "fidelity",
    perception: float | None = None,
    decoder_weights: StrPath | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> VideoDecoder:
    """Pictures of an ``.sfv`` file one after the other, with times and seeking, as arrays or tensors.

    Args:
        source: an ``.sfv`` file; ``-`` is standard input, in which one cannot seek.
        model: what decodes, where it is loaded already; otherwise the model that the file names.
        weights: a weights file, where the file was not encoded with the shipped weights.
        weights_folder: a folder of weights files, among which those of an older file are found by their hash; without
            it the one that the environment variable ``SCALEFLOW_WEIGHTS`` names.
        device: where the model computes, and where tensors are put.
        tolerate_damage: show pictures between the good ones around where some are damaged, in place of raising.
        decoder, perception, decoder_weights: as of :func:`decode`.
        max_pixels: largest picture, in samples of luma; a file of larger ones is refused before memory is taken.

    Raises:
        UsageError: the file cannot be opened, or the device is not there.
        DataError: no ``.sfv`` file, other weights, or larger pictures. While iterating: damage.

    Example:
        >>> import scaleflow
        >>> with scaleflow.open_decoder(coded) as decoder:
        ...     frame = next(decoder)
        ...     decoder.seek(0.25)
        ...     later = next(decoder)
        >>> frame.rgb().shape, frame.tensor().shape
        ((72, 88, 3), torch.Size([3, 72, 88]))
        >>> later.number, later.seconds
        (5, 0.25)
    """
    from scaleflow.adversarial.perceptual_codec import decoder_of
    from scaleflow.codec.decoding.video_decoder import VideoDecoder

    return VideoDecoder(
        source,
        model=model,
        weights=weights,
        weights_folder=weights_folder,
        device=device,
        tolerate_damage=tolerate_damage,
        shown_by=decoder_of(decoder, perception, decoder_weights),
        max_pixels=max_pixels,
    )


def _choose(
    model: VideoModel | None, weights: StrPath | None, weights_folder: StrPath | None, device: str
) -> Callable[[SfvHeader], VideoModel]:
    from scaleflow.codec.decoding.stream_model import load_stream_model

    if model is not None:
        return lambda header: model
    return lambda header: load_stream_model(header, device=device, weights=weights, weights_folder=weights_folder)
