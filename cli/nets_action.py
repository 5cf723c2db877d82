"""``scaleflow nets eval`` of a network for action recognition."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError


def evaluate_action_run(
    weights: Path,
    data: Path,
    out: Path,
    methods: Sequence[str],
    only: Sequence[str],
    threads: int,
    json: bool,
    unused: Mapping[str, object],
) -> None:
    """Measure gates, fixed numbers of frames and exits by chance.

    Args:
        unused: options of ``scaleflow nets eval`` that say nothing of videos with classes, by name.

    Raises:
        UsageError: one of them was given, or the data have other classes.
    """
    from scaleflow.efficient_nets.data.action_clips import open_action_data
    from scaleflow.efficient_nets.frame_exit.weights_file import read_action_network
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.evaluate import read_network_points
    from scaleflow.evaluation.networks.evaluate_action import action_settings, evaluate_action
    from scaleflow.evaluation.networks.tables import markdown_table, write_tables

    for name, value in unused.items():
        if value:
            raise UsageError(f"{name}: a network for action recognition is measured without it")
    trained = read_action_network(weights)
    settings = action_settings(methods, trained)
    found = open_action_data(data, "val")
    if found.classes != trained.classes:
        raise UsageError(
            f"{data}: has the classes {', '.join(found.classes)}; the network knows {', '.join(trained.classes)}"
        )
    found = found.chosen(only) if only else found
    set_threads(threads)
    started = time.monotonic()
    with ProgressReport(use_json=False) as report:
        points = evaluate_action(
            trained,
            file_hash(weights),
            found,
            settings,
            out,
            threads,
            lambda done, total: report.update("videos", done, total, time.monotonic() - started, f"{done}/{total}", {}),
        )
    if json:
        for point in points:
            identity = point.identity
            record = {"event": "point", "method": identity.method, "settings": identity.settings}
            print_json(record | {"measures": point.measures, "macs": point.macs, "seconds": point.seconds})
    everything = read_network_points(out)
    write_tables(everything, out)
    if not json:
        typer.echo("\n".join(markdown_table(everything)))
