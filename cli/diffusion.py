"""``scaleflow diffusion``: restoration of decoded video by a diffusion model, and the clock that makes it cheaper."""

from __future__ import annotations

import time
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.console import ProgressReport, console, print_json
from cli.interruption import StopRequest
from cli.threads import set_threads
from cli.training_packages import require_training_packages
from codec.errors import UsageError

if TYPE_CHECKING:
    from codec.models.video_model import VideoModel
    from efficient_nets.clockwork.weights_file import TrainedAdaptor
    from efficient_nets.diffusion.restoration import RestorationDiffusion
    from evaluation.diffusion.coded_clip import CodedClip
    from training.diffusion.configuration import DiffusionTrainingConfig, DistillationConfig
    from training.diffusion.run import DiffusionProgress

app = typer.Typer(
    help="Restore heavily compressed video by a small diffusion model: train it, clock it, measure it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PRESETS = ("small", "tiny")
PRESET_PACKAGE = "training.diffusion_presets"
VIDEO_SUFFIXES = (".264", ".avi", ".mkv", ".mov", ".mp4", ".webm", ".y4m")

Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped, as it was set up.")]
Show = Annotated[bool, typer.Option("--show", help="Print the resolved configuration and stop.")]
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes of the configuration.", show_default=False),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of scaleflow diffusion train.", show_default=False)]


class AdaptorKind(str, Enum):
    """What stands in for the low resolution."""

    identity = "identity"
    learned = "learned"


@app.command("train")
def train(
    videos: Annotated[
        str | None,
        typer.Argument(metavar="FOLDER", help="Folder of videos; left out with --resume.", show_default=False),
    ] = None,
    changes: Changes = None,
    out: Annotated[Path, typer.Option(help="Folder of the run: pairs, checkpoint, configuration, weights.")] = Path(
        "run"
    ),
    preset: Annotated[str, typer.Option(help="small or tiny.")] = "small",
    resume: Resume = False,
    show: Show = False,
    device: options.Device = "auto",
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="Threads; with more than one, resuming is not exact.")
    ] = 1,
    json: options.Json = False,
) -> None:
    """Train a diffusion model that restores what ScaleFlow's codec makes of videos at low quality.

    The codec makes pairs of original and decoded patches once; they are kept in the run's folder.
    """
    require_training_packages()
    is_change = videos is not None and "=" in videos
    given = [f"data.path={videos}"] if videos is not None and not is_change else []
    resolved = _training_configuration(
        [*given, *([str(videos)] if is_change else []), *(changes or [])], out, preset, resume
    )
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from training.diffusion.run import train_restoration

    set_threads(threads)

    def validated(step: int, measures: dict[str, float]) -> None:
        if json:
            print_json({"event": "validation", "step": step, "measures": measures})
        else:
            typer.echo(f"validation at step {step}: loss {measures['loss']:.4f}")

    def coded(done: int, total: int) -> None:
        if json:
            print_json({"event": "coded", "clips": done, "of": total})
        elif done == total or done % 16 == 0:
            typer.echo(f"pairs: {done}/{total} clips coded")

    with StopRequest() as stop:
        finished = train_restoration(
            resolved,
            out,
            lambda: _load_codec(device),
            resume=resume,
            device=device,
            coded=coded,
            report=_print_json if json else _print_line,
            validated=validated,
            stop=stop.is_set,
        )
    if not finished:
        console.print(
            f"scaleflow: stopped; continue with: scaleflow diffusion train --resume --out {out}", markup=False
        )
        raise typer.Exit(stop.exit_code)


@app.command("distill")
def distill(
    run: Run,
    changes: Changes = None,
    resume: Resume = False,
    show: Show = False,
    device: options.Device = "auto",
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="Threads; with more than one, resuming is not exact.")
    ] = 1,
    json: options.Json = False,
) -> None:
    """Teach an adaptor to stand in for the low resolution of a run's UNet, for one clock and number of steps."""
    require_training_packages()
    resolved = _distillation_configuration(changes or [], run, resume)
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from training.diffusion.run import distill_adaptor

    set_threads(threads)
    with StopRequest() as stop:
        finished = distill_adaptor(
            resolved,
            run,
            resume=resume,
            device=device,
            report=_print_json if json else _print_line,
            stop=stop.is_set,
        )
    if not finished:
        console.print(f"scaleflow: stopped; continue with: scaleflow diffusion distill {run} --resume", markup=False)
        raise typer.Exit(stop.exit_code)


