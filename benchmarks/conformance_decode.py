"""Check the streams of ``scaleflow conformance`` as one machine or host program would.

    python -m benchmarks.conformance_decode REPORT [--weights-folder FOLDER] [--threads N] [--host NAME]

:mod:`benchmarks.conformance_matrix` runs it, each setting in a process of its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.machine_settings import add_options, around_calls, set_host
from scaleflow.codec.conformance.check import check_streams
from scaleflow.codec.conformance.suite import read_suite
from scaleflow.codec.container import SfvHeader
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.video_model import VideoModel


@dataclass(frozen=True)
class Outcome:
    """Of a stream under a setting, what a table needs."""

    name: str
    precision: str
    bit_depth: int
    state: str
    symbols_equal: bool | None
    largest_difference: int | None


def check_here(host: str | None, weights_folder: Path | None) -> Iterator[Outcome]:
    """Check all streams in this process, as the host program of a name would."""

    def choose(header: SfvHeader) -> VideoModel:
        model = load_stream_model(header, weights_folder=weights_folder)
        assert isinstance(model, torch.nn.Module)
        set_host(host, model)
        return model

    with around_calls(host)():
        for verdict in check_streams(read_suite(), choose):
            stream = verdict.stream
            yield Outcome(
                stream.name,
                stream.precision,
                stream.bit_depth,
                verdict.state,
                verdict.symbols_equal,
                verdict.largest_difference,
            )


def main() -> None:
    """Check, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--weights-folder", type=Path)
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    content = json.dumps([asdict(outcome) for outcome in check_here(options.host, options.weights_folder)])
    options.report.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
