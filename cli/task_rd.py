"""``scaleflow task-rd``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from scaleflow.cli import options
from scaleflow.cli.cluster_options import worker_text
from scaleflow.cli.codec_options import (
    CodecOptions,
    SweepDecoderOptions,
    SweepMachineOptions,
    measuring_settings,
    parse_codecs,
)
from scaleflow.cli.console import console, print_json
from scaleflow.cli.extra_packages import require_measuring_packages
from scaleflow.cli.flags import in_flags
from scaleflow.cli.sweep_regions import SweepRegionOptions, sweep_regions
from scaleflow.cli.sweep_run import say_problems, sweep_progress
from scaleflow.cli.values import parse_frame_rate, parse_sizes
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress
    from scaleflow.evaluation.task_rate_distortion.sweep import MeasuredNetwork


ACTION, RESTORATION = "action", "restoration"
"""Tasks that are measured in ways of their own: of whole videos, and against the pictures that were coded."""


@dataclass(frozen=True)
class LabelledOptions:
    """What is coded."""

    PANEL: ClassVar[str] = "Data"

    task: Annotated[
        str | None,
        typer.Option(help="The task, such as segmentation.", show_default="that of the networks"),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(help="Videos or frames by name or pattern, such as 'soap*'; may be repeated.", show_default="all"),
    ] = None
    first: Annotated[int, typer.Option(min=0, help="Number of the first frame of each video.")] = 0
    frames: Annotated[int | None, typer.Option(min=1, help="Most frames of each video.", show_default="all")] = None
    fps: Annotated[str | None, typer.Option(help="Frame rate of folders of pictures.", show_default="25")] = None


@dataclass(frozen=True)
class NetworkOptions:
    """What looks at it."""

    PANEL: ClassVar[str] = "Networks"

    method: Annotated[
        list[str] | None,
        typer.Option(
            help="A method and its settings, such as 'skip-conv threshold=0.05', beside the dense network; may be "
            "repeated.",
            show_default="none",
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            help="Sizes that pictures are brought to for the networks, as in 480x360,320x240.",
            show_default="that of training",
        ),
    ] = None
    restore: Annotated[
        list[str] | None,
        typer.Option(
            help="Restore pictures before the networks, by a run of scaleflow diffusion train, its steps and its "
            "clock, as in 'runs/restoration steps=8 period=2 adaptor=learned'; beside pictures as they are; may be "
            "repeated.",
            show_default="none",
        ),
    ] = None


def task_rd(
    data: Annotated[
        Path, typer.Option(help="Labelled data as of scaleflow nets eval; its part val.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; a run that was stopped goes on there.")],
    network: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of scaleflow nets train, or its .safetensors; may be repeated.",
            show_default="none, with --task restoration and --restore",
        ),
    ] = None,
    *,
    coded: LabelledOptions,
    looking: NetworkOptions,
    region: SweepRegionOptions,
    coders: CodecOptions,
    decoder: SweepDecoderOptions,
    anchor: Annotated[
        str | None,
        typer.Option(help="Codec that BD-rates are against.", show_default="x265, x264 or the first"),
    ] = None,
    metrics: Annotated[
        str, typer.Option(help="What is measured on pictures beside, as of scaleflow compare.")
    ] = "psnr-yuv",
    aids: options.MetricOptions,
    machine: SweepMachineOptions,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete points of these clips and codecs that were measured otherwise.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Measure what networks still find in coded video: labelled videos, coded at several rates, decoded, looked at.

    Uncompressed pictures are always measured as well. Results are a folder of scaleflow rd, with points of the task
    beside: scaleflow plot and scaleflow report take it.
    """
    require_measuring_packages("task-rd")
    from scaleflow.evaluation.metrics.names import expand_metrics
    from scaleflow.evaluation.rate_distortion.results import read_points
    from scaleflow.evaluation.rate_distortion.results_files import write_results
    from scaleflow.evaluation.statistics.bd_rate_summary import choose_anchor
    from scaleflow.evaluation.task_rate_distortion.tables import point_record, task_lines, write_task_table
    from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points

    names = expand_metrics([name.strip() for name in metrics.split(",") if name.strip()])
    who = machine.given()
    codecs = parse_codecs(coders, decoder)
    if anchor is not None:
        earlier = [point.record.codec for point in read_task_points(out) if point.record.codec != UNCOMPRESSED]
        choose_anchor(list(dict.fromkeys([*earlier, *(item.name for item in codecs)])), anchor)
    if region.roi is not None and coded.first:
        raise UsageError("--roi: masks are counted from the first frame of each video; leave out --first")
    runs = network or []
    task = _task_of_all(runs, coded.task)
    if not runs and not (task == RESTORATION and looking.restore):
        raise UsageError("--network is needed: only restoration can do without, with --restore")
    if task == ACTION:
        run = _sweep_of_videos(data, runs, looking, coded)
    elif task == RESTORATION:
        run = _sweep_of_restoration(data, runs, looking, coded, aids.lpips_backbone)
    else:
        run = _sweep_of_frames(data, runs, looking, coded)
    regions = sweep_regions(region)
    settings = measuring_settings(names, codecs, coders, aids, machine)

    with sweep_progress("task-rd", out) as shown:

        def show(done: TaskProgress) -> None:
            if done.coded is not None and done.coded.problem is not None and not json:
                console.print(f"scaleflow: {done.details}: {done.coded.problem}", markup=False)
            if json and done.point is not None:
                print_json({"event": "point", **point_record(done.point), "resumed": done.was_there})
            workers = () if done.coded is None else done.coded.workers
            shown(done.number, done.total, f"{done.part}, {done.details}{worker_text(workers)}")

        given = {"regions": regions, "overwrite": overwrite, **who}
        found = run(codecs, settings, out, **given, progress=show)
    if any((out / "points").glob("*.json")):
        write_results(read_points(out), out)
    points = read_task_points(out)
    write_task_table(points, out)
    if json:
        print_json({"event": "done", "points": len(found.points), "failed": len(found.problems)})
    else:
        typer.echo("\n".join([f"{out}: {len(found.points)} points", *task_lines(points, anchor)]))
    say_problems(len(found.points), found.problems)


