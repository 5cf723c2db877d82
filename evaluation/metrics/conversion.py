"""In which form two videos are compared, and how each gets there.

Y'CbCr metrics are of code values. They are taken in the pixel format of the original; a decoded video of another bit
depth or chroma subsampling is converted to it, and an RGB video to the Y'CbCr of the other (two RGB videos to BT.709 of
limited range in 4:4:4). Matrix and range of two Y'CbCr videos must agree: a difference of coding is no distortion.

RGB metrics are of R'G'B' in the bit depth of the original, to which each video is converted by its own matrix and
range: chroma is interpolated to the positions of luma, results are rounded and clipped.

A video without a tag of its matrix is read with that of the other, since y4m and raw files carry none; where both lack
it, as players do, BT.709 from 720 lines on and BT.601 below. Without a tag of its range it is of limited range, except
for files of samples that do not say, raw ones and y4m: they are read with that of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.color import LUMA_COEFFICIENTS, ColorCoding, luma_weights
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format, yuv_name
from scaleflow.codec.video.reader import SourcePicture, VideoReader
from scaleflow.codec.video.working_format import RGB_CODING, color_coding, convert_samples, from_working, to_working
from scaleflow.errors import DataError


@dataclass(frozen=True)
class SampleForm:
    """What the samples of a video are."""

    pixel_format: PixelFormat
    coding: ColorCoding

    @property
    def is_rgb(self) -> bool:
        """Whether the samples are R'G'B'; ``coding`` then says nothing."""
        return self.pixel_format.family == "rgb"


class Conversion:
    """Brings the pictures of one video to the forms in which they are compared."""

    def __init__(self, name: str, source: SampleForm, yuv: SampleForm, rgb_bit_depth: int) -> None:
        self._name = name
        self._source = source
        self._yuv = yuv
        self._rgb_bit_depth = rgb_bit_depth

    def check(self, number: int, picture: SourcePicture) -> None:
        """Raises :class:`DataError` where a picture is not in the form of the first."""
        expected, found = self._source.pixel_format, picture.pixel_format
        if found.planar_name != expected.planar_name:
            raise DataError(
                f"{self._name}: picture {number} is {found.name} after pictures of {expected.name}; "
                "convert the input so that all have one pixel format"
            )

    def to_yuv(self, planes: Planes) -> Planes:
        """(Y, Cb, Cr) or, in grey, (Y,), of the form that Y'CbCr metrics are taken in."""
        source, target = self._source, self._yuv
        if source.is_rgb:
            return from_working(planes, target.pixel_format, target.coding, "rgb", source.pixel_format.bit_depth)
        if source.pixel_format.planar_name == target.pixel_format.planar_name:
            return planes
        return convert_samples(planes, source.pixel_format, target.pixel_format, source.coding)

    def to_rgb(self, planes: Planes) -> Planes:
        """(R, G, B) of full range, each of the size of luma."""
        return to_working(planes, self._source.pixel_format, self._source.coding, "rgb", self._rgb_bit_depth)


@dataclass(frozen=True)
class ComparisonForm:
    """How two videos are compared.

    Attributes:
        original, decoded: the way from each file's samples.
        yuv: of the Y'CbCr metrics.
        rgb_bit_depth: of the RGB metrics.
        notes: what is converted or assumed, a sentence each.
    """

    original: Conversion
    decoded: Conversion
    yuv: SampleForm
    rgb_bit_depth: int
    notes: tuple[str, ...]


def choose_form(
    original: VideoReader, decoded: VideoReader, *, needs_yuv: bool, needs_rgb: bool, silent: tuple[bool, bool]
) -> ComparisonForm:
    """Decide on a form for two videos.

    Args:
        original, decoded: their properties are looked at, no picture is taken.
        needs_yuv, needs_rgb: which metrics there are.
        silent: whether the original and the decoded video cannot say their range.

    Raises:
        DataError: their Y'CbCr does not compare, or one cannot be converted to RGB.
    """
    ours, notes = _form(original, decoded, needs_rgb, silent[0])
    theirs, more = _form(decoded, original, needs_rgb, silent[1])
    notes += more
    if ours.is_rgb and theirs.is_rgb:
        yuv = SampleForm(describe_pixel_format(yuv_name((0, 0), ours.pixel_format.bit_depth)), RGB_CODING)
    else:
        yuv = theirs if ours.is_rgb else ours
    if needs_yuv:
        notes += _check_yuv(original.name, decoded.name, ours, theirs, yuv)
    rgb_bit_depth = ours.pixel_format.bit_depth
    if needs_rgb:
        for reader, form in ((original, ours), (decoded, theirs)):
            _check_rgb(reader.name, form)
        notes += _describe_rgb((ours, theirs), rgb_bit_depth)
    return ComparisonForm(
        Conversion(original.name, ours, yuv, rgb_bit_depth),
        Conversion(decoded.name, theirs, yuv, rgb_bit_depth),
        yuv,
        rgb_bit_depth,
        tuple(dict.fromkeys(notes)),
    )


