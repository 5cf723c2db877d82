"""Labelled frames as clips that codecs can be given, and as videos again when they have been decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.picture import VideoProperties
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.data.video_pictures import VideoFrame
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.videos import EvaluatedVideo
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.source_clip import open_clip
from scaleflow.evaluation.task_rate_distortion.decoded_streams import DecodedPictures, DecodedStream

STILLS = "stills"
"""Name of the clip of frames that stand alone; each is coded alone, too."""


@dataclass(frozen=True)
class LabelledClip:
    """A clip to code, and what is known of its frames.

    Attributes:
        clip: of as many pictures as there are frames, in their order.
        frames: with their targets.
        still: frames stand alone: no picture of the clip is to be predicted from another.
    """

    clip: ClipFile
    frames: tuple[LabelledFrame, ...]
    still: bool = False

    def videos(self, stream: DecodedStream) -> list[EvaluatedVideo]:
        """Its video, or its stills, with the pictures of a coded file.

        Raises:
            UsageError, DataError: the clip cannot be read.
        """
        with open_clip(self.clip) as reader:
            properties = reader.properties
        if not self.still:
            return [self._video(self.clip.name, stream, properties, 0, len(self.frames))]
        return [self._video(frame.full_name, stream, properties, number, 1) for number, frame in enumerate(self.frames)]

    def _video(
        self, name: str, stream: DecodedStream, properties: VideoProperties, first: int, count: int
    ) -> EvaluatedVideo:
        pictures = DecodedPictures(stream, properties, first, count)
        targets = tuple(frame.target for frame in self.frames[first : first + count])
        return EvaluatedVideo(name, pictures, targets, pictures.changes)


def labelled_clips(
    data: LabelledData,
    folder: Path,
    *,
    first: int = 0,
    frames: int | None = None,
    frame_rate: Fraction | None = None,
) -> list[LabelledClip]:
    """Clips of labelled data: one for each video, or one of all frames that stand alone.

    Args:
        folder: for links to picture files.
        first, frames: number of the first frame of each video, and how many at most.
        frame_rate: of folders of pictures.

    Raises:
        UsageError: no video has as many frames, or frames lie within video files and do not start with their first.
    """
    end = None if frames is None else first + frames
    found = []
    for name, group in frames_of_clips(data).items():
        chosen = tuple(group[first:end])
        if chosen:
            found.append(LabelledClip(_clip_file(name, chosen, folder, frame_rate), chosen, data.still))
    if not found:
        raise UsageError(f"first {first}: no video of {data.place} has as many frames", fields=("first",))
    return found


def frames_of_clips(data: LabelledData) -> dict[str, tuple[LabelledFrame, ...]]:
    """Frames by the name of the clip that they are coded in."""
    groups = {STILLS: data.frames} if data.still else data.videos()
    return {clip_name(name or Path(data.place).name): tuple(group) for name, group in groups.items()}


def clip_name(video: str) -> str:
    """Of the clip of a video."""
    return video.replace("/", "-")


def _clip_file(name: str, frames: Sequence[LabelledFrame], folder: Path, frame_rate: Fraction | None) -> ClipFile:
    in_videos = [frame for frame in frames if isinstance(frame, VideoFrame)]
    if in_videos:
        path = in_videos[0].picture
        if [frame.number for frame in in_videos] != list(range(len(frames))) or any(
            frame.picture != path for frame in in_videos
        ):
            raise UsageError(
                f"{path}: frames of a video file are coded from its first one on: leave out first", fields=("first",)
            )
        return ClipFile(name, path)
    place = folder / name
    place.mkdir(parents=True)
    for number, frame in enumerate(frames):
        (place / f"{number:06}{frame.picture.suffix.lower()}").symlink_to(frame.picture.resolve())
    folders = {frame.picture.parent for frame in frames}
    return ClipFile(name, place, frame_rate=frame_rate, origin=folders.pop() if len(folders) == 1 else None)
