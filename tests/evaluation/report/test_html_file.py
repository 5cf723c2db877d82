"""The file: what is in it, what it leaves out where something is gone, and that it is complete or not there."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scaleflow.codec.container import SfvReader
from scaleflow.codec.models import registry
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.point_file import read_point
from scaleflow.evaluation.report import ReportSettings, write_report
from scaleflow.evaluation.report.html_file import page
from scaleflow.evaluation.report.stream_pictures import CachedModels, read_pictures


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def picture_of(uri: str) -> np.ndarray[Any, Any]:
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.fixture
def copied(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(results, tmp_path / "results"))


def change_points(folder: Path, **clip: Any) -> None:
    for path in (folder / "points").iterdir():
        point = read_point(path)
        path.write_text(replace(point, clip=replace(point.clip, **clip)).to_json())


def test_content(report: Path) -> None:
    data = data_of(report)
    assert [row["codec"] for row in data["summary"]["rows"]] == ["scaleflow", "x264"]
    assert data["summary"]["anchor"] == "x264"
    assert {curve["clip"] for curve in data["curves"]} == {None, "carphone.y4m"} and len(data["curves"]) == 4
    (clip,) = data["clips"]
    assert clip["problem"] is None and clip["pictures"] == [1, 3, 5] and len(clip["original"]) == 3
    for point in clip["points"]:
        assert len(point["images"]) == 3 and len(point["bits"]) == 6 and point["problem"] is None
        assert len(point["values"]["psnr-y"]) == 6
    scaleflow = clip["points"][0]
    titles = [made["title"] for made in scaleflow["maps"][0]]
    assert titles == ["all bits", "bits of motion", "bits of residual", "motion", "blur of the reference"]
    assert picture_of(scaleflow["maps"][0][0]["image"]).shape == (18, 22, 3)
    assert clip["points"][1]["maps"] is None


def test_pictures_are_what_the_decoders_wrote(report: Path, results: Path, carphone: Path) -> None:
    (clip,) = data_of(report)["clips"]
    shown = [(carphone, clip["original"])]
    for point in clip["points"]:
        (path,) = (results / "streams").glob(f"*-{point['codec']}-{point['setting'].split()[-1]}.*")
        shown.append((path, point["images"]))
    for path, images in shown:
        decoded = read_pictures(path, [1, 3, 5], lambda header: load_model()).pictures
        for number, image in zip((1, 3, 5), images, strict=True):
            assert np.array_equal(picture_of(image), decoded[number])


def test_nothing_is_asked_for_over_a_network(report: Path) -> None:
    text = report.read_text("utf-8")
    # The name of SVG is no address that is ever visited.
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses and "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text


def test_same_results_give_the_same_bytes(results: Path, tmp_path: Path) -> None:
    settings = ReportSettings(pictures=0)
    for name in ("a.html", "b.html"):
        write_report(results, tmp_path / name, settings)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_original_is_gone(copied: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    change_points(copied, path=str(tmp_path / "gone.y4m"))
    write_report(copied, tmp_path / "a.html")
    (clip,) = data_of(tmp_path / "a.html")["clips"]
    assert "gone.y4m" in clip["problem"] and clip["original"] is None
    assert all(point["images"] is None for point in clip["points"])
    assert "the report has no pictures of it" in caplog.text


def test_original_is_another(copied: Path, tmp_path: Path) -> None:
    change_points(copied, content="0123")
    write_report(copied, tmp_path / "a.html")
    assert "carphone.y4m: is not what was measured" in data_of(tmp_path / "a.html")["clips"][0]["problem"]


def test_stream_is_gone_or_broken(copied: Path, tmp_path: Path) -> None:
    for path in (copied / "streams").glob("*x264*"):
        path.unlink()
    for path in (copied / "streams").glob("*scaleflow*"):
        path.write_bytes(b"no stream")
    write_report(copied, tmp_path / "a.html")
    (clip,) = data_of(tmp_path / "a.html")["clips"]
    assert len(clip["original"]) == 3
    assert all(point["images"] is None and point["problem"] for point in clip["points"])


def test_damaged_pictures_are_not_compared(copied: Path, tmp_path: Path) -> None:
    for path in (copied / "streams").glob("*scaleflow*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    write_report(copied, tmp_path / "a.html")
    ours, theirs = data_of(tmp_path / "a.html")["clips"][0]["points"]
    assert ours["images"] is None and "damage at byte" in ours["problem"] and len(theirs["images"]) == 3


def test_names_cannot_end_the_data() -> None:
    text = page({"title": "</script><script>alert(1)</script><!--"})
    assert "<script>alert" not in text and text.count("</script>") == 2


def test_bad_requests(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end the name with \.html"):
        write_report(results, tmp_path / "a.pdf")
    with pytest.raises(UsageError, match=r"nowhere: no such folder"):
        write_report(tmp_path / "nowhere", tmp_path / "a.html")
    with pytest.raises(UsageError, match=r"clip 'foreman' was not measured; there are carphone.y4m"):
        write_report(results, tmp_path / "a.html", ReportSettings(clips=("foreman",)))
    with pytest.raises(UsageError, match=r"anchor x266 was not measured"):
        write_report(results, tmp_path / "a.html", ReportSettings(anchor="x266", pictures=0))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no points"):
        write_report(tmp_path / "empty", tmp_path / "a.html")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_points_and_streams_lead_to_no_model(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a command in a point nor a name in a stream opens a file or a network; the settings may."""
    asked: list[tuple[str, object]] = []

    def load(name: str, **options: Any) -> VideoModel:
        asked.append((name, options["weights"]))
        return load_model()

    monkeypatch.setattr(registry, "load_model", load)
    for path in (copied / "points").glob("*.json"):
        point = read_point(path)
        bad = ("--model", "ssf2020-1", "--weights", "/etc/passwd")
        path.write_text(replace(point, decode_command=(*point.decode_command, *bad)).to_json())
    write_report(copied, tmp_path / "report.html", ReportSettings(pictures=1))
    assert set(asked) == {("default", None)}
    with SfvReader(next((copied / "streams").glob("*.sfv"))) as reader:
        header = replace(reader.header, model="ssf2020-1")
    asked.clear()
    with pytest.raises(DataError, match="does not come with ScaleFlow"):
        CachedModels("cpu").choose(header)
    assert not asked
    CachedModels("cpu", ("ssf2020-2", "ssf2020-1")).choose(header)
    assert asked == [("ssf2020-1", None)]
    CachedModels("cpu", ("ssf2020:a.pth",)).choose(replace(header, model="ssf2020"))
    assert asked[1:] == [("ssf2020:a.pth", None)]
