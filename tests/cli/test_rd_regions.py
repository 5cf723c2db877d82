"""``scaleflow rd`` and ``scaleflow compare`` with masks: the shipped model and all baselines on a real sequence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from scaleflow.evaluation.metrics.names import with_regions
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.results import read_points
from tests.cli.conftest import encoders_in_this_process, typed
from tests.davis_clips import read_masks
from tests.evaluation.report.test_html_file import data_of

LATENT_SCALING = "latent-scaling=scaleflow --roi {masks} --quality 45"
CODECS = (LATENT_SCALING, "roi-x265=roi-x265 --crf {20,35}", "x265=ffmpeg -c:v libx265 -crf {23,38}")
OTHERS = ("roi-blur=roi-blur --blur 3 --quality 30", "roi-objects=roi-objects --quality 30")


def options(davis: Path, folder: Path, codecs: Sequence[str] = CODECS) -> list[object]:
    named = [part for codec in codecs for part in ("--codec", codec)]
    given = ["--fps", 24, "--frames", 3, "--metrics", "psnr-yuv"]
    return ["rd", davis / "JPEGImages/480p/car-roundabout", "--out", folder, *given, *named]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, davis: Path) -> Path:
    """Three pictures, seven points."""
    folder = tmp_path_factory.mktemp("rd") / "results"
    with encoders_in_this_process():
        done = typed(*options(davis, folder, (*CODECS, *OTHERS)), "--roi", "davis")
    assert done.code == 0, done.stderr
    assert f"{folder}: 7 points" in done.stdout
    for part in ("", " in the region", " outside the region"):
        assert f"BD-rate against x265: rate at equal quality{part}, mean over 1 clip" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Share of bits in the region"))
    maps = done.stdout.splitlines()[done.stdout.splitlines().index("Share of the maps of bin widths in the rate") + 1 :]
    assert maps[0].startswith("  latent-scaling: ") and not any("roi-x265" in line for line in maps)
    areas = [mask.mean() for mask in read_masks(davis / "Annotations/480p/car-roundabout")[:3]]
    assert f"which is {100 * sum(areas) / 3:.1f} % of the picture" in line
    return folder


def of_codec(folder: Path, name: str) -> list[RatePoint]:
    return [point for point in read_points(folder) if point.codec == name]


def test_points_have_regions(measured: Path) -> None:
    for point in read_points(measured):
        names = set(with_regions(["psnr-yuv"])) | {"area-roi"}
        has_maps = point.codec in ("latent-scaling", "roi-blur")
        names |= {"bits-roi"} if has_maps else set()
        assert {name for name in point.metrics if "mse" not in name} == names == set(point.frames.metrics)
        assert point.metrics["area-roi"] == pytest.approx(sum(point.frames.metrics["area-roi"]) / 3)
        assert sum(point.bits_per_pixel_by_kind.values()) == pytest.approx(point.bits_per_pixel)


def test_regions_are_better_at_a_lower_rate(measured: Path) -> None:
    """Each way to code them has better regions than x265 has at a higher rate."""
    plain = of_codec(measured, "x265")[-1]
    assert plain.metrics["psnr-yuv-roi"] < plain.metrics["psnr-yuv-background"]  # type: ignore[operator]
    for name in ("latent-scaling", "roi-blur", "roi-objects", "roi-x265"):
        best = of_codec(measured, name)[-1]
        assert best.metrics["psnr-yuv-roi"] > best.metrics["psnr-yuv-background"] + 3  # type: ignore[operator]
        assert best.bits_per_pixel < plain.bits_per_pixel
    for point in of_codec(measured, "latent-scaling"):
        assert point.metrics["bits-roi"] > 1.5 * point.metrics["area-roi"]  # type: ignore[operator]
        assert 0 < point.bits_per_pixel_by_kind["region map"] < 0.1 * point.bits_per_pixel
    assert "region map" not in of_codec(measured, "roi-blur")[0].bits_per_pixel_by_kind
    assert set(of_codec(measured, "roi-objects")[0].bits_per_pixel_by_kind) == {
        *("region", "background", "masks", "container")
    }


def test_the_streams_give_the_same_values_to_scaleflow_compare(measured: Path, davis: Path) -> None:
    masks = davis / "Annotations/480p/car-roundabout"
    for point in of_codec(measured, "latent-scaling") + of_codec(measured, "roi-x265"):
        source = measured / point.stream
        # what was coded is in 4:2:0, so the originals are compared in RGB
        given = ("--roi", masks, "--metrics", "psnr-rgb", "--frames", 3, "--fps", 24, "--threads", 1, "--json")
        result = typed("compare", davis / "JPEGImages/480p/car-roundabout", source, *given)
        record = json.loads(result.stdout)
        assert record["region_areas"] == pytest.approx([value / 100 for value in point.frames.metrics["area-roi"]])
        assert record["means"]["psnr-rgb-roi"] > record["means"]["psnr-rgb-background"]


def test_a_second_run_measures_nothing_again(measured: Path, davis: Path) -> None:
    again = typed(*options(davis, measured, (LATENT_SCALING,)), "--roi", davis, "--json")
    resumed = [json.loads(line).get("resumed") for line in again.stdout.splitlines()]
    assert again.code == 0 and resumed == [True, None]


def test_points_without_masks_are_compared_again_not_encoded_again(davis: Path, tmp_path: Path) -> None:
    x265 = CODECS[-1:]
    assert typed(*options(davis, tmp_path, x265)).code == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "streams").iterdir()}
    again = typed(*options(davis, tmp_path, x265), "--roi", "davis", "--json")
    assert [json.loads(line).get("resumed") for line in again.stdout.splitlines()] == [False, False, None]
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "streams").iterdir()}
    assert all("psnr-yuv-roi" in point.metrics for point in read_points(tmp_path))


def test_other_masks_are_not_mixed_in(measured: Path, davis: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(measured, tmp_path / "results"))
    other = davis / "Annotations/480p/libby"
    refused = typed(*options(davis, copied, CODECS[-1:]), "--roi", other)
    assert refused.code == 2 and "holds points of car-roundabout with other masks" in refused.stderr
    replaced = typed(*options(davis, copied, CODECS[-1:]), "--roi", other, "--overwrite")
    assert replaced.code == 0, replaced.stderr
    (clip,) = {point.clip for point in read_points(copied)}
    assert clip.masks_path == str(other)


def test_masks_are_found_where_none_are_given(davis: Path, tmp_path: Path) -> None:
    codecs = ["x265=ffmpeg -c:v libx265 -crf 38"]
    done = typed(*options(davis, tmp_path / "results", codecs), "--roi-from", "motion")
    assert done.code == 0, done.stderr
    (point,) = of_codec(tmp_path / "results", "x265")
    assert point.metrics["psnr-yuv-roi"] is not None and 0 < (point.metrics["area-roi"] or 0) < 100
    (masks,) = (tmp_path / "results" / "masks").iterdir()
    assert point.clip.masks_path == str(masks)


def test_the_report_outlines_the_region_and_plots_draw_it(measured: Path, tmp_path: Path) -> None:
    assert typed("report", measured, "-o", tmp_path / "a.html", "--pictures", 2).code == 0
    data = data_of(tmp_path / "a.html")
    (clip,) = data["clips"]
    assert len(clip["outlines"]) == 2 and clip["outlinesProblem"] is None
    assert all(point["images"] for point in clip["points"]) and len(clip["points"]) == 5
    assert data["summary"]["metrics"] == ["psnr-yuv", "psnr-yuv-roi", "psnr-yuv-background"]
    titles = {metric["name"]: (metric["title"], metric["unit"]) for metric in data["metrics"]}
    assert titles["psnr-yuv-roi"] == ("PSNR-YUV in the region", "dB")
    assert titles["bits-roi"] == ("Bits in the region", "%")
    drawn = typed("plot", measured, "-o", tmp_path / "a.svg", "--metric", "psnr-yuv-roi,bits-roi")
    assert drawn.code == 0 and "x265 has no bits-roi" in drawn.stderr
    assert "PSNR-YUV in the region (dB)" in (tmp_path / "a.svg").read_text()


def test_masks_that_have_changed_are_not_drawn(measured: Path, davis: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(measured, tmp_path / "results"))
    for path in (copied / "points").iterdir():
        path.write_text(path.read_text().replace("Annotations/480p/car-roundabout", "Annotations/480p/libby"))
    assert typed("report", copied, "-o", tmp_path / "a.html", "--pictures", 1).code == 0
    (clip,) = data_of(tmp_path / "a.html")["clips"]
    assert clip["outlines"] is None and "is not what was measured" in clip["outlinesProblem"]


def test_compare_shows_regions(davis: Path, car: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"x": 0, "y": 0, "w": 80, "h": 96, "qoffset": -1, "frames": [0, 1]}]))
    shown = typed("compare", car, car, "--roi-boxes", boxes, "--metrics", "psnr-y,ms-ssim-y")
    lines = shown.stdout.splitlines()
    assert lines[1:3] == [
        "  160x96, 4 pictures, 4 of them identical",
        "  region of 25.0 % of the picture, empty in 2 pictures",
    ]
    assert [line.split()[0] for line in lines[5:11]] == [
        *("psnr-y", "ms-ssim-y", "psnr-y-roi", "ms-ssim-y-roi", "psnr-y-background", "ms-ssim-y-background")
    ]
    both = typed("compare", car, car, "--roi-boxes", boxes, "--roi", davis / "Annotations/480p/libby")
    assert both.code == 2 and "--roi and --roi-boxes given" in both.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["rd", "{car}", "--codec", "roi-blur"],
            "codec roi-blur codes regions of interest: say with --roi where they are",
        ),
        (["rd", "{car}", "--roi", "davis"], "does not lie in a folder JPEGImages"),
        (["rd", "{car}", "--roi", "none"], "--roi none: there is no such file or folder"),
        (["rd", "{car}", "--codec", "a=mpv -q"], "after = comes scaleflow, ffmpeg, roi-blur, roi-objects, roi-x265"),
        (["baseline", "blur", "{car}", "{out}"], "there is no region of interest: give one with --roi or --roi-boxes"),
        (["baseline", "blur", "{car}", "{out}", "--roi", "{masks}", "--blur", "0"], "--blur 0 is not above 0"),
        (["baseline", "objects", "{car}", "{out}", "--roi", "{masks}", "--roi-strength", "0"], "--roi-strength 0"),
        (["baseline", "x265", "{car}", "{out}", "--roi", "{masks}", "--crf", "60"], "--crf 60 is outside 0..51"),
    ],
)
def test_mistakes_take_one_line(car: Path, car_masks: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    names = {"car": car, "masks": car_masks, "out": tmp_path / "out"}
    given = [argument.format(**names) for argument in arguments]
    result = typed(*given, *(["--out", tmp_path / "results"] if given[0] == "rd" else []))
    assert result.code == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
