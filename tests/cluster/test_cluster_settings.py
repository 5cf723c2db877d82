"""How a cluster is named, and what is said where Ray is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from scaleflow import optional_packages
from scaleflow.cluster import ClusterSettings
from scaleflow.codec.decoding.file import DecodeSettings
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.errors import UsageError
from tests.cli.conftest import typed
from tests.cluster.conftest import needs_ray


@pytest.mark.parametrize("address", ["", "here", "local:0", "local:x", "head:10001", "ray://head", "ray://head:port"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"cluster '.*' is unknown: give local, local:2"):
        ClusterSettings(address)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "workers 0 is outside"),
        ({"in_flight": 0}, "in_flight 0 is outside"),
        ({"retries": -1}, "retries -1 is outside"),
        ({"timeout": 0.5}, "timeout 0.5 is outside"),
        ({"address": "local:2", "workers": 3}, "workers 3 and cluster local:2 both say"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ClusterSettings(**{"address": "local", **settings})  # type: ignore[arg-type]


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_packages, "find_spec", lambda name: None if name == "ray" else find_spec(name))


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "{input}", "{output}"),
        ("decode", "{input}", "{output}"),
        ("rd", "{input}", "--out", "{output}"),
        ("task-rd", "--data", "{input}", "--out", "{output}"),
    ],
)
def test_without_ray_the_message_says_what_to_install(
    without_ray: None, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    source, output = tmp_path / "input", tmp_path / "output"
    source.write_bytes(b"anything")
    done = typed(*(part.format(input=source, output=output) for part in arguments), "--cluster", "local")
    assert done.code == 2 and done.stdout == "" and not output.exists()
    assert done.stderr == (
        'scaleflow: cluster local needs a package that is not installed (ray): pip install ".[cluster]"\n'
    )


def test_the_window_is_the_clusters() -> None:
    done = typed("encode", "a.mp4", "b.sfv", "--in-flight", 3)
    assert (done.code, done.stderr) == (2, "scaleflow: --in-flight goes with --cluster only\n")


@needs_ray
def test_processes_and_a_cluster_exclude_each_other() -> None:
    cluster = ClusterSettings("local")
    for make in (
        lambda: EncodeSettings(quality=3, workers=2, cluster=cluster),
        lambda: DecodeSettings(workers=2, cluster=cluster),
    ):
        with pytest.raises(UsageError, match="workers 2 are processes of this machine, which cluster local replaces"):
            make()


@needs_ray
def test_a_cluster_needs_groups_and_a_known_quality() -> None:
    cluster = ClusterSettings("ray://head:10001")
    with pytest.raises(UsageError, match=r"cluster ray://head:10001: in one pass .* add two_pass=True"):
        EncodeSettings(bitrate=5e5, cluster=cluster)
    with pytest.raises(UsageError, match=r"cluster ray://head:10001 needs groups of pictures"):
        EncodeSettings(quality=3, intra_period=0, cluster=cluster)
    assert EncodeSettings(bitrate=5e5, two_pass=True, cluster=cluster).codes_groups_apart


@needs_ray
def test_only_encodes_have_an_input_to_share(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shared_input is of encodes"):
        DecodeSettings(cluster=ClusterSettings("local", shared_input=True))
    done = typed("encode", "a.mp4", tmp_path / "b.sfv", "--shared-input")
    assert (done.code, done.stderr) == (2, "scaleflow: --shared-input goes with --cluster only\n")


@needs_ray
def test_a_head_that_cannot_be_reached(carphone: Path, tmp_path: Path) -> None:
    output = tmp_path / "coded.sfv"
    done = typed("encode", carphone, output, "--frames", 2, "--cluster", "ray://127.0.0.1:1")
    assert done.code == 2 and done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
    assert "ray://127.0.0.1:1: cannot be reached within 30 s (Connection refused): is a head of Ray" in done.stderr


@needs_ray
def test_workers_compute_on_cpus(tmp_path: Path) -> None:
    done = typed("encode", "a.mp4", tmp_path / "b.sfv", "--cluster", "local", "--device", "cuda")
    assert done.code == 2
    assert done.stderr == "scaleflow: --device cuda does not go with --cluster, whose workers compute on CPUs\n"
