"""Parts of labelling: colours, what is drawn, scores of points, and folders that are replaced or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.efficient_nets.labelling.colors import class_colors
from scaleflow.efficient_nets.labelling.drawing import drawing_of
from scaleflow.efficient_nets.labelling.label_folder import label_folder, write_run
from scaleflow.efficient_nets.labelling.picture_network import Found
from scaleflow.efficient_nets.tasks.keypoints import Keypoints
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.errors import UsageError

GREY = np.full((24, 32, 3), 100, np.uint8)


def found(prediction: torch.Tensor) -> Found:
    return Found(prediction, None, 0.0, Cost(), False)


def test_colours_are_those_of_pascal_voc() -> None:
    assert class_colors(("background", "a", "b", "c")).tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert class_colors(("sky", "road")).tolist() == [[128, 0, 0], [0, 128, 0]]
    assert len(np.unique(class_colors(tuple(map(str, range(200)))), axis=0)) == 200


def test_maps_are_blended_but_for_the_background() -> None:
    labels = torch.zeros(24, 32, dtype=torch.uint8)
    labels[:, 16:] = 1
    drawn = drawing_of("foreground", ("background", "foreground"))(GREY, found(labels))
    assert (drawn[:, :16] == 100).all() and (drawn[:, 16:] == (114, 50, 50)).all()
    every = drawing_of("segmentation", ("sky", "road"))(GREY, found(labels))
    assert (every[:, :16] == (114, 50, 50)).all() and (every[:, 16:] == (50, 114, 50)).all()
    assert (GREY == 100).all()


def test_boxes_that_are_sure_are_drawn_where_they_are() -> None:
    rows = torch.tensor([[2.0, 3, 30, 22, 1, 0.9], [0, 0, 9, 9, 0, 0.1], [-1, -1, -1, -1, -1, -1]])
    drawn = drawing_of("detection", ("car", "bus"))(GREY, found(rows))
    changed = np.argwhere((drawn != GREY).any(-1))
    assert changed.min(0).tolist() == [3, 2] and tuple(drawn[21, 29]) == (0, 128, 0)


def test_scores_of_points_say_how_sharp_heatmaps_are() -> None:
    heatmaps = torch.zeros(2, 10, 20)
    heatmaps[0, 4, 7] = 30
    sharp, flat = Keypoints().scores(heatmaps).tolist()
    assert sharp == pytest.approx(1, abs=1e-4) and flat == pytest.approx(9 / 200)  # a corner, of 5 by 5 around it


def test_a_folder_of_labels_alone_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "labels"

    def write(name: str, overwrite: bool) -> None:
        with label_folder(out, overwrite, None) as folder:
            write_run(folder, {"name": name})
            (folder / "frame_000001.png").write_bytes(name.encode())

    write("first", False)
    with pytest.raises(UsageError, match="holds labels already; choose another folder or pass overwrite"):
        write("second", False)
    with pytest.raises(RuntimeError, match="stopped"), label_folder(out, True, None):
        raise RuntimeError("stopped")
    assert (out / "frame_000001.png").read_bytes() == b"first"
    write("second", True)
    assert (out / "frame_000001.png").read_bytes() == b"second" and list(tmp_path.iterdir()) == [out]
    (out / "frame_1.png").touch()
    with pytest.raises(UsageError, match="holds more than labels"):
        write("third", True)
    (out / "run.json").unlink()
    with pytest.raises(UsageError, match="is not empty"):
        write("third", False)
    assert (out / "frame_000001.png").read_bytes() == b"second"
