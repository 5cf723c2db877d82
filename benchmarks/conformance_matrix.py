"""The streams of ``scaleflow conformance`` under every instruction set that this processor has, and more.

    python -m benchmarks.conformance_matrix [--threads 1 2] [--weights-folder FOLDER] [--folder FOLDER] [--workers 1]
        [--settings NAME ...]

Each setting is a process of its own. Rows are the versions of ``ONEDNN_MAX_CPU_ISA`` and ``ATEN_CPU_CAPABILITY``, each
with each, and what host programs set; columns are the numbers of streams that pass, whether all symbols are equal, and
the largest difference of a sample in code values, by arithmetic and bit depth. Streams of earlier weights are checked
where ``--weights-folder`` holds these. With ``--folder``, results are kept there, and what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.conformance_decode import Outcome
from benchmarks.machine_settings import SETTINGS, Setting, machine, run_under

ONEDNN = {
    "SSE41": "sse4_1",
    "AVX": "avx",
    "AVX2": "avx2",
    "AVX2_VNNI": "avx_vnni",
    "AVX512_CORE": "avx512bw",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_FP16": "avx512_fp16",
    "AVX512_CORE_AMX": "amx_tile",
}
"""Values of ``ONEDNN_MAX_CPU_ISA``, and the flag of a processor that has what they allow."""

ATEN = ("default", "avx2", "avx512")

HOSTS = {name: setting for name, setting in SETTINGS.items() if setting.host is not None or "FPMATH" in name}


def processor_flags() -> set[str]:
    """As Linux names them; none elsewhere."""
    place = Path("/proc/cpuinfo")
    lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}


def settings_of(threads: Sequence[int]) -> Iterator[tuple[str, Setting]]:
    """All that are tried, by the name of their row."""
    flags = processor_flags()
    capabilities = [name for name in ATEN if name == "default" or any(flag.startswith(name) for flag in flags)]
    for count in threads:
        for onednn in (name for name, flag in ONEDNN.items() if flag in flags):
            for aten in capabilities:
                yield f"{onednn}, {aten}, {count} threads", Setting(machine(onednn, aten).variables, count)
    yield from HOSTS.items()


def outcomes_under(name: str, setting: Setting, folder: Path, weights_folder: Path | None) -> list[Outcome]:
    """Of all streams, from a process of its own, or from the report that it left earlier."""
    report = folder / f"{name}.json"
    if not report.exists():
        options = [] if weights_folder is None else ["--weights-folder", str(weights_folder)]
        run_under(setting, "benchmarks.conformance_decode", str(report), *options)
    return [Outcome(**outcome) for outcome in json.loads(report.read_text(encoding="utf-8"))]


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """A line of the table."""
    run = [outcome for outcome in outcomes if outcome.state != "not run"]
    passed = sum(outcome.state == "pass" for outcome in run)
    equal = "equal" if all(outcome.symbols_equal for outcome in run) else "**DIFFER**"
    cells = [name, f"{passed} of {len(run)}", equal]
    for precision in ("fp32", "bf16"):
        for depth in (8, 10):
            found = [
                outcome.largest_difference
                for outcome in run
                if (outcome.precision, outcome.bit_depth) == (precision, depth)
                and outcome.largest_difference is not None
            ]
            cells.append(str(max(found)) if found else "-")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Check under each setting, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--weights-folder", type=Path, help="holds earlier sets of weights")
    parser.add_argument("--folder", type=Path, help="where results are kept; otherwise nothing is")
    parser.add_argument("--workers", type=int, default=1, help="settings that are checked at a time")
    parser.add_argument("--settings", nargs="+", help="only these, by the names of their rows, and in this order")
    options = parser.parse_args()
    settings = dict(settings_of(options.threads))
    if unknown := set(options.settings or ()) - set(settings):
        parser.error(f"--settings: {sorted(unknown)} are not among {list(settings)}")
    settings = {name: settings[name] for name in options.settings or settings}
    print("| setting | pass | symbols | fp32, 8 bit | fp32, 10 bit | bf16, 8 bit | bf16, 10 bit |")
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        check = partial(outcomes_under, folder=folder, weights_folder=options.weights_folder)
        with ThreadPoolExecutor(options.workers) as pool:
            for name, outcomes in zip(settings, pool.map(check, settings, settings.values()), strict=True):
                print(row(name, outcomes), flush=True)


if __name__ == "__main__":
    main()
