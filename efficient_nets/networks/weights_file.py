"""Weights of networks in files that say what they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import architecture_of
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.efficient_nets.tensor_file import misfit, read_tensors, write_tensors
from scaleflow.errors import UsageError

FORMAT = "scaleflow-network-1"

RUN_WEIGHTS = "network.safetensors"
"""In the folder of a run."""


def weights_of_run(run: Path) -> Path:
    """The weights in a run's folder, or the file itself.

    Raises:
        UsageError: there are none.
    """
    path = run / RUN_WEIGHTS if run.is_dir() else run
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file: scaleflow nets train writes it when it is done")
    return path


def write_network(path: Path, trained: TaskNetwork) -> None:
    """As safetensors, whole or not at all; replaces a file that is there.

    Raises:
        DataError: it cannot be written.
    """
    state = trained.tensors or trained.network.state_dict()
    metadata = {
        "task": trained.task,
        "classes": json.dumps(trained.classes),
        "architecture": json.dumps(asdict(trained.architecture)),
        "size": json.dumps(trained.size),
        "void": str(trained.void),
        "noise": str(trained.noise),
        "objects": json.dumps(trained.objects),
        "method": json.dumps({"name": trained.method.name, "settings": dict(trained.method.settings)}),
        "choices": json.dumps(dict(trained.choices)),
    }
    write_tensors(path, FORMAT, state, metadata)


def read_network(path: Path) -> TaskNetwork:
    """Read what :func:`write_network` wrote.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    tensors, metadata = read_tensors(path, FORMAT, "network of scaleflow nets train")
    try:
        architecture = architecture_of(metadata["architecture"])
        classes = tuple(json.loads(metadata["classes"]))
        width, height = json.loads(metadata["size"])
        void, noise = int(metadata.get("void", VOID)), float(metadata.get("noise", 0))
        objects = tuple(json.loads(metadata.get("objects", "[]")))
        task = metadata["task"]
        network = build_network(architecture, TASKS[task].outputs(len(classes)), task)
        method = NamedMethod(**json.loads(metadata.get("method", "{}")))
        choices = json.loads(metadata.get("choices", "{}"))
        if method.name == DENSE:
            network.load_state_dict(tensors)
            tensors = {}
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    return TaskNetwork(
        metadata["task"],
        classes,
        architecture,
        (width, height),
        network.eval(),
        void,
        method,
        choices,
        tensors,
        noise,
        objects,
    )
