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
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.region_finder import NetworkRegionFinder
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.errors import UsageError
from tests.roi.test_finders import video_of


class ByColor(nn.Module):
    """Classes: grey, red, green; a value for each square of 4x4."""

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(x, 4)
        return torch.stack((torch.full_like(small[:, 0], 0.7), small[:, 0], small[:, 1]), 1)


def network(*classes: str, task: str = "segmentation") -> TaskNetwork:
    return TaskNetwork(task, classes, Architecture(), (160, 80), ByColor())


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
    found = NetworkRegionFinder(network("grey", "red", "green"), ["red"]).find(picture_of(video), None, video)
    assert found.shape == (20, 40) and found.dtype == np.float32
    expected = np.zeros((16, 32), bool)
    expected[2:8, 4:8] = expected[6:8, 4:16] = True
    scaled = found[np.ix_(np.arange(16) * 20 // 16, np.arange(32) * 40 // 32)] > 0
    assert (scaled == expected).mean() > 0.95


def test_boxes_hold_what_hangs_together() -> None:
    video = video_of(320, 160)
    finder = NetworkRegionFinder(network("background", "red", "green"), boxes=True)
    found = finder.find(picture_of(video), None, video)
    places = np.argwhere(found[:10] > 0)
    (top, left), (bottom, right) = places.min(0), places.max(0) + 1
    assert found[top:bottom, left:right].all() and len(places) == (bottom - top) * (right - left)
    assert (left / 40, right / 40) == pytest.approx((1 / 8, 1 / 2), abs=0.03)
    assert found[15, 30] == 1 and found[15, 10] == 0


def test_pictures_keep_their_aspect() -> None:
    video = video_of(120, 480)
    found = NetworkRegionFinder(network("grey", "red", "green"), ["green"]).find(picture_of(video), None, video)
    assert found.shape == (57, 14)


@pytest.mark.parametrize(("name", "shape"), [("vit-tiny", (12, 20)), ("unet", (48, 80))])
def test_pictures_are_brought_to_what_a_network_takes(name: str, shape: tuple[int, int]) -> None:
    """100x60 becomes 80x48, a grid of patches of 16; U-Net's outputs are not smaller."""
    architecture = Architecture(name, width=4)
    trained = TaskNetwork("segmentation", ("a", "b"), architecture, (80, 48), build_network(architecture, 2))
    video = video_of(100, 60)
    assert NetworkRegionFinder(trained, ["b"]).find(picture_of(video), None, video).shape == shape


def test_what_networks_cannot_say() -> None:
    with pytest.raises(UsageError, match="knows no class 'blue': choose of grey, red, green"):
        NetworkRegionFinder(network("grey", "red", "green"), ["blue"])
    with pytest.raises(UsageError, match="say which classes matter"):
        NetworkRegionFinder(network("grey", "red", "green"))
    with pytest.raises(UsageError, match="a network for keypoints labels no places"):
        NetworkRegionFinder(network("nose", task="keypoints"))
    with pytest.raises(UsageError, match="a network for restoration labels no places"):
        NetworkRegionFinder(network("red", "green", "blue", task="restoration"), ["red"])
