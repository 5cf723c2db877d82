"""Masks of some classes of labelled pictures, such as the cars, pedestrians and cyclists of CamVid.

    python -m benchmarks.label_masks camvid/val/labels masks/images --classes 8 9 10

Each picture of labels (a class in each sample) becomes a picture of that name, white where the class is one of these.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    """Read labels, write masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="folder of pictures with one channel")
    parser.add_argument("output", type=Path, help="folder that is made")
    parser.add_argument("--classes", type=int, nargs="+", required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True)
    for path in sorted(options.labels.glob("*.png")):
        inside = np.isin(np.asarray(Image.open(path)), options.classes)
        Image.fromarray(inside.astype(np.uint8) * 255).save(options.output / path.name)


if __name__ == "__main__":
    main()
