"""The other way to labels: a video is decoded to a file first, which a network reads then."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from scaleflow.codec.container import SfvHeader
from scaleflow.codec.decoding.file import DecodeSettings, decode_file
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.efficient_nets.labelling.label_video import LabelTally, label_video
from scaleflow.efficient_nets.labelling.picture_network import Found, PictureNetwork
from scaleflow.efficient_nets.labelling.pictures import SeenPicture, open_pictures

LOSSLESS_FORM = "mkv"
"""FFV1: holds all that is known of the colours of the pictures."""


class LabelHashes:
    """A hash of what was found in each picture; implements
    :class:`scaleflow.efficient_nets.labelling.label_files.LabelOutput`."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def add(self, picture: SeenPicture, found: Found) -> None:
        """See :class:`~scaleflow.efficient_nets.labelling.label_files.LabelOutput`."""
        self.hashes.append(_hash(found.prediction))

    def same(self, others: LabelHashes) -> int:
        """In how many pictures the same was found, to the last bit."""
        return sum(own == other for own, other in zip(self.hashes, others.hashes, strict=False))


@dataclass(frozen=True)
class ThroughFile:
    """What the way through a file took.

    Attributes:
        tally: as of the other way; decoding is all until a picture was there that was read from the file.
        write_seconds: of that, decoding to the file.
        file_bytes: size of the file.
    """

    tally: LabelTally
    write_seconds: float
    file_bytes: int


def label_through_file(
    stream: Path,
    load: Callable[[SfvHeader], VideoModel],
    network: PictureNetwork,
    found: LabelHashes,
    *,
    first: int = 0,
    frames: int | None = None,
    form: str = LOSSLESS_FORM,
) -> ThroughFile:
    """Decode an ``.sfv`` file to a temporary one without loss, and run a network on that.

    The model is loaded before the clock starts.

    Args:
        load: gives the model that decodes.
        found: takes what is found.
        form: extension of the file that is written.

    Raises:
        UsageError, DataError: as :func:`scaleflow.efficient_nets.labelling.label_video.label_video`.
    """
    with tempfile.TemporaryDirectory(prefix="scaleflow-labels-") as folder:
        decoded = Path(folder) / f"decoded.{form}"
        started = time.perf_counter()
        loading = 0.0

        def load_first(header: SfvHeader) -> VideoModel:
            nonlocal loading
            start = time.perf_counter()
            model = load(header)
            loading = time.perf_counter() - start
            return model

        settings = DecodeSettings(frames=None if frames is None else first + frames, lossless=True)
        decode_file(stream, decoded, load_first, settings)
        written = time.perf_counter() - started - loading
        start = time.perf_counter()
        with open_pictures(decoded, load, first=first, frames=frames) as video:
            opened = time.perf_counter() - start
            tally = label_video(video, network, [found])
        tally.decode_seconds += written + opened
        tally.seconds += written + opened
        return ThroughFile(tally, written, decoded.stat().st_size)


def _hash(prediction: Tensor) -> bytes:
    return hashlib.sha256(prediction.contiguous().numpy().tobytes()).digest()
