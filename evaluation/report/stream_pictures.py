"""Chosen pictures of originals and of coded files, as RGB to look at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.adversarial.perceptual_codec import DEFAULT_WEIGHTS
from scaleflow.codec.container import SfvHeader, SfvReader
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, Event, StreamDecoder
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.models.weights_folder import open_weights_folder
from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.clip_files import clip_file
from scaleflow.evaluation.rate_distortion.codec_programs import OBJECTS_SUFFIX
from scaleflow.evaluation.rate_distortion.codec_software import DECODER_WEIGHTS
from scaleflow.evaluation.rate_distortion.decoder_choice import DecoderChoice
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, RatePoint
from scaleflow.evaluation.rate_distortion.source_clip import ContentHash, open_clip
from scaleflow.roi.baselines.objects import open_objects

logger = logging.getLogger(__name__)

Rgb = NDArray[np.uint8]
ChooseModel = Callable[[SfvHeader], VideoModel]


@dataclass(frozen=True)
class ChosenPictures:
    """Pictures (height, width, 3) of 8 bit, by number, and how their samples were read."""

    width: int
    height: int
    pictures: dict[int, Rgb]
    properties: VideoProperties


def read_pictures(
    path: Path, numbers: Sequence[int], choose_model: ChooseModel, source: VideoProperties | None = None
) -> ChosenPictures:
    """Decode a video, or a stream of this project, as far as the last picture asked for.

    All go the same way, 4:2:0 to RGB, so that differences to see are differences of coding.

    Args:
        source: what was coded: codecs were given it as y4m, which does not say how its Y'CbCr is to be read. As the
            file says where None.

    Raises:
        DataError: the file cannot be decoded here, or has fewer pictures.
        UsageError: it does not exist, or needs a model that is unknown here.
    """
    if path.is_symlink() or not path.is_file():
        raise DataError(f"{path}: is no file of the results folder")
    if path.suffix == ".sfv":
        with SfvReader(path) as reader:
            decoder = StreamDecoder(reader.header, choose_model(reader.header))
            return _choose(path, _undamaged(path, decoder.decode(reader)), reader.header.video, numbers, source)
    if path.suffix == f".{OBJECTS_SUFFIX}":
        with open_objects(path, choose_model) as (properties, pictures):
            return _choose(path, (picture.planes for picture in pictures), properties, numbers, source)
    with open_video(path, threads=1) as video:
        return _choose(path, (picture.planes for picture in video), video.properties, numbers, source)


def _undamaged(path: Path, events: Iterable[Event]) -> Iterator[Planes]:
    """Pictures; what stands in for a damaged one is nothing to compare."""
    for event in events:
        if isinstance(event, Damage):
            raise DataError(f"{path}: {event}")
        if isinstance(event, DecodedPicture):
            yield event.planes


def _choose(
    path: Path,
    pictures: Iterable[Planes],
    properties: VideoProperties,
    numbers: Sequence[int],
    source: VideoProperties | None,
) -> ChosenPictures:
    if source is not None:
        properties = replace(properties, color_matrix=source.color_matrix, color_range=source.color_range)
    found: dict[int, Rgb] = {}
    for number, planes in enumerate(pictures):
        if number in numbers:
            found[number] = rgb_picture(planes, properties)
        if len(found) == len(numbers):
            return ChosenPictures(properties.width, properties.height, found, properties)
    raise DataError(f"{path}: has no picture {max(numbers)}")


def read_original(clip: EvaluatedClip, numbers: Sequence[int]) -> ChosenPictures:
    """Pictures of what was coded.

    Raises:
        DataError: it cannot be read, or is not what was measured.
        UsageError: it does not exist.
    """
    with open_original(clip) as reader:
        change = ClipChange.from_text(clip.change)
        properties = replace(reader.properties, width=clip.width, height=clip.height)
        content = ContentHash(properties)
        found: dict[int, Rgb] = {}
        for number, picture in enumerate(islice(reader, clip.frames)):
            planes = change.apply(picture.planes) if clip.change else picture.planes
            content.add(planes)
            if number in numbers:
                found[number] = rgb_picture(planes, properties)
        if content.digest() != clip.content:
            raise DataError(f"{clip.path}: is not what was measured")
        return ChosenPictures(clip.width, clip.height, found, properties)


def open_original(clip: EvaluatedClip) -> VideoReader:
    """What was coded, where it lay, as the point says: a file or a folder, and nothing that waits for a writer.

    Raises as :func:`scaleflow.codec.video.open_video`.
    """
    if not Path(clip.path).is_file() and not Path(clip.path).is_dir():
        raise UsageError(f"{clip.path}: there is no such file or folder")
    return open_clip(clip_file(Path(clip.path), Fraction(clip.frame_rate).limit_denominator(10**6)))


class CachedModels:
    """Loads the models of streams, once for all streams that name the same weights.

    The points of a results folder are data as the streams are: neither leads to a file or a download. Models and
    decoders that do not come with ScaleFlow are those that the settings name.
    """

    def __init__(
        self,
        device: str,
        models: Sequence[str] = (),
        weights_folder: Path | None = None,
        decoder_weights: Sequence[Path] = (),
    ) -> None:
        """As of :class:`scaleflow.evaluation.report.settings.ReportSettings`.

        Raises:
            UsageError: there is no such file of a decoder.
        """
        self._device = device
        self._names = tuple(models)
        self._folder = weights_folder
        self._decoders = tuple(decoder_weights)
        for path in self._decoders:
            if not path.is_file():
                raise UsageError(f"decoder_weights {path}: there is no such file", fields=("decoder_weights",))
        self._models: dict[tuple[str, ...], VideoModel] = {}

    def choose(self, header: SfvHeader) -> VideoModel:
        """The model of a stream.

        Raises:
            UsageError: the settings name a model that is unknown.
            DataError: neither it nor its weights are among those that come with ScaleFlow or are named.
        """
        key = header.model, header.weights_hash, header.precision
        if key not in self._models:
            self._models[key] = self._load(header)
        return self._models[key]

    def as_measured(self, point: RatePoint) -> ChooseModel:
        """What chooses the model of a point's stream, with the decoder that the point was measured with.

        Raises:
            DataError: its decoder is none that there is, or is not among those that come with ScaleFlow or are named.
        """
        try:
            decoder = DecoderChoice.of_options(point.decode_command)
        except UsageError as error:
            raise DataError(f"{point.codec}, {point.setting}: {error}") from error
        if not decoder.is_perceptual:
            return self.choose
        show = replace(decoder, weights=self._decoder_of(point)).show()
        return lambda header: show(self.choose(header))

    def _decoder_of(self, point: RatePoint) -> Path:
        """The file of its perceptual decoder, found by the hash that the point gives."""
        wanted = point.software.get(DECODER_WEIGHTS)
        folder = open_weights_folder(self._folder)
        there = [DEFAULT_WEIGHTS, *self._decoders]
        there += sorted(folder.glob("*.safetensors")) if folder is not None else []
        found = next((path for path in there if file_hash(path) == wanted), None)
        if found is None:
            raise DataError(
                f"{point.codec}: was shown by a perceptual decoder (file hash {wanted}) that is not here: give its "
                "file as decoder_weights, or its folder as weights_folder",
                fields=("decoder_weights", "weights_folder"),
            )
        return found

    def _load(self, header: SfvHeader) -> VideoModel:
        for name in self._names:
            if name == header.model or name.startswith(f"{header.model}:"):
                try:
                    return load_stream_model(header, device=self._device, model=name)
                except DataError as error:
                    logger.info("%s is not the model of a stream: %s", name, error)
        return load_stream_model(header, device=self._device, weights_folder=self._folder)
