"""Time from an ``.sfv`` file to labels: in one process, beside decoding to a file that the network reads then.

    scaleflow encode CLIP clip.sfv -q 24 && python -m benchmarks.labels_in_one_process clip.sfv --network runs/seg
        [--method 'codec-gates prediction=4 residual=4']... [--form mkv y4m] [--frames 24] [--repeats 3] [--threads 1]

Each method runs straight from the decoder, and right after it by the ways through a file of each form, again and
again, so that other load on the machine falls on all. ``CPU s`` are seconds of the processor, the others of the clock;
``times`` is the median over repetitions of the CPU seconds of a way over those of one process. On decoded files, of
which no decoder says what changed, ``codec-gates`` run as the dense network. Models and weights are loaded before, and
two pictures of each way are run to prepare kernels. ``first label`` is when the label of the first picture was there.
Forms are without loss; y4m, the quickest to write, has no place for the colour matrix. Labels are compared by
the bit, and not written.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.efficient_nets.labelling.label_video import LabelTally, label_video
from scaleflow.efficient_nets.labelling.picture_network import Found, picture_network
from scaleflow.efficient_nets.labelling.pictures import SeenPicture, open_pictures
from scaleflow.efficient_nets.labelling.through_a_file import LabelHashes, label_through_file
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.evaluation.networks.settings import one_setting

DIRECT = "one process"

HEAD = """\
| method | way | CPU s | times | first label | s | decode | network | GMAC a picture | MB | same labels |
|---|---|---|---|---|---|---|---|---|---|---|"""


class TimedHashes(LabelHashes):
    """Also when the first label was there."""

    def __init__(self) -> None:
        super().__init__()
        self.first: float | None = None

    def add(self, picture: SeenPicture, found: Found) -> None:
        """See :class:`LabelHashes`."""
        super().add(picture, found)
        self.first = self.first or time.perf_counter()


@dataclass
class Way:
    """A method by a way, and what each repetition took."""

    method: NamedMethod
    form: str
    tallies: list[LabelTally] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    first_seconds: list[float] = field(default_factory=list)
    hashes: TimedHashes = field(default_factory=TimedHashes)
    file_bytes: int = 0

    def run(self, trained: TaskNetwork, stream: Path, model: VideoModel, frames: int | None) -> None:
        """Once more."""
        self.hashes = TimedHashes()
        gated = self.method.change_maps is not None and self.form != DIRECT
        network = picture_network(trained, NamedMethod() if gated else self.method, trained.size)
        start, started = time.process_time(), time.perf_counter()
        if self.form == DIRECT:
            with open_pictures(stream, lambda header: model, frames=frames, changes=network.wants_changes) as video:
                self.tallies.append(label_video(video, network, [self.hashes]))
        else:
            done = label_through_file(stream, lambda header: model, network, self.hashes, frames=frames, form=self.form)
            self.tallies.append(done.tally)
            self.file_bytes = done.file_bytes
        self.cpu_seconds.append(time.process_time() - start)
        self.first_seconds.append((self.hashes.first or started) - started)


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
            way.run(trained, options.stream, model, 2)
            way.tallies, way.cpu_seconds, way.first_seconds = [], [], []
        for _ in range(options.repeats):
            for way in ways:
                way.run(trained, options.stream, model, options.frames)
        own = ways[0]
        for way in ways:
            times = median(other / one for other, one in zip(way.cpu_seconds, own.cpu_seconds, strict=True))
            cpu, first = median(way.cpu_seconds), median(way.first_seconds)
            seconds, decode, network = (
                median(getattr(tally, name) for tally in way.tallies)
                for name in ("seconds", "decode_seconds", "network_seconds")
            )
            pictures = own.tallies[0].pictures
            macs, same = way.tallies[0].macs / pictures / 1e9, own.hashes.same(way.hashes)
            print(
                f"| {method} | {way.form} | {cpu:.2f} | {times:.2f} | {first:.2f} | {seconds:.2f} | {decode:.2f} | "
                f"{network:.2f} | {macs:.3f} | {way.file_bytes / 1e6:.1f} | {same} of {pictures} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
