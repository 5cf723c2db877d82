"""Reads altered files at random, and says which ended in other exceptions than the project's own.

    python -m tests.fuzz --target container --cases 20000 --seed 7

A case is good where its file is read, or refused by an error of one line, in bounded time and with nothing left behind.
Files of other cases are kept in ``--keep`` by target, exception and number; ``--first`` with that number, and
``--cases 1``, repeats one. Exits with 1 where there are any.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.harness import run
from tests.fuzz.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the targets, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="may be repeated; without, all")
    parser.add_argument("--cases", type=int, default=100, help="of each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="folder for the files of cases that fail")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    failed = 0
    for name in options.target or TARGETS:
        started = time.monotonic()
        outcome = run(name, TARGETS[name], options.cases, options.seed, first=options.first, keep=options.keep)
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.counts.items()))
        seconds = time.monotonic() - started
        print(
            f"{name}: {options.cases} cases in {seconds:.0f} s: {counts}; {len(outcome.failures)} failures", flush=True
        )
        kinds: set[tuple[str, str]] = set()
        for kind, number, said in outcome.failures:
            place = said.strip().splitlines()[-1][:300]
            if (kind, place) not in kinds:
                kinds.add((kind, place))
                print(f"  {name}, case {number}: {said}", file=sys.stderr, flush=True)
        failed += len(outcome.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
