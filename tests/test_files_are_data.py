"""No file of others runs code or fetches anything: what could do so is called in few places, and with care."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import REPOSITORY
from tests.test_layers import modules_of_the_project

LOADERS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
"""What reads data and, unless told otherwise, pickles; and what it must be told."""

FORBIDDEN = {
    *(
        "eval",
        "exec",
        "compile",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.Unpickler",
        "marshal.loads",
        "shelve.open",
    ),
    *(
        "yaml.load",
        "yaml.load_all",
        "yaml.unsafe_load",
        "yaml.full_load",
        "yaml.Loader",
        "yaml.UnsafeLoader",
        "joblib.load",
    ),
    *("urllib.request.urlopen", "urlopen", "urlretrieve", "requests.get", "torch.hub.load", "load_state_dict_from_url"),
    *("torch.hub.load_state_dict_from_url", "hf_hub_download", "torch.jit.load", "dill.loads", "cloudpickle.loads"),
}

ALLOWED = {
    ("scaleflow.worker_processes", "pickle.loads"),  # of the process that started this one
    ("scaleflow.remote_worker", "pickle.loads"),  # of the cluster's own caller, who may run anything there
    ("scaleflow.codec.models.ssf2020", "torch.hub.download_url_to_file"),  # of a model that the user names, with a hash
}
"""Calls of what else may run or fetch something, by module."""

WATCHED = FORBIDDEN | {"pickle.loads", "torch.hub.download_url_to_file"}


def _calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node


def dangers(module: str, source: str) -> list[str]:
    """Calls in a module that could run what a file holds, or open a network."""
    found = []
    for name, call in _calls(source):
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name in LOADERS:
            option, value = LOADERS[name]
            if keywords.get(option) != str(value):
                found.append(f"{module}: {name} without {option}={value}")
        elif name in WATCHED and (module, name) not in ALLOWED:
            found.append(f"{module}: {name}")
        elif keywords.get("shell") == "True":
            found.append(f"{module}: {name} through a shell")
        elif name.endswith("create_model") and keywords.get("pretrained") == "True":
            found.append(f"{module}: {name} fetches weights")
    return found


def test_nothing_in_the_project_is_dangerous() -> None:
    modules = modules_of_the_project()
    assert len(modules) > 200
    assert not [danger for name, path in modules.items() for danger in dangers(name, path.read_text())]
    benchmarks = [path for path in (REPOSITORY / "benchmarks").rglob("*.py")]
    assert not [danger for path in benchmarks for danger in dangers(path.stem, path.read_text())]


def test_what_is_allowed_is_there() -> None:
    modules = modules_of_the_project()
    for module, name in ALLOWED:
        assert name in {called for called, _ in _calls(Path(modules[module]).read_text())}


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, mmap_mode='r')",
        "yaml.load(text, Loader=yaml.Loader)",
        "urllib.request.urlopen(address)",
        "pickle.loads(data)",
        "subprocess.run(command, shell=True)",
        "timm.create_model(name, pretrained=True)",
    ],
)
def test_dangers_are_seen(line: str) -> None:
    assert len(dangers("module", f"def read():\n    return {line}\n")) == 1
    assert not dangers("module", "torch.load(path, weights_only=True)\nnp.load(path, allow_pickle=False)")
