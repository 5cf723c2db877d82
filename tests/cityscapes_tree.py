"""A tree in the layout of Cityscapes, made small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CITIES = {"train": {"aachen": 3, "ulm": 3}, "val": {"lindau": 2}}


def cityscapes_tree(folder: Path, size: tuple[int, int] = (96, 64)) -> Path:
    """Pictures with a sky, a road and a car that is somewhere else in each, with their label ids."""
    generator = np.random.default_rng(0)
    for part, cities in CITIES.items():
        for city, count in cities.items():
            pictures, labels = folder / "leftImg8bit" / part / city, folder / "gtFine" / part / city
            pictures.mkdir(parents=True)
            labels.mkdir(parents=True)
            for number in range(count):
                ids = np.full((size[1], size[0]), 23, np.uint8)
                ids[size[1] // 2 :] = 7
                left, top = generator.integers(4, size[0] // 2), size[1] // 2
                ids[top : top + 16, left : left + 24] = 26
                ids[-4:] = 1  # the bonnet of the camera's own car, which is no class
                samples = np.zeros((*ids.shape, 3), np.uint8)
                for label, colour in ((23, (120, 160, 220)), (7, (110, 100, 110)), (26, (160, 20, 30))):
                    samples[ids == label] = colour
                name = f"{city}_{number:06}_000019"
                noise = generator.integers(0, 20, samples.shape, np.uint8)
                Image.fromarray(samples + noise).save(pictures / f"{name}_leftImg8bit.png")
                Image.fromarray(ids).save(labels / f"{name}_gtFine_labelIds.png")
                Image.fromarray(samples).save(labels / f"{name}_gtFine_color.png")
    return folder