def _form(reader: VideoReader, other: VideoReader, needs_matrix: bool, is_silent: bool) -> tuple[SampleForm, list[str]]:
    """The form of a video, tags that it lacks taken from the other, and what was assumed."""
    properties = reader.properties
    pixel_format = describe_pixel_format(properties.pixel_format)
    if pixel_format.family == "rgb":
        return SampleForm(pixel_format, RGB_CODING), []
    notes = []
    if "yuv" == pixel_format.family == describe_pixel_format(other.properties.pixel_format).family:
        matrix, color_range = _tag(other.properties.color_matrix), other.properties.color_range
        if _tag(properties.color_matrix) == "unknown" != matrix:
            properties = replace(properties, color_matrix=matrix)
            if needs_matrix:
                notes.append(f"{reader.name} has no tag of its matrix: {matrix} is taken from {other.name}")
        if is_silent and color_range == "pc":
            properties = replace(properties, color_range=color_range)
            notes.append(f"{reader.name} does not say its range: full is taken from {other.name}")
    if needs_matrix and pixel_format.family == "yuv" and _tag(properties.color_matrix) == "unknown":
        notes.append(f"{reader.name} has no tag of its matrix: {color_coding(properties).matrix} is assumed")
    return SampleForm(pixel_format, color_coding(properties)), notes


def _tag(matrix: str) -> str:
    """A tag of RGB says nothing about Y'CbCr."""
    return "unknown" if matrix == "gbr" else matrix


def _range_name(coding: ColorCoding) -> str:
    return "full" if coding.full_range else "limited"


def _check_yuv(original: str, decoded: str, ours: SampleForm, theirs: SampleForm, yuv: SampleForm) -> list[str]:
    if not ours.is_rgb and not theirs.is_rgb:
        for what, first, second in (
            ("range", _range_name(ours.coding), _range_name(theirs.coding)),
            ("matrix", ours.coding.matrix, theirs.coding.matrix),
        ):
            # BT.601 has two names of one meaning; grey has no matrix
            same = first == second or LUMA_COEFFICIENTS.get(first, first) == LUMA_COEFFICIENTS.get(second, second)
            is_gray = "gray" in (ours.pixel_format.family, theirs.pixel_format.family)
            if not same and not (what == "matrix" and is_gray):
                raise DataError(
                    f"{decoded}: its colour {what} is {second}, that of {original} {first}: their Y'CbCr values do not "
                    "compare; convert one of them, or measure psnr-rgb, ms-ssim-rgb and lpips instead"
                )
    notes = []
    for name, form in ((original, ours), (decoded, theirs)):
        if form.pixel_format.planar_name == yuv.pixel_format.planar_name:
            continue
        target = f"{yuv.pixel_format.planar_name} for Y'CbCr metrics"
        if form.is_rgb:
            target += f" (matrix {yuv.coding.matrix}, {_range_name(yuv.coding)} range)"
        notes.append(f"{name} is converted from {form.pixel_format.name} to {target}")
    return notes


def _check_rgb(name: str, form: SampleForm) -> None:
    if form.pixel_format.family != "yuv":
        return
    try:
        luma_weights(form.coding.matrix)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _describe_rgb(forms: Sequence[SampleForm], bit_depth: int) -> list[str]:
    ways = [
        f"matrix {form.coding.matrix}, {_range_name(form.coding)} range"
        for form in forms
        if form.pixel_format.family == "yuv"
    ]
    if not ways:
        return []
    return [f"RGB metrics are of {bit_depth}-bit R'G'B', converted by {' and '.join(dict.fromkeys(ways))}"]
