"""Time from an ``.sfv`` file to labels: in one process, beside decoding to a file that the network reads then.

    scaleflow encode CLIP clip.sfv -q 24 && python -m benchmarks.labels_in_one_process clip.sfv --network runs/seg
        [--method 'codec-gates prediction=4 residual=4']... [--form mkv y4m] [--frames 24] [--repeats 3] [--threads 1]

Each method runs straight from the decoder, right before and after the ways through a file of each form, so that other
load on the machine falls on all; ``times`` is the median over these pairs of the seconds of the first such way over
its own. On decoded files, of which no decoder says what changed, ``codec-gates`` run as the dense network. Models and
weights are loaded before, and two pictures of each way are run to prepare kernels. Forms are without loss; y4m, the
quickest to write, has no place for the colour matrix. Labels are compared by the bit, and not written.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.efficient_nets.labelling.label_video import LabelTally, label_video
from scaleflow.efficient_nets.labelling.picture_network import picture_network
from scaleflow.efficient_nets.labelling.pictures import open_pictures
from scaleflow.efficient_nets.labelling.through_a_file import LabelHashes, label_through_file
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.evaluation.networks.settings import one_setting

DIRECT = "one process"

HEAD = """\
| method | way | s | decode | network | GMAC a picture | times | same labels |
|---|---|---|---|---|---|---|---|"""


@dataclass
class Way:
    """A method by a way, and what each repetition took."""

    method: NamedMethod
    form: str
    tallies: list[LabelTally] = field(default_factory=list)
    hashes: LabelHashes = field(default_factory=LabelHashes)


def run(way: Way, trained: TaskNetwork, stream: Path, model: VideoModel, frames: int | None) -> LabelTally:
    """Once; what was found is kept in ``way``."""
    way.hashes = LabelHashes()
    method = way.method
    if way.form != DIRECT:
        method = NamedMethod() if method.change_maps is not None else method
        network = picture_network(trained, method, trained.size)
        return label_through_file(stream, lambda header: model, network, way.hashes, frames=frames, form=way.form).tally
    network = picture_network(trained, method, trained.size)
    with open_pictures(stream, lambda header: model, frames=frames, changes=network.wants_changes) as video:
        return label_video(video, network, [way.hashes])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--network", type=Path, required=True, help="a run of scaleflow nets train")
    parser.add_argument("--method", action="append", help="what the run was trained for, where none is given")
    parser.add_argument("--form", nargs="+", default=["mkv", "y4m"])
    parser.add_argument("--frames", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    trained = read_network(weights_of_run(options.network))
    with SfvReader(options.stream) as reader:
        model, shape = load_stream_model(reader.header), reader.header.video
    places = f"{options.stream.name}, {shape.width}x{shape.height}; {trained.task} by {trained.architecture.text}"
    print(f"{places} at {trained.size[0]}x{trained.size[1]}; {options.threads} threads\n")
    print(HEAD)
    for text in options.method or [None]:
        method = one_setting(text, trained.size, trained.method).method
        ways = [Way(method, form) for form in (DIRECT, *options.form)]
        for way in ways:
            run(way, trained, options.stream, model, 2)
        for _ in range(options.repeats):
            for way in ways:
                way.tallies.append(run(way, trained, options.stream, model, options.frames))
        own = ways[0]
        for way in ways:
            pairs = zip(way.tallies, own.tallies, strict=True)
            times = median(tally.seconds / first.seconds for tally, first in pairs)
            seconds, decode, network = (
                median(getattr(tally, name) for tally in way.tallies)
                for name in ("seconds", "decode_seconds", "network_seconds")
            )
            pictures = own.tallies[0].pictures
            macs = way.tallies[0].macs / pictures / 1e9
            print(
                f"| {method} | {way.form} | {seconds:.2f} | {decode:.2f} | {network:.2f} | {macs:.3f} | {times:.2f} | "
                f"{own.hashes.same(way.hashes)} of {pictures} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
