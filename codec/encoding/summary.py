"""What an encode amounts to."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from scaleflow.codec.distortion import weighted_psnr
from scaleflow.codec.encoding.picture_coder import CodedPicture
from scaleflow.codec.picture import VideoProperties


@dataclass(frozen=True)
class EncodeSummary:
    """One encode. Rates are of the whole file.

    Attributes:
        pictures, key_frames: how many were written.
        duration: seconds from the first picture to the end of the last.
        file_bytes: size of the file.
        payload_bytes: by kind: intra, inter, audio; the rest of the file is the container's.
        estimated_bits: ideal code length of the pictures under the frozen tables.
        bitrate, bits_per_pixel: bits a second; bits for a sample of luma.
        mean_quality: of inter pictures (of key frames where there are no others).
        psnr: mean PSNR in dB of each plane of the decoded pictures, where measured.
        psnr_yuv: their 6:1:1 mean (mean of R, G and B for models in RGB).
        region_psnr_yuv: the same of what lies in the region of interest, over the pictures that have any of it.
        passes: how often the whole source was encoded.
        seconds: that it all took.
        interrupted: whether it was stopped before the end of the source.
        damage: what of the source was found damaged, a sentence each; it is coded as far as it could be read.
    """

    pictures: int
    key_frames: int
    duration: float
    file_bytes: int
    payload_bytes: dict[str, int]
    estimated_bits: float
    bitrate: float
    bits_per_pixel: float
    mean_quality: float
    psnr: tuple[float, ...] | None
    psnr_yuv: float | None
    region_psnr_yuv: float | None
    passes: int
    seconds: float
    interrupted: bool
    damage: tuple[str, ...] = ()


@dataclass
class PassStatistics:
    """Sums over the pictures of one pass."""

    properties: VideoProperties
    counts: dict[str, int] = field(default_factory=lambda: {"intra": 0, "inter": 0})
    payload_bytes: dict[str, int] = field(default_factory=lambda: {"intra": 0, "inter": 0, "audio": 0})
    quality_sums: dict[str, float] = field(default_factory=lambda: {"intra": 0.0, "inter": 0.0})
    estimated_bits: float = 0.0
    psnr_sums: list[float] = field(default_factory=lambda: [0.0] * 3)
    measured: int = 0
    region_psnr_sum: float = 0.0
    measured_regions: int = 0
    first_pts: int | None = None
    last_pts: int = 0
    last_duration: int | None = None
    damage: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        """Of both kinds."""
        return sum(self.counts.values())

    @property
    def duration(self) -> Fraction:
        """Seconds from the first picture to the end of the last.

        That one lasts as long as the source says, or as pictures do on average.
        """
        if self.first_pts is None:
            return Fraction(0)
        last = 1 / self.properties.frame_rate
        if self.last_duration is not None:
            last = self.last_duration * self.properties.time_base
        return (self.last_pts - self.first_pts) * self.properties.time_base + last

    @property
    def mean_quality(self) -> float:
        """Of inter pictures; of key frames where there are no others."""
        kind = "inter" if self.counts["inter"] else "intra"
        return self.quality_sums[kind] / max(1, self.counts[kind])

    @property
    def psnr(self) -> tuple[float, ...] | None:
        """Mean over pictures of each plane's PSNR in dB, None where none was measured."""
        return tuple(total / self.measured for total in self.psnr_sums) if self.measured else None

    @property
    def psnr_yuv(self) -> float | None:
        """The planes' PSNR in one number."""
        return None if self.psnr is None else weighted_psnr(self.psnr, self.properties.working_format)

    @property
    def region_psnr_yuv(self) -> float | None:
        """Mean PSNR-YUV in dB within the region, over pictures where it is not empty."""
        return self.region_psnr_sum / self.measured_regions if self.measured_regions else None

    def observe(self, coded: CodedPicture) -> None:
        """Count a picture."""
        kind = "intra" if coded.key else "inter"
        self.counts[kind] += 1
        self.payload_bytes[kind] += len(coded.payload)
        self.quality_sums[kind] += coded.quality
        self.estimated_bits += coded.estimated_bits
        if coded.psnr is not None:
            self.measured += 1
            self.psnr_sums = [total + value for total, value in zip(self.psnr_sums, coded.psnr, strict=True)]
        if coded.region_psnr is not None:
            self.measured_regions += 1
            self.region_psnr_sum += weighted_psnr(coded.region_psnr, self.properties.working_format)
        if self.first_pts is None:
            self.first_pts = coded.pts
        self.last_pts = max(self.last_pts, coded.pts) if self.pictures > 1 else coded.pts

    def summary(self, *, file_bytes: int, passes: int, seconds: float, interrupted: bool) -> EncodeSummary:
        """The encode of which this was the pass that counts."""
        properties, duration = self.properties, float(self.duration)
        return EncodeSummary(
            pictures=self.pictures,
            key_frames=self.counts["intra"],
            duration=duration,
            file_bytes=file_bytes,
            payload_bytes=dict(self.payload_bytes),
            estimated_bits=self.estimated_bits,
            bitrate=8 * file_bytes / duration,
            bits_per_pixel=8 * file_bytes / (properties.width * properties.height * self.pictures),
            mean_quality=self.mean_quality,
            psnr=self.psnr,
            psnr_yuv=self.psnr_yuv,
            region_psnr_yuv=self.region_psnr_yuv,
            passes=passes,
            seconds=seconds,
            interrupted=interrupted,
            damage=self.damage,
        )
