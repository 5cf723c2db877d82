"""Memory, open files and speed of a long encode and of its decode, picture after picture.

    python -m benchmarks.long_run FOLDER [--pictures 20000] [--size 64x48] [--quality 24] [--every 2000] [--figure FILE]
        [--verbs encode decode]

The pictures are computed and come through a pipe, so that the length costs no disk; the decoder writes uncompressed
video to the null device. Each command is a process of its own. Its resident memory, its open files and its processor
time are read from ``/proc`` (Linux) as it says how many pictures are done; ``FOLDER`` gets all readings as JSON lines.
With ``--verbs decode``, the stream that an earlier run left there is decoded. The table has a row every so many
pictures; processor time is the mean since the row before, so that other load on the machine does not show. The last
line has slopes, fitted without the first tenth, in which caches fill.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import IO

import numpy as np

from benchmarks.conformance_pictures import moving
from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command

PERIOD = 300
"""Pictures after which they come again."""


@dataclass(frozen=True)
class Reading:
    """Of a process: pictures done, resident memory in MB, open files, seconds of processor time."""

    pictures: int
    megabytes: float
    open_files: int
    seconds: float


def read_process(process: int, pictures: int) -> Reading:
    """What Linux says of a process now."""
    place = Path("/proc") / str(process)
    pages = int((place / "statm").read_text(encoding="ascii").split()[1])
    times = (place / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return Reading(
        pictures,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list((place / "fd").iterdir())),
        (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
    )


def feed(pipe: IO[bytes], size: tuple[int, int], pictures: int) -> None:
    """Write uncompressed video into a pipe, and close it."""
    width, height = size
    frames = [b"FRAME\n" + b"".join(plane.tobytes() for plane in planes) for planes in moving(width, height, PERIOD)]
    with pipe:
        pipe.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode())
        for frame in islice(cycle(frames), pictures):
            pipe.write(frame)


def readings_of(command: Sequence[str], source: tuple[tuple[int, int], int] | None) -> Iterator[Reading]:
    """Run a command that prints progress as JSON lines; ``source`` is the size and number of pictures that it reads.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    if source is None:
        process.stdin.close()
    else:
        threading.Thread(target=feed, args=(process.stdin, *source), daemon=True).start()
    for line in process.stdout:
        record = json.loads(line)
        if record["event"] == "progress":
            yield read_process(process.pid, record["pictures"])
    if process.wait():
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")


def table(readings: Sequence[Reading], every: int) -> list[str]:
    """A row every so many pictures, and slopes."""
    lines = ["| pictures | memory, MB | open files | processor ms a picture |", "|---|---|---|---|"]
    before = readings[0]
    for reading in readings[1:]:
        if reading is readings[-1] or reading.pictures // every > before.pictures // every:
            spent = 1000 * (reading.seconds - before.seconds) / max(1, reading.pictures - before.pictures)
            lines.append(f"| {reading.pictures} | {reading.megabytes:.1f} | {reading.open_files} | {spent:.2f} |")
            before = reading
    settled = [reading for reading in readings if 10 * reading.pictures >= readings[-1].pictures]
    if len(settled) > 2:
        pictures = [reading.pictures / 1000 for reading in settled]
        growth = np.polyfit(pictures, [reading.megabytes for reading in settled], 1)[0]
        time = np.polyfit(pictures, [reading.seconds for reading in settled], 2)
        lines.append("")
        lines.append(
            f"memory {1000 * growth:+.1f} kB, and processor time {2 * time[0]:+.4f} ms a picture, for each 1,000 "
            f"pictures; open files {min(r.open_files for r in settled)} to {max(r.open_files for r in settled)}"
        )
    return lines


def draw(runs: dict[str, list[Reading]], figure: Path) -> None:
    """Memory and processor time over pictures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "scaleflow"
    canvas, (memory, files, speed) = pyplot.subplots(1, 3, figsize=(10.5, 3), layout="constrained")
    for verb, readings in runs.items():
        pictures = [reading.pictures for reading in readings]
        memory.plot(pictures, [reading.megabytes for reading in readings], label=verb)
        files.plot(pictures, [reading.open_files for reading in readings], label=verb)
        step = max(1, len(readings) // 40)
        marks = readings[::step]
        speed.plot(
            [reading.pictures for reading in marks[1:]],
            [1000 * (b.seconds - a.seconds) / max(1, b.pictures - a.pictures) for a, b in pairwise(marks)],
            label=verb,
        )
    for axes, title in ((memory, "memory, MB"), (files, "open files"), (speed, "processor time, ms a picture")):
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("pictures")
        axes.legend(frameon=False)
    canvas.savefig(figure, metadata={"Date": None})


def main() -> None:
    """Encode, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--size", default="64x48", help="WIDTHxHEIGHT, even")
    parser.add_argument("--quality", default="24")
    parser.add_argument("--every", type=int, default=2000, help="pictures from row to row")
    parser.add_argument("--figure", type=Path, help="draw into this file")
    parser.add_argument("--verbs", choices=("encode", "decode"), nargs="+", default=["encode", "decode"])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(side) for side in options.size.split("x"))
    coded = options.folder / "long.sfv"
    scaleflow = scaleflow_command()
    machine = ["--threads", "1", "--device", "cpu", "--json"]
    encode = [*scaleflow, "encode", "-", str(coded), "--quality", options.quality, "--overwrite", *machine]
    decode = [*scaleflow, "decode", str(coded), os.devnull, "--format", "y4m", *machine]
    sources = {"encode": ((width, height), options.pictures), "decode": None}
    runs: dict[str, list[Reading]] = {}
    commands = {"encode": encode, "decode": decode}
    for verb in options.verbs:
        command, runs[verb] = commands[verb], []
        with (options.folder / f"{verb}.jsonl").open("w", encoding="utf-8") as log:
            for reading in readings_of(command, sources[verb]):
                runs[verb].append(reading)
                log.write(json.dumps(asdict(reading)) + "\n")
                log.flush()
        print(f"\n{verb}, {options.pictures} pictures of {options.size}, {coded.stat().st_size} bytes:\n")
        print("\n".join(table(runs[verb], options.every)), flush=True)
    if options.figure is not None:
        draw(runs, options.figure)


if __name__ == "__main__":
    main()
