"""``scaleflow nets run``."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.nets_run_action import label_action_run
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import parse_sizes
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.codec.container import SfvHeader
    from scaleflow.codec.models.video_model import VideoModel
    from scaleflow.efficient_nets.labelling.label_video import LabelTally
    from scaleflow.efficient_nets.labelling.through_a_file import LabelHashes, ThroughFile
    from scaleflow.efficient_nets.methods.named_method import NamedMethod
    from scaleflow.efficient_nets.networks.task_network import TaskNetwork


def run(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An .sfv file, or any video.", show_default=False)],
    network: Annotated[
        Path, typer.Option(help="Folder of scaleflow nets train, or its .safetensors.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder that the labels are written to.", show_default=False)],
    method: Annotated[
        str | None,
        typer.Option(
            help="A method and its settings, such as 'skip-conv threshold=0.05'; codec-gates look where the decoder "
            "of an .sfv file says that something changed.",
            show_default="what the network was trained for",
        ),
    ] = None,
    drawn: Annotated[
        Path | None, typer.Option(help="A video with the labels drawn over the pictures.", show_default=False)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="WIDTHxHEIGHT that pictures are brought to.", show_default="that of training"),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="Number of the first picture.")] = 0,
    frames: options.Frames = None,
    compare_with_file: Annotated[
        bool,
        typer.Option(
            "--compare-with-file",
            help="Then decode to a file without loss and run the network on that; say what this took, and whether the "
            "labels are the same.",
        ),
    ] = False,
    threads: options.Threads = None,
    *,
    decoder: options.ShownOptions,
    written: options.OutputOptions,
) -> None:
    """Find labels in a video: each picture goes to the network as it is decoded, with no file between."""
    from scaleflow.efficient_nets.frame_exit.weights_file import is_action_network
    from scaleflow.efficient_nets.labelling.pictures import is_stream
    from scaleflow.efficient_nets.labelling.through_a_file import LabelHashes
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run

    weights = weights_of_run(network)
    if not is_stream(source):
        _refuse_stream_options(source, compare_with_file, decoder)
    set_threads(threads)
    load = _loaded_once(decoder.loader("cpu"))
    if is_action_network(weights):
        unused: dict[str, object] = {"--drawn": drawn, "--size": size, "--compare-with-file": compare_with_file}
        label_action_run(source, weights, out, load, method, first, frames, written.overwrite, written.json, unused)
        return
    trained = read_network(weights)
    task = _Labelling(trained, source, load, first, frames, method, size)
    hashes = LabelHashes() if compare_with_file else None
    tally = task.label(out, drawn, weights, written, hashes)
    beside = task.through_file(hashes) if hashes is not None else None
    if written.json:
        print_json(_summary(task, tally, out, drawn, beside))
        return
    for line in _sentences(tally, beside):
        typer.echo(line)


class _Labelling:
    """A network by a method on a part of a video."""

    def __init__(
        self,
        trained: TaskNetwork,
        source: Path,
        load: Callable[[SfvHeader], VideoModel],
        first: int,
        frames: int | None,
        method: str | None,
        size: str | None,
    ) -> None:
        from scaleflow.evaluation.networks.settings import one_setting

        self.trained, self.source, self.load = trained, source, load
        self.first, self.frames = first, frames
        sizes = parse_sizes(size) or (trained.size,)
        if len(sizes) > 1:
            raise UsageError(f"--size {size}: pictures are brought to one size")
        self.setting = one_setting(method, sizes[0], trained.method)

    def label(
        self,
        out: Path,
        drawn: Path | None,
        weights: Path,
        written: options.OutputOptions,
        hashes: LabelHashes | None,
    ) -> LabelTally:
        """Write the labels, and hash them where they are to be compared."""
        from scaleflow.codec.video.writer import open_output
        from scaleflow.efficient_nets.labelling.drawing import drawing_of
        from scaleflow.efficient_nets.labelling.label_files import DrawnVideo, drawn_properties, label_output
        from scaleflow.efficient_nets.labelling.label_folder import label_folder, write_run
        from scaleflow.efficient_nets.labelling.label_video import label_video
        from scaleflow.efficient_nets.labelling.picture_network import picture_network
        from scaleflow.efficient_nets.labelling.pictures import open_pictures
        from scaleflow.evaluation.file_hash import file_hash

        trained = self.trained
        network = picture_network(trained, self.setting.method, self.setting.size)
        with ExitStack() as stack:
            report = stack.enter_context(ProgressReport(written.json))
            folder = stack.enter_context(label_folder(out, written.overwrite, drawn))
            video = stack.enter_context(
                open_pictures(
                    self.source, self.load, first=self.first, frames=self.frames, changes=network.wants_changes
                )
            )
            outputs = [label_output(folder, trained.task, trained.classes, video.properties)]
            if hashes is not None:
                outputs.append(hashes)
            if drawn is not None:
                shown = drawn_properties(video.properties)
                writer = stack.enter_context(open_output(drawn, shown, overwrite=written.overwrite))
                outputs.append(DrawnVideo(writer, drawing_of(trained.task, trained.classes)))
            started = time.monotonic()

            def show(tally: LabelTally) -> None:
                seconds = time.monotonic() - started
                record = {"pictures": tally.pictures, "seconds": round(seconds, 3)}
                details = f"{tally.pictures} pictures, {tally.pictures / max(seconds, 1e-9):.1f}/s"
                report.update("run", tally.pictures, video.total, seconds, details, record)

            tally = label_video(video, network, outputs, show)
            record = {
                "source": self.source.name,
                "first": self.first,
                "pictures": tally.pictures,
                "picture_size": [video.properties.width, video.properties.height],
                "task": trained.task,
                "classes": list(trained.classes),
                "network": trained.architecture.text,
                "weights": file_hash(weights),
            }
            write_run(folder, record | _setting(self.setting.method, self.setting.size))
        return tally

    def through_file(self, hashes: LabelHashes) -> tuple[ThroughFile, int]:
        """What the way through a file takes, and how many of its labels are the same.

        Codec gates need what a decoded file does not say: there, the network runs dense.
        """
        from scaleflow.efficient_nets.labelling.picture_network import picture_network
        from scaleflow.efficient_nets.labelling.through_a_file import LabelHashes, label_through_file
        from scaleflow.efficient_nets.methods.named_method import NamedMethod

        method = NamedMethod() if self.setting.method.change_maps is not None else self.setting.method
        network, others = picture_network(self.trained, method, self.setting.size), LabelHashes()
        found = label_through_file(self.source, self.load, network, others, first=self.first, frames=self.frames)
        return found, hashes.same(others)


def _loaded_once(load: Callable[[SfvHeader], VideoModel]) -> Callable[[SfvHeader], VideoModel]:
    """Of one stream, which may be decoded twice."""
    loaded: list[VideoModel] = []

    def model(header: SfvHeader) -> VideoModel:
        if not loaded:
            loaded.append(load(header))
        return loaded[0]

    return model


def _refuse_stream_options(source: Path, compare: bool, decoder: options.ShownOptions) -> None:
    chosen = decoder.decoder is not options.DecoderKind.fidelity or decoder.perception is not None
    named = (decoder.decoder_weights, decoder.model, decoder.weights, decoder.weights_folder)
    if chosen or any(value is not None for value in named):
        raise UsageError(f"{source}: --decoder, --model and --weights are of .sfv files")
    if compare:
        raise UsageError(f"{source}: --compare-with-file is of .sfv files, which are decoded to one")


def _setting(method: NamedMethod, size: tuple[int, int]) -> dict[str, Any]:
    return {"method": method.name, "settings": str(method).partition(" ")[2], "size": list(size)}


def _summary(
    task: _Labelling, tally: LabelTally, out: Path, drawn: Path | None, beside: tuple[ThroughFile, int] | None
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "event": "summary",
        "output": str(out),
        "drawn": None if drawn is None else str(drawn),
        "task": task.trained.task,
        **_setting(task.setting.method, task.setting.size),
        **_times(tally),
        "macs": tally.macs / tally.pictures,
        "dense_macs": tally.dense_macs / tally.pictures,
        "key_pictures": tally.key_pictures,
        "file": None,
    }
    if beside is not None:
        file, same = beside
        details = {"write_seconds": file.write_seconds, "bytes": file.file_bytes, "same_labels": same}
        record["file"] = _times(file.tally) | details
    return record


def _times(tally: LabelTally) -> dict[str, Any]:
    return {
        "pictures": tally.pictures,
        "decode_seconds": tally.decode_seconds,
        "network_seconds": tally.network_seconds,
        "seconds": tally.seconds,
        "pictures_per_second": tally.pictures / tally.seconds,
    }


def _sentences(tally: LabelTally, beside: tuple[ThroughFile, int] | None) -> list[str]:
    macs, dense = (value / tally.pictures / 1e9 for value in (tally.macs, tally.dense_macs))
    lines = [
        f"{tally.pictures} pictures in {tally.seconds:.2f} s, {tally.pictures / tally.seconds:.1f} a second: "
        f"{tally.decode_seconds:.2f} s of decoding, {tally.network_seconds:.2f} s of the network",
        f"{macs:.3f} GMAC a picture, {dense:.3f} of the dense network; {tally.key_pictures} pictures in full",
    ]
    if beside is not None:
        file, same = beside
        lines.append(
            f"through a file of {file.file_bytes} bytes: {file.tally.seconds:.2f} s, "
            f"{file.tally.decode_seconds:.2f} s until pictures were read back, {file.tally.network_seconds:.2f} s of "
            f"the network; labels of {same} of {tally.pictures} pictures are the same"
        )
    return lines
