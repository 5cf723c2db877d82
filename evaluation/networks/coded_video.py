"""An ``.sfv`` file that networks look at: decoded once, however many points are measured on it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from scaleflow.codec.container import SfvHeader, SfvReader
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, StreamDecoder
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.capabilities import TellsPictureChange
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import DataError, UsageError

DECODED = "decoded.mkv"
"""FFV1 of R'G'B', as networks are shown it: no file holds all that is known of how Y'CbCr is to be read."""

LoadModel = Callable[[SfvHeader], VideoModel]
"""Gives the model that decodes a stream, with its decoder, for the stream's header."""


class CodedVideo:
    """Its pictures up to number ``end``, which are decoded when they are first asked for.

    They lie in a file of their own while this object is there.
    """

    def __init__(self, path: Path, end: int | None, load: LoadModel = load_stream_model) -> None:
        self.path, self.end, self._load = path, end, load

    def decoded(self) -> Path:
        """A video of the pictures.

        Raises:
            UsageError: there is no such file.
            DataError: it is no ``.sfv`` file, or damaged.
        """
        return Path(self._decoded[0].name) / DECODED

    def changes(self) -> list[PictureChange | None]:
        """What the decoder says of how each picture differs from the one before; None of key pictures.

        Raises:
            UsageError: the model of the file does not say; and as :meth:`decoded`.
        """
        changes = self._decoded[1]
        if changes is None:
            raise UsageError(f"{self.path}: its model does not say what changed; the default model does, for fidelity")
        return changes

    @cached_property
    def _decoded(self) -> tuple[tempfile.TemporaryDirectory[str], list[PictureChange | None] | None]:
        folder = tempfile.TemporaryDirectory(prefix="scaleflow-nets-")
        return folder, decode_with_changes(self.path, Path(folder.name) / DECODED, self._load, self.end, as_rgb=True)


def decode_with_changes(
    path: Path, destination: Path, load: LoadModel, end: int | None = None, *, as_rgb: bool = False
) -> list[PictureChange | None] | None:
    """Decode an ``.sfv`` file, and keep what the decoder says of how each picture differs from the one before.

    Args:
        destination: a video without loss; of a form such as y4m, the same as ``scaleflow decode`` writes.
        load: gives the model.
        end: number of the picture before which to stop.
        as_rgb: write R'G'B' of 8 bit, read as the file says, instead of the samples themselves.

    Returns:
        One for each picture, None of key pictures; None at all where the model does not say.

    Raises:
        UsageError: there is no such file.
        DataError: it is no ``.sfv`` file, or damaged.
    """
    changes: list[PictureChange | None] = []
    with SfvReader(path) as reader:
        model = load(reader.header)
        knows = isinstance(model, TellsPictureChange)
        events = StreamDecoder(reader.header, model, changes=knows).decode(reader)
        video = reader.header.video
        shown = replace(video, pixel_format="rgb24", bit_depth=8, working_format="rgb") if as_rgb else video
        with open_output(destination, shown, lossless=True) as writer:
            for event in islice((event for event in events if isinstance(event, DecodedPicture | Damage)), end):
                if isinstance(event, Damage):
                    raise DataError(f"{path}: {event}: networks are measured on whole files only")
                planes = event.planes
                if as_rgb:
                    rgb = rgb_picture(planes, video)
                    planes = rgb[..., 0], rgb[..., 1], rgb[..., 2]
                writer.write(Picture(planes, event.pts))
                changes.append(event.change)
    return changes if knows else None
