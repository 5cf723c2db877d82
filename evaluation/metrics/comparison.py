"""Compare a decoded video with its original, picture by picture, in one pass and constant memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.encoding.region_masks import MaskSource, OpenMasks
from scaleflow.codec.video import RawVideoFormat, VideoReader, open_video
from scaleflow.codec.video.picture_sequence import is_picture_sequence
from scaleflow.codec.video.raw_name import is_raw_file, raw_format_of_name
from scaleflow.codec.video.reader import SourcePicture
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.metrics.conversion import choose_form
from scaleflow.evaluation.metrics.effnet import EffNet
from scaleflow.evaluation.metrics.flicker import Flicker
from scaleflow.evaluation.metrics.lpips import Lpips
from scaleflow.evaluation.metrics.matching import MatchedFile, match_by_time, timed_pictures
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.ms_ssim import MsSsim
from scaleflow.evaluation.metrics.names import INSIDE, OF_MEAN_MSE, OUTSIDE, expand_metrics, with_regions
from scaleflow.evaluation.metrics.picture_pair import PicturePair
from scaleflow.evaluation.metrics.psnr import Psnr
from scaleflow.evaluation.metrics.st_lpips import StLpips
from scaleflow.evaluation.metrics.vmaf import Vmaf
from scaleflow.evaluation.metrics.xpsnr import Xpsnr
from scaleflow.limits import DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class _OpenedVideo:
    """One of the two videos; whether its file leaves the range out, and whether it says when its pictures are shown."""

    reader: VideoReader
    is_silent: bool
    has_times: bool

    def pictures(self) -> MatchedFile[SourcePicture]:
        rate = self.reader.properties.frame_rate
        return MatchedFile(self.reader.name, rate, timed_pictures(self.reader), self.has_times)


@dataclass(frozen=True)
class Comparison:
    """What a comparison has found.

    Attributes:
        times: seconds of each picture, relative to the first.
        width, height: of the pictures, in samples of luma.
        frames: by name of the metric one value a picture: infinite where the samples are identical and the metric is a
            PSNR, NaN where it cannot be computed.
        means: by name the mean over the pictures whose value is finite; infinite where all are identical, NaN where no
            picture has a value. Beside each PSNR the PSNR of the mean squared error, under its name and
            :data:`~scaleflow.evaluation.metrics.names.OF_MEAN_MSE`.
        identical: pictures that are equal in every sample.
        region_areas: of each picture, the share of it that its region of interest is, 0..1; None without regions. A
            picture without a region has no values in it, and one that is all region none outside.
        notes: what was converted or assumed, a sentence each.
    """

    times: list[float]
    width: int
    height: int
    frames: dict[str, list[float]]
    means: dict[str, float]
    identical: int
    notes: tuple[str, ...] = ()
    region_areas: list[float] | None = None

    def __post_init__(self) -> None:
        if not self.times:
            raise ValueError("a comparison has at least one picture")
        areas = {} if self.region_areas is None else {"region_areas": self.region_areas}
        for name, values in (self.frames | areas).items():
            if len(values) != len(self.times):
                raise ValueError(f"{name} has {len(values)} values for {len(self.times)} pictures")


def compare(
    original: str | os.PathLike[str],
    decoded: str | os.PathLike[str],
    metrics: Sequence[str] = ("psnr",),
    *,
    frames: int | None = None,
    lpips_backbone: Path | None = None,
    ffmpeg: Path | None = None,
    frame_rate: Fraction | None = None,
    decoded_name: str | None = None,
    open_masks: OpenMasks | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: Callable[[int, int | None], None] | None = None,
) -> Comparison:
    """Measure how far a decoded video is from its original.

    Pictures are matched by time, see :mod:`scaleflow.evaluation.metrics.matching`; colour is converted where it must
    be, see :mod:`scaleflow.evaluation.metrics.conversion`.

    Args:
        original, decoded: anything that :func:`scaleflow.codec.video.open_video` reads; a decoded raw file whose name
            does not say its form is taken to be in that of the original.
        metrics: groups or single names of :mod:`scaleflow.evaluation.metrics.names`.
        frames: most pictures to compare, from the first on; what follows is not looked at.
        lpips_backbone: AlexNet's weights, see :func:`scaleflow.adversarial.lpips_network.find_backbone`.
        ffmpeg: program for VMAF and XPSNR, see :func:`scaleflow.evaluation.ffmpeg.find_ffmpeg`.
        frame_rate: of folders of pictures and of raw video; times that a file carries itself are never replaced.
        decoded_name: what messages call the decoded video, where not by its path.
        open_masks: gives the masks of the original's regions of interest. Metrics that parts of pictures have are then
            also taken within the region and outside, see :func:`scaleflow.evaluation.metrics.names.with_regions`.
        max_pixels: largest picture, in samples of luma; larger ones are refused before memory is taken.
        progress: called after each picture with the number done and the number in all, None where that is not known.

    Raises:
        DataError: frames are missing, sizes differ, colours do not compare, a file cannot be read.
        UsageError: a metric is unknown, or what it needs is not there.

    Example:
        >>> import scaleflow
        >>> found = scaleflow.compare(clip, clip)
        >>> found.identical, found.width, found.height
        (8, 88, 72)
    """
    original, decoded = Path(original), Path(decoded)
    names = expand_metrics(metrics)
    if frames is not None and frames < 1:
        raise UsageError(f"frames {frames} is not at least 1", fields=("frames",))
    if frame_rate is not None and frame_rate <= 0:
        raise UsageError(f"frame_rate {frame_rate} is not above 0", fields=("frame_rate",))
    with ExitStack() as stack:
        ours = _open(original, frame_rate, max_pixels)
        first = stack.enter_context(ours.reader)
        theirs = _open(decoded, frame_rate, max_pixels, like=first)
        second = stack.enter_context(theirs.reader)
        second.name = decoded_name or second.name
        _check_sizes(first, second)
        rate = first.properties.frame_rate
        # Before the first picture, so that what is missing is said at once.
        regions = () if open_masks is None else (INSIDE, OUTSIDE)
        chosen = _metrics(names, rate, lpips_backbone, ffmpeg, regions)
        measurements = [stack.enter_context(metric) for metric in chosen]
        masks = None if open_masks is None else open_masks(first.properties, first.frame_count)
        return _measure(names, ours, theirs, measurements, masks, frames, progress)


def _measure(
    names: tuple[str, ...],
    original: _OpenedVideo,
    decoded: _OpenedVideo,
    measurements: Sequence[Metric],
    masks: MaskSource | None,
    frames: int | None,
    progress: Callable[[int, int | None], None] | None,
) -> Comparison:
    in_rgb = {name for name in names if name.startswith(("lpips", "st-lpips", "effnet")) or name.endswith("-rgb")}
    needs_yuv = bool(set(names) - in_rgb)
    silent = original.is_silent, decoded.is_silent
    form = choose_form(original.reader, decoded.reader, needs_yuv=needs_yuv, needs_rgb=bool(in_rgb), silent=silent)
    count = original.reader.frame_count
    total = count if frames is None else min(frames, count or frames)
    times: list[float] = []
    areas: list[float] = []
    identical = 0
    for ours, theirs in match_by_time(original.pictures(), decoded.pictures(), frames):
        mask = None if masks is None else masks.mask_at(len(times), float(ours.time))
        pair = PicturePair(form, len(times), float(ours.time), ours.item, theirs.item, mask)
        for measurement in measurements:
            measurement.add(pair)
        identical += pair.is_identical(in_rgb=not needs_yuv)
        times.append(pair.time)
        if mask is not None:
            areas.append(float(mask.mean(dtype=float)))
        if progress is not None:
            progress(len(times), total)
    of_all: dict[str, float] = {}
    values: dict[str, list[float]] = {}
    for measurement in measurements:
        of_all |= measurement.finish()
        values |= measurement.frames
    for name, column in values.items():
        if len(column) != len(times):
            raise DataError(f"{name}: ffmpeg has given {len(column)} values for {len(times)} pictures")
    shown_names = names if masks is None else with_regions(names)
    means = {name: mean_of_finite(values[name]) for name in shown_names} | of_all
    order = [shown for name in shown_names for shown in (name, name + OF_MEAN_MSE) if shown in means]
    properties = original.reader.properties
    return Comparison(
        times,
        properties.width,
        properties.height,
        {name: values[name] for name in shown_names},
        {name: means[name] for name in order},
        identical,
        form.notes,
        None if masks is None else areas,
    )


def mean_of_finite(values: Sequence[float]) -> float:
    """The mean of what is finite; infinite where there are only infinite values and NaN, NaN where only NaN."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return math.fsum(finite) / len(finite)
    return math.inf if any(map(math.isinf, values)) else math.nan


