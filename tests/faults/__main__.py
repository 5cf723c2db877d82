"""Disturbs commands at random moments, and says what was lost.

    python -m tests.faults CLIP [--tries 200] [--seed 7] [--command encode] [--fault KILL] [--keep FOLDER]

Six faults: the signals KILL, TERM and INT, a disk that is full (no file may grow beyond a random size), a worker that
is killed, and an input that is cut. After each the output is what it was, or what the undisturbed command writes;
nothing else lies there; and the command then ends as if nothing had happened (``train`` and ``rd`` go on with what is
there).
CLIP is any video, of which 12 pictures are taken: a small one is quick. Folders of tries that lost something are kept
in ``--keep``. Exits with 1 where there are any.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from tests.faults.disturbance import FAULTS, Outcome, Undisturbed, disturb, fits, undisturbed
from tests.faults.subjects import Subject, subjects

PICTURES = 12

SHORT_TRAINING = ("stages.intra.steps=3", "stages.inter.steps=3")


def make_inputs(clip: Path, folder: Path) -> None:
    """A short uncompressed clip, which has been coded once, and a stream of it."""
    folder.mkdir(parents=True)
    for arguments in (
        ("encode", str(clip.resolve()), "once.sfv", "--quality", "50", "--frames", str(PICTURES)),
        ("decode", "once.sfv", "clip.y4m"),
        ("encode", "clip.y4m", "in.sfv", "--quality", "20", "--intra-period", "6"),
    ):
        subprocess.run([*scaleflow_command(), *arguments], cwd=folder, check=True, capture_output=True)


def tries(count: int, chosen: Sequence[tuple[str, Subject]], seed: int) -> list[tuple[int, str, Subject]]:
    """Which fault meets which command, in turn."""
    order = random.Random(seed).sample(chosen, len(chosen))
    return [(number, *order[number % len(order)]) for number in range(count)]


def table(outcomes: Sequence[tuple[str, str, Outcome]]) -> list[str]:
    """A row for each command and fault."""
    lines = ["| command | fault | tries | stopped | was done | losses |", "|---|---|---|---|---|---|"]
    kinds = sorted({(command, fault) for command, fault, _ in outcomes})
    for command, fault in kinds:
        these = [outcome for name, kind, outcome in outcomes if (name, kind) == (command, fault)]
        ended = Counter(outcome.ended for outcome in these)
        losses = sum(bool(outcome.lost) for outcome in these)
        lines.append(f"| {command} | {fault} | {len(these)} | {ended['stopped']} | {ended['done']} | {losses} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tries, say which lost something, and print the table."""
    known = subjects(SHORT_TRAINING)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--command", action="append", choices=list(known), help="may be repeated; without, all")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="may be repeated; without, all")
    parser.add_argument("--keep", type=Path, help="folder for what is left of tries that lost something")
    options = parser.parse_args(arguments)
    commands = [known[name] for name in options.command or known]
    chosen = [(fault, subject) for fault in options.fault or FAULTS for subject in commands if fits(fault, subject)]
    outcomes: list[tuple[str, str, Outcome]] = []
    with tempfile.TemporaryDirectory(prefix="scaleflow-faults-") as place:
        scratch = Path(place)
        make_inputs(options.clip, scratch / "inputs")
        ordinary: dict[str, Undisturbed] = {}
        for number, fault, subject in tries(options.tries, chosen, options.seed):
            if subject.name not in ordinary:
                ordinary[subject.name] = undisturbed(subject, scratch / "inputs", scratch / f"whole {subject.name}")
            folder, source = scratch / f"try {number}", random.Random(f"{options.seed} {number}")
            outcome = disturb(fault, subject, ordinary[subject.name], scratch / "inputs", folder, source)
            outcomes.append((subject.name, fault, outcome))
            if outcome.lost:
                print(f"try {number}, {subject.name}, {fault}: {outcome.lost}", file=sys.stderr, flush=True)
                if options.keep:
                    shutil.copytree(folder, options.keep / str(number), dirs_exist_ok=True)
            shutil.rmtree(folder)
    print("\n".join(table(outcomes)), flush=True)
    return int(any(outcome.lost for _, _, outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
