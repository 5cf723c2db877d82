"""Peak memory of encode and decode for a short and a long video, each in its own process.

    python benchmarks/memory.py CLIP --frames 200 2000 --size 320x136

The clip is scaled and repeated as often as needed. Prints the peak resident memory of each run and, for encode and
decode, that of the long video over that of the short one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command


def peak_megabytes(command: list[str]) -> float:
    """Run a command to its end; peak resident memory of its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{said}")
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def repeated(clip: Path, frames: int, size: str, output: Path) -> None:
    """``frames`` pictures of ``clip``, from the start again where it ends."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip)]
    scaled = ["-an", "-vf", f"scale={size.replace('x', ':')}", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, *scaled, "-frames:v", str(frames), "-c:v", "ffv1", str(output)], check=True)


def main() -> None:
    """Parse the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, nargs=2, default=(200, 2000))
    parser.add_argument("--size", default="320x136")
    parser.add_argument("--quality", default="20")
    arguments = parser.parse_args()
    scaleflow = scaleflow_command()
    peaks: dict[str, list[float]] = {"encode": [], "decode": []}
    with tempfile.TemporaryDirectory() as name:
        for frames in arguments.frames:
            source, coded, decoded = (Path(name) / f"{frames}{suffix}" for suffix in (".mkv", ".sfv", ".mp4"))
            repeated(arguments.clip, frames, arguments.size, source)
            encode = [*scaleflow, "encode", str(source), str(coded), "--quality", arguments.quality]
            peaks["encode"].append(peak_megabytes(encode))
            peaks["decode"].append(peak_megabytes([*scaleflow, "decode", str(coded), str(decoded)]))
    first, second = arguments.frames
    print(f"| peak memory, MB | {first} pictures | {second} pictures | ratio |\n|---|---|---|---|")
    for verb, (short, long) in peaks.items():
        print(f"| {verb} | {short:.0f} | {long:.0f} | {long / short:.3f} |")


if __name__ == "__main__":
    main()
