"""``scaleflow baseline``: what region coding is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options, region_options
from scaleflow.cli.encode_options import EncodeModelOptions
from scaleflow.cli.threads import set_threads
from scaleflow.cli.verbs import Verbs

if TYPE_CHECKING:
    from scaleflow.codec.encoding.settings import EncodeSettings

app = Verbs("Favour a region of interest in ways that need no codec made for it, to compare with.")

Source = Annotated[Path, typer.Argument(metavar="INPUT", help="A video.", show_default=False)]
Coded = Annotated[Path, typer.Argument(metavar="OUTPUT", help="The coded file to write.", show_default=False)]
Quality = Annotated[float, typer.Option("--quality", "-q", help="Quality 0..63.")]
IntraPeriod = Annotated[int, typer.Option(help="Most pictures from key frame to key frame.")]
Strength = Annotated[float, typer.Option("--roi-strength", help="How many times coarser it is outside, 1 to 64.")]


@app.command()
def blur(
    source: Source,
    output: Coded,
    region: region_options.MaskOptions,
    sigma: Annotated[float, typer.Option("--blur", help="Standard deviation of the blur in samples.")] = 4.0,
    quality: Quality = 32.0,
    intra_period: IntraPeriod = 32,
    *,
    codec: EncodeModelOptions,
    machine: options.MachineOptions,
    overwrite: options.Overwrite = False,
) -> None:
    """Blur what is outside the region, then encode to an .sfv file."""
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.models.registry import load_model
    from scaleflow.roi.baselines.background_blur import check_blur, encode_blurred

    masks = region_options.required_region(region)
    check_blur(sigma)
    settings = _settings(quality, intra_period, overwrite)
    set_threads(machine.threads)
    loaded = load_model(codec.model, device=machine.device, weights=codec.weights)
    encode_blurred(VideoSource(source), output, loaded, settings, masks, sigma)


@app.command()
def objects(
    source: Source,
    output: Coded,
    region: region_options.MaskOptions,
    strength: Strength = 8.0,
    quality: Quality = 32.0,
    intra_period: IntraPeriod = 32,
    *,
    codec: EncodeModelOptions,
    machine: options.MachineOptions,
    overwrite: options.Overwrite = False,
) -> None:
    """Encode region and background as two streams of two qualities, with masks that put them together."""
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.models.registry import load_model
    from scaleflow.roi.baselines.objects import encode_objects
    from scaleflow.roi.coding import RegionSettings

    masks = region_options.required_region(region)
    chosen = RegionSettings(strength=strength)
    settings = _settings(quality, intra_period, overwrite)
    set_threads(machine.threads)
    loaded = load_model(codec.model, device=machine.device, weights=codec.weights)
    encode_objects(VideoSource(source), output, loaded, settings, masks, chosen.strength)


@app.command("join-objects")
def join_objects(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="What scaleflow baseline objects wrote.", show_default=False)
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="As of scaleflow decode.", show_default=False)],
    decoder: options.ShownOptions,
    machine: options.MachineOptions,
    overwrite: options.Overwrite = False,
) -> None:
    """Decode the two streams of scaleflow baseline objects and put their pictures together."""
    from scaleflow.roi.baselines.objects import decode_objects

    set_threads(machine.threads)
    decode_objects(
        source,
        output,
        decoder.loader(machine.device),
        overwrite,
    )


@app.command()
def x265(
    source: Source,
    output: Coded,
    region: region_options.MaskOptions,
    strength: Strength = 8.0,
    crf: Annotated[float, typer.Option(help="Rate factor inside the region, 0 to 51.")] = 28.0,
    preset: Annotated[str, typer.Option(help="Of x265.")] = "medium",
    intra_period: IntraPeriod = 32,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Encode with x265 and FFmpeg's regions of interest to a .nut file, which any ffmpeg decodes."""
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.roi.baselines.x265 import X265Settings, encode_x265

    masks = region_options.required_region(region)
    settings = X265Settings(crf, strength, preset, intra_period, threads or 1)
    encode_x265(VideoSource(source), output, settings, masks, overwrite)


def _settings(quality: float, intra_period: int, overwrite: bool) -> EncodeSettings:
    from scaleflow.codec.encoding.settings import EncodeSettings

    return EncodeSettings(quality=quality, intra_period=intra_period, overwrite=overwrite)