@app.command("restore")
def restore(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An .sfv file, or any video.", show_default=False)],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="As for decode: mp4, mkv, y4m...", show_default=False)
    ],
    run: Annotated[Path, typer.Option(help="Folder of scaleflow diffusion train.", show_default=False)],
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Steps of each picture's trajectory.")] = 8,
    clock: Annotated[
        str | None,
        typer.Option(
            help="Compute only some steps in full: every n-th, as in 2, or 'period=2 first=1 pattern=alternating' "
            "(or last, or middle).",
            show_default="all in full; the adaptor's own with --adaptor learned",
        ),
    ] = None,
    adaptor: Annotated[
        AdaptorKind,
        typer.Option(help="What stands in on the other steps; learned is that of scaleflow diffusion distill."),
    ] = AdaptorKind.identity,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise that all pictures start from.")] = 0,
    frames: options.Frames = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="As for decode.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Restore the pictures of a video that was coded at low quality."""
    from codec.decode_file import DecodeSettings
    from codec.stream_model import load_stream_model
    from efficient_nets.clockwork.clock import Clock, parse_clock
    from efficient_nets.clockwork.network import ClockworkUNet
    from efficient_nets.clockwork.split import UNetSplit
    from efficient_nets.diffusion.restore_video import RestoreSettings, restore_file

    settings = RestoreSettings(steps, seed, DecodeSettings(frames=frames, lossless=lossless, overwrite=overwrite))
    chosen = Clock(period=1) if clock is None else parse_clock(clock)
    if not source.is_file():
        raise UsageError(f"{source}: there is no such file")
    model = _load_model(run, device)
    learned = _load_adaptor(run, model) if adaptor is AdaptorKind.learned else None
    if learned is not None:
        chosen = learned.clock if clock is None else chosen
        if learned.steps != steps:
            raise UsageError(f"{run}: its adaptor was distilled for {learned.steps} steps: use --steps {learned.steps}")
    set_threads(threads)
    split = UNetSplit(model.unet, learned.cut if learned is not None else 1)
    network = ClockworkUNet(split, chosen, learned.adaptor.to(model.deviation.device) if learned is not None else None)
    started = time.monotonic()
    with ProgressReport(json) as report:

        def show(pictures: int, of: int | None) -> None:
            seconds = time.monotonic() - started
            record = {"pictures": pictures, "seconds": round(seconds, 3)}
            report.update("restore", pictures, of, seconds, f"{pictures} pictures", record)

        count = restore_file(
            source,
            output,
            model,
            network,
            settings,
            lambda header: load_stream_model(header, device=device),
            show,
        )
    if json:
        print_json({"event": "summary", "pictures": count, "seconds": time.monotonic() - started})


