"""What a person asks of an encode, checked before any work begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleflow.cluster import ClusterSettings, check_workers
from scaleflow.errors import UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS, check_limit
from scaleflow.quality_range import HIGHEST_QUALITY, round_quality

if TYPE_CHECKING:
    from scaleflow.codec.models.picture_order import LatentRefinement
    from scaleflow.codec.models.region_method import RegionMethod

DEFAULT_QUALITY = 32.0

LONGEST_CASCADE = 64

CASCADE_MARGIN = 4.0
"""Where the quality is nearer than this to an end of its range, the cascade is narrower."""


@dataclass(frozen=True)
class EncodeSettings:
    """One encode.

    Attributes:
        quality: 0..63, of inter pictures before the cascade. Exactly one of this and the next four is given.
        bitrate: bits a second of the whole file, audio and container included.
        bits_per_pixel: of the whole file, over all samples of luma.
        target_psnr: mean PSNR-YUV (6:1:1) in dB of the decoded pictures.
        target_roi_psnr: the same of what lies in the region of interest.
        two_pass: find the one quality that meets the rate by encoding before; otherwise feedback in a single pass.
        intra_period: largest distance of key frames in pictures, 0 for none at regular distances.
        scene_cut: start scenes with key frames.
        key_times: seconds from the first picture at which to set key frames.
        intra_quality_offset: how much higher the quality of key frames is, as 31 pictures may be predicted from one.
        quality_cascade: what is added to the quality of inter pictures, of the first one behind a key frame first, and
            again from its start: (-2, 0, -2, 6) makes every fourth picture better for those that follow.
        workers: processes that code groups of pictures side by side.
        cluster: codes groups of pictures in their place, where it is given.
        worker_threads: threads of each worker; a single process codes in this one as it is set up.
        verify: decode every picture and refuse an encode whose reconstruction differs.
        measure: decode every picture and report the PSNR reached.
        start, duration: seconds of the source to encode, from its first picture on.
        frames: most pictures to encode.
        region: how regions of interest are coded, as :class:`scaleflow.roi.coding.RegionSettings` says it; where they
            are is said by masks.
        refinement: gradient descent on latents: less rate for the same quality, a slower encode.
        overwrite: replace an output that exists.
        max_pixels: largest picture of the source, in samples of luma; larger ones are refused before memory is taken.

    Raises:
        UsageError: a value is out of range, or two do not go together.

    Example:
        >>> import scaleflow
        >>> scaleflow.EncodeSettings(bitrate=800_000, two_pass=True).searches
        True
        >>> scaleflow.EncodeSettings(quality=80)
        Traceback (most recent call last):
        ...
        scaleflow.errors.UsageError: ...80 is outside 0..63
    """

    quality: float | None = None
    bitrate: float | None = None
    bits_per_pixel: float | None = None
    target_psnr: float | None = None
    target_roi_psnr: float | None = None
    two_pass: bool = False
    intra_period: int = 32
    scene_cut: bool = True
    key_times: tuple[float, ...] = ()
    intra_quality_offset: float = 10.0
    quality_cascade: tuple[float, ...] = (0.0,)
    workers: int = 1
    cluster: ClusterSettings | None = None
    worker_threads: int = 1
    verify: bool = False
    measure: bool = False
    start: float = 0.0
    duration: float | None = None
    frames: int | None = None
    region: RegionMethod | None = None
    refinement: LatentRefinement | None = None
    overwrite: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        goals = {
            "quality": self.quality,
            "bitrate": self.bitrate,
            "bits_per_pixel": self.bits_per_pixel,
            "target_psnr": self.target_psnr,
            "target_roi_psnr": self.target_roi_psnr,
        }
        given = [name for name, value in goals.items() if value is not None]
        if len(given) != 1:
            raise UsageError(
                f"{' and '.join(given) or 'none'} of {', '.join(goals)} given: they all set the same number, give one",
                fields=tuple(goals),
            )
        _check("quality", self.quality, 0, HIGHEST_QUALITY)
        _check("bitrate", self.bitrate, 100, 1e12)
        _check("bits_per_pixel", self.bits_per_pixel, 1e-5, 100)
        _check("target_psnr", self.target_psnr, 5, 100)
        _check("target_roi_psnr", self.target_roi_psnr, 5, 100)
        _check("intra_period", self.intra_period, 0, 100_000)
        _check("intra_quality_offset", self.intra_quality_offset, -HIGHEST_QUALITY, HIGHEST_QUALITY)
        if not 1 <= len(self.quality_cascade) <= LONGEST_CASCADE:
            raise UsageError(
                f"quality_cascade of {len(self.quality_cascade)} numbers: give 1 to {LONGEST_CASCADE}, 0 for none",
                fields=("quality_cascade",),
            )
        for offset in self.quality_cascade:
            _check("quality_cascade", offset, -HIGHEST_QUALITY, HIGHEST_QUALITY)
        _check("workers", self.workers, 1, 256)
        _check("worker_threads", self.worker_threads, 1, 1024)
        _check("start", self.start, 0, 1e9)
        _check("duration", self.duration, 1e-6, 1e9)
        _check("frames", self.frames, 1, 2**62)
        check_limit("max_pixels", self.max_pixels)
        for time in self.key_times:
            _check("key_times", time, 0, 1e9)
        if self.two_pass and not self.has_rate:
            raise UsageError(
                "two_pass goes with bitrate or bits_per_pixel only", fields=("two_pass", "bitrate", "bits_per_pixel")
            )
        check_workers(self.workers, self.cluster)
        who, fields = f"workers {self.workers}", ("workers",)
        if self.cluster is not None:
            who, fields = f"cluster {self.cluster.address}", ("cluster",)
        if self.codes_groups_apart and self.has_rate and not self.two_pass:
            raise UsageError(
                f"{who}: in one pass each picture's quality follows from the sizes before, which other processes do "
                f"not know yet; add two_pass=True or leave out {fields[0]}",
                fields=(*fields, "two_pass"),
            )
        if self.codes_groups_apart and not self.intra_period:
            raise UsageError(
                f"{who} needs groups of pictures: set intra_period above 0", fields=(*fields, "intra_period")
            )

    @property
    def codes_groups_apart(self) -> bool:
        """Whether groups of pictures are coded side by side."""
        return self.workers > 1 or self.cluster is not None

    @property
    def has_rate(self) -> bool:
        """Whether the size of the file is what is asked for."""
        return self.bitrate is not None or self.bits_per_pixel is not None

    @property
    def wanted_psnr(self) -> float | None:
        """The PSNR that is asked for, of all or of the region."""
        return self.target_psnr if self.target_psnr is not None else self.target_roi_psnr

    @property
    def searches(self) -> bool:
        """Whether the source is encoded more than once."""
        return self.two_pass or self.wanted_psnr is not None

    def quality_of(self, quality: float, since_key: int) -> float:
        """Of a picture so many pictures behind the last key frame, or of one (0), for the one number ``quality``.

        The cascade ends with the range: it is narrower near the lowest and the highest quality, and they have none.
        """
        if not since_key:
            return round_quality(quality + self.intra_quality_offset)
        share = min(1.0, quality / CASCADE_MARGIN, (HIGHEST_QUALITY - quality) / CASCADE_MARGIN)
        return round_quality(quality + share * self.quality_cascade[(since_key - 1) % len(self.quality_cascade)])


def _check(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{name} {value:g} is outside {low:g}..{high:g}", fields=(name,))
