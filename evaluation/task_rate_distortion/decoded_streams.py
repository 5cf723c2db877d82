"""Coded files of a results folder as videos that networks look at, decoded by the codec's own command."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.coded_video import CodedVideo
from scaleflow.evaluation.networks.videos import NO_CHANGES
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings, run_command
from scaleflow.evaluation.rate_distortion.point import RatePoint


@dataclass
class DecodedStream:
    """A coded file, decoded when its pictures are first asked for; implements
    :class:`scaleflow.evaluation.networks.videos.DecodedFile`.

    What was decoded lies in a folder of its own while this object is there.

    Attributes:
        path: of the coded file.
        command: what decodes it, with ``INPUT`` and ``OUTPUT`` for the files.
    """

    path: Path
    command: Sequence[str]
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False, repr=False)

    def decoded(self) -> Path:
        """A lossless file of its pictures.

        Raises:
            DataError: the command fails.
        """
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="scaleflow-task-")
            run_command(self.command, {"INPUT": self.path, "OUTPUT": Path(folder.name) / "decoded.y4m"})
            self._folder = folder
        return Path(self._folder.name) / "decoded.y4m"

    def changes(self) -> list[PictureChange | None]:
        """What the decoder of an ``.sfv`` file says of changes.

        Raises:
            UsageError: it is none, or its model does not say.
        """
        if self.path.suffix != ".sfv":
            raise UsageError(NO_CHANGES.format(f"{self.path} is none"), fields=("codec",))
        return self._coded.changes()

    def close(self) -> None:
        """Delete what was decoded; it is decoded again when it is asked for."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @cached_property
    def _coded(self) -> CodedVideo:
        return CodedVideo(self.path, None)


def decoded_streams(
    rates: Mapping[str, RatePoint],
    results: Path,
    codec: EvaluatedCodec,
    setting: CodecSetting,
    settings: MeasuringSettings,
) -> dict[str, DecodedStream]:
    """The coded files of points, by the names of their clips."""
    return {
        name: DecodedStream(
            results / point.stream,
            codec.decode_command(setting, point.clip.bit_depth, settings.threads, str(settings.ffmpeg)),
        )
        for name, point in rates.items()
    }


def streams_hash(rates: Mapping[str, RatePoint]) -> str:
    """Identity of what is decoded: of the coded files, and of what decodes them."""
    identity = [(name, point.stream_hash, point.decode_command, point.software) for name, point in rates.items()]
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def close_all(streams: Mapping[str, DecodedStream]) -> None:
    """Delete all that was decoded."""
    for stream in streams.values():
        stream.close()
