"""Codecs that are measured side by side: ScaleFlow's models through its command line, others through ffmpeg.

Every codec is a pair of command lines, so that what is measured is what anyone can run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import cast, get_args

from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.codec_name import is_codec_name
from scaleflow.evaluation.rate_distortion.codec_programs import PROGRAMS, CodecProgram, scaleflow_command
from scaleflow.evaluation.rate_distortion.decoder_choice import (
    DECODER_OPTIONS,
    DecoderChoice,
    separated,
    with_decoder,
    without_decoder,
)
from scaleflow.roi.coding import DEFAULT_NETWORKS, RegionMode, RegionSettings

INTRA_PERIOD, THREADS = "{intra_period}", "{threads}"
"""In a codec's options, stand for the intra period and the threads of the comparison."""

MASKS = "{masks}"
"""In a codec's options, stands for the masks of the clip, which commands call ``MASKS``."""

FIDELITY = DecoderChoice()
"""What decodes where nothing else is said."""

_SETTINGS = re.compile(r"\{([^{}]*,[^{}]*)\}")


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
        program: one of :data:`scaleflow.evaluation.rate_distortion.codec_programs.PROGRAMS`.
        options: of the encoder; one option may list the settings as ``{18,23,28}``.
        settings: what ``options`` lists.
    """

    name: str
    program: str
    options: tuple[str, ...]
    settings: tuple[CodecSetting, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not is_codec_name(self.name):
            raise UsageError(f"codec name {self.name!r}: use letters, digits and . _ + -, 80 at most")
        if self.program not in PROGRAMS:
            raise UsageError(f"codec {self.name}: program {self.program!r} is not one of {', '.join(PROGRAMS)}")
        object.__setattr__(self, "settings", _settings(self.name, self.options))
        if self.how.decode:
            for setting in self.settings:
                self.decoder_of(setting)
        elif foreign := next((option for option in self.options if option in DECODER_OPTIONS), None):
            raise UsageError(f"codec {self.name}: {foreign} is of ScaleFlow's own codecs, {self.program} decodes here")

    def option(self, *names: str, of: CodecSetting | None = None) -> str | None:
        """The value of the first of ``names`` among the options (of one setting), also as in ``--name=value``."""
        options = self.options if of is None else of.options
        for option, following in pairwise((*options, "")):
            name, is_joined, value = option.partition("=")
            if is_joined and name.startswith("--") and name in names:
                return value
            if option in names and following:
                return following
        return None

    @property
    def how(self) -> CodecProgram:
        """How its program is called."""
        return PROGRAMS[self.program]

    @property
    def needs_masks(self) -> bool:
        """Whether its encoder is given the masks of regions of interest."""
        return self.how.takes_masks or any(MASKS in option for option in self.options)

    @property
    def suffix(self) -> str:
        """Of the coded file, without the dot."""
        return self.how.suffix

    @property
    def tells_changes(self) -> bool:
        """Whether the decoder of its files may say how pictures differ from those before."""
        return self.suffix == "sfv"

    @property
    def encoder(self) -> str | None:
        """The encoder that ffmpeg must have."""
        return self.option("-c:v", "-vcodec", "-codec:v") if self.program == "ffmpeg" else None

    @property
    def fixed_options(self) -> str:
        """The options, with ``*`` where the settings differ."""
        return shlex.join(_SETTINGS.sub("*", option) for option in self.options).replace("'", "")

    def model_of(self, setting: CodecSetting) -> str | None:
        """The model of a ScaleFlow codec, where it is not the default one."""
        return self.option("--model", of=setting)

    def device_of(self, setting: CodecSetting) -> str:
        """Where a ScaleFlow codec is decoded."""
        return self.option("--device", of=setting) or "auto"

    def weights_of(self, setting: CodecSetting) -> Path | None:
        """The weights file of a ScaleFlow codec, where one is named."""
        weights = self.option("--weights", of=setting)
        return Path(weights) if weights is not None else None

    def region_weights_of(self, setting: CodecSetting) -> Path | None:
        """The weights file of the networks that a ScaleFlow codec needs for regions of interest, if it needs any."""
        mode = self.option("--roi-mode", of=setting)
        if mode not in get_args(RegionMode) or not RegionSettings(cast(RegionMode, mode)).needs_networks:
            return None
        weights = self.option("--roi-weights", of=setting)
        return Path(weights) if weights is not None else DEFAULT_NETWORKS

    def region_finder_of(self, setting: CodecSetting) -> tuple[str, Path, tuple[str, ...]] | None:
        """Of a ScaleFlow codec that finds regions of interest with a network: what it finds, the network, and which
        classes; None where it uses none."""
        finder, network = self.option("--roi-from", of=setting), self.option("--roi-network", of=setting)
        if self.program != "scaleflow" or finder is None or network is None:
            return None
        classes = self.option("--roi-classes", of=setting)
        chosen = () if classes is None else tuple(part.strip() for part in classes.split(","))
        return finder, Path(network), chosen

    def decoder_of(self, setting: CodecSetting) -> DecoderChoice:
        """What shows a ScaleFlow codec's pictures. Raises :class:`UsageError` where options make no choice."""
        try:
            return DecoderChoice.of_options(setting.options)
        except UsageError as error:
            raise UsageError(f"codec {self.name}: {error}", fields=error.fields) from error

    def encode_command(self, setting: CodecSetting, intra_period: int, threads: int, ffmpeg: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT`` for the files, and ``MASKS`` for the masks where there are any."""
        values = {INTRA_PERIOD: str(intra_period), THREADS: str(threads), MASKS: "MASKS"}
        options = [_substitute(option, values) for option in setting.options]
        if self.how.encode:
            options = without_decoder(options)
            common = ["--intra-period", str(intra_period), "--threads", str(threads)]
            common += ["--roi", "MASKS"] if self.how.takes_masks else ["--workers", "1"]
            return [*scaleflow_command(), *self.how.encode, "INPUT", "OUTPUT", "--overwrite", *common, *options]
        return [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", "INPUT", "-threads", str(threads), *options, "OUTPUT"]

    def decode_command(self, setting: CodecSetting, bit_depth: int, threads: int, ffmpeg: str) -> list[str]:
        """With ``INPUT`` and ``OUTPUT`` for the files; ``bit_depth`` of the source, to which more bits are rounded."""
        if self.how.decode:
            kept = ("--model", "--weights", "--device", *DECODER_OPTIONS)
            given = [(name, self.option(name, of=setting)) for name in kept]
            options = [part for name, value in given if value is not None for part in (name, value)]
            return [
                *scaleflow_command(),
                *(*self.how.decode, "INPUT", "OUTPUT", "--overwrite", "--threads", str(threads)),
                *options,
            ]
        # without dithering, ffmpeg rounds to nearest
        form = ["-sws_dither", "none", "-pix_fmt", "yuv420p" if bit_depth == 8 else "yuv420p10le", "-strict", "-1"]
        quiet = ["-v", "error", "-nostdin", "-y", "-threads", str(threads)]
        return [ffmpeg, *quiet, "-i", "INPUT", "-fps_mode", "passthrough", *form, "OUTPUT"]


def parse_codec(text: str, qualities: Sequence[float] = (), decoder: DecoderChoice = FIDELITY) -> EvaluatedCodec:
    """A codec by its name or its definition.

    Args:
        text: a name of :func:`codec_names`; or ``NAME=PROGRAM OPTIONS`` with a program such as scaleflow or ffmpeg and
            options of its encoder, in which ``{18,23,28}`` lists settings and ``{intra_period}``, ``{threads}`` and
            ``{masks}`` stand for those.
        qualities: of codecs with ScaleFlow's models whose options list no settings.
        decoder: of codecs with ScaleFlow's models whose options do not say it, where the model has several.

    Raises:
        UsageError: an unknown name, or options that cannot be read.
    """
    name, separator, definition = text.partition("=")
    if not separator:
        return named_codec(name, qualities, decoder)
    try:
        program, *options = shlex.split(definition)
    except ValueError as error:
        raise UsageError(f"codec {text!r}: {error}; give NAME=scaleflow OPTIONS or NAME=ffmpeg OPTIONS") from error
    if program not in PROGRAMS:
        raise UsageError(f"codec {text!r}: after = comes {', '.join(PROGRAMS)} and options, not {program!r}")
    if program == "ffmpeg" and ("-f" in options or "-i" in options):
        raise UsageError(f"codec {name}: leave out -f and -i, input and container are chosen here")
    return _with_settings(name, program, separated(options), qualities, decoder)


def named_codec(name: str, qualities: Sequence[float] = (), decoder: DecoderChoice = FIDELITY) -> EvaluatedCodec:
    """One of :func:`codec_names`, with the rest as of :func:`parse_codec`. Raises :class:`UsageError` for another."""
    if name != "ffmpeg" and name in PROGRAMS:
        return _with_settings(name, name, (), qualities, decoder)
    if name == "ssf2020":
        return EvaluatedCodec(name, "scaleflow", ("--model", "ssf2020-{1,2,3,4,5,6,7,8,9}"))
    if name not in _ANCHORS:
        raise UsageError(
            f"codec {name!r} is unknown: use {', '.join(codec_names())}, "
            "or define one as 'NAME=ffmpeg OPTIONS' or 'NAME=scaleflow OPTIONS'"
        )
    return EvaluatedCodec(name, "ffmpeg", tuple(_ANCHORS[name].split()))


def codec_names() -> list[str]:
    """Names that :func:`parse_codec` takes without a definition."""
    programs = [name for name, how in PROGRAMS.items() if how.takes_masks]
    return ["scaleflow", "ssf2020", *_ANCHORS, *programs]


def _with_settings(
    name: str, program: str, options: Sequence[str], qualities: Sequence[float], decoder: DecoderChoice
) -> EvaluatedCodec:
    """Several settings of what sets the rate of a program, where its options do not list or set any."""
    options = with_decoder(options, decoder) if PROGRAMS[program].decode else list(options)
    if program != "ffmpeg" and not _RATE_OPTIONS & set(options) and not _lists(options):
        option = "--quality" if PROGRAMS[program].decode else "--crf"
        chosen = (qualities or DEFAULT_QUALITIES) if option == "--quality" else _REGION_FACTORS
        values = ",".join(f"{value:g}" for value in chosen)
        options += [option, "{" + values + "}" if "," in values else values]
    return EvaluatedCodec(name, program, tuple(options))


_RATE_OPTIONS = {"--quality", "-q", "--bitrate", "--bpp", "--target-psnr", "--target-roi-psnr", "--crf"}
DEFAULT_QUALITIES = (0, 10, 20, 30, 40, 50, 63)
_REGION_FACTORS = (12, 18, 23, 28, 33, 38)
"""Of x265 with regions: the rate factor is that within the region, what lies outside costs less."""

# Low delay: no picture waits for a later one, and a key frame comes after as many pictures as ScaleFlow's. Encoders
# would spend up to 2500 bytes on a note of their own options, which is left out.
_ANCHORS = {
    "x264": "-c:v libx264 -preset medium -tune zerolatency -bf 0 -g {intra_period} -bsf:v filter_units=remove_types=6 "
    "-crf {18,23,28,33,38,43}",
    "x265": "-c:v libx265 -preset medium -tune zerolatency -bf 0 -g {intra_period} "
    "-x265-params log-level=error:info=0:keyint={intra_period}:pools={threads} -crf {18,23,28,33,38,43}",
    "svtav1": "-c:v libsvtav1 -preset 6 -g {intra_period} -svtav1-params pred-struct=1:lp={threads} "
    "-crf {20,28,36,44,52,60}",
    # Its low delay is there for groups of 8 only, whose first pictures are better, and only without a kind of refresh.
    # The tag is what the container asks for.
    "vvenc": "-c:v libvvenc -preset faster -pix_fmt yuv420p10le -tag:v VVC1 -vvenc-params "
    "gopsize=8:picreordering=0:decodingrefreshtype=none:intraperiod={intra_period} -qp {22,27,32,37,42,47}",
    "mpeg1": "-c:v mpeg1video -bf 0 -g {intra_period} -q:v {2,3,5,8,12,18,31}",
}


def _lists(options: Sequence[str]) -> list[tuple[int, re.Match[str]]]:
    return [(n, match) for n, option in enumerate(options) for match in (_SETTINGS.search(option),) if match]


def _settings(name: str, options: Sequence[str]) -> tuple[CodecSetting, ...]:
    found = _lists(options)
    if len(found) > 1:
        raise UsageError(f"codec {name}: two options list settings ({options[found[0][0]]} and {options[found[1][0]]})")
    if not found:
        return (CodecSetting("as given", tuple(options)),)
    position, match = found[0]
    before = options[position - 1] if position and options[position - 1].startswith("-") else ""
    settings = []
    for value in match[1].split(","):
        chosen = options[position].replace(match[0], value.strip())
        options_here = (*options[:position], chosen, *options[position + 1 :])
        settings.append(CodecSetting(f"{before} {chosen}".strip(), options_here))
    if len({setting.label for setting in settings}) < len(settings):
        raise UsageError(f"codec {name}: {options[position]} lists a setting twice")
    return tuple(settings)


def _substitute(option: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        option = option.replace(place, value)
    return option
