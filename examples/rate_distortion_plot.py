"""A rate-distortion curve of one clip beside x264: python examples/rate_distortion_plot.py clip.mp4 curve.png."""

from __future__ import annotations

import subprocess
import sys


def main(clip: str, picture: str, *options: str) -> None:
    """Measure both codecs on a clip (every point is really encoded and decoded) and draw their curves."""
    results = f"{picture}.results"
    codecs = ["--codec", "scaleflow", "--codec", "x264=ffmpeg -c:v libx264 -tune zerolatency -crf {23,29,35}"]
    scaleflow = [sys.executable, "-m", "scaleflow"]
    subprocess.run([*scaleflow, "rd", clip, *codecs, "--quality", "16,28,40", "--out", results, *options], check=True)
    subprocess.run([*scaleflow, "plot", results, "-o", picture], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
