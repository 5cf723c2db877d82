"""The report on results of ``scaleflow task-rd``: what it holds, and that it works in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scaleflow.efficient_nets.labelling.colors import class_colors
from scaleflow.efficient_nets.labelling.drawing import drawing_of
from scaleflow.efficient_nets.labelling.picture_network import picture_network
from scaleflow.efficient_nets.labelling.pictures import SeenPicture
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.weights_file import read_network
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points
from tests.cli.conftest import encoders_in_this_process, typed
from tests.cli.test_nets import camvid, trained
from tests.evaluation.browser import browser, open_page, requested
from tests.evaluation.report.test_html_file import data_of, picture_of

__all__ = ["browser", "camvid", "trained"]

X264 = "x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -crf {22,44}"
FRAMES = 3


@pytest.fixture(scope="module")
def measured(camvid: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task") / "results"
    given = ["--data", camvid, "--network", trained, "--out", folder, "--frames", FRAMES, "--codec", X264]
    found = ["--roi-from", "segmentation", "--roi-network", trained]
    with encoders_in_this_process():
        done = typed("task-rd", *given, *found, "--codec", "scaleflow", "--quality", "20")
    assert done.code == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def report(measured: Path, camvid: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = typed("report", measured, "-o", path, "--network", trained, "--data", camvid, "--pictures", 2)
    assert done.code == 0, done.stderr
    return path


def test_content(report: Path, measured: Path) -> None:
    data = data_of(report)
    assert data["task"]["anchor"] == "x264"
    (look,) = data["task"]["looks"]
    assert (look["name"], look["measure"]) == ("dense", "miou")
    assert [(row["codec"], len(row["values"])) for row in look["rows"]] == [("scaleflow", 1), ("x264", 2)]
    points = {(p.record.codec, p.record.setting): p.network for p in read_task_points(measured)}
    assert look["uncompressed"] == points[UNCOMPRESSED, "as given"].measures["miou"]
    (clip,) = data["clips"]
    assert clip["outlines"] and clip["foundProblem"] is None
    (strip,) = clip["strips"]
    assert [row["codec"] for row in strip["rows"]] == [UNCOMPRESSED, *(point["codec"] for point in clip["points"])]
    for row in strip["rows"]:
        assert row["values"] == points[row["codec"], row["setting"]].frame_values
        assert len(row["values"]) == FRAMES


def test_what_is_found_and_labelled_is_drawn(report: Path, camvid: Path, trained: Path) -> None:
    (clip,) = data_of(report)["clips"]
    network = read_network(trained / "network.safetensors")
    draw = drawing_of(network.task, network.classes)
    for place, number in enumerate(clip["pictures"]):
        original = picture_of(clip["original"][place])
        dense = picture_network(network, NamedMethod(), network.size)
        found = dense.see(SeenPicture(original, number, number, None))
        assert np.array_equal(picture_of(clip["found"]["original"][place]), draw(original, found))
        labels = np.asarray(Image.open(sorted((camvid / "val" / "labels").iterdir())[number]))
        drawn, colors = picture_of(clip["found"]["labels"][place]), class_colors(network.classes)
        void = labels == 11
        assert np.array_equal(drawn[void], original[void])
        blended = (0.5 * original[~void] + 0.5 * colors[labels[~void]]).round()
        assert np.array_equal(drawn[~void], blended)
        for point in clip["points"]:
            assert not np.array_equal(picture_of(point["found"][place]), picture_of(point["images"][place]))


@pytest.mark.parametrize("width", [1200, 375])
def test_in_a_browser(browser: Any, report: Path, width: int) -> None:
    open_page(browser, report, width)
    run = browser.execute_script
    assert run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert run("return document.querySelectorAll('#task .chart path.line').length") >= 3
    assert run("return document.querySelectorAll('.strip rect').length") == 3 * FRAMES
    assert "uncompressed" in run("return document.querySelector('.strips').textContent")
    selects = browser.find_elements("css selector", ".found .comparison select")
    texts = run("return [...arguments[0].options].map((option) => option.text)", selects[0])
    assert texts == ["ground truth", "original", "scaleflow", "x264"]
    before = run("return document.querySelector('.found img.right').style.clipPath")
    slider = browser.find_element("css selector", ".found input.position")
    slider.send_keys(*["\ue014"] * 20)  # right arrow
    assert run("return document.querySelector('.found img.right').style.clipPath") != before
    for select in browser.find_elements("css selector", "select"):
        for option in run("return [...arguments[0].options].map((o) => o.value)", select):
            run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", select, option)
    assert "NaN" not in run("return document.querySelector('main').innerHTML")
    assert browser.get_log("browser") == []
    assert [one for one in requested(browser) if not one.startswith("data:")] == [report.as_uri()]


def test_without_a_network_the_rest_is_there(measured: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert typed("report", measured, "-o", path, "--pictures", 1).code == 0
    (clip,) = data_of(path)["clips"]
    assert clip["found"] is None and clip["strips"] and all(point["found"] is None for point in clip["points"])


def test_mistakes_take_one_line(measured: Path, camvid: Path, trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "network.safetensors"
    other.parent.mkdir()
    other.write_bytes((trained / "network.safetensors").read_bytes() + b" ")
    for arguments, words in (
        (("--data", camvid), "finds these with --network"),
        (("--network", other), "none of the points was measured with it"),
        (("--network", tmp_path / "nowhere"), "nowhere"),
    ):
        done = typed("report", measured, "-o", tmp_path / "report.html", *arguments)
        assert done.code == 2 and words in done.stderr and not (tmp_path / "report.html").exists()
