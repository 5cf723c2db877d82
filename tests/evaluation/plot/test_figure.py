"""The pictures: their forms, what stands on their axes, and that the same curves give the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scaleflow.errors import UsageError
from scaleflow.evaluation.plot import PlotSettings, draw_figure, read_curves, write_figure
from scaleflow.evaluation.plot.figure import COLORS, DASHES, MARKERS, RATE_LABELS, caption
from scaleflow.evaluation.rate_distortion.results import compressai_schema, read_points
from tests.places import SHARED

ANCHORS = SHARED / "reference" / "rd_anchors.json"
SIGNATURES = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}


def texts_of(svg: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_forms_are_the_same_bytes_each_time(results: Path, tmp_path: Path, suffix: str) -> None:
    curves = read_curves([results])
    paths = [tmp_path / f"{number}.{suffix}" for number in range(2)]
    for path in paths:
        write_figure(draw_figure(curves), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes().startswith(SIGNATURES[suffix])
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}


def test_text_stays_text(results: Path, tmp_path: Path) -> None:
    settings = PlotSettings(metrics=("psnr-y", "psnr-rgb"), rate="bitrate", title="Carphone")
    write_figure(draw_figure(read_curves([results]), settings), tmp_path / "a.svg")
    assert {"Carphone", "PSNR-Y (dB)", "PSNR-RGB (dB)", RATE_LABELS["bitrate"], "x264", "scaleflow"} <= set(
        texts_of(tmp_path / "a.svg")
    )


def test_axes(results: Path) -> None:
    for log_rate, scale in ((True, "log"), (False, "linear")):
        figure = draw_figure(read_curves([results]), PlotSettings(metrics=("psnr-y",), log_rate=log_rate))
        (panel,) = figure.axes
        assert panel.get_xscale() == scale and panel.get_xlabel() == "Rate (bits per pixel)"
        assert len(panel.lines) == 2
        labels = [label.get_text() for label in panel.get_xticklabels()]
        assert len(labels) >= 3 and not any("$" in label for label in labels)


def test_tick_labels_do_not_overlap(results: Path) -> None:
    figure = draw_figure(read_curves([results]))
    figure.draw_without_rendering()
    for panel in figure.axes:
        for labels, side in ((panel.get_xticklabels(), "x"), (panel.get_yticklabels(), "y")):
            spans = sorted(
                (getattr(box, f"{side}0"), getattr(box, f"{side}1"))
                for box in (label.get_window_extent() for label in labels)
            )
            assert all(a[1] < b[0] for a, b in pairwise(spans))
        legend = figure.legends[0].get_window_extent()
        assert not legend.overlaps(panel.get_tightbbox())


def test_published_curves(results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not ANCHORS.is_file():
        pytest.skip(f"{ANCHORS} is absent")
    curves = read_curves([results, ANCHORS])
    figure = draw_figure(curves, PlotSettings(metrics=("psnr-rgb", "ms-ssim-rgb")))
    assert len(curves) == 7 and [len(panel.lines) for panel in figure.axes] == [7, 4]
    assert figure.axes[1].get_ylabel() == "MS-SSIM-RGB (dB)\n−10 log₁₀(1 − m)"
    assert "ssf2020-from-authors has no ms-ssim-rgb: left out of that panel" in caplog.text
    write_figure(figure, tmp_path / "a.svg")
    assert "VTM-v15.0-lowdelay" in texts_of(tmp_path / "a.svg")


def test_curves_without_the_rate_are_left_out(results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"name": "theirs", "results": {"bitrate": [100, 200], "psnr-y": [30, 33]}}))
    figure = draw_figure(read_curves([results, path]), PlotSettings(metrics=("psnr-y",)))
    assert len(figure.axes[0].lines) == 2 and "theirs has no point with both psnr-y and bpp" in caplog.text


def test_caption_says_what_points_and_bars_are(results: Path) -> None:
    (curve,) = read_curves([results], codecs=["x264"])
    intervals = {"psnr-y": ((1.0, 2.0),) * len(curve.curve.settings)}
    of_five = replace(curve, clips=5, intervals=intervals)
    bars = "; bars: 95 % bootstrap interval of that mean over clips"
    assert caption([of_five], ["psnr-y"], PlotSettings()) == "Points: mean over 5 clips" + bars
    assert caption([of_five], ["psnr-y"], PlotSettings(intervals=False)) == "Points: mean over 5 clips"
    assert caption([of_five, replace(of_five, clips=3)], ["vmaf"], PlotSettings()) == "Points: mean over 3 to 5 clips"
    published = replace(curve, clips=None)
    assert "published curves as they are" in caption([of_five, published], ["vmaf"], PlotSettings())
    assert caption([curve], ["psnr-y"], PlotSettings()) == ""


def test_less_lpips_is_drawn_higher(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"results": {"bpp": [0.1, 0.2], "lpips": [0.4, 0.2]}}))
    panel = draw_figure(read_curves([path])).axes[0]
    assert panel.yaxis_inverted() and panel.get_ylabel() == "LPIPS (lower is better)"


def test_styles_differ() -> None:
    styles = {
        (COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)], DASHES[n % len(DASHES)])
        for n in range(len(COLORS) * len(MARKERS))
    }
    assert len(styles) == len(COLORS) * len(MARKERS)


def test_bad_requests(results: Path, tmp_path: Path) -> None:
    curves = read_curves([results])
    with pytest.raises(UsageError, match=r"no curve has metric 'psnr-x' by bpp; there are psnr-rgb, psnr-u"):
        draw_figure(curves, PlotSettings(metrics=("psnr-x",)))
    with pytest.raises(UsageError, match=r"a.jpg: figures are written as .svg, .pdf, .png"):
        write_figure(draw_figure(curves), tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_missing(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaleflow.optional_packages.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'matplotlib\): pip install "\.\[evaluate\]"'):
        draw_figure(read_curves([results]))


def test_compressai_plots_our_schema(results: Path, tmp_path: Path) -> None:
    from compressai.utils.video.plot.__main__ import main as plot_videos  # seconds to import

    points = read_points(results)
    files = []
    for codec in ("x264", "scaleflow"):
        files.append(tmp_path / f"{codec}.json")
        files[-1].write_text(json.dumps(compressai_schema(points, codec)))
    output = tmp_path / "theirs.png"
    plot_videos(["-f", *map(str, files), "-m", "psnr-rgb", "-o", str(output)])
    assert output.read_bytes().startswith(b"\x89PNG")
