"""``scaleflow conformance``."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.threads import set_threads

if TYPE_CHECKING:
    from scaleflow.codec.conformance.check import StreamVerdict


def conformance(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STREAM]...", help="Names of streams, as the table has them.", show_default="all"),
    ] = None,
    precision: Annotated[
        options.Precision | None, typer.Option(help="Only streams of this arithmetic.", show_default="both")
    ] = None,
    suite: Annotated[
        Path | None, typer.Option(help="Folder of other streams.", show_default="what comes with ScaleFlow")
    ] = None,
    weights_folder: options.WeightsFolder = None,
    *,
    machine: options.MachineOptions,
    printed: options.JsonOptions,
) -> None:
    """Check on this machine that small streams of every feature decode as they must.

    Symbols must be equal, and samples within a bound. Exit with 1 where a stream fails. Streams of earlier weights are
    not run where these are not found.
    """
    from scaleflow.codec.conformance.check import check_streams
    from scaleflow.codec.conformance.suite import SUITE_FOLDER, choose_streams, read_suite
    from scaleflow.codec.decoding.stream_model import load_stream_model

    folder = suite or SUITE_FOLDER
    streams = choose_streams(read_suite(folder), names or (), None if precision is None else precision.value)
    set_threads(machine.threads)
    started = time.monotonic()
    verdicts = []
    with ProgressReport(use_json=False) as report:
        verdicts_of_streams = check_streams(
            streams,
            lambda header: load_stream_model(header, device=machine.device, weights_folder=weights_folder),
            folder,
        )
        for number, verdict in enumerate(verdicts_of_streams):
            verdicts.append(verdict)
            if printed.json:
                print_json(_record(verdict))
            seconds = time.monotonic() - started
            report.update("conformance", number + 1, len(streams), seconds, verdict.stream.name, {})
    counts = Counter(verdict.state for verdict in verdicts)
    seconds = time.monotonic() - started
    if printed.json:
        print_json(
            {
                "event": "summary",
                "streams": len(verdicts),
                "passed": counts["pass"],
                "failed": counts["fail"],
                "not_run": counts["not run"],
                "seconds": seconds,
            }
            | _machine(machine.device)
        )
    else:
        for line in _table(verdicts):
            typer.echo(line)
        where = _machine(machine.device)
        typer.echo(
            f"{counts['pass']} streams pass, {counts['fail']} fail, {counts['not run']} not run; {seconds:.1f} s on "
            f"{where['device']} ({where['instructions']}, {where['threads']} threads, PyTorch {where['torch']})"
        )
    if counts["fail"]:
        raise typer.Exit(1)


def _machine(device: str) -> dict[str, str | int]:
    import torch

    from scaleflow.codec.models.registry import choose_device

    return {
        "device": str(choose_device(device)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def _record(verdict: StreamVerdict) -> dict[str, object]:
    stream = verdict.stream
    return {
        "event": "stream",
        "name": stream.name,
        "feature": stream.feature,
        "precision": stream.precision,
        "bit_depth": stream.bit_depth,
        "weights": stream.weights,
        "pictures": len(stream.times),
        "verdict": verdict.state,
        "symbols_equal": verdict.symbols_equal,
        "largest_difference": verdict.largest_difference,
        "bound": stream.bound,
        "differing_share": verdict.share,
        "reasons": list(verdict.reasons),
        "seconds": verdict.seconds,
    }


def _table(verdicts: list[StreamVerdict]) -> list[str]:
    rows = [("stream", "feature", "pictures", "symbols", "largest difference", "verdict")]
    for verdict in verdicts:
        stream = verdict.stream
        symbols = {True: "equal", False: "differ", None: "-"}[verdict.symbols_equal]
        largest = "-" if verdict.largest_difference is None else f"{verdict.largest_difference} of {stream.bound}"
        state = verdict.state.upper() if verdict.state == "fail" else verdict.state
        rows.append((stream.name, stream.feature, str(len(stream.times)), symbols, largest, state))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    reasons = [
        f"{verdict.stream.name}: {verdict.state}: {reason}" for verdict in verdicts for reason in verdict.reasons
    ]
    return [*lines, "", *reasons, *([""] if reasons else [])]
