"""A codec of your own in ``scaleflow rd``: python examples/custom_codec.py clip.mp4 results/.

A codec is a name and a command line: an encoder of ffmpeg, or ``scaleflow`` with options. Braces list the settings that
become the points of its curve.
"""

from __future__ import annotations

import subprocess
import sys

CODECS = (
    "mjpeg=ffmpeg -c:v mjpeg -q:v {4,8,16}",
    "intra-only=scaleflow --intra-period 1 --quality {20,32,44}",
)


def main(clip: str, results: str, *options: str) -> None:
    """Measure the codecs on a clip; ``results`` holds a file for each point, and what ``scaleflow plot`` draws."""
    named = [part for codec in CODECS for part in ("--codec", codec)]
    command = [sys.executable, "-m", "scaleflow", "rd", clip, *named, "--anchor", "mjpeg", "--out", results]
    subprocess.run([*command, *options], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
