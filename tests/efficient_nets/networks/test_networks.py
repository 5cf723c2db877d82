"""Networks for tasks: foreign weights fit, and do what they were made for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from scaleflow.efficient_nets.data.picture_file import read_picture
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.efficientnet_lite import PACKAGE
from scaleflow.efficient_nets.networks.starting_weights import load_backbone
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import write_network
from scaleflow.errors import DataError
from tests.places import SHARED

PICTURE = SHARED / "data" / "davis" / "JPEGImages" / "480p" / "blackswan" / "00000.jpg"


def test_torchvisions_resnet18_fits_and_gives_the_same_features(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    ours = build_network(Architecture(width=64), outputs=3).eval()
    load_backbone(ours, str(tmp_path / "resnet18.pth"))
    x = torch.rand(1, 3, 70, 98)
    expected = theirs.layer2(theirs.layer1(theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))))
    assert torch.equal(ours.backbone(x)[1], expected)
    assert ours(x).shape == (1, 3, 18, 25)
    with pytest.raises(DataError, match="does not fit the network"):
        load_backbone(build_network(Architecture(width=32), outputs=3), str(tmp_path / "resnet18.pth"))


def test_a_network_with_other_outputs_gives_all_but_the_last_layer(tmp_path: Path) -> None:
    architecture = Architecture(width=8, decoder=8)
    given, ours = (build_network(architecture, outputs=outputs) for outputs in (11, 3))
    weights = TaskNetwork("segmentation", tuple("abcdefghijk"), architecture, (64, 64), given)
    write_network(tmp_path / "other.safetensors", weights)
    head = ours.head.weight.clone()
    load_backbone(ours, str(tmp_path / "other.safetensors"))
    assert torch.equal(ours.head.weight, head)
    expected = given.state_dict()
    for name, tensor in ours.state_dict().items():
        assert name.startswith("head.") or torch.equal(tensor, expected[name]), name
    with pytest.raises(DataError, match="does not fit the network"):
        load_backbone(build_network(Architecture(width=8, decoder=16), outputs=3), str(tmp_path / "other.safetensors"))


def test_what_is_no_safe_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match="reads safely"):
        load_backbone(build_network(Architecture(width=8), outputs=2), str(tmp_path / "weights.pth"))


def test_imagenet_weights_see_what_they_were_trained_on() -> None:
    """On a photo, channels have about the means that their batch norms noted on ImageNet; at random they have not."""
    pytest.importorskip(PACKAGE)
    if not PICTURE.is_file():
        pytest.skip("needs ../shared/data/davis")
    network = build_network(Architecture("efficientnet-lite0"), outputs=2).eval()
    load_backbone(network, "imagenet")
    found: list[tuple[Tensor, Tensor]] = []

    def note(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        assert norm.running_mean is not None and norm.running_var is not None
        deviation = norm.running_var.sqrt() + 1e-6
        found.append(
            ((inputs[0].mean((0, 2, 3)) - norm.running_mean) / deviation, inputs[0].var((0, 2, 3)) / deviation**2)
        )

    for norm in network.backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.register_forward_pre_hook(note)
    network(read_picture(PICTURE)[None, :, :224, 300:524])
    shifts, spreads = (torch.cat(values) for values in zip(*found, strict=True))
    assert shifts.abs().median() < 0.5
    assert 0.3 < spreads.median() < 2
