"""Rate and distortion of the default model beside MPEG-1, x264 and x265, everything measured on decoded files.

    python benchmarks/rate_distortion.py CLIP [CLIP ...] --frames 96 --out results.json
    python benchmarks/rate_distortion.py CLIP --also "control=--model ssf2020:control.safetensors"

Each clip, or folder of pictures, is cut to its first pictures (lossless y4m). ScaleFlow encodes and decodes through its
command line; the anchors through the ffmpeg of imageio-ffmpeg, low delay with the same intra period. Rate is the size
of the file; PSNR-YUV is the mean over pictures of (6 PSNR-Y + PSNR-U + PSNR-V) / 8 on the 8-bit planes; MS-SSIM is of
luma, mean over pictures (none for pictures below 161 samples, which it cannot be computed of).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import torch
from pytorch_msssim import ms_ssim

INTRA_PERIOD = 32
LEAST_MS_SSIM_SIDE = 161
QUALITIES = (0, 10, 20, 30, 40, 50, 63)
_LOW_DELAY = ["-bf", "0", "-g", str(INTRA_PERIOD)]
_X264 = ["-c:v", "libx264", "-preset", "medium", "-tune", "zerolatency", *_LOW_DELAY]
_X265 = ["-c:v", "libx265", "-preset", "medium", "-tune", "zerolatency", "-x265-params", "log-level=error", *_LOW_DELAY]
ANCHORS = {
    "mpeg1video": [
        (f"-q:v {scale}", ["-c:v", "mpeg1video", *_LOW_DELAY, "-q:v", str(scale)], "mpg")
        for scale in (2, 3, 5, 8, 12, 18, 31)
    ],
    "x264": [(f"-crf {crf}", [*_X264, "-crf", str(crf)], "mp4") for crf in (18, 23, 28, 33, 38, 43)],
    "x265": [(f"-crf {crf}", [*_X265, "-crf", str(crf)], "mp4") for crf in (18, 23, 28, 33, 38, 43)],
}


def planes_of(path: Path) -> Iterator[list[np.ndarray]]:
    """Planes of each picture of a 4:2:0 file."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            packed = frame.to_ndarray(format="yuv420p")
            chroma = packed[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
            yield [packed[: frame.height], chroma[0], chroma[1]]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Of one plane in dB."""
    error = float(np.mean(np.square(first.astype(np.float64) - second)))
    return 10 * math.log10(255**2 / max(error, 1e-4))


def quality_of(original: Path, decoded: Path) -> tuple[float, float, int]:
    """Mean PSNR-YUV, mean MS-SSIM of luma, number of pictures; both files must hold the same number."""
    psnrs, similarities = [], []
    for ours, theirs in zip(planes_of(original), planes_of(decoded), strict=True):
        y, u, v = (psnr(a, b) for a, b in zip(ours, theirs, strict=True))
        psnrs.append((6 * y + u + v) / 8)
        if min(ours[0].shape) < LEAST_MS_SSIM_SIDE:
            similarities.append(math.nan)
            continue
        pair = [torch.from_numpy(planes[0].astype(np.float32))[None, None] for planes in (ours, theirs)]
        similarities.append(float(ms_ssim(*pair, data_range=255)))
    return float(np.mean(psnrs)), float(np.mean(similarities)), len(psnrs)


def run(command: list[str]) -> None:
    """Run a command; its error output is shown when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")


def points(
    clip: Path, frames: int, folder: Path, models: dict[str, list[str]], anchors: Sequence[str]
) -> Iterator[dict[str, object]]:
    """One record for each codec and setting; ``models`` are options of ScaleFlow by the name of the codec."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    source = folder / "source.y4m"
    pictures = ["-framerate", "25", "-pattern_type", "glob", "-i", f"{clip}/*"] if clip.is_dir() else ["-i", str(clip)]
    cut = [ffmpeg, "-v", "error", "-y", *pictures, "-frames:v", str(frames), "-pix_fmt", "yuv420p"]
    run([*cut, "-r", "25", str(source)] if clip.suffix == ".264" else [*cut, str(source)])
    height, width = next(planes_of(source))[0].shape
    scaleflow = [sys.executable, "-W", "ignore", "-m", "cli.main"]
    jobs = [
        (name, f"--quality {quality}", ["--quality", str(quality), *options], "sfv")
        for name, options in models.items()
        for quality in QUALITIES
    ]
    jobs += [(name, *setting) for name in anchors for setting in ANCHORS[name]]
    for codec, label, options, kind in jobs:
        coded, decoded = folder / f"coded.{kind}", folder / "decoded.y4m"
        if codec in models:
            run([*scaleflow, "encode", str(source), str(coded), "--overwrite", *options])
            run([*scaleflow, "decode", str(coded), str(decoded), "--overwrite", *_for_decode(models[codec])])
        else:
            run([ffmpeg, "-v", "error", "-y", "-i", str(source), *options, str(coded)])
            run([ffmpeg, "-v", "error", "-y", "-i", str(coded), "-fps_mode", "passthrough", str(decoded)])
        value, similarity, count = quality_of(source, decoded)
        bpp = coded.stat().st_size * 8 / (width * height * count)
        yield {
            "clip": clip.name,
            "codec": codec,
            "setting": label,
            "frames": count,
            "bpp": bpp,
            "psnr_yuv": value,
            "ms_ssim": similarity,
        }


def _for_decode(options: list[str]) -> list[str]:
    """What decoding must be told of the options of encoding: which weights."""
    pairs = pairwise(options)
    return [part for option, value in pairs if option in ("--weights", "--model") for part in (option, value)]


def rate_ratio(records: list[dict], codec: str, anchor: str, metric: str) -> float | None:
    """Mean ratio of rates at equal quality where both curves have it: linear between points in log rate."""
    curves = {}
    for name in (codec, anchor):
        curve = sorted((r[metric], math.log(r["bpp"])) for r in records if r["codec"] == name)
        curves[name] = ([a for a, _ in curve], [b for _, b in curve])
    if any(math.isnan(value) for values, _ in curves.values() for value in values):
        return None
    low, high = (f(c[0][i] for c in curves.values()) for f, i in ((max, 0), (min, -1)))
    if low >= high:
        return None
    at = np.linspace(low, high, 100)
    return math.exp(float(np.mean(np.interp(at, *curves[codec]) - np.interp(at, *curves[anchor]))))


def main() -> None:
    """Measure, print a Markdown table for each clip, keep all points as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--encode", default="", help="further options for scaleflow encode, in one string")
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME=OPTIONS", help="ScaleFlow with other options")
    parser.add_argument("--anchors", nargs="*", choices=tuple(ANCHORS), default=list(ANCHORS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models = {"scaleflow": arguments.encode.split()}
    for other in arguments.also:
        name, _, options = other.partition("=")
        models[name] = options.split()
    everything: list[dict] = []
    for clip in arguments.clips:
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{clip.name}\n\n| codec | setting | bpp | PSNR-YUV | MS-SSIM |\n|---|---|---|---|---|")
            records = []
            for record in points(clip, arguments.frames, Path(folder), models, arguments.anchors):
                records.append(record)
                print(
                    "| {codec} | {setting} | {bpp:.4f} | {psnr_yuv:.2f} | {ms_ssim:.4f} |".format(**record), flush=True
                )
            for anchor in [name for name in models if name != "scaleflow"] + arguments.anchors:
                ratios = [rate_ratio(records, "scaleflow", anchor, metric) for metric in ("psnr_yuv", "ms_ssim")]
                shown = ["none" if r is None else f"{100 * (r - 1):+.1f} %" for r in ratios]
                print(f"\nscaleflow against {anchor}, rate at equal PSNR-YUV {shown[0]}, at equal MS-SSIM {shown[1]}")
            everything += records
    if arguments.out:
        arguments.out.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
