"""``scaleflow nets``: networks for tasks, and how they run on video."""

from __future__ import annotations

import math
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import nets_generate, options
from cli.console import ProgressReport, console, print_json
from cli.interruption import StopRequest, termination_as_interrupt
from cli.threads import set_threads
from cli.training_packages import require_training_packages
from cli.values import parse_size
from codec.errors import UsageError

if TYPE_CHECKING:
    from evaluation.networks.evaluate import NetworkPointDone
    from evaluation.networks.point import NetworkPoint
    from training.networks.configuration import NetworkTrainingConfig
    from training.networks.network_loop import NetworkProgress

app = typer.Typer(
    help="Networks for tasks (segmentation, keypoints, ...): train them, and measure what they cost on video.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("make-small-objects")(nets_generate.make_small_objects)
app.command("make-actions")(nets_generate.make_actions)

PRESETS = ("default", "tiny")

TASKS = "segmentation, foreground, keypoints, instances, detection, restoration or action"


class Cost(str, Enum):
    """What accuracy is drawn over."""

    macs = "macs"
    bops = "bops"
    ms = "ms"


@app.command("train")
def train(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help=f"{TASKS}; left out with --resume.",
            show_default=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Changes of the configuration, such as training.steps=5000 network.width=64.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the data: images and labels, or Cityscapes' layout (segmentation), DAVIS's layout "
            "(foreground), DeepLabCut's (keypoints), a COCO .json file (instances, detection), a folder of videos for "
            "each class (action), or pictures and videos (restoration).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, configuration, weights, model card.")
    ] = Path("run"),
    network: Annotated[
        str | None,
        typer.Option(
            help="resnet (plain 3x3 convolutions), efficientnet-lite0, unet, vit-tiny, vit-small, vit-base, "
            "these with -skipat, or an FFNet such as ffnet-40s; a name that is none gives the list.",
            show_default="resnet",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: random, imagenet (efficientnet-lite0), a run's folder, a .safetensors file "
            "of a run, or torchvision's .pth of a ResNet.",
            show_default="random",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file to start from instead of a preset.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="default or tiny.")] = "default",
    method: Annotated[
        str | None,
        typer.Option(
            help="Train a network for video on clips, from a dense one in --start: a method and its settings, such as "
            "'skip-conv gate=learned' or 'delta-distillation gamma=4'.",
            show_default="dense",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, as it was set up.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the resolved configuration and stop.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Train a network for a task."""
    require_training_packages()
    shortcuts = {
        "task.name": task if task is None or "=" not in task else None,
        "data.path": data,
        "network.name": network,
        "network.start": start,
    }
    given = [f"{key}={value}" for key, value in shortcuts.items() if value is not None]
    given += _method_changes(method)
    given += ([task] if task is not None and "=" in task else []) + (changes or [])
    resolved = _resolve(given, out, config, preset, resume)
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from training.networks.network_loop import RunOptions
    from training.networks.run import train_network

    set_threads(threads)

    def validated(step: int, measures: dict[str, float]) -> None:
        known = {name: value for name, value in measures.items() if math.isfinite(value)}
        if json:
            print_json({"event": "validation", "step": step, "measures": known})
        else:
            typer.echo(
                f"validation at step {step}: {', '.join(f'{name} {value:.1f}' for name, value in known.items())}"
            )

    with StopRequest() as stop:
        told = RunOptions(resume, device, _print_json if json else _print_line, validated, stop.is_set)
        done = train_network(resolved, out, told)
    if not done:
        console.print(f"scaleflow: stopped; continue with: scaleflow nets train --resume --out {out}", markup=False)
        raise typer.Exit(stop.exit_code)


@app.command("eval")
def evaluate(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder of scaleflow nets train, or its .safetensors.", show_default=False),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled data as for training, its part val; or any video, on which only the agreement with the "
            "dense network can be measured.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; points that are there are kept.")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="A method and its settings, such as 'skip-conv threshold=0,0.1 block=8'; several values make a point "
            "each. May be repeated.",
            show_default="what RUN was trained for",
        ),
    ] = None,
    dense: Annotated[
        Path | None,
        typer.Option(
            help="Run of the dense network to compare with, where RUN was trained for a method.", show_default=False
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="The setting threshold, of all methods that have it, as in 0,0.05,0.1.", show_default=False),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Sizes that pictures are brought to, as in 480x360,320x240; the dense network is measured at all, "
            "other methods at the first.",
            show_default="that of training",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Videos or frames by name or pattern, such as 'soap*'; may be repeated.", show_default="all"),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Take the pictures from this .sfv or video, which was made of those of the data.", show_default=False
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="Number of the first frame of each video.")] = 0,
    frames: Annotated[int | None, typer.Option(min=1, help="Most frames of each video.", show_default="all")] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the networks.")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, help="Run all so often, and take the shortest time of each frame.")
    ] = 1,
    json: options.Json = False,
) -> None:
    """Measure a network on video: accuracy, MACs, BOPs and time, beside the dense network on the same frames.

    The dense network comes with every method. Its points at several sizes are what a method is to be compared with.
    """
    from efficient_nets.frame_exit.weights_file import is_action_network
    from efficient_nets.networks.weights_file import read_network, weights_of_run
    from efficient_nets.tasks.names import make_task
    from efficient_nets.tasks.restoration import NOISE
    from evaluation.file_hash import file_hash
    from evaluation.networks.evaluate import evaluate_network, read_network_points
    from evaluation.networks.settings import network_settings
    from evaluation.networks.tables import markdown_table, write_tables
    from evaluation.networks.videos import open_evaluated

    weights = weights_of_run(run)
    if is_action_network(weights):
        from cli.nets_action import evaluate_action_run

        unused: dict[str, object] = {"--dense": dense, "--threshold": threshold, "--size": size, "--pictures": pictures}
        unused |= {"--first": first, "--frames": frames, "--repeats": repeats > 1}
        evaluate_action_run(weights, data, out, method or [], only or [], threads, json, unused)
        return
    trained = read_network(weights)
    if trained.method.name != "dense" and dense is None:
        raise UsageError(f"{run}: was trained for {trained.method.name}: name the dense network's run with --dense")
    reference = trained if dense is None else read_network(weights_of_run(dense))
    methods = method or [trained.method.name]
    settings = network_settings(methods, threshold, _sizes(size) or (trained.size,), trained.method)
    task = make_task(trained.task, trained.task_classes, trained.void, trained.noise or NOISE, objects=trained.objects)
    found, classes = open_evaluated(task, data, only=only or [], first=first, frames=frames, coded=pictures)
    if classes and classes != trained.classes:
        raise UsageError(
            f"{data}: has the classes {', '.join(classes)}; the network knows {', '.join(trained.classes)}"
        )
    set_threads(threads)

    started = time.monotonic()
    with ProgressReport(use_json=False) as report:

        def show(done: NetworkPointDone) -> None:
            details = f"{done.number}/{done.total} points, {done.setting}"
            report.update(str(done.setting), done.frames, None, time.monotonic() - started, details, {})
            if json and done.point is not None:
                print_json(_point_record(done, done.point))

        try:
            with termination_as_interrupt() as signals:
                evaluate_network(
                    trained, reference, file_hash(weights), task, found, settings, out, threads, repeats, show
                )
        except KeyboardInterrupt:
            console.print(f"scaleflow: stopped; the points in {out} are kept, the same command goes on", markup=False)
            raise typer.Exit(signals.exit_code) from None
    points = read_network_points(out)
    write_tables(points, out)
    if not json:
        typer.echo("\n".join(markdown_table(points)))


@app.command("plot")
def plot(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Folders that scaleflow nets eval wrote.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .svg, .pdf or .png file.", show_default=False)],
    cost: Annotated[Cost, typer.Option(help="Horizontal axis: macs, bops, or ms of wall time.")] = Cost.macs,
    title: Annotated[str | None, typer.Option(help="Written above the panels.", show_default=False)] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw accuracy over cost: a panel for each task and data, a curve for each network and method."""
    from evaluation.networks.evaluate import read_network_points
    from evaluation.networks.figure import draw_network_figure
    from evaluation.plot import write_figure
    from evaluation.plot.figure_file import check_figure_output

    check_figure_output(output, overwrite)
    points = [point for folder in results for point in read_network_points(folder)]
    write_figure(draw_network_figure(points, cost.value, title), output, overwrite=overwrite)


@app.command("table")
def table(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Folders that scaleflow nets eval wrote.", show_default=False),
    ],
) -> None:
    """Print all points of several folders beside each other, as tables in Markdown."""
    from evaluation.networks.evaluate import read_network_points
    from evaluation.networks.tables import markdown_table

    points = [point for folder in results for point in read_network_points(folder)]
    typer.echo("\n".join(markdown_table(points)))


def _method_changes(text: str | None) -> list[str]:
    """The part of the configuration that a method and its settings stand for."""
    if text is None:
        return []
    from efficient_nets.methods import parse_settings

    name, *words = text.split() or [""]
    settings = parse_settings(words)
    if len(settings) > 1:
        raise UsageError(f"--method {text!r}: a run trains one setting; give each a single value")
    return [f"method.name={name}", *(f"method.settings.{word}" for word in words)]


def _sizes(text: str | None) -> tuple[tuple[int, int], ...]:
    sizes = tuple(parse_size(part) for part in text.split(",")) if text is not None else ()
    for width, height in sizes:
        if min(width, height) < 32:
            raise UsageError(f"--size {width}x{height}: 32 and more are needed")
    return sizes


def _point_record(done: NetworkPointDone, point: NetworkPoint) -> dict[str, object]:
    return {
        "event": "point",
        "number": done.number,
        "total": done.total,
        "method": point.identity.method,
        "settings": point.identity.settings,
        "size": list(point.identity.size),
        "measures": point.measures,
        "agreement": point.agreement,
        "macs": point.macs,
        "dense_macs": point.dense_macs,
        "bops": point.bops,
        "seconds": point.seconds,
        "dense_seconds": point.dense_seconds,
        "resumed": done.was_there,
    }


def _resolve(
    changes: list[str], out: Path, config: Path | None, preset_name: str, resume: bool
) -> NetworkTrainingConfig:
    from cli.train import starting_values
    from efficient_nets.networks.named_networks import check_network_settings
    from training.configuration_file import checked_configuration, override, preset
    from training.networks.configuration import NetworkTrainingConfig

    def of_preset(name: str) -> dict[str, Any]:
        return preset(name, PRESETS, "training.network_presets")

    values, source = starting_values(out, config, preset_name, resume, of_preset)
    if not resume and "task" not in values and not any(change.startswith("task.name=") for change in changes):
        raise UsageError(f"name the task: {TASKS}")
    override(values, changes)
    resolved = checked_configuration(NetworkTrainingConfig, values, source)
    given = [name.strip() for name, _, _ in (change.partition("=") for change in changes)]
    check_network_settings(resolved.network.name, [name[8:] for name in given if name.startswith("network.")])
    return resolved


def _print_line(progress: NetworkProgress) -> None:
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.step}/{progress.stage.steps}: loss {progress.scalars['loss']:.3f}, {pace}")


def _print_json(progress: NetworkProgress) -> None:
    record = {"event": "progress", "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
