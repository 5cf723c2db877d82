"""Alters files of results, settings and pictures at random and reads them as the verbs do.

    python benchmarks/fuzz_results.py --cases 2000 --seed 1

Each kind of file has its reader, and whatever is made of what was read is made too: tables, figures, reports. An
altered file is read or refused by an error of ScaleFlow; any other exception is printed with the number of its case,
which the same seed gives again, and the program then exits with 1. Nothing outside the case's own folder may change.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import logging
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from scaleflow.errors import ScaleFlowError

Case = Callable[[random.Random, Path], None]

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 5e-324, 0.5, -0.0),
    *("", " ", ".", "..", "/", "../x", "/etc/passwd", "a/b", "a\\b", "\x00", "a\nb", "\ud800", "\u202e", "x" * 300),
    *(
        "$\\frac{",
        "_x",
        "%s",
        "{0}",
        "<b>",
        "NaN",
        "inf",
        "1e5",
        "bits",
        "clip",
        "frames",
        "CON",
        "x" * 5000,
        "é" * 200,
    ),
    *([], {}, [[]], [{}], [None], {"": 0}, [1] * 50, {"a": {"a": {}}}),
)
DEPTH = 3000


def altered(value: Any, source: random.Random) -> bytes:
    """The text of a JSON or YAML value after a few changes of its structure or its text."""
    value = copy.deepcopy(value)
    for _ in range(source.choice((0, 0, 1, 1, 2, 3))):
        places = list(_places(value))
        if places:
            holder, key = source.choice(places)
            _change(holder, key, source)
    text = json.dumps(value)
    if source.random() < 0.1:
        text = text.replace(source.choice(("0", "1", "null", "true", "]")), source.choice(_TOKENS), 1)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if source.random() < 0.25:
        _change_bytes(data, source)
    return bytes(data)


_TOKENS = (
    "NaN",
    "-Infinity",
    "Infinity",
    "1e999",
    "9" * 5000,
    "[" * DEPTH,
    '{"a":' * DEPTH,
    "\ufeff",
    "//",
    "0x10",
    "&a *a",
)


def _places(value: Any) -> Any:
    stack = [value]
    while stack:
        holder = stack.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for key, part in items:
            yield holder, key
            stack.append(part)


def _change(holder: Any, key: Any, source: random.Random) -> None:
    how = source.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[str(source.choice(VALUES))] = holder.pop(key)
    elif how == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(source.choice(VALUES)))
    elif how == 3 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = min(max(holder[key], -1e300), 1e300) * source.choice((-1, 0, 1e-12, 1e12, 1e300))
    elif how == 4:
        holder[key] = [holder[key]]
    else:
        holder[key] = copy.deepcopy(source.choice(VALUES))


def _change_bytes(data: bytearray, source: random.Random) -> None:
    for _ in range(source.randrange(1, 4)):
        place = source.randrange(len(data) + 1)
        how = source.randrange(5)
        if how == 0:
            del data[place:]
        elif how == 1:
            data[place:place] = source.randbytes(source.randrange(1, 9))
        elif how == 2 and place < len(data):
            data[place] ^= 1 << source.randrange(8)
        elif how == 3:
            del data[place : place + source.randrange(1, 40)]
        else:
            data[place:place] = data[: source.randrange(0, 200)]


def point(codec: str, number: int) -> Any:
    """A measured point, as :mod:`scaleflow.evaluation.rate_distortion` makes them."""
    from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, FrameRecords, RatePoint

    metrics = {"psnr-y": [30.0 + number, 31.0 + number], "ms-ssim-rgb": [0.9 + number / 100] * 2}
    return RatePoint(
        EvaluatedClip("clip.y4m", "clips/clip.y4m", "c0", 64, 48, 2, 25.0),
        *(codec, codec, f"-crf {number}", ("ffmpeg", "INPUT"), ("ffmpeg", "OUTPUT"), f"streams/{codec}{number}.nut"),
        *(300 + number, 0.1 * (number + 1), 3.0 * (number + 1), {"intra": 0.05}, 1.0, 1.0),
        {"psnr-y": 30.5 + number, "ms-ssim-rgb": 0.9 + number / 100},
        FrameRecords([0.0, 0.04], [80, 40], ["intra", "inter"], metrics),
        software={"ffmpeg": "n9"},
        stream_hash="s0",
    )


def points_case(source: random.Random, folder: Path) -> None:
    """A results folder of which one point is altered: tables, figures, reports and blind tests of it."""
    from scaleflow.cli.rd_table import summary_lines
    from scaleflow.evaluation.blind_test import write_blind_test
    from scaleflow.evaluation.plot import draw_figure, read_curves
    from scaleflow.evaluation.rate_distortion.point_file import read_points_in
    from scaleflow.evaluation.rate_distortion.results import read_points
    from scaleflow.evaluation.rate_distortion.results_files import write_results
    from scaleflow.evaluation.report import ReportSettings, write_report

    results = folder / "results"
    (results / "points").mkdir(parents=True)
    (results / "streams").mkdir()
    for codec in ("x264", "scaleflow"):
        for number in range(3):
            text = point(codec, number).to_json()
            path = results / "points" / f"{codec}{number}.json"
            path.write_bytes(altered(json.loads(text), source) if (codec, number) == ("x264", 1) else text.encode())
    before = sorted(folder.iterdir())
    try:
        points = read_points(results)
        read_points_in(results)
        write_results(points, results)
        summary_lines(points, "scaleflow", ("psnr-y", "ms-ssim-rgb"), True)
        write_report(results, results / "report.html", ReportSettings(pictures=source.choice((0, 0, 2))))
        with contextlib.suppress(ScaleFlowError):  # There are no streams, so that no pair can be shown.
            write_blind_test(results, results / "blind.html")
        if source.random() < 0.1:
            draw_figure(read_curves([results])).savefig(io.BytesIO(), format="png")
    finally:
        assert sorted(folder.iterdir()) == before, "files appeared beside the results"


def curves_case(source: random.Random, folder: Path) -> None:
    """Curves of others: read and drawn."""
    from scaleflow.evaluation.plot import draw_figure, read_curves

    one = {"name": "theirs", "results": {"bpp": [0.1, 0.2], "psnr": [30, 32.5], "ms-ssim": [0.9, 0.95], "q": [1, 2]}}
    many = {"curves": {"a": {"points": [{"bpp": 0.1, "psnr": 30}, {"bpp": 0.2, "psnr": 31}]}}}
    path = folder / "curve.json"
    path.write_bytes(altered(source.choice((one, many)), source))
    curves = read_curves([path])
    if source.random() < 0.1:
        draw_figure(curves).savefig(io.BytesIO(), format="png")


def network_points_case(source: random.Random, folder: Path) -> None:
    """Points of networks: read and tabulated."""
    from scaleflow.evaluation.networks.evaluate import read_network_points
    from scaleflow.evaluation.networks.point import NetworkFrames, NetworkPoint, PointIdentity
    from scaleflow.evaluation.networks.tables import markdown_table, write_tables

    identity = PointIdentity("unet", "w0", "semantic", "frames", "c0", "dense", "", (64, 48), 1)
    frames = NetworkFrames(["v", "v"], [True, False], [100, 60], [1000, 600], [0.1, 0.05], [0.1, 0.1])
    measures: dict[str, float | None] = {"miou": 50.0}
    sums = (*(80.0, 80.0, 800.0, 100.0, 1000.0, 0.075, 0.1), {"torch": "2"})
    whole = NetworkPoint(identity, "miou", measures, measures, measures, 1.0, 1.0, *sums, frames)
    (folder / "points").mkdir()
    (folder / "points" / "a.json").write_text(whole.to_json())
    (folder / "points" / "b.json").write_bytes(altered(json.loads(whole.to_json()), source))
    points = read_network_points(folder)
    write_tables(points, folder)
    markdown_table(points)


def boxes_case(source: random.Random, folder: Path) -> None:
    """Boxes of regions, and the masks that are made of them."""
    from scaleflow.codec.picture import VideoProperties
    from scaleflow.roi.mask_sources.box_file import read_box_file

    image = {"id": 1, "width": 64, "height": 48, "frame_id": 0, "file_name": "a.png"}
    box = {"image_id": 1, "bbox": [1, 2, 20, 30], "category_id": 1, "score": 0.5}
    coco = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "x"}]}
    addroi = [{"x": 1, "y": 2, "w": 20, "h": 30, "qoffset": -0.5, "frame": 0}, {"x": 0, "y": 0, "w": 9, "h": 9}]
    video = VideoProperties(64, 48, "yuv420p", 8, Fraction(25), Fraction(1, 25))
    path = folder / "boxes.json"
    path.write_bytes(altered(source.choice((coco, addroi)), source))
    masks = read_box_file(path).masks(video, 2)
    for number in range(2):
        masks.mask_at(number, 0.04 * number)


def settings_case(source: random.Random, folder: Path) -> None:
    """Configurations of training, as YAML."""
    from scaleflow.training.codec.configuration import TrainingConfig
    from scaleflow.training.codec.configuration_file import preset
    from scaleflow.training.loop.configuration_file import checked_configuration, override, read_yaml

    path = folder / "config.yaml"
    path.write_bytes(altered(preset("tiny"), source))
    values = read_yaml(path)
    if source.random() < 0.5:
        key = source.choice(("seed", "data.crop", "stages", "stages.steps"))
        override(values, [f"{key}={source.choice(VALUES)}"])
    checked_configuration(TrainingConfig, values, str(path)).to_yaml()


def compare_case(source: random.Random, folder: Path) -> None:
    """Videos and pictures that are compared."""
    from scaleflow.evaluation.metrics.comparison import compare

    head = b"YUV4MPEG2 W32 H32 F25:1 Ip A1:1 C420jpeg\n"
    whole = head + b"".join(b"FRAME\n" + bytes([value]) * 1536 for value in (60, 70))
    data = bytearray(whole)
    for _ in range(source.randrange(1, 4)):
        start = source.randrange(len(head) + 8) if source.random() < 0.8 else source.randrange(len(data))
        digits = source.choice((b"0", b"-1", b"99999", b"99999999999999999999", b"\xff", b"mono16", b"\n", b""))
        data[start : start + source.randrange(3)] = digits
    (folder / "a.y4m").write_bytes(whole)
    (folder / "b.y4m").write_bytes(data)
    compare(folder / "a.y4m", folder / "b.y4m", ("psnr-y",))


KINDS: dict[str, Case] = {
    "points": points_case,
    "curves": curves_case,
    "network points": network_points_case,
    "boxes": boxes_case,
    "settings": settings_case,
    "compare": compare_case,
}


def run(kind: str, cases: int, seed: int, first: int = 0) -> tuple[Counter[str], list[str]]:
    """Outcomes of one kind by their names, and the reports of foreign exceptions."""
    outcomes: Counter[str] = Counter()
    foreign = []
    for number in range(first, first + cases):
        with tempfile.TemporaryDirectory(prefix="scaleflow-fuzz-") as folder:
            try:
                KINDS[kind](random.Random(f"{kind} {seed} {number}"), Path(folder))
                outcomes["read"] += 1
            except ScaleFlowError as error:
                outcomes[type(error).__name__] += 1
                assert "\n" not in str(error), f"{kind} {number}: a message of several lines: {error}"
            except Exception as error:
                outcomes[f"foreign {type(error).__name__}"] += 1
                foreign.append(f"{kind}, case {number}: {traceback.format_exc()}")
    return outcomes, foreign


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kinds and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this one; may be repeated")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    found = 0
    for kind in options.kind or KINDS:
        started = time.monotonic()
        outcomes, foreign = run(kind, options.cases, options.seed, options.first)
        shown = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        print(f"{kind}: {options.cases} cases in {time.monotonic() - started:.0f} s: {shown}", flush=True)
        print(*foreign[:5], sep="\n", file=sys.stderr)
        found += len(foreign)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