@app.command("eval")
def evaluate(
    run: Run,
    data: Annotated[Path, typer.Option(help="A video, or a folder of videos.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    quality: Annotated[float, typer.Option(min=0, max=63, help="Of the codec.")] = 4.0,
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Steps of the full trajectory.")] = 8,
    clock: Annotated[int, typer.Option(min=2, max=1000, help="Every how-many-th step is computed in full.")] = 2,
    crop: Annotated[
        int, typer.Option(min=0, help="Side of the square in the middle of pictures that is taken; 0 for all of them.")
    ] = 0,
    first: Annotated[int, typer.Option(min=0, help="Number of the first picture of each video.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Most pictures of each video.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise that all pictures start from.")] = 0,
    lpips_backbone: Annotated[
        Path | None,
        typer.Option(help="AlexNet's ImageNet weights for LPIPS, as torchvision names them.", show_default=False),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the networks.")] = 1,
    json: options.Json = False,
) -> None:
    """Measure full sampling, fewer steps, and clocks with either adaptor beside each other, on the CPU.

    The codec codes and decodes the pictures first. MACs, time, LPIPS, PSNR, and a Fréchet distance of AlexNet's
    features, which is no FID.
    """
    from codec.optional_packages import require_packages
    from efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER, ADAPTOR_WEIGHTS
    from evaluation.diffusion.evaluate import measure_settings, standard_settings
    from evaluation.diffusion.tables import markdown_table, write_tables
    from evaluation.metrics.lpips import LEAST_SIDE, find_backbone, load_lpips

    require_packages("LPIPS", "evaluate", ("lpips", "torchvision"))
    if crop and crop < LEAST_SIDE:
        raise UsageError(f"--crop {crop}: {LEAST_SIDE} and more are needed, for LPIPS")
    model = _load_model(run, "cpu")
    has_adaptor = (run / ADAPTOR_FOLDER / ADAPTOR_WEIGHTS).is_file()
    adaptor = _load_adaptor(run, model) if has_adaptor else None
    backbone = find_backbone(lpips_backbone)
    set_threads(threads)
    clips = _code_clips(data, quality, first, frames, crop)
    size = (clips[0].original[0].shape[1], clips[0].original[0].shape[2])
    settings = standard_settings(model, steps, clock, size, adaptor)
    points = []
    started = time.monotonic()
    with ProgressReport(use_json=False) as report:

        def show(done: int, total: int) -> None:
            report.update("measure", done, total, time.monotonic() - started, f"{done}/{total} settings", {})

        for point in measure_settings(model, clips, settings, load_lpips(backbone), seed, show):
            points.append(point)
            if json:
                print_json({"event": "point"} | asdict(point))
    pictures = sum(len(clip.original) for clip in clips)
    rate = sum(clip.bits_per_pixel for clip in clips) / len(clips)
    heading = (
        f"{pictures} pictures of {', '.join(clip.name for clip in clips)}, {size[1]}x{size[0]}, quality {quality:g}, "
        f"{rate:.3f} bits a pixel, {threads} thread{'s' if threads > 1 else ''}:"
    )
    write_tables(points, heading, out)
    if not json:
        typer.echo("\n".join([heading, "", *markdown_table(points)]))


def _code_clips(data: Path, quality: float, first: int, frames: int, crop: int) -> list[CodedClip]:
    from evaluation.diffusion.coded_clip import code_clip

    if not data.exists():
        raise UsageError(f"--data {data}: there is no such file or folder")
    paths = [data]
    if data.is_dir():
        paths = sorted(path for path in data.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
        if not paths:
            raise UsageError(f"--data {data}: holds no videos ({', '.join(VIDEO_SUFFIXES)})")
    codec = _load_codec("cpu")
    return [code_clip(path, codec, quality, first=first, frames=frames, crop=crop) for path in paths]


def _load_codec(device: str) -> VideoModel:
    from codec.models import registry

    return registry.load_model(registry.DEFAULT_MODEL, device=device)


def _load_model(run: Path, device: str) -> RestorationDiffusion:
    from codec.models.registry import choose_device
    from efficient_nets.diffusion.weights_file import read_restoration, weights_of_run

    return read_restoration(weights_of_run(run)).model.to(choose_device(device))


def _load_adaptor(run: Path, model: RestorationDiffusion) -> TrainedAdaptor:
    from codec.models.weights_hash import hash_tensors
    from efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER, ADAPTOR_WEIGHTS, read_adaptor

    return read_adaptor(run / ADAPTOR_FOLDER / ADAPTOR_WEIGHTS, hash_tensors(model.state_dict()))


def _training_configuration(changes: list[str], out: Path, preset_name: str, resume: bool) -> DiffusionTrainingConfig:
    from cli.train import starting_values
    from efficient_nets.diffusion.unet import small_unet, tiny_unet
    from training.configuration_file import checked_configuration, override, preset
    from training.diffusion.configuration import DiffusionTrainingConfig

    networks = {"small": small_unet, "tiny": tiny_unet}

    def of_preset(name: str) -> dict[str, Any]:
        values = preset(name, PRESETS, PRESET_PACKAGE)
        return {"network": asdict(networks[name]())} | values

    values, source = starting_values(out, None, preset_name, resume, of_preset)
    override(values, changes)
    return checked_configuration(DiffusionTrainingConfig, values, source)


def _distillation_configuration(changes: list[str], run: Path, resume: bool) -> DistillationConfig:
    from cli.train import starting_values
    from efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER
    from training.configuration_file import checked_configuration, override, preset
    from training.diffusion.configuration import DistillationConfig

    def of_preset(name: str) -> dict[str, Any]:
        return preset(name, (name,), PRESET_PACKAGE)

    values, source = starting_values(run / ADAPTOR_FOLDER, None, "distill", resume, of_preset)
    override(values, changes)
    return checked_configuration(DistillationConfig, values, source)


def _print_line(progress: DiffusionProgress) -> None:
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    identity = progress.scalars.get("identity")
    beside = "" if identity is None else f" (identity {identity:.4f})"
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.step}/{progress.stage.steps}: loss {progress.scalars['loss']:.4f}{beside}, {pace}")


def _print_json(progress: DiffusionProgress) -> None:
    record = {"event": "progress", "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
