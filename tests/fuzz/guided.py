"""Alters files by what the code that reads them has not done yet: coverage-guided, by atheris.

    pip install atheris
    python -m tests.fuzz.guided --target container --runs 100000 --seed 7 [--corpus FOLDER]

The cases are those of ``python -m tests.fuzz``, checksums made right and all; but each of their random decisions is
drawn from bytes, and atheris (libFuzzer) chooses bytes that reach branches of the project which none reached before.
Bytes that did are kept in ``--corpus``, from which a later run goes on. A case that fails ends the run: the message
says why, and its bytes are kept as ``crash-...`` in the current folder; ``--repeat FILE`` runs it again.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["scaleflow"]):
    from tests.fuzz.harness import judged
    from tests.fuzz.targets import TARGETS

LONGEST = 4096
"""Bytes of decisions; beyond, all of them are 0."""


class DecisionsOf(random.Random):
    """A source of random decisions that draws them from bytes: whoever chooses the bytes chooses the case."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data, self._place = data, 0

    def getrandbits(self, k: int, /) -> int:
        """The next bytes, as many as it takes; 0 behind the last."""
        count = -(-k // 8)
        taken = self._data[self._place : self._place + count]
        self._place += count
        return int.from_bytes(taken.ljust(count, b"\0"), "little") & ((1 << k) - 1)

    def random(self) -> float:
        """In 0..1, of 53 bits."""
        return self.getrandbits(53) / (1 << 53)


def try_case(target: str, data: bytes) -> str:
    """A case of these bytes, see :func:`tests.fuzz.harness.judged`."""
    with tempfile.TemporaryDirectory(prefix="scaleflow-fuzz-") as place:
        return judged(TARGETS[target], DecisionsOf(data), Path(place))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until so many cases are tried, or one fails; print how many were read, and how many refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=list(TARGETS), default="container")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--corpus", type=Path, help="folder of bytes that reached something new")
    parser.add_argument("--repeat", type=Path, help="bytes of one case, which alone is run")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if options.repeat:
        print(try_case(options.target, options.repeat.read_bytes()))
        return
    counts: Counter[str] = Counter()

    def case(data: bytes) -> None:
        counts[try_case(options.target, data)] += 1
        if counts.total() == options.runs or counts.total() % 10_000 == 0:  # nothing runs behind the last case
            said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            print(f"{options.target}: {counts.total()} cases: {said}; no failure", flush=True)

    fuzzer = [f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={LONGEST}", "-len_control=0"]
    fuzzer += ["-timeout=60", "-rss_limit_mb=8192", "-verbosity=0"]
    if options.corpus:
        options.corpus.mkdir(parents=True, exist_ok=True)
        fuzzer.append(str(options.corpus))
    atheris.Setup([sys.argv[0], *fuzzer], case)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