def check_metrics(names: Sequence[str], lpips_backbone: Path | None, ffmpeg: Path | None) -> None:
    """Whether what metrics need is there, before hours are spent on coding.

    Raises:
        UsageError: a package, weights or a filter of ffmpeg are missing.
        DataError: the weights cannot be read.
    """
    for metric in _metrics(tuple(names), Fraction(25), lpips_backbone, ffmpeg, ()):
        metric.close()


def _metrics(
    names: tuple[str, ...],
    frame_rate: Fraction,
    lpips_backbone: Path | None,
    ffmpeg: Path | None,
    regions: Sequence[str],
) -> Iterator[Metric]:
    """One after another, so that the caller holds each before the next may fail."""

    def chosen(prefix: str) -> tuple[str, ...]:
        return tuple(name for name in names if name == prefix or name.startswith(f"{prefix}-"))

    makers: dict[str, Callable[[tuple[str, ...]], Metric]] = {
        "psnr": lambda wanted: Psnr(wanted, regions),
        "ms-ssim": lambda wanted: MsSsim(wanted, regions),
        "lpips": lambda wanted: Lpips(wanted, regions, lpips_backbone),
        "st-lpips": StLpips,
        "vmaf": lambda wanted: Vmaf(wanted, frame_rate, ffmpeg),
        "xpsnr": lambda wanted: Xpsnr(wanted, frame_rate, ffmpeg),
        "effnet": EffNet,
        "flicker": Flicker,
    }
    for group, make in makers.items():
        if wanted := chosen(group):
            yield make(wanted)


