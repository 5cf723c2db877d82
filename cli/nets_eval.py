"""``scaleflow nets eval``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, console, print_json
from scaleflow.cli.interruption import termination_as_interrupt
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import parse_sizes
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.networks.evaluate import NetworkPointDone
    from scaleflow.evaluation.networks.point import NetworkPoint
    from scaleflow.evaluation.networks.videos import StreamDecoding


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
    *,
    decoder: options.ShownOptions,
    json: options.Json = False,
) -> None:
    """Measure a network on video: accuracy, MACs, BOPs and time, beside the dense network on the same frames.

    The dense network comes with every method. Its points at several sizes are what a method is to be compared with.
    """
    from scaleflow.efficient_nets.frame_exit.weights_file import is_action_network
    from scaleflow.efficient_nets.methods.known_methods import DENSE
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
    from scaleflow.efficient_nets.tasks.known_tasks import make_task
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.evaluate import evaluate_network, read_network_points
    from scaleflow.evaluation.networks.settings import network_settings
    from scaleflow.evaluation.networks.tables import markdown_table, write_tables
    from scaleflow.evaluation.networks.videos import open_evaluated

    weights = weights_of_run(run)
    if is_action_network(weights):
        from scaleflow.cli.nets_action import evaluate_action_run

        unused: dict[str, object] = {"--dense": dense, "--threshold": threshold, "--size": size, "--pictures": pictures}
        unused |= {"--decoder": decoder.decoder is not options.DecoderKind.fidelity}
        unused |= {"--first": first, "--frames": frames, "--repeats": repeats > 1}
        evaluate_action_run(weights, data, out, method or [], only or [], threads, json, unused)
        return
    trained = read_network(weights)
    if trained.method.name != DENSE and dense is None:
        raise UsageError(f"{run}: was trained for {trained.method.name}: name the dense network's run with --dense")
    reference = trained if dense is None else read_network(weights_of_run(dense))
    methods = method or [trained.method.name]
    settings = network_settings(methods, threshold, parse_sizes(size) or (trained.size,), trained.method)
    task = make_task(trained.task, trained.task_settings)
    found, classes = open_evaluated(
        task, data, only=only or [], first=first, frames=frames, coded=pictures, decoding=_decoding(decoder)
    )
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


def _decoding(decoder: options.ShownOptions) -> StreamDecoding:
    """How streams are decoded; what is not as they say themselves is named by options and the content of files."""
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.videos import StreamDecoding
    from scaleflow.evaluation.rate_distortion.decoder_choice import DecoderChoice

    choice = DecoderChoice(decoder.decoder.value, decoder.perception, decoder.decoder_weights)
    named = [str(part) for part in (decoder.model, choice.perception) if part is not None]
    named += [file_hash(path) for path in (decoder.weights, choice.weights_file) if path is not None]
    return StreamDecoding(decoder.loader("cpu"), " ".join(named))


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
