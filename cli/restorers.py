"""Restorers as people type them: a run of ``scaleflow diffusion train``, its steps and its clock."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.networks.restored_videos import Restorer

STEPS = 8
"""Of a trajectory where none are given."""


def parse_restorer(text: str) -> Restorer:
    """``RUN steps=8 period=2 adaptor=learned``; further words are those of a clock.

    Raises:
        UsageError: there is no such run, or a word that is unknown.
        DataError: the run's weights are damaged.
    """
    from scaleflow.cli.diffusion_run import load_adaptor, load_restoration
    from scaleflow.efficient_nets.clockwork.clock import Clock, parse_clock
    from scaleflow.efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER, ADAPTOR_WEIGHTS
    from scaleflow.efficient_nets.diffusion.weights_file import weights_of_run
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.restored_videos import Restorer

    place, *words = shlex.split(text) or [""]
    values = {name: value for name, _, value in (word.partition("=") for word in words if "=" in word)}
    steps, adaptor = values.pop("steps", str(STEPS)), values.pop("adaptor", "identity")
    if not steps.isdigit():
        raise UsageError(f"--restore {text!r}: steps={steps} is no number of steps")
    if adaptor not in ("identity", "learned"):
        raise UsageError(f"--restore {text!r}: adaptor={adaptor} is neither identity nor learned")
    clock_words = [word for word in words if word.partition("=")[0] not in ("steps", "adaptor")]
    try:
        clock = parse_clock(" ".join(clock_words)) if clock_words else None
    except UsageError as error:
        raise UsageError(f"--restore {text!r}: {error}; and steps, adaptor") from error
    run = Path(place)
    model = load_restoration(run, "cpu")
    weights = file_hash(weights_of_run(run))
    if adaptor == "identity":
        return Restorer(model, weights, int(steps), clock or Clock(period=1))
    learned = load_adaptor(run, model)
    weights += " " + file_hash(run / ADAPTOR_FOLDER / ADAPTOR_WEIGHTS)
    return Restorer(model, weights, int(steps), clock or learned.clock, learned)