def _sweep_of_frames(
    data: Path, runs: Sequence[Path], looking: NetworkOptions, coded: LabelledOptions
) -> Callable[..., MeasuredTask]:
    """For networks that look at every frame."""
    from scaleflow.efficient_nets.tasks.known_tasks import make_task
    from scaleflow.evaluation.task_rate_distortion.sweep import measure_task

    networks = _networks(runs, looking)
    first = networks[0].trained
    task = make_task(first.task, first.task_settings)
    labelled = task.open(data, "val")
    labelled = labelled.chosen(coded.only) if coded.only else labelled
    for path, network in zip(runs, networks, strict=True):
        _check_classes(data, labelled.classes, path, network.trained.classes)
    return partial(measure_task, task, labelled, networks, **_of_frames(looking, coded))


def _sweep_of_restoration(
    data: Path, runs: Sequence[Path], looking: NetworkOptions, coded: LabelledOptions, backbone: Path | None
) -> Callable[..., MeasuredTask]:
    """For networks that are to give back what was coded, and restorers alone. LPIPS where its network is at hand."""
    from scaleflow.adversarial.lpips_network import find_backbone, load_lpips
    from scaleflow.efficient_nets.tasks.restoration import Restoration
    from scaleflow.evaluation.task_rate_distortion.restoration_task import RestorationOfCoded, with_originals
    from scaleflow.evaluation.task_rate_distortion.sweep import measure_task

    networks = _networks(runs, looking)
    labelled = Restoration().open(data, "val")
    labelled = labelled.chosen(coded.only) if coded.only else labelled
    lpips = None
    try:
        lpips = load_lpips(find_backbone(backbone))
    except UsageError as error:
        if backbone is not None:
            raise
        console.print(
            f"scaleflow: without LPIPS: {in_flags(error, {'lpips_backbone': '--lpips-backbone'})}", markup=False
        )
    task = RestorationOfCoded(lpips)
    return partial(measure_task, task, with_originals(labelled), networks, **_of_frames(looking, coded))


