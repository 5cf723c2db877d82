"""A frozen network's loss: zero for the same pictures, with gradients for what was decoded and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.frame_exit.network import FrameExitConfig
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork, GatedNetwork, write_action_network
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.network_loss.distance import feature_distance, output_distance
from scaleflow.efficient_nets.network_loss.frozen_network import read_frozen_network
from scaleflow.efficient_nets.network_loss.loss import NetworkLoss
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import write_network
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import DataError, UsageError

SMALL = Architecture("resnet", width=4, blocks=(1, 1, 1, 1), decoder=4)
CLASSES = {"foreground": ("background", "foreground"), "restoration": ("red", "green", "blue")}


def network_file(folder: Path, task: str, architecture: Architecture = SMALL) -> Path:
    """A network with weights drawn by chance."""
    classes = CLASSES.get(task, ("road", "car", "tree"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if task == "action":
            config = FrameExitConfig(len(classes), frames=3, features=8, gate=4)
            gated = GatedNetwork(architecture, config).eval()
            path = folder / "action.safetensors"
            write_action_network(path, ActionNetwork(classes, architecture, config, (64, 64), gated))
            return path
        network = build_network(architecture, TASKS[task].outputs(len(classes)), task).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():  # restoration starts by changing nothing
                    parameter.normal_(0, 0.02)
    noise = 25.0 if task == "restoration" else 0.0
    path = folder / f"{task}.safetensors"
    write_network(path, TaskNetwork(task, classes, architecture, (64, 64), network, noise=noise))
    return path


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    """Originals (2, 3, 64, 64), and what became of them."""
    generator = torch.Generator().manual_seed(1)
    original = F.interpolate(torch.rand(2, 3, 12, 12, generator=generator), size=(64, 64), mode="bicubic").clamp(0, 1)
    return original, F.avg_pool2d(original, 5, 1, 2)


@pytest.mark.parametrize("distance", ["outputs", "features"])
@pytest.mark.parametrize(
    ("task", "architecture"),
    [
        *((task, SMALL) for task in ("segmentation", "foreground", "keypoints", "detection", "action")),
        ("segmentation", Architecture("unet", width=4)),
        ("segmentation", Architecture("ffnet-10s")),
        ("segmentation", Architecture("vit-tiny")),
        ("restoration", Architecture("unet", width=4)),
        ("restoration", Architecture("vit-tiny")),
    ],
)
def test_every_network_teaches_pictures_and_learns_nothing(
    tmp_path: Path, pictures: tuple[Tensor, Tensor], task: str, architecture: Architecture, distance: str
) -> None:
    loss = NetworkLoss(network_file(tmp_path, task, architecture), distance)  # type: ignore[arg-type]
    original, decoded = pictures
    assert loss(original, original).tolist() == pytest.approx([0, 0], abs=1e-6)
    decoded.requires_grad_()
    torch.manual_seed(0)
    far = loss(original, decoded)
    assert far.shape == (2,) and (far > 0).all()
    far.sum().backward()
    assert decoded.grad is not None and decoded.grad.abs().sum() > 0
    halfway = original + 0.5 * (decoded.detach() - original)
    torch.manual_seed(0)
    assert (loss(original, halfway) < far).all()


def test_the_network_stays_as_it_is(tmp_path: Path, pictures: tuple[Tensor, Tensor]) -> None:
    frozen = read_frozen_network(network_file(tmp_path, "segmentation")).network
    module = frozen._module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    original, decoded = pictures
    found = frozen.look(decoded.requires_grad_())
    (found.outputs.square().mean() + found.features.square().mean()).backward()
    assert not module.training and not any(p.requires_grad or p.grad is not None for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    head = module.get_submodule("head")
    assert torch.equal(head(found.features), found.outputs) and not original.requires_grad


def test_distances_are_what_they_say() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 2, 3, 4, 4, generator=generator)
    wanted, found = one.softmax(1), other.softmax(1)
    divergence = (wanted * (wanted / found).log()).sum(1).mean((1, 2))
    assert torch.allclose(output_distance("labels", one, other), divergence, atol=1e-6)
    actions = output_distance("actions", one[..., 0, 0], other[..., 0, 0])
    assert torch.allclose(actions, (wanted * (wanted / found).log()).sum(1)[:, 0, 0], atol=1e-6)
    error = (one - other).square().mean((1, 2, 3))
    assert torch.allclose(feature_distance(one, other), error / one.square().mean((1, 2, 3)))
    spread = one.var((2, 3), correction=0).mean(1)
    assert torch.allclose(output_distance("places", one, other), error / spread)
    assert torch.equal(feature_distance(torch.zeros(1, 2), torch.zeros(1, 2)), torch.zeros(1))


def test_pictures_are_scaled_as_where_networks_are_measured(tmp_path: Path, pictures: tuple[Tensor, Tensor]) -> None:
    network = read_frozen_network(network_file(tmp_path, "segmentation")).network
    original, _ = pictures
    assert network.scaled(original, 1.0) is original
    whole = Window.whole((64, 64), (40, 40))
    assert torch.allclose(network.scaled(original, 40 / 64)[0], whole.picture(original[0]))
    transformer = read_frozen_network(network_file(tmp_path, "segmentation", Architecture("vit-tiny"))).network
    assert transformer.scaled(original, 0.7).shape[2:] == (48, 48)


def test_labels_are_those_of_the_task(tmp_path: Path, pictures: tuple[Tensor, Tensor]) -> None:
    _, decoded = pictures
    loss = NetworkLoss(network_file(tmp_path, "foreground"), "labels")
    labels = torch.zeros(2, 64, 64)
    labels[:, 20:40, 10:50] = 1
    assert loss._task is not None
    outputs = loss.network.look(decoded).outputs
    wanted = [float(loss._task.loss(outputs[n : n + 1], labels[n : n + 1])) for n in range(2)]
    assert loss(decoded, decoded, labels).tolist() == pytest.approx(wanted)


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    path = network_file(tmp_path, "segmentation")
    other = tmp_path / "alexnet.safetensors"
    save_file({"features.0.weight": torch.zeros(2)}, other)
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "empty").mkdir()
    learned = tmp_path / "learned.safetensors"
    network = build_network(SMALL, 3)
    made = TaskNetwork("segmentation", ("a", "b", "c"), SMALL, (64, 64), network)
    write_network(learned, replace(made, method=NamedMethod("skip-conv"), tensors=network.state_dict()))
    for run, task, kind, words in (
        (tmp_path / "none", "", UsageError, "there is no such weights file"),
        (tmp_path / "empty", "", UsageError, "network.safetensors: there is no such weights file"),
        (other, "", DataError, "holds no network of scaleflow nets train"),
        (tmp_path / "text.safetensors", "", DataError, "is damaged, or no safetensors file"),
        (path, "keypoints", UsageError, "was trained for segmentation, not for task keypoints"),
        (network_file(tmp_path, "action"), "detection", UsageError, "was trained for action, not for task detection"),
        (path, "segmentatoin", UsageError, "task 'segmentatoin' is unknown: use segmentation,"),
        (learned, "", UsageError, "was trained for skip-conv, which needs pictures in their order"),
    ):
        with pytest.raises(kind, match=words):
            read_frozen_network(run, task)
    with pytest.raises(UsageError, match="was trained for segmentation; distance labels is of foreground"):
        NetworkLoss(path, "labels")
