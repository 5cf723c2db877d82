"""Options that several verbs share, and the groups that they are taken in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from scaleflow.limits import DEFAULT_MAX_PIXELS, DEFAULT_MAX_STAND_INS

if TYPE_CHECKING:
    from scaleflow.codec.container import SfvHeader
    from scaleflow.codec.models.video_model import VideoModel

MOST_FRAMES = 2**31 - 1


class Precision(str, Enum):
    """Arithmetic of the transforms."""

    fp32 = "fp32"
    bf16 = "bf16"


def _countable(frames: int | None) -> int | None:
    """Refuse what no video has, and no iteration counts to."""
    if frames is not None and frames > MOST_FRAMES:
        raise typer.BadParameter(f"there are at most {MOST_FRAMES} pictures in a video")
    return frames


Device = Annotated[str, typer.Option(help="Where the networks run: auto, cpu, cuda or cuda:N.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=1024, help="Threads of the networks; without it one a core, or one for each of several workers."
    ),
]
StreamModel = Annotated[
    str | None,
    typer.Option("--model", help="Another name or place of the model than the file says.", show_default=False),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="Another file of weights for the model.", show_default=False),
]
WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        "--weights-folder",
        help="Folder of weights files, among which those of an older file are found by their hash.",
        show_default="the environment variable SCALEFLOW_WEIGHTS",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line on standard output.")]
Start = Annotated[float, typer.Option(help="Seconds from the first picture at which to start.")]
Duration = Annotated[
    float | None,
    typer.Option(help="Seconds to take.", show_default="to the end"),
]
Frames = Annotated[
    int | None,
    typer.Option(help="Most pictures to take.", show_default="all", callback=_countable),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        min=1, help="Largest picture, in samples of luma; a file of larger ones is refused before memory is taken."
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="FILE", help="An .sfv file, or - for standard input.", show_default=False)
]
VideoInput = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A video, a folder or pattern of pictures, raw samples with --size or a name such as "
        "clip_1920x1080_50fps.yuv, or - for standard input.",
        show_default=False,
    ),
]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of raw input.", show_default=False)]
FrameRate = Annotated[
    str | None,
    typer.Option(help="Frame rate of raw input or pictures, or instead of the input's.", show_default=False),
]
PixelFormat = Annotated[str | None, typer.Option(help="FFmpeg's pixel format of raw input.", show_default="yuv420p")]


@dataclass(frozen=True)
class MachineOptions:
    """What the networks run on."""

    PANEL: ClassVar[str] = "Machine"

    device: Device = "auto"
    threads: Threads = None


@dataclass(frozen=True)
class StreamModelOptions:
    """Which model decodes, where it is not the one that the file names."""

    PANEL: ClassVar[str] = "Model"

    model: StreamModel = None
    weights: Weights = None
    weights_folder: WeightsFolder = None

    def loader(self, device: str) -> Callable[[SfvHeader], VideoModel]:
        """What loads the model of a stream when its header has been read."""
        from scaleflow.codec.decoding.stream_model import load_stream_model

        return lambda header: load_stream_model(
            header, device=device, model=self.model, weights=self.weights, weights_folder=self.weights_folder
        )


class DecoderKind(str, Enum):
    """How decoded pictures are shown."""

    fidelity = "fidelity"
    perceptual = "perceptual"


@dataclass(frozen=True)
class DecoderOptions:
    """How decoded pictures are shown."""

    PANEL: ClassVar[str] = "Model"

    decoder: Annotated[
        DecoderKind,
        typer.Option(
            help="fidelity, closest to the source by squared error; perceptual, sharper at low rates by detail that is "
            "made up.",
        ),
    ] = DecoderKind.fidelity
    perception: Annotated[
        float | None,
        typer.Option(help="How much of that detail is shown, 0..1.", show_default="1 with --decoder perceptual"),
    ] = None
    decoder_weights: Annotated[
        Path | None,
        typer.Option(help="Weights of the perceptual decoder, where it is not the shipped one.", show_default=False),
    ] = None

    def show(self) -> Callable[[VideoModel], VideoModel]:
        """What gives a loaded model its decoder. Raises :class:`scaleflow.errors.UsageError` for what does not fit."""
        from scaleflow.adversarial.perceptual_codec import decoder_of

        return decoder_of(self.decoder.value, self.perception, self.decoder_weights)


@dataclass(frozen=True)
class ShownOptions(DecoderOptions, StreamModelOptions):
    """Which model decodes, and how its pictures are shown."""

    def loader(self, device: str) -> Callable[[SfvHeader], VideoModel]:
        """What loads the model of a stream, with its decoder, when its header has been read."""
        load, show = super().loader(device), self.show()
        return lambda header: show(load(header))


@dataclass(frozen=True)
class PartOptions:
    """Which part of a video is taken."""

    PANEL: ClassVar[str] = "Input"

    start: Start = 0.0
    duration: Duration = None
    frames: Frames = None


@dataclass(frozen=True)
class LimitOptions:
    """How much a file may ask for."""

    PANEL: ClassVar[str] = "Input"

    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class StreamLimitOptions(LimitOptions):
    """How much a stream may ask for."""

    max_stand_ins: Annotated[
        int,
        typer.Option(min=0, help="Most pictures that stand in for lost ones of which there is no trace in the file."),
    ] = DEFAULT_MAX_STAND_INS


@dataclass(frozen=True)
class RawOptions:
    """What an input does not say itself, and how far it is trusted."""

    PANEL: ClassVar[str] = "Input"

    size: Size = None
    fps: FrameRate = None
    pix_fmt: PixelFormat = None
    allow_protocols: Annotated[
        str | None,
        typer.Option(
            help="Protocols that an address as input, or a playlist, may use, such as file or https,tls,tcp.",
            show_default="none",
        ),
    ] = None
    tolerate_damage: Annotated[
        bool, typer.Option("--tolerate-damage", help="Exit with 0 although the input is damaged.")
    ] = False
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class JsonOptions:
    """What is printed."""

    PANEL: ClassVar[str] = "Output"

    json: Json = False


@dataclass(frozen=True)
class OutputOptions:
    """What happens to a file that is there, and what is printed."""

    PANEL: ClassVar[str] = "Output"

    overwrite: Overwrite = False
    json: Json = False


@dataclass(frozen=True)
class MetricOptions:
    """What metrics need beside the pictures."""

    PANEL: ClassVar[str] = "Metrics"

    lpips_backbone: Annotated[
        Path | None,
        typer.Option(help="AlexNet's ImageNet weights for LPIPS, as torchvision names them.", show_default=False),
    ] = None
    ffmpeg: Annotated[
        Path | None,
        typer.Option(help="Program for VMAF, XPSNR and other codecs, instead of one that is found."),
    ] = None
