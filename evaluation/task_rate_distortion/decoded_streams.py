"""Coded files of a results folder as videos that networks look at, decoded by the codec's own command."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.networks.coded_video import CodedVideo, LoadModel, decode_with_changes
from scaleflow.evaluation.networks.videos import NO_CHANGES
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings, run_command
from scaleflow.evaluation.rate_distortion.point import RatePoint


@dataclass
class DecodedStream:
    """A coded file, decoded when its pictures are first asked for.

    What was decoded lies in a folder of its own while this object is there.

    Attributes:
        path: of the coded file.
        command: what decodes it, with ``INPUT`` and ``OUTPUT`` for the files.
        load: gives the model of an ``.sfv`` file where its decoder is to say what changed: the file is then decoded in
            this process, once for both, to what the command would write.
    """

    path: Path
    command: Sequence[str]
    load: LoadModel | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False, repr=False)
    _changes: list[PictureChange | None] | None = field(default=None, init=False, repr=False)

    def decoded(self) -> Path:
        """A lossless file of its pictures.

        Raises:
            DataError: the command fails.
        """
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="scaleflow-task-")
            destination = Path(folder.name) / "decoded.y4m"
            if self.load is None:
                run_command(self.command, {"INPUT": self.path, "OUTPUT": destination})
            else:
                self._changes = decode_with_changes(self.path, destination, self.load)
            self._folder = folder
        return Path(self._folder.name) / "decoded.y4m"

    @property
    def tells_changes(self) -> bool:
        """Whether it is a file whose decoder may say what changed."""
        return self.path.suffix == ".sfv"

    def changes(self) -> list[PictureChange | None]:
        """What the decoder of an ``.sfv`` file says of changes.

        Raises:
            UsageError: it is none, or its model does not say.
        """
        if not self.tells_changes:
            raise UsageError(NO_CHANGES.format(f"{self.path} is none"), fields=("codec",))
        if self.load is not None:
            self.decoded()
            if self._changes is not None:
                return self._changes
        return self._coded.changes()

    def close(self) -> None:
        """Delete what was decoded; it is decoded again when it is asked for."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @cached_property
    def _coded(self) -> CodedVideo:
        """Where another decoder shows the pictures, which does not say what changed."""
        return CodedVideo(self.path, None)


@dataclass(frozen=True)
class DecodedPictures:
    """Pictures of a coded file, for :class:`scaleflow.evaluation.networks.videos.EvaluatedVideo`.

    Attributes:
        stream: the file.
        properties: of the source that was coded: what is decoded lies in y4m, which does not say how its Y'CbCr is to
            be read.
        first, count: number of the first picture, and how many there must be.
    """

    stream: DecodedStream
    properties: VideoProperties
    first: int
    count: int

    def __call__(self) -> Iterator[Tensor]:
        """(3, H, W), R'G'B' in 0..1.

        Raises:
            DataError: it cannot be decoded, or holds fewer pictures.
        """
        found = 0
        with open_video(self.stream.decoded(), threads=1) as reader:
            form = replace(self.properties, bit_depth=reader.properties.bit_depth)
            for picture in islice(reader, self.first, self.first + self.count):
                found += 1
                samples = rgb_picture(picture.planes, form).astype(np.float32) / 255
                yield torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1)))
        if found < self.count:
            raise DataError(f"{self.stream.path}: holds {self.first + found} pictures, not {self.first + self.count}")

    def changes(self) -> Iterator[PictureChange | None]:
        """See :class:`scaleflow.evaluation.networks.videos.EvaluatedVideo`."""
        # of the one before the first, the network has seen nothing
        return chain([None], self.stream.changes()[self.first + 1 : self.first + self.count])


def decoded_streams(
    rates: Mapping[str, RatePoint],
    results: Path,
    codec: EvaluatedCodec,
    setting: CodecSetting,
    settings: MeasuringSettings,
    *,
    changes: bool = False,
) -> dict[str, DecodedStream]:
    """The coded files of points, by the names of their clips; ``changes``: decoders are to say what changed."""
    load = _loader(codec, setting) if changes and codec.tells_changes else None
    return {
        name: DecodedStream(
            results / point.stream,
            codec.decode_command(setting, point.clip.bit_depth, settings.threads, str(settings.ffmpeg)),
            load,
        )
        for name, point in rates.items()
    }


def _loader(codec: EvaluatedCodec, setting: CodecSetting) -> LoadModel | None:
    """What gives the model that the codec's command decodes with; None where a perceptual decoder shows pictures."""
    if codec.decoder_of(setting).is_perceptual:
        return None
    device = codec.device_of(setting)
    model, weights = codec.model_of(setting), codec.weights_of(setting)
    return partial(load_stream_model, device=device, model=model, weights=weights)


def streams_hash(rates: Mapping[str, RatePoint]) -> str:
    """Identity of what is decoded: of the coded files, and of what decodes them."""
    identity = [(name, point.stream_hash, point.decode_command, point.software) for name, point in rates.items()]
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def close_all(streams: Mapping[str, DecodedStream]) -> None:
    """Delete all that was decoded."""
    for stream in streams.values():
        stream.close()
