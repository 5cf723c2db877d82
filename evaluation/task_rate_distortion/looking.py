"""The walk through all codecs and settings that tasks of frames and of whole videos share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaleflow.cluster import ClusterSettings
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.clip_regions import ClipRegions
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.source_clip import open_clip
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress, code_clips
from scaleflow.evaluation.task_rate_distortion.decoded_streams import (
    DecodedStream,
    close_all,
    decoded_streams,
    streams_hash,
)
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint, write_task_point
from scaleflow.evaluation.task_rate_distortion.task_record import task_record


@dataclass(frozen=True)
class Shown:
    """What networks are to look at: the videos of one codec at one setting, or as they were given.

    Attributes:
        place: of the data, with codec and setting, for messages.
        step: number of this one, and of all of them.
        size: (width, height) of the pictures of the first video.
        rates, streams: of the videos by name; None of what was not coded.
    """

    place: str
    step: tuple[int, int]
    size: tuple[int, int]
    rates: Mapping[str, RatePoint] | None = None
    streams: Mapping[str, DecodedStream] | None = None

    @property
    def content(self) -> str:
        """Identity of what is decoded; empty of what was not coded."""
        return "" if self.rates is None else streams_hash(self.rates)

    @property
    def tells_changes(self) -> bool:
        """Whether decoders may say what changed."""
        return self.streams is not None and all(stream.tells_changes for stream in self.streams.values())

    def keep(self, made: NetworkPoint, results: Path, found: MeasuredTask) -> TaskPoint:
        """Write the point of what a network made of it, beside the network's own."""
        point = TaskPoint(task_record(made, self.rates), made)
        write_task_point(point, results)
        found.points.append(point)
        return point


def look_at_all(
    clips: Sequence[tuple[ClipFile, int, bool]],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    place: str,
    look: Callable[[Shown, MeasuredTask], None],
    *,
    regions: ClipRegions | None,
    changes: bool = False,
    workers: int,
    cluster: ClusterSettings | None,
    overwrite: bool,
    progress: Callable[[TaskProgress], None],
) -> MeasuredTask:
    """Code all clips, and let ``look`` see them uncompressed, and then as each codec decodes them at each setting.

    A setting that fails does not stop the others.

    Args:
        clips: as of :func:`scaleflow.evaluation.task_rate_distortion.coding.code_clips`.
        place: of the data, for messages.
        regions: where the masks come from that codecs are given.
        changes: decoders are to say what changed, see :class:`DecodedStream`.

    Raises:
        UsageError: a codec has the name of what was not coded; or as ``code_clips``.
        DataError: the uncompressed pictures cannot be looked at.
    """
    for codec in codecs:
        if codec.name == UNCOMPRESSED:
            raise UsageError(f"codec {codec.name}: that is what the pictures themselves are called: name it otherwise")
    masks = {} if regions is None else regions.masks_of([(clip, frames) for clip, frames, _ in clips], results)
    coded = code_clips(clips, codecs, settings, results, masks, workers, cluster, overwrite, progress)
    found = MeasuredTask(problems=list(coded.problems))
    chosen = [(codec, setting) for codec in codecs for setting in codec.settings]
    with open_clip(clips[0][0]) as reader:
        size = reader.properties.width, reader.properties.height
    look(Shown(place, (1, 1 + len(chosen)), size), found)
    for number, (codec, setting) in enumerate(chosen, 2):
        rates = coded.of(codec, setting, [clip.name for clip, _, _ in clips])
        if rates is None:
            continue
        streams = decoded_streams(rates, results, codec, setting, settings, changes=changes)
        try:
            name, step = f"{place}, {codec.name} {setting.label}", (number, 1 + len(chosen))
            look(Shown(name, step, size, rates, streams), found)
        except ScaleFlowError as error:
            found.problems.append(f"{codec.name} {setting.label}: {error}")
        finally:
            close_all(streams)
    return found
