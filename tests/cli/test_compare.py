"""``scaleflow compare``, from what is typed to tables, JSON and CSV."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scaleflow.codec.container import SfvReader, VideoPacket
from tests.cli.conftest import Result

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def decoded(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None], carphone: Path) -> Path:
    """Twenty pictures of the clip through x264; the first four are kept as they are in another file."""
    path = tmp_path_factory.mktemp("decoded") / "decoded.mp4"
    ffmpeg("-i", carphone, "-frames:v", 20, "-c:v", "libx264", "-threads", 1, "-crf", 34, path)
    return path


def test_table(scaleflow: Run, carphone: Path, decoded: Path) -> None:
    result = scaleflow("compare", carphone, decoded, "--frames", 20, "--metrics", "psnr,ms-ssim-y")
    assert (result.code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{decoded}, compared with {carphone}" and lines[1] == "  88x72, 20 pictures"
    assert "mean   of mean MSE   worst picture" in lines[3]
    assert [line.split()[0] for line in lines[4:10]] == "psnr-y psnr-u psnr-v psnr-yuv psnr-rgb ms-ssim-y".split()
    assert lines[4].count(" dB") == 3 and " s (picture " in lines[4]
    assert lines[9].split() == ["ms-ssim-y", "none"]
    assert result.stdout.count("has no tag of its matrix: smpte170m is assumed") == 2


def test_json_and_csv_hold_each_picture(scaleflow: Run, carphone: Path, decoded: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.csv"
    result = scaleflow("compare", carphone, decoded, "--frames", 6, "--json", "--csv", values)
    (line,) = result.stdout.splitlines()
    record = json.loads(line)
    assert (record["pictures"], record["width"], record["height"], record["identical"]) == (6, 88, 72, 0)
    assert record["times"] == pytest.approx([n / 20 for n in range(6)])
    luma = record["frames"]["psnr-y"]
    assert record["means"]["psnr-y"] == pytest.approx(sum(luma) / 6)
    worst = record["worst"]["psnr-y"]
    assert worst["value"] == min(luma) and luma[worst["picture"]] == worst["value"]
    with values.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["picture", "time", "psnr-y", "psnr-u", "psnr-v", "psnr-yuv", "psnr-rgb"]
    assert [float(row["psnr-y"]) for row in rows] == luma and rows[5]["picture"] == "5"
    again = scaleflow("compare", carphone, decoded, "--frames", 6, "--csv", values)
    assert again.code == 2 and "values.csv: exists already" in again.stderr
    assert scaleflow("compare", carphone, decoded, "--frames", 3, "--csv", values, "--overwrite").code == 0
    assert len(values.read_text().splitlines()) == 4


def test_identical_files(scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.csv"
    arguments = ("compare", carphone, carphone, "--frames", 3, "--metrics", "psnr-y,ms-ssim-y,psnr-y", "--csv", values)
    shown = scaleflow(*arguments)
    assert (
        "3 pictures, 3 of them identical" in shown.stdout and "psnr-y           identical     identical" in shown.stdout
    )
    record = json.loads(scaleflow(*arguments, "--overwrite", "--json").stdout)
    assert record["identical"] == 3 and record["worst"]["psnr-y"] is None
    assert record["means"] == {"psnr-y": None, "psnr-y-of-mean-mse": None, "ms-ssim-y": None}
    assert record["frames"] == {"psnr-y": [None] * 3, "ms-ssim-y": [None] * 3}
    assert values.read_text().splitlines()[1] == "0,0.0,inf,"


def test_some_identical_pictures_are_left_out_of_means(
    scaleflow: Run, ffmpeg: Callable[..., None], carphone: Path, tmp_path: Path
) -> None:
    partly = tmp_path / "partly.mkv"
    ffmpeg("-i", carphone, "-frames:v", 4, "-vf", "lutyuv=y=val+2:enable='gte(n,2)'", "-c:v", "ffv1", partly)
    result = scaleflow("compare", carphone, partly, "--frames", 4, "--metrics", "psnr-y")
    assert "4 pictures, 2 of them identical" in result.stdout
    assert "Means of psnr-y leave out pictures where these are identical." in result.stdout
    assert "42.110 dB" in result.stdout.splitlines()[4]  # of an error of 2 everywhere


def test_streams_are_decoded_first(scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    coded, player = tmp_path / "coded.sfv", tmp_path / "played.mkv"
    scaleflow("encode", carphone, coded, "--quality", 40, "--frames", 12, "--intra-period", 4)
    scaleflow("decode", coded, player, "--lossless")
    records = [
        json.loads(scaleflow("compare", carphone, path, "--frames", 12, "--json", "--metrics", "psnr-yuv").stdout)
        for path in (coded, player)
    ]
    assert records[0]["frames"] == records[1]["frames"]
    whole = scaleflow("compare", carphone, coded)
    assert whole.code == 1 and f"{coded}: ends after 12 pictures" in whole.stderr
    with SfvReader(coded) as reader:
        offset = next(item.offset for item in reader if isinstance(item, VideoPacket) and item.frame_number == 4)
    data = bytearray(coded.read_bytes())
    data[offset + 60] ^= 1
    coded.write_bytes(data)
    damaged = scaleflow("compare", carphone, coded, "--frames", 12)
    assert damaged.code == 1 and damaged.stdout == ""
    assert "is damaged in 1 places; what stands in for lost pictures is not measured" in damaged.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{clip}", "{decoded}", "--metrics", "ssim"], 2, "there is no metric 'ssim'"),
        (["{clip}", "{decoded}", "--metrics", ","], 2, "no metric is named"),
        (["{clip}", "{decoded}", "--fps", "fast"], 2, "--fps 'fast'"),
        (["{clip}", "-"], 2, "from files"),
        (["{clip}", "{folder}/none.mp4"], 2, "no such file"),
        (["{folder}/none.mp4", "{decoded}"], 2, "no such file"),
        (["{clip}", "{text}"], 1, "text.mp4: "),
        (["{clip}", "{decoded}"], 1, "decoded.mp4: ends after 20 pictures"),
        (["{clip}", "{decoded}", "--csv", "{folder}/no/values.csv"], 2, "create it first"),
        (["{clip}", "{decoded}", "--metrics", "vmaf", "--ffmpeg", "{folder}/none"], 2, "no such program"),
        (["{clip}", "{decoded}", "--metrics", "lpips", "--lpips-backbone", "{folder}/none"], 2, "no such file"),
        (["{clip}", "{decoded}", "--metrics", "lpips", "--lpips-backbone", "{text}"], 1, "cannot be read as weights"),
    ],
)
def test_mistakes_take_one_line_and_leave_nothing(
    scaleflow: Run, carphone: Path, decoded: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video at all, only words")
    names = {"clip": carphone, "decoded": decoded, "folder": tmp_path, "text": text}
    result = scaleflow("compare", *[argument.format(**names) for argument in arguments])
    (line,) = result.stderr.splitlines()
    assert (result.code, result.stdout) == (code, "") and line.startswith("scaleflow: ") and message in line
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_missing_package_is_named_with_its_extra(
    scaleflow: Run, carphone: Path, decoded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "scaleflow.optional_packages.find_spec", lambda name: None if name == "pytorch_msssim" else found(name)
    )
    result = scaleflow("compare", carphone, decoded, "--metrics", "ms-ssim")
    assert result.code == 2
    assert 'a package that is not installed (pytorch_msssim): pip install ".[evaluate]"' in result.stderr
