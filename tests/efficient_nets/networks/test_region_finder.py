"""Networks that say where something is that matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.color import rgb_to_yuv
from scaleflow.codec.video.working_format import color_coding
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.region_finder import NETWORKS_FOR, NetworkRegionFinder
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.errors import UsageError
from scaleflow.roi.finders.names import OF_NETWORKS
from tests.roi.test_finders import video_of


class ByColor(nn.Module):
    """Classes: grey, red, green; a value for each square of 4x4."""

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(x, 4)
        return torch.stack((torch.full_like(small[:, 0], 0.7), small[:, 0], small[:, 1]), 1)


def network(*classes: str, task: str = "segmentation", module: nn.Module | None = None) -> TaskNetwork:
    return TaskNetwork(task, classes, Architecture(), (160, 80), module or ByColor())


class Gives(nn.Module):
    """The same output for every picture."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output[None]


def picture_of(video: VideoProperties) -> Picture:
    """Grey, with a red L in the upper left quarter and a green square in the lower right one."""
    height, width = video.height, video.width
    rgb = np.full((3, height, width), 0.4, np.float32)
    red, green = np.array([0.9, 0.2, 0.2])[:, None, None], np.array([0.2, 0.9, 0.2])[:, None, None]
    rgb[:, height // 8 : height // 2, width // 8 : width // 4] = red
    rgb[:, 3 * height // 8 : height // 2, width // 8 : width // 2] = red
    rgb[:, 5 * height // 8 : 7 * height // 8, 5 * width // 8 : 7 * width // 8] = green
    planes = rgb_to_yuv(rgb[0], rgb[1], rgb[2], color_coding(video), video.bit_depth, 1)
    kind = np.uint8 if video.bit_depth == 8 else np.uint16
    return Picture(
        tuple(np.rint(plane[:: 1 + (n > 0), :: 1 + (n > 0)]).astype(kind) for n, plane in enumerate(planes)), 0
    )


@pytest.mark.parametrize(("depth", "pixel_format"), [(8, "yuv420p"), (10, "yuv420p10le")])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_places_of_the_chosen_classes_are_inside(depth: int, pixel_format: str, matrix: str) -> None:
    video = replace(video_of(320, 160, bit_depth=depth, pixel_format=pixel_format), color_matrix=matrix)
    finder = NetworkRegionFinder(network("grey", "red", "green"), "segmentation", ["red"], unsure=0)
    found = finder.find(picture_of(video), None, video)
    assert found.shape == (20, 40) and found.dtype == np.float32
    expected = np.zeros((16, 32), bool)
    expected[2:8, 4:8] = expected[6:8, 4:16] = True
    scaled = found[np.ix_(np.arange(16) * 20 // 16, np.arange(32) * 40 // 32)] > 0
    assert (scaled == expected).mean() > 0.95


def test_boxes_hold_what_hangs_together() -> None:
    video = video_of(320, 160)
    finder = NetworkRegionFinder(network("background", "red", "green"), "detection")
    found = finder.find(picture_of(video), None, video)
    places = np.argwhere(found[:10] > 0)
    (top, left), (bottom, right) = places.min(0), places.max(0) + 1
    assert found[top:bottom, left:right].all() and len(places) == (bottom - top) * (right - left)
    assert (left / 40, right / 40) == pytest.approx((1 / 8, 1 / 2), abs=0.03)
    assert found[15, 30] == 1 and found[15, 10] == 0


def test_pictures_keep_their_aspect() -> None:
    video = video_of(120, 480)
    finder = NetworkRegionFinder(network("grey", "red", "green"), "segmentation", ["green"])
    found = finder.find(picture_of(video), None, video)
    assert found.shape == (57, 14)


@pytest.mark.parametrize(("name", "shape"), [("vit-tiny", (12, 20)), ("unet", (48, 80))])
def test_pictures_are_brought_to_what_a_network_takes(name: str, shape: tuple[int, int]) -> None:
    """100x60 becomes 80x48, a grid of patches of 16; U-Net's outputs are not smaller."""
    architecture = Architecture(name, width=4)
    trained = TaskNetwork("segmentation", ("a", "b"), architecture, (80, 48), build_network(architecture, 2))
    video = video_of(100, 60)
    assert NetworkRegionFinder(trained, "segmentation", ["b"]).find(picture_of(video), None, video).shape == shape


def found_with(trained: TaskNetwork, finder: str, classes: tuple[str, ...] = (), **options: float) -> np.ndarray:
    """In a picture of twice the size of the training, as (20, 40) places."""
    video = video_of(320, 160)
    return NetworkRegionFinder(trained, finder, classes, **options).find(picture_of(video), None, video) > 0


def test_things_are_inside_where_no_classes_are_given() -> None:
    output = torch.zeros(4, 20, 40)
    for number in range(4):
        output[number, :, 10 * number : 10 * number + 10] = 9
    found = found_with(network("road", "car", "sky", "pole", module=Gives(output)), "segmentation")
    assert found.all(0).tolist() == ([False] * 10 + [True] * 10) * 2 == found.any(0).tolist()


def test_places_that_a_network_is_not_sure_of_are_inside() -> None:
    """Columns: sure of road; road or sky; road or car, a little more; car or sky, much more."""
    output = torch.full((3, 20, 40), -20.0)
    for column, odds in enumerate(((0.99, 0.01, 0.0), (0.51, 0.0, 0.49), (0.55, 0.45, 0.0), (0.0, 0.35, 0.65))):
        output[:, :, 10 * column : 10 * column + 10] = torch.tensor(odds).clamp(min=1e-6).log()[:, None, None]
    trained = network("road", "car", "sky", module=Gives(output))
    assert found_with(trained, "segmentation")[0, ::10].tolist() == [False, True, True, False]
    assert found_with(trained, "segmentation", ("car",))[0, ::10].tolist() == [False, False, True, False]
    assert found_with(trained, "segmentation", unsure=0.4)[0, ::10].tolist() == [False, True, True, True]
    assert found_with(trained, "segmentation", ("car",), unsure=0)[0, ::10].tolist() == [False] * 4
    assert not found_with(trained, "detection").any()


def test_foreground_is_inside() -> None:
    output = torch.zeros(2, 20, 40)
    output[1, 5:10, 5:20] = 0.1
    found = found_with(network("background", "foreground", task="foreground", module=Gives(output)), "foreground")
    assert found.sum() == 75 and found[5:10, 5:20].all()


def test_detected_boxes_are_enlarged() -> None:
    """A box from (60, 28) to (100, 52), and one of another class; a weak one is left out."""
    output = torch.full((2 + 4, 20, 40), -20.0)
    output[2:] = torch.tensor([20.0, 12.0, 20.0, 12.0]).div(16).log()[:, None, None]
    output[0, 10, 20], output[1, 3, 5], output[0, 15, 35] = 9, 9, 4 - 2
    trained = network("car", "sign", task="detection", module=Gives(output))
    found = found_with(trained, "detection", ("car",))
    rows, columns = np.nonzero(found)
    centre = 10 * 4 + 2, 20 * 4 + 2
    assert (rows.min() * 4, (rows.max() + 1) * 4) == pytest.approx((centre[0] - 14.4, centre[0] + 14.4), abs=4)
    assert (columns.min() * 4, (columns.max() + 1) * 4) == pytest.approx((centre[1] - 24, centre[1] + 24), abs=4)
    assert found.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    both = found_with(trained, "detection")
    assert both[3, 5] and both[10, 20] and not both[15, 39]


def test_points_have_surroundings() -> None:
    output = torch.zeros(2, 20, 40)
    output[0, 10, 30], output[1, 0, 0] = 5, 5
    trained = network("nose", "tail", task="keypoints", module=Gives(output))
    nose = found_with(trained, "keypoints", ("nose",))
    assert np.argwhere(nose).tolist() == [[9, 30], [10, 29], [10, 30], [10, 31], [11, 30]]
    assert found_with(trained, "keypoints")[0, 0]


def test_what_networks_cannot_say() -> None:
    with pytest.raises(UsageError, match="knows no class 'blue': choose of grey, red, green"):
        NetworkRegionFinder(network("grey", "red", "green"), "segmentation", ["blue"])
    with pytest.raises(UsageError, match="say which classes matter"):
        NetworkRegionFinder(network("grey", "red", "green"), "segmentation")
    with pytest.raises(UsageError, match=r"for keypoints, and finder segmentation takes .*: use finder keypoints"):
        NetworkRegionFinder(network("nose", task="keypoints"), "segmentation")
    with pytest.raises(UsageError, match=r"for restoration, .*: no region can be found with it"):
        NetworkRegionFinder(network("red", "green", "blue", task="restoration"), "detection", ["red"])
    with pytest.raises(UsageError, match=r"trained for skip-conv, .* give the dense network"):
        NetworkRegionFinder(replace(network("car"), method=NamedMethod("skip-conv")), "segmentation")
    with pytest.raises(UsageError, match="finder 'luck' is none of segmentation"):
        NetworkRegionFinder(network("car"), "luck")


def test_names_of_finders_are_those_of_networks() -> None:
    assert set(OF_NETWORKS) == set(NETWORKS_FOR)
