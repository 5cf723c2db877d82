"""Options of ``scaleflow encode`` that are its own, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from scaleflow.cli import options, region_options
from scaleflow.cli.cluster_options import GroupMachineOptions
from scaleflow.cli.values import parse_bitrate, parse_cascade, parse_times


@dataclass(frozen=True)
class RateOptions:
    """How much is spent."""

    PANEL: ClassVar[str] = "Rate and quality"

    quality: Annotated[
        float | None, typer.Option("--quality", "-q", help="Quality 0..63.", show_default="32 without another goal")
    ] = None
    bitrate: Annotated[
        str | None,
        typer.Option(help="Aim at bits a second of the whole file, such as 800k or 1.5M.", show_default=False),
    ] = None
    bpp: Annotated[float | None, typer.Option(help="Aim at bits a pixel of the whole file.", show_default=False)] = None
    target_psnr: Annotated[
        float | None,
        typer.Option(help="Aim at a PSNR-YUV (6:1:1) in dB, by encoding several times.", show_default=False),
    ] = None
    target_roi_psnr: region_options.TargetPsnr = None
    two_pass: Annotated[
        bool,
        typer.Option("--two-pass", help="Meet --bitrate or --bpp with one constant quality, found by encoding before."),
    ] = False
    refine: Annotated[
        int | None,
        typer.Option(
            help="Steps of gradient descent on the latents of key frames, and with a region of interest of all "
            "pictures: less rate for the same quality, a slower encode. 20 is a good number.",
            show_default="none",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Fields of :class:`scaleflow.codec.encoding.settings.EncodeSettings`. Raises :class:`UsageError`."""
        from scaleflow.codec.encoding.settings import DEFAULT_QUALITY

        goals: dict[str, float | None] = {
            "quality": self.quality,
            "bitrate": None if self.bitrate is None else parse_bitrate(self.bitrate),
            "bits_per_pixel": self.bpp,
            "target_psnr": self.target_psnr,
            "target_roi_psnr": self.target_roi_psnr,
        }
        if all(goal is None for goal in goals.values()):
            goals["quality"] = DEFAULT_QUALITY
        return {**goals, "two_pass": self.two_pass}


@dataclass(frozen=True)
class KeyFrameOptions:
    """Where key frames are, and how good they are."""

    PANEL: ClassVar[str] = "Key frames"

    intra_period: Annotated[int, typer.Option(help="Most pictures from key frame to key frame; 0 for no limit.")] = 32
    scene_cut: Annotated[bool, typer.Option(help="Start scenes with key frames.")] = True
    key_at: Annotated[
        str | None, typer.Option(help="Seconds at which to set key frames, such as 1.5,3.", show_default=False)
    ] = None
    intra_quality_offset: Annotated[float, typer.Option(help="How much higher the quality of key frames is.")] = 10.0
    quality_cascade: Annotated[
        str,
        typer.Option(
            help="What is added to the quality of pictures behind a key frame, one after the other and again, such as "
            "-2,0,-2,6: better ones serve those that follow."
        ),
    ] = "0"

    def settings(self) -> dict[str, Any]:
        """As of :class:`RateOptions`."""
        return {
            "intra_period": self.intra_period,
            "scene_cut": self.scene_cut,
            "key_times": () if self.key_at is None else parse_times(self.key_at),
            "intra_quality_offset": self.intra_quality_offset,
            "quality_cascade": parse_cascade(self.quality_cascade),
        }


@dataclass(frozen=True)
class EncodeModelOptions:
    """What encodes."""

    PANEL: ClassVar[str] = "Model"

    model: Annotated[str, typer.Option(help="Name of the model; see scaleflow models.")] = "default"
    weights: options.Weights = None


@dataclass(frozen=True)
class EncodeMachineOptions(GroupMachineOptions):
    """What it runs on."""

    precision: Annotated[options.Precision, typer.Option(help="Arithmetic of the networks.")] = options.Precision.fp32
    shared_input: Annotated[
        bool,
        typer.Option(
            "--shared-input",
            help="With --cluster: workers read the input themselves, which all nodes see under its path; otherwise its "
            "pictures are sent to them.",
        ),
    ] = False


@dataclass(frozen=True)
class EncodeOutputOptions(options.OutputOptions):
    """What is written and checked."""

    verify: Annotated[
        bool, typer.Option("--verify", help="Decode while encoding; refuse a file whose pictures differ.")
    ] = False
    psnr: Annotated[bool, typer.Option("--psnr", help="Decode while encoding and report the PSNR reached.")] = False
