"""Methods, tasks and networks are found by name, and what they say of themselves fits those who ask."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from scaleflow.cli import nets_train
from scaleflow.efficient_nets.methods.known_methods import METHODS
from scaleflow.efficient_nets.methods.named_method import NamedMethod, known_settings
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_backbone, check_task
from scaleflow.efficient_nets.networks.known_networks import NETWORKS
from scaleflow.efficient_nets.networks.settings import NetworkSettings
from scaleflow.efficient_nets.registry import Registry
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import TASKS, make_task
from scaleflow.errors import UsageError
from scaleflow.training.networks.configuration import MethodConfig


@dataclass(frozen=True)
class Thing:
    name: str


def test_names_are_listed_in_their_order_where_one_is_unknown() -> None:
    registry = Registry("thing", [Thing("b"), Thing("a")])
    assert registry["a"] == Thing("a") and list(registry) == ["b", "a"] and "c" not in registry
    with pytest.raises(UsageError, match="thing 'c' is unknown: use b, a"):
        registry["c"]
    with pytest.raises(ValueError, match="thing 'a' is there twice"):
        Registry("thing", [Thing("a"), Thing("a")])


@pytest.mark.parametrize("name", list(METHODS))
def test_descriptions_of_methods_fit_their_settings_and_training(name: str) -> None:
    description = METHODS[name]
    assert set(description.defaults) <= set(known_settings(name))
    assert {loss.weight for loss in description.losses} <= {field.name for field in fields(MethodConfig)}
    assert all(task in TASKS for task in description.tasks)
    if description.resamples is None:
        method = NamedMethod(name)
        assert dict(method.settings) == dict(description.defaults) and method.shown_size is None
        assert (method.change_maps is None) == (name != "codec-gates")


def test_what_methods_add_is_told_by_parts_of_names() -> None:
    assert METHODS["skip-conv"].adds("layer1.0.conv.gate.weight")
    assert not METHODS["skip-conv"].adds("gateway.weight") and not METHODS["dense"].adds("layer.gate.weight")
    assert METHODS["delta-distillation"].adds("stem.log_odds")


def test_tasks_take_their_own_settings_only() -> None:
    assert [name for name in TASKS if TASKS[name].outputs(3) != 3] == ["detection"]
    with pytest.raises(UsageError, match=r"task\.name = 'flow' is unknown: use segmentation, foreground"):
        make_task("flow")
    with pytest.raises(UsageError, match=r"task\.objects: keypoints takes none"):
        make_task("keypoints", TaskSettings(objects=("car=8",)))
    with pytest.raises(UsageError, match=r"task\.classes: foreground finds its classes in the data"):
        make_task("foreground", TaskSettings(classes=("a", "b")))
    with pytest.raises(UsageError, match="task action: its examples are whole videos"):
        make_task("action")


def test_networks_say_which_settings_and_tasks_they_have() -> None:
    known = {field.name for field in fields(NetworkSettings)}
    assert all(set(NETWORKS[name].settings) < known for name in NETWORKS)
    with pytest.raises(UsageError, match=r"network\.width: vit-tiny has no such setting; it has patch"):
        NETWORKS["vit-tiny"].check_given(["name", "patch", "width"])
    with pytest.raises(UsageError, match=r"network\.name = resnet: gives no pictures: use unet, vit-tiny"):
        check_task("resnet", "restoration")
    with pytest.raises(UsageError, match=r"network\.name = unet is no backbone: use resnet or efficientnet-lite0"):
        build_backbone(Architecture("unet"))


def test_the_help_names_all_tasks() -> None:
    *first, last = TASKS
    assert nets_train.TASKS == f"{', '.join(first)} or {last}"
