"""Detection: boxes of label maps and of COCO files, what outputs are taught and mean, precision by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from scaleflow.efficient_nets.data.box_rows import MOST_OBJECTS, NOTHING, cut_to, filled, known
from scaleflow.efficient_nets.data.label_map_boxes import boxes_of_labels
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.salisa.detector import SalisaDetector, resampling_macs
from scaleflow.efficient_nets.salisa.settings import Salisa
from scaleflow.efficient_nets.salisa.thin_plate_spline import CHECKED_SIDE, ThinPlateSpline, places
from scaleflow.efficient_nets.tasks.average_precision import AveragePrecision
from scaleflow.efficient_nets.tasks.detection import Detection
from scaleflow.efficient_nets.tasks.detection_output import PRIOR, detection_loss, detections
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import DataError, UsageError
from tests.places import SHARED

CAMVID = SHARED / "data" / "camvid"


def rows_of(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(-1, 6)


def test_components_of_a_class_are_boxes() -> None:
    labels = np.zeros((12, 20), dtype=np.int64)
    labels[1:4, 2:8] = 8
    labels[4, 8] = 8  # touches at a corner
    labels[6:11, 12:15] = 10
    labels[0, 19] = 8
    found = boxes_of_labels(labels, (8, 9, 10), least_area=4)
    assert found.tolist() == [[19, 0, 20, 1, 0, 0], [2, 1, 9, 5, 0, 1], [12, 6, 15, 11, 2, 1]]


def test_cars_of_real_labels() -> None:
    if not CAMVID.is_dir():
        pytest.skip("needs ../shared/data/camvid")
    data = Detection().open(CAMVID, "val")
    assert data.classes == ("car", "pedestrian", "cyclist") and not data.still
    rows = known(data.frames[0].target())
    assert len(rows) and (rows[:, 5] == 1).any()
    assert (rows[:, :2] >= 0).all() and (rows[:, 2] <= 480).all() and (rows[:, 3] <= 360).all()
    assert (rows[:, 2:4] > rows[:, :2]).all()


def test_windows_move_boxes_as_pictures() -> None:
    picture = torch.zeros(3, 40, 60)
    picture[:, 10:20, 30:50] = 1
    rows = filled(rows_of((30, 10, 50, 20, 1, 1), (0, 0, 3, 3, 0, 1)), "here")
    window = Window((40, 60), (80, 120), 8, 36, (64, 48), mirror=True)
    shown, (first, second) = window.picture(picture)[0], Detection().move(rows, window)[:2]
    lines, columns = (shown > 0.6).nonzero().unbind(1)
    seen = [int(columns.min()), int(lines.min()), int(columns.max()) + 1, int(lines.max()) + 1]
    assert first.tolist() == [*seen, 1, 1]  # half of it is cut off
    assert second.tolist() == [NOTHING] * 6
    assert len(Detection().move(rows, window)) == MOST_OBJECTS


def test_what_a_cut_hardly_shows_does_not_count() -> None:
    cut = cut_to(rows_of((-9, 2, 3, 6, 0, 1), (-5, 2, 3, 6, 0, 1), (60, 0, 70, 5, 0, 1)), (30, 50))
    assert cut[:2].tolist() == [[0, 2, 3, 6, 0, 1], [0, 2, 3, 6, 0, 1]]
    assert cut_to(rows_of((-10, 2, 2, 6, 0, 1)), (30, 50)).tolist() == [[0, 2, 2, 6, 0, 0]]
    assert known(cut[2:]).numel() == 0


def test_an_output_that_has_learned_says_what_it_was_taught() -> None:
    torch.manual_seed(0)
    taught = rows_of((8, 10, 40, 60, 0, 1), (70, 20, 78, 30, 1, 1), (60, 50, 90, 62, 0, 1), (20, 2, 50, 8, 1, 0))
    output = torch.zeros(1, TASKS["detection"].outputs(2), 16, 24, requires_grad=True)
    optimizer = torch.optim.Adam([output], 0.2)
    for step in range(120):
        optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / 120)
        loss = detection_loss(output, filled(taught, "here")[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = detections(output.detach()[0])
    sure = found[found[:, 5] > 0.5]
    assert len(sure) == 3
    for row in taught[:3]:
        nearest = sure[(sure[:, :4] - row[:4]).abs().sum(1).argmin()]
        assert nearest[4] == row[4] and (nearest[:4] - row[:4]).abs().max() < 2
    # nothing was said of the object that does not count: there the network knows as little as before
    assert float(output[0, 0, 0, 8].detach()) == 0 and float(output[0, 0, 14, 1].detach()) < 0


def test_without_objects_there_is_a_loss_and_nothing_is_found() -> None:
    output = torch.zeros(1, TASKS["detection"].outputs(2), 8, 8, requires_grad=True)
    loss = detection_loss(output, filled(rows_of(), "here")[None])
    loss.backward()
    assert float(loss.detach()) > 0 and output.grad is not None and output.grad[0, :2].min() > 0
    assert 1 / (1 + math.exp(-PRIOR)) < 0.02
    assert detections(output.detach()[0] - 2).shape == (0, 6)


def test_precision_by_hand() -> None:
    meter = AveragePrecision(["car", "bus"])
    first = rows_of((10, 10, 30, 30, 0, 1), (50, 50, 80, 60, 0, 1), (90, 0, 99, 9, 0, 0))
    meter.add("", rows_of((10, 10, 30, 30, 0, 0.9), (10, 60, 30, 80, 0, 0.8), (90, 0, 99, 9, 0, 0.95)), first)
    meter.add("", rows_of((5, 5, 15, 15, 0, 0.7)), filled(rows_of((5, 5, 15, 15, 0, 1)), "here"))
    values = meter.values()
    # Of three cars: right, wrong, right. Recalls up to a third at a precision of 1, up to two thirds at 2 of 3.
    # What was found in the place that does not count is neither.
    expected = 100 * (34 * 1 + 33 * 2 / 3) / 101
    assert values["map"] == pytest.approx(expected) and values["map_50"] == pytest.approx(expected)
    assert values["map car"] == pytest.approx(expected) and math.isnan(values["map bus"])
    assert values["map_small"] == pytest.approx(expected) and math.isnan(values["map_large"])


def test_precision_counts_how_well_boxes_fit() -> None:
    meter = AveragePrecision(["car"])
    meter.add("", rows_of((0, 0, 100, 62, 0, 0.9)), rows_of((0, 0, 100, 100, 0, 1)))
    values = meter.values()  # an overlap of 0.62 is enough for 3 of the 10 that are asked for
    assert values["map"] == pytest.approx(30) and values["map_50"] == pytest.approx(100) and values["map_75"] == 0
    assert values["map_large"] == pytest.approx(30)


def test_nothing_found_is_nothing_right() -> None:
    meter = AveragePrecision(["car"])
    assert math.isnan(meter.values()["map"])
    meter.add("", rows_of(), rows_of((0, 0, 10, 10, 0, 1)))
    assert meter.values()["map"] == 0


def test_change_between_frames() -> None:
    task = Detection()
    both = rows_of((0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 0, 0.9), (0, 0, 5, 5, 0, 0.1))
    assert task.change(both, both) == 0
    assert task.change(both, both[:1]) == pytest.approx(100 / 3)
    assert task.change(both, rows_of()) == 100 and task.change(rows_of(), rows_of()) == 0


def test_boxes_go_through_the_resampler_and_back() -> None:
    detector = SalisaDetector(torch.nn.Identity(), Salisa(size="160x96"))
    frame = torch.rand(1, 3, 192, 320)
    rows = rows_of((100, 60, 120, 84, 2, 0.8), (30, 100, 90, 150, 0, 0.6))
    with torch.no_grad():
        look = detector.look(frame, rows)
        assert look.warped is not None and look.picture.shape == (1, 3, 96, 160)
        inner = detector.rows_from_source(torch.cat((rows, rows_of((NOTHING,) * 6))), look.warped)
        back = detector.rows_in_source(inner[:2], look)
    assert inner[2].tolist() == [NOTHING] * 6
    # it is magnified, against the half that it would have otherwise
    assert float(inner[0, 2] - inner[0, 0]) > 1.3 * 20 / 2
    assert (back[:, :4] - rows[:, :4]).abs().max() < 0.5 and torch.equal(back[:, 4:], rows[:, 4:])
    even = detector.look(frame, None)
    assert even.warped is None
    assert detector.rows_in_source(rows_of((10, 10, 20, 20, 0, 1)), even).tolist() == [[20, 20, 40, 40, 0, 1]]


def test_resampling_is_counted() -> None:
    detector = SalisaDetector(torch.nn.Identity(), Salisa(size="160x96", points=8))
    with torch.no_grad():
        look = detector.look(torch.rand(1, 3, 192, 320), rows_of((100, 60, 120, 84, 2, 0.8)))
    assert look.warped is not None
    checks = look.warped.checks
    assert checks >= 1
    network = 31 * 31 * 9 * (1 * 16 + 16 * 16) + 8 * 8 * 9 * 16 * 2
    spline = checks * (67 * 64 * 2 + CHECKED_SIDE**2 * (4 * 64 + 2)) + 160 * 96 * 67 * 2
    assert resampling_macs(detector, look, 0) == network + spline + 4 * 3 * 160 * 96
    assert resampling_macs(detector, look, 3) > resampling_macs(detector, look, 0)
    assert resampling_macs(detector, detector.look(torch.rand(1, 3, 192, 320), None), 3) == 0


def test_stretch_is_the_determinant_of_the_derivative() -> None:
    torch.manual_seed(0)
    spline = ThinPlateSpline(5)
    coefficients = spline.coefficients(spline.points + 0.05 * torch.randn(2, 25, 2))
    points = places(CHECKED_SIDE, CHECKED_SIDE, borders=True).flatten(0, 1)
    expected = torch.linalg.det(spline.derivative(coefficients, points)).amin(1)
    assert torch.allclose(spline.stretch(coefficients), expected, atol=1e-4)
    grid = spline.warp(coefficients, places(6, 9).flatten(0, 1)).unflatten(1, (6, 9))
    for _ in range(2):  # once more from what was kept
        assert torch.allclose(spline.grid(coefficients, 6, 9), grid, atol=1e-5)
        assert spline.grid(coefficients, 4, 4).shape == (2, 4, 4, 2)


def test_a_detector_has_channels_for_the_sides() -> None:
    network = build_network(Architecture(width=8, blocks=(1, 1, 1, 1), decoder=8), TASKS["detection"].outputs(3))
    output = network(torch.rand(1, 3, 64, 96))
    assert output.shape == (1, 7, 16, 24)
    rows = Detection().prediction(output[0].detach(), (128, 192))
    assert rows.shape[1] == 6 and (rows[:, 2] <= 192).all() and (rows[:, 3] <= 128).all()


@pytest.mark.parametrize(
    ("objects", "words"), [(["car"], "'car' is no name and number"), (["car=x"], "as in car=8"), (["=3"], "car=8")]
)
def test_objects_without_numbers(objects: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Detection(objects)


def test_too_many_objects() -> None:
    with pytest.raises(DataError, match=r"a\.png: has 257 objects: 256 are possible"):
        filled(torch.zeros(257, 6), "a.png")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": "240"}, "size = 240: WIDTHxHEIGHT is needed"),
        ({"size": "16x16"}, "32 and more"),
        ({"boxes": "guesses"}, "use detections or labels"),
        ({"whole_every": -1}, "whole_every = -1"),
        ({"least_score": 2}, "outside 0..1"),
        ({"floor": 0}, "floor = 0 must be above 0"),
        ({"points": 1}, "2 to 64"),
    ],
)
def test_salisa_settings_that_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Salisa(**settings)  # type: ignore[arg-type]