def _of_frames(looking: NetworkOptions, coded: LabelledOptions) -> dict[str, Any]:
    """What sweeps of frames are told beside data and networks."""
    from scaleflow.cli.restorers import parse_restorer

    return {
        "first": coded.first,
        "frames": coded.frames,
        "frame_rate": parse_frame_rate(coded.fps) if coded.fps is not None else None,
        "restorers": [parse_restorer(text) for text in looking.restore or []],
    }


def _networks(runs: Sequence[Path], looking: NetworkOptions) -> list[MeasuredNetwork]:
    from scaleflow.efficient_nets.methods.known_methods import DENSE
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.settings import network_settings
    from scaleflow.evaluation.task_rate_distortion.sweep import MeasuredNetwork

    networks: list[MeasuredNetwork] = []
    for run in runs:
        weights = weights_of_run(run)
        trained = read_network(weights)
        if trained.method.name != DENSE:
            raise UsageError(f"{run}: was trained for {trained.method.name}: give its dense network, and --method")
        sizes = parse_sizes(looking.size) or (trained.size,)
        settings = network_settings(looking.method or [], None, sizes, trained.method)
        networks.append(MeasuredNetwork(trained, trained, file_hash(weights), tuple(settings)))
    return networks


def _sweep_of_videos(
    data: Path, runs: Sequence[Path], looking: NetworkOptions, coded: LabelledOptions
) -> Callable[..., MeasuredTask]:
    """For networks that say what happens in a whole video."""
    from scaleflow.efficient_nets.data.action_clips import open_action_data
    from scaleflow.efficient_nets.frame_exit.weights_file import read_action_network
    from scaleflow.efficient_nets.networks.weights_file import weights_of_run
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.evaluate_action import action_settings
    from scaleflow.evaluation.task_rate_distortion.action_sweep import MeasuredActionNetwork, measure_action_task

    given = {"--size": looking.size, "--first": coded.first, "--fps": coded.fps, "--restore": looking.restore}
    for name, value in given.items():
        if value:
            raise UsageError(f"{name}: a network for action recognition is measured without it")
    labelled = open_action_data(data, "val")
    labelled = labelled.chosen(coded.only) if coded.only else labelled
    networks = []
    for run in runs:
        weights = weights_of_run(run)
        trained = read_action_network(weights)
        _check_classes(data, labelled.classes, run, trained.classes)
        settings = action_settings(looking.method or [], trained)
        networks.append(MeasuredActionNetwork(trained, file_hash(weights), tuple(settings)))
    return partial(measure_action_task, labelled, networks, frames=coded.frames)


def _task_of_all(runs: Sequence[Path], wanted: str | None) -> str | None:
    """The task of the networks; None where nothing says it.

    Raises:
        UsageError: one is not for it, or for that of the first.
    """
    from scaleflow.efficient_nets.frame_exit.weights_file import is_action_network
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run

    for run in runs:
        weights = weights_of_run(run)
        task = ACTION if is_action_network(weights) else read_network(weights).task
        if task != (wanted := wanted or task):
            raise UsageError(f"{run}: was trained for {task}, not for {wanted}")
    return wanted


def _check_classes(data: Path, classes: tuple[str, ...], run: Path, known: tuple[str, ...]) -> None:
    if classes and classes != known:
        raise UsageError(f"{data}: has the classes {', '.join(classes)}; {run} knows {', '.join(known)}")
