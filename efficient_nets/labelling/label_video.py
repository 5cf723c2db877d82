"""From the pictures of a video to what a network finds in each, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from scaleflow.efficient_nets.labelling.label_files import LabelOutput
from scaleflow.efficient_nets.labelling.picture_network import PictureNetwork
from scaleflow.efficient_nets.labelling.pictures import SeenPicture, VideoPictures


@dataclass
class LabelTally:
    """What labelling took.

    Attributes:
        pictures: that were looked at.
        key_pictures: of these, computed in full.
        decode_seconds: until each picture was there as R'G'B'.
        network_seconds: of the network alone.
        seconds: of everything: scaling, labels and their files too, loading of models and weights not.
        macs, dense_macs: of all pictures, spent and of the dense network.
    """

    pictures: int = 0
    key_pictures: int = 0
    decode_seconds: float = 0.0
    network_seconds: float = 0.0
    seconds: float = 0.0
    macs: int = 0
    dense_macs: int = 0


def label_video(
    video: VideoPictures,
    network: PictureNetwork,
    outputs: Sequence[LabelOutput],
    progress: Callable[[LabelTally], None] = lambda tally: None,
) -> LabelTally:
    """Each picture goes to the network as soon as it is decoded, and what was found to all outputs.

    Methods that are calibrated first take the first pictures of the video for it, which are then kept until they are
    looked at.

    Args:
        progress: is told after each picture.

    Raises:
        UsageError: the pictures do not suit the network, or are too few for its method.
        DataError: the video is damaged, or a label cannot be written.
    """
    tally = LabelTally()
    started = time.perf_counter()
    pictures = _timed(video.pictures, tally)
    if network.calibration:
        early = list(islice(pictures, network.calibration))
        network.calibrate(early)
        pictures = chain(early, pictures)
    for picture in pictures:
        found = network.see(picture)
        for output in outputs:
            output.add(picture, found)
        tally.pictures += 1
        tally.key_pictures += found.key
        tally.network_seconds += found.seconds
        tally.macs += found.cost.macs
        tally.dense_macs += found.cost.dense_macs
        tally.seconds = time.perf_counter() - started
        progress(tally)
    return tally


def _timed(pictures: Iterator[SeenPicture], tally: LabelTally) -> Iterator[SeenPicture]:
    """The same, of which the time until each is there is noted."""
    while True:
        start = time.perf_counter()
        picture = next(pictures, None)
        tally.decode_seconds += time.perf_counter() - start
        if picture is None:
            return
        yield picture