def _open(path: Path, frame_rate: Fraction | None, max_pixels: int, like: VideoReader | None = None) -> _OpenedVideo:
    name = str(path)
    is_raw = is_raw_file(name)
    has_times = not is_raw and not is_picture_sequence(name)
    raw = _raw_format(name, frame_rate, like) if is_raw else None
    # Not in 4:2:0: that reader would say what coding does to the colours.
    rate = None if is_raw or has_times else frame_rate
    reader = open_video(name, raw=raw, frame_rate=rate, working_format="rgb", max_pixels=max_pixels)
    # Samples alone: raw, or y4m by a program that leaves the range out.
    is_silent = is_raw or (path.suffix.lower() == ".y4m" and reader.properties.color_range == "unknown")
    return _OpenedVideo(reader, is_silent, has_times)


def _raw_format(name: str, frame_rate: Fraction | None, like: VideoReader | None) -> RawVideoFormat:
    try:
        return raw_format_of_name(name, frame_rate)
    except UsageError:
        if like is None:
            raise
    properties = like.properties
    return RawVideoFormat(
        properties.width, properties.height, frame_rate or properties.frame_rate, properties.pixel_format
    )


def _check_sizes(original: VideoReader, decoded: VideoReader) -> None:
    ours, theirs = original.properties, decoded.properties
    if (ours.width, ours.height) != (theirs.width, theirs.height):
        raise DataError(
            f"{decoded.name}: is {theirs.width}x{theirs.height}, {original.name} is {ours.width}x{ours.height}; "
            "only videos of one size are compared"
        )
