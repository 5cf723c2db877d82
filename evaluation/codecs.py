"""Codecs that are measured side by side: ScaleFlow's models through its command line, others through ffmpeg.

Every codec is a pair of command lines, so that what is measured is what anyone can run.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from codec.errors import UsageError

INTRA_PERIOD = "{intra_period}"
"""In a codec's options, stands for the intra period of the comparison."""

THREADS = "{threads}"
_VARIANTS = re.compile(r"\{([^{}]*,[^{}]*)\}")
_NAME = re.compile(r"[\w.+-]+")
_DEFAULT_QUALITIES = "{0,10,20,30,40,50,63}"


@dataclass(frozen=True)
class CodecSetting:
    """One point of a codec's curve: ``label`` says what differs, ``options`` are all options of the encoder."""

    label: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class EvaluatedCodec:
    """A codec and the settings at which it is measured.

    Attributes:
        name: in plots and file names; letters, digits and ``. _ + -``.
        program: ``scaleflow`` or ``ffmpeg``.
        options: of the encoder; one option may list the settings as ``{18,23,28}``.
        decode_options: of the decoder.
        suffix: of the coded file, which tells ffmpeg the container.
        encoder: of ffmpeg, which must be in it.
    """

    name: str
    program: str
    options: tuple[str, ...]
    decode_options: tuple[str, ...] = ()
    suffix: str = "mp4"
    settings: tuple[CodecSetting, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"codec name {self.name!r}: use letters, digits and . _ + -")
        if self.program not in ("scaleflow", "ffmpeg"):
            raise UsageError(f"codec {self.name}: program {self.program!r} is not scaleflow or ffmpeg")
        object.__setattr__(self, "settings", _settings(self.name, self.options))

    @property
    def encoder(self) -> str | None:
        """The encoder that ffmpeg must have."""
        for option in ("-c:v", "-vcodec", "-codec:v"):
            if option in self.options[:-1]:
                return self.options[self.options.index(option) + 1]
        return None

    def encode_command(self, setting: CodecSetting, intra_period: int, threads: int, ffmpeg: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT`` for the files."""
        values = {INTRA_PERIOD: str(intra_period), THREADS: str(threads)}
        options = [_substitute(option, values) for option in setting.options]
        if self.program == "scaleflow":
            period = ["--intra-period", str(intra_period), "--threads", str(threads)]
            return [*scaleflow_command(), "encode", "INPUT", "OUTPUT", "--overwrite", *period, *options]
        return [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", "INPUT", "-threads", str(threads), *options, "OUTPUT"]

    def decode_command(self, bit_depth: int, threads: int, ffmpeg: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT`` for the files; ``bit_depth`` of the source, to which more bits are rounded."""
        if self.program == "scaleflow":
            options = ["--threads", str(threads), *self.decode_options]
            return [*scaleflow_command(), "decode", "INPUT", "OUTPUT", "--overwrite", *options]
        # without dithering, ffmpeg rounds to nearest
        form = ["-sws_dither", "none", "-pix_fmt", "yuv420p" if bit_depth == 8 else "yuv420p10le", "-strict", "-1"]
        quiet = ["-v", "error", "-nostdin", "-y", "-threads", str(threads)]
        return [ffmpeg, *quiet, "-i", "INPUT", "-fps_mode", "passthrough", *form, "OUTPUT"]


def scaleflow_command() -> list[str]:
    """The command of this very installation, whatever is first on the path."""
    return [sys.executable, "-W", "ignore", "-m", "cli.main"]


def codec_of(text: str, qualities: Sequence[float] | None = None) -> EvaluatedCodec:
    """A codec as ``--codec`` names it.

    Args:
        text: a name of :func:`codec_names`; or ``NAME=scaleflow OPTIONS`` or ``NAME=ffmpeg OPTIONS``, options of the
            encoder in which ``{18,23,28}`` lists settings and ``{intra_period}`` stands for the intra period.
        qualities: of ScaleFlow codecs whose options name none.

    Raises:
        UsageError: an unknown name, or options without anything that differs.
    """
    name, separator, definition = text.partition("=")
    if not separator:
        return named_codec(name, qualities)
    try:
        program, *options = shlex.split(definition)
    except ValueError as error:
        raise UsageError(f"codec {text!r}: {error}; give NAME=scaleflow OPTIONS or NAME=ffmpeg OPTIONS") from error
    if program == "scaleflow":
        return scaleflow_codec(name, options, qualities)
    if program == "ffmpeg":
        suffix = "mkv"
        if "-f" in options[:-1]:
            raise UsageError(f"codec {name}: leave out -f, streams are kept in Matroska")
        return EvaluatedCodec(name, program, tuple(options), suffix=suffix)
    raise UsageError(f"codec {text!r}: after = comes scaleflow or ffmpeg and options, not {program!r}")


def named_codec(name: str, qualities: Sequence[float] | None = None) -> EvaluatedCodec:
    """One of :func:`codec_names`. Raises :class:`UsageError` for another."""
    if name == "scaleflow":
        return scaleflow_codec(name, (), qualities)
    if name == "ssf2020":
        return EvaluatedCodec(name, "scaleflow", ("--model", "ssf2020-{1,2,3,4,5,6,7,8,9}"), suffix="sfv")
    if name not in _ANCHORS:
        raise UsageError(
            f"codec {name!r} is unknown: use {', '.join(codec_names())}, NAME=scaleflow OPTIONS or NAME=ffmpeg OPTIONS"
        )
    options, suffix = _ANCHORS[name]
    return EvaluatedCodec(name, "ffmpeg", tuple(options.split()), suffix=suffix)


def codec_names() -> list[str]:
    """What ``--codec`` takes without a definition."""
    return ["scaleflow", "ssf2020", *_ANCHORS]


def scaleflow_codec(name: str, options: Sequence[str] = (), qualities: Sequence[float] | None = None) -> EvaluatedCodec:
    """A ScaleFlow model at several qualities."""
    options = list(options)
    if not any(option in ("--quality", "-q") for option in options) and not _variants(options):
        values = _DEFAULT_QUALITIES if qualities is None else "{" + ",".join(f"{value:g}" for value in qualities) + "}"
        options += ["--quality", values if "," in values else values.strip("{}")]
    kept = [position for position, option in enumerate(options[:-1]) if option in ("--weights", "--model", "--device")]
    decode_options = [part for position in kept for part in options[position : position + 2]]
    return EvaluatedCodec(name, "scaleflow", tuple(options), tuple(decode_options), "sfv")


# Low delay: no picture waits for a later one, and a key frame comes after as many pictures as ScaleFlow's.
_ANCHORS = {
    "x264": (
        "-c:v libx264 -preset medium -tune zerolatency -bf 0 -g {intra_period} -crf {18,23,28,33,38,43}",
        "mp4",
    ),
    "x265": (
        "-c:v libx265 -preset medium -tune zerolatency -bf 0 -g {intra_period} "
        "-x265-params log-level=error:keyint={intra_period}:pools={threads} -crf {18,23,28,33,38,43}",
        "mp4",
    ),
    "svtav1": (
        "-c:v libsvtav1 -preset 6 -g {intra_period} -svtav1-params pred-struct=1:lp={threads} -crf {20,28,36,44,52,60}",
        "mp4",
    ),
    "vvenc": (
        # its low delay knows groups of 8 only, and begins them with what it calls no refresh
        "-c:v libvvenc -preset faster -g {intra_period} -pix_fmt yuv420p10le "
        "-vvenc-params gopsize=8:picreordering=0:decodingrefreshtype=none -qp {22,27,32,37,42,47}",
        "mp4",
    ),
    "mpeg1": ("-c:v mpeg1video -bf 0 -g {intra_period} -q:v {2,3,5,8,12,18,31}", "mpg"),
}


def _variants(options: Sequence[str]) -> list[tuple[int, re.Match[str]]]:
    return [(n, match) for n, option in enumerate(options) for match in (_VARIANTS.search(option),) if match]


def _settings(name: str, options: Sequence[str]) -> tuple[CodecSetting, ...]:
    variants = _variants(options)
    if len(variants) > 1:
        raise UsageError(
            f"codec {name}: two options list settings ({options[variants[0][0]]} and {options[variants[1][0]]})"
        )
    if not variants:
        return (CodecSetting("as given", tuple(options)),)
    position, match = variants[0]
    settings = []
    for value in match[1].split(","):
        chosen = options[position].replace(match[0], value.strip())
        option = options[position - 1] if position and options[position - 1].startswith("-") else ""
        settings.append(
            CodecSetting(f"{option} {chosen}".strip(), (*options[:position], chosen, *options[position + 1 :]))
        )
    return tuple(settings)


def _substitute(option: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        option = option.replace(place, value)
    return option
