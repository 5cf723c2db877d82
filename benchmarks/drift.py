"""How far decoded samples drift between machines and host programs over long chains of predicted pictures.

    python -m benchmarks.drift CLIP [CLIP ...] [--size 256x208] [--pictures 301] [--qualities 15 35 55]
        [--precisions fp32 bf16] [--weights FILE] [--settings NAME ...] [--folder FOLDER] [--workers 2]

Each clip is encoded once, one intra picture and otherwise P pictures; a clip that is shorter is played forward and
backward. It is then decoded under each setting in a process of its own, and compared with what the encoder had. The
table says for each setting: whether every symbol was the same, the largest difference of a sample in code values, the
share of samples that differ (of all, and of the last picture), and the PSNR-YUV that is lost against the source (mean,
and of the picture that loses most). With ``--folder``, everything is kept there, and what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.drift_decode import CodedClip, Drift
from benchmarks.machine_settings import SETTINGS, Setting, run_under
from scaleflow.codec.frame_coder import FrameEncoder
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import Precision, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video


def read_pictures(clip: Path, size: tuple[int, int], pictures: int) -> list[Planes]:
    """The middle of the pictures of a clip, played forward and backward until there are enough.

    Raises:
        ValueError: the clip is smaller than ``size`` (width, height).
    """
    width, height = size
    found = []
    with open_video(clip, working_format="yuv420") as reader:
        for picture in islice(reader, pictures):
            rows, columns = picture.planes[0].shape
            if rows < height or columns < width or picture.planes[0].dtype != np.uint8:
                raise ValueError(f"{clip}: {columns}x{rows} of {picture.planes[0].dtype}, expected {width}x{height}")
            top, left = (rows - height) // 4 * 2, (columns - width) // 4 * 2
            found.append(
                tuple(
                    np.ascontiguousarray(plane[top // n : (top + height) // n, left // n : (left + width) // n])
                    for plane, n in zip(picture.planes, (1, 2, 2), strict=True)
                )
            )
    there_and_back = found + found[-2:0:-1]
    return [there_and_back[number % len(there_and_back)] for number in range(pictures)]


def encode_clip(
    name: str, pictures: Sequence[Planes], model: VideoModel, quality: float, weights: Path | None = None
) -> CodedClip:
    """One intra picture, and every other one predicted from the one before."""
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(model, width=width, height=height)
    coded = [encoder.encode(planes, key=False, quality=quality) for planes in pictures]
    return CodedClip(
        name,
        quality,
        model.precision,
        width,
        height,
        None if weights is None else str(weights.resolve()),
        [frame.payload for frame in coded],
        *(np.stack([_flat(planes) for planes in those]) for those in (pictures, [frame.planes for frame in coded])),
    )


def _flat(planes: Planes) -> np.ndarray:
    return np.concatenate([plane.ravel() for plane in planes])


def decode_under(setting: Setting, folder: Path, report: Path) -> dict[str, Drift]:
    """What becomes of the clips in the folders of ``folder``, by the name of theirs, in a process of its own.

    Raises:
        RuntimeError: the process failed.
    """
    run_under(setting, "benchmarks.drift_decode", str(folder), str(report))
    return {name: Drift(**drift) for name, drift in json.loads(report.read_text(encoding="utf-8")).items()}


def row(label: str, drifts: Iterable[Drift], symbols: Iterable[str]) -> str:
    """A line of the table over some clips."""
    drifts = list(drifts)
    equal = "equal" if [drift.symbols for drift in drifts] == list(symbols) else "**DIFFER**"
    largest = max(max(drift.largest) for drift in drifts)
    shares = [100 * float(np.mean(drift.share)) for drift in drifts], [100 * drift.share[-1] for drift in drifts]
    lost = max((drift.lost for drift in drifts), key=abs), max(drift.worst_lost for drift in drifts)
    seconds = 1000 * float(np.mean([drift.seconds for drift in drifts]))
    cells = [label, equal, largest, *(f"{max(share):.3g} %" for share in shares), *(f"{loss:.4f}" for loss in lost)]
    return "| " + " | ".join(map(str, [*cells, f"{seconds:.1f}"])) + " |"


def main() -> None:
    """Encode, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--size", default="256x208", help="crop of the middle, WIDTHxHEIGHT, even")
    parser.add_argument("--pictures", type=int, default=301)
    parser.add_argument("--qualities", type=float, nargs="+", default=[15.0, 35.0, 55.0])
    parser.add_argument("--precisions", choices=("fp32", "bf16"), nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--weights", type=Path, help="another model than the shipped one")
    parser.add_argument("--settings", choices=tuple(SETTINGS), nargs="+", default=list(SETTINGS))
    parser.add_argument("--folder", type=Path, help="where results are kept; otherwise nothing is")
    parser.add_argument("--workers", type=int, default=1, help="settings that are measured at a time")
    parser.add_argument("--each", action="store_true", help="a line for each clip and quality as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for precision in options.precisions:
            measure(options, precision, folder / precision)


def measure(options: argparse.Namespace, precision: Precision, folder: Path) -> None:
    """Measure and print one precision."""
    width, height = (int(side) for side in options.size.split("x"))
    model = load_model(precision=precision, weights=options.weights)
    for clip in options.clips:
        todo = [quality for quality in options.qualities if not (folder / f"{clip.stem} {quality:g}").is_dir()]
        pictures = read_pictures(clip, (width, height), options.pictures) if todo else []
        for quality in todo:
            place = folder / f"{clip.stem} {quality:g}"
            partial = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
            encode_clip(clip.stem, pictures, model, quality, options.weights).save(partial)
            _made(folder)
            partial.rename(place)
    reports = _made(folder.parent / f"{folder.name} reports")

    def drifts_under(name: str) -> dict[str, Drift]:
        report = reports / f"{name.replace('/', ' ')}.json"
        if report.exists():
            return {key: Drift(**drift) for key, drift in json.loads(report.read_text(encoding="utf-8")).items()}
        return decode_under(SETTINGS[name], folder, report)

    symbols = {key: drift.symbols for key, drift in drifts_under("as encoded").items()}
    print(f"\n{options.pictures - 1} P pictures of {width}x{height}, {precision}:\n")
    print("| setting | symbols | largest | samples | in the last | mean dB | worst dB | ms a picture |")
    print("|---" * 8 + "|")
    with ThreadPoolExecutor(options.workers) as pool:
        for name, found in zip(options.settings, pool.map(drifts_under, options.settings), strict=True):
            print(row(name, found.values(), symbols.values()), flush=True)
            if options.each:
                for key, drift in found.items():
                    print(row(f"- {key}", [drift], [symbols[key]]), flush=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
