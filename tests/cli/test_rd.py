"""``scaleflow rd`` as it is typed, with the shipped model and real encoders."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scaleflow.evaluation.rate_distortion import measure_point
from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.report.stream_pictures import read_original
from tests.cli.conftest import Result, encoders_in_this_process, typed
from tests.places import REPOSITORY

METRICS = ("--metrics", "psnr-y,psnr-rgb")
X264 = "x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -g {intra_period} -crf {22,30,38}"


def rd(*arguments: object) -> Result:
    """Runs ``scaleflow rd`` in this process; encoders and decoders are programs all the same."""
    return typed("rd", *arguments)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> Path:
    """Four pictures by the shipped model and by x264; the first point by programs of their own."""
    folder = tmp_path_factory.mktemp("rd") / "results"
    given = ["--out", folder, *METRICS, "--codec", "scaleflow", "--codec", X264, "--quality", "16,40"]
    with encoders_in_this_process(but_first=2):
        done = rd(carphone, *given, "--frames", 4, "--intra-period", 3)
    assert done.code == 0, done.stderr
    assert f"{folder}: 5 points" in done.stdout and "BD-rate against x264" in done.stdout
    return folder


@pytest.fixture
def copy(measured: Path, tmp_path: Path) -> Path:
    """A results folder that a test may change."""
    return Path(shutil.copytree(measured, tmp_path / "results"))


def options(folder: Path, *codecs: str, metrics: Sequence[str] = METRICS) -> list[object]:
    """What goes on with ``measured``."""
    named = [part for codec in codecs for part in ("--codec", codec)]
    return ["--out", folder, *metrics, *named, "--quality", "16", "--quality", "40", "--frames", 4, "--intra-period", 3]


def test_points_say_what_was_done(measured: Path, carphone: Path) -> None:
    points = read_points(measured)
    assert [(point.codec, point.setting) for point in points] == [
        ("scaleflow", "--quality 16"),
        ("scaleflow", "--quality 40"),
        ("x264", "-crf 38"),
        ("x264", "-crf 30"),
        ("x264", "-crf 22"),
    ]
    for point in points:
        stream = measured / point.stream
        assert stream.stat().st_size == point.file_bytes
        assert point.bits_per_pixel == 8 * point.file_bytes / (88 * 72 * 4)
        assert point.bitrate == pytest.approx(8 * point.file_bytes / (4 / 20) / 1000)
        assert sum(point.bits_per_pixel_by_kind.values()) == pytest.approx(point.bits_per_pixel)
        assert point.frames.kinds == ["intra", "inter", "inter", "intra"]
        assert sum(point.frames.bits) < 8 * point.file_bytes and point.bits_per_pixel_by_kind["container"] > 0
        assert point.metrics["psnr-y"] == pytest.approx(sum(point.frames.metrics["psnr-y"]) / 4)
    best = points[1]
    assert set(best.bits_per_pixel_by_kind) == {"intra", "motion", "residual", "side information", "container"}
    assert best.encode_command[:2] == ("scaleflow", "encode") and points[2].encode_command[0] == "ffmpeg"
    assert best.software["weights"] and points[2].software["ffmpeg"]


def test_the_streams_give_the_same_metrics_to_scaleflow_compare(measured: Path, carphone: Path) -> None:
    for point in read_points(measured):
        # as many threads as rd gives a decoder: another number may round a sample the other way
        command = ["compare", str(carphone), str(measured / point.stream), "--frames", "4", "--threads", "1", "--json"]
        result = typed(*command)
        assert json.loads(result.stdout)["means"]["psnr-y"] == pytest.approx(point.metrics["psnr-y"], abs=1e-9)


def test_tables_of_pictures(measured: Path) -> None:
    import polars

    with (measured / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and list(rows[0])[:7] == ["clip", "codec", "setting", "picture", "time", "kind", "bits"]
    table = polars.read_parquet(measured / "frames.parquet")
    assert table.columns == list(rows[0]) and table["bits"].to_list() == [int(row["bits"]) for row in rows]


def test_compressai_draws_the_files(measured: Path, tmp_path: Path) -> None:
    from compressai.utils.plot.__main__ import main as plot_pictures  # seconds to import

    picture = tmp_path / "curves.png"
    files = [str(measured / "scaleflow.json"), str(measured / "x264.json")]
    plot_pictures(["-f", *files, "--metric", "psnr-y", "-o", str(picture)])
    assert picture.stat().st_size > 10_000
    content = json.loads(Path(files[1]).read_text())
    assert content["settings"] == ["-crf 38", "-crf 30", "-crf 22"] and len(content["results"]["bpp"]) == 3
    assert list(content["clips"]) == ["carphone.y4m"]


def test_small_pictures_without_ms_ssim_are_drawn_all_the_same(copy: Path, carphone: Path, tmp_path: Path) -> None:
    more = rd(carphone, *options(copy, X264, metrics=("--metrics", "psnr-y,ms-ssim-y")))
    assert more.code == 0 and "x264, ms-ssim" not in more.stdout
    for command in (
        ["plot", str(copy), "-o", str(tmp_path / "a.svg")],
        ["report", str(copy), "-o", str(tmp_path / "a.html")],
    ):
        result = typed(*command)
        assert result.code == 0, result.stderr


def test_a_second_run_measures_only_what_is_new(copy: Path, carphone: Path) -> None:
    streams = {path.name: path.stat().st_mtime_ns for path in (copy / "streams").iterdir()}
    again = rd(carphone, *options(copy, "scaleflow", X264), "--json")
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert again.code == 0 and [line.get("resumed") for line in lines[:-1]] == [True] * 5
    assert lines[-1] == {"event": "done", "points": 5, "failed": 0}
    more = rd(carphone, *options(copy, X264, metrics=("--metrics", "psnr-y,psnr-u")), "--json")
    lines = [json.loads(line) for line in more.stdout.splitlines()]
    assert [line.get("resumed") for line in lines[:-1]] == [False] * 3 and "psnr-u" in lines[0]["metrics"]
    # what was measured before is kept, of pictures too
    for point in read_points(copy):
        assert {"psnr-y", "psnr-rgb"} <= set(point.metrics) & set(point.frames.metrics)
        assert ("psnr-u" in point.metrics) == ("psnr-u" in point.frames.metrics) == (point.codec == "x264")
    # streams are decoded again, not encoded again
    assert streams == {path.name: path.stat().st_mtime_ns for path in (copy / "streams").iterdir()}


def test_a_lost_or_changed_stream_is_encoded_again(copy: Path, carphone: Path) -> None:
    first, second, _ = (point for point in read_points(copy) if point.codec == "x264")
    (copy / first.stream).unlink()
    data = bytearray((copy / second.stream).read_bytes())
    data[-30] ^= 1
    (copy / second.stream).write_bytes(data)
    again = rd(carphone, *options(copy, X264), "--json")
    resumed = [json.loads(line).get("resumed") for line in again.stdout.splitlines()[:-1]]
    assert sorted(resumed) == [False, False, True]
    assert (copy / second.stream).read_bytes() != bytes(data)


def test_a_flipped_byte_fails_its_point_and_no_other(
    tmp_path: Path, carphone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = measure_point._encode

    def encode_and_damage(command: Sequence[str], source: Path, stream: Path) -> float:
        seconds = encode(command, source, stream)
        if "16" in command:
            data = bytearray(stream.read_bytes())
            data[len(data) * 3 // 4] ^= 4
            stream.write_bytes(data)
        return seconds

    monkeypatch.setattr(measure_point, "_encode", encode_and_damage)
    with encoders_in_this_process():
        result = rd(carphone, *options(tmp_path / "results", "scaleflow"))
    assert result.code == 1
    assert "carphone.y4m, scaleflow --quality 16: scaleflow decode" in result.stderr and "damage" in result.stderr
    assert "1 of 2 could not be measured" in result.stderr
    (point,) = read_points(tmp_path / "results")
    assert point.setting == "--quality 40"


def test_several_workers_measure_the_same(measured: Path, carphone: Path, tmp_path: Path) -> None:
    result = rd(carphone, *options(tmp_path / "results", X264), "--workers", 2)
    assert result.code == 0
    known = {point.setting: point for point in read_points(measured) if point.codec == "x264"}
    for point in read_points(tmp_path / "results"):
        assert point.metrics == known[point.setting].metrics and point.file_bytes == known[point.setting].file_bytes


@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 2)])
def test_a_stopped_run_keeps_its_points_and_goes_on(
    tmp_path: Path, carphone: Path, number: int, code: int, workers: int
) -> None:
    folder = tmp_path / "results"
    command = [*scaleflow_command(), "rd", carphone]
    # more than a busy machine does before the signal comes
    codecs = (X264, "scaleflow", "later=scaleflow --quality {20,24,28,32,36,44}")
    given = [*options(folder, *codecs), "--workers", workers, "--json"]
    running = subprocess.Popen(
        [*map(str, command), *map(str, given)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    first = json.loads(running.stdout.readline())
    running.send_signal(number)
    _, messages = running.communicate(timeout=60)
    assert (running.returncode, first["event"]) == (code, "point")
    assert messages.splitlines() == [f"scaleflow: stopped; the points in {folder} are kept, the same command goes on"]
    assert 1 <= len(read_points(folder)) < 11
    assert not [path for path in (folder / "streams").iterdir() if "partial" in path.name] or number == signal.SIGTERM
    again = rd(carphone, *options(folder, X264), "--json")
    resumed = [json.loads(line).get("resumed") for line in again.stdout.splitlines()[:-1]]
    assert again.code == 0 and len(resumed) == 3 and any(resumed)
    assert not [path for path in (folder / "streams").iterdir() if "partial" in path.name]


def test_points_measured_otherwise_are_not_mixed_in(copy: Path, carphone: Path) -> None:
    other = X264.replace("ultrafast", "veryfast")
    refused = rd(carphone, *options(copy, other))
    assert refused.code == 2 and "holds points of codec x264 with other options" in refused.stderr
    shorter = rd(carphone, *options(copy, X264), "--frames", 3)
    assert shorter.code == 2 and "holds points of carphone.y4m with other pictures" in shorter.stderr
    assert len(read_points(copy)) == 5
    replaced = rd(carphone, *options(copy, other), "--overwrite")
    assert replaced.code == 0
    commands = [point.encode_command for point in read_points(copy) if point.codec == "x264"]
    assert len(commands) == 3 and all("veryfast" in command for command in commands)


def test_clips_of_different_sizes_and_a_broken_one(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    ffmpeg("-i", carphone, "-frames:v", 2, "-vf", "scale=45:37", "-pix_fmt", "yuv420p", clips / "odd.y4m")
    shutil.copy(carphone, clips / "whole.y4m")
    (clips / "broken.mp4").write_bytes(b"no video")
    codecs = (X264, "mpeg4=ffmpeg -c:v mpeg4 -q:v {3,12}")
    result = rd(clips, *options(tmp_path / "results", *codecs), "--by-clip", "--anchor", "x264")
    assert result.code == 1 and "broken.mp4" in result.stderr
    # x264 codes no odd sizes, and says so
    assert "odd.y4m, x264 -crf 22: ffmpeg" in result.stderr and "not divisible by 2 (45x37)" in result.stderr
    found = {(point.clip.name, point.clip.width, point.codec) for point in read_points(tmp_path / "results")}
    assert found == {("odd.y4m", 45, "mpeg4"), ("whole.y4m", 88, "mpeg4"), ("whole.y4m", 88, "x264")}
    assert "mean over 2 clips" in result.stdout and result.stdout.count("(1 of 2)") == 2
    mean, odd, whole = (line.split() for line in result.stdout.splitlines()[-3:])
    assert mean[0] == "mpeg4" and odd == ["odd.y4m", "none", "none"]
    assert whole[0] == "whole.y4m" and whole[1] == mean[1] and float(whole[1]) != 0


def test_clips_may_be_moved_and_reduced_before_all_codecs(tmp_path: Path, carphone: Path) -> None:
    result = rd(carphone, *options(tmp_path, "x264"), "--shift", "8,4", "--reduce", 2)
    assert result.code == 0, result.stderr
    assert "clips after shift 8,4, reduce 2" in result.stdout
    for point in read_points(tmp_path):
        assert point.clip.change == "shift 8,4, reduce 2"
        assert (point.clip.width, point.clip.height) == (40, 34)
    original = read_original(read_points(tmp_path)[0].clip, [1])
    assert original.pictures[1].shape == (34, 40, 3)
    other = rd(carphone, *options(tmp_path, "x264"), "--reduce", 2)
    assert other.code == 2 and "other pictures" in other.stderr


def test_a_codec_without_loss_is_identical(tmp_path: Path, carphone: Path) -> None:
    lossless = "ffv1=ffmpeg -c:v ffv1 -g {intra_period}"
    result = rd(carphone, *options(tmp_path / "results", lossless, X264))
    assert result.code == 0 and "a curve needs 2" in result.stdout
    (point,) = (point for point in read_points(tmp_path / "results") if point.codec == "ffv1")
    assert point.identical == 4 and point.metrics["psnr-y"] is None


def test_an_anchor_may_have_been_measured_before(copy: Path, carphone: Path) -> None:
    result = rd(carphone, *options(copy, "scaleflow"), "--anchor", "x264")
    assert result.code == 0 and "BD-rate against x264" in result.stdout
    other = rd(carphone, *options(copy, "scaleflow"), "--anchor", "x265")
    assert other.code == 2 and "--anchor x265 was not measured; there are scaleflow, x264" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.mp4"], "none.mp4: no such file or folder"),
        (["{clip}", "--codec", "x266"], "codec 'x266' is unknown"),
        (["{clip}", "--codec", "x=ffmpeg -c:v libx999"], "encoder libx999"),
        (["{clip}", "--codec", "x264", "--codec", "x264"], "two codecs are named x264"),
        (["{clip}", "--quality", "10,100"], "qualities are 0 to 63"),
        (["{clip}", "--quality", "high"], "give numbers with commas between"),
        (["{clip}", "--shift", "6"], "give two numbers of samples"),
        (["{clip}", "--shift", "5,6"], "give two even numbers"),
        (["{clip}", "--reduce", "20"], "--reduce 20 is outside"),
        (["{clip}", "--metrics", "psnr-z"], "there is no metric 'psnr-z'"),
        (["{clip}", "--codec", "x264", "--anchor", "x265"], "--anchor x265 was not measured"),
        (["{clip}", "--codec", "x264", "--ffmpeg", "none"], "there is no such program"),
        (["{clip}", "--codec", "x264", "--metrics", "lpips", "--lpips-backbone", "none"], "no such file"),
    ],
)
def test_mistakes_take_one_line(tmp_path: Path, carphone: Path, arguments: list[str], words: str) -> None:
    given = [argument.format(clip=carphone) for argument in arguments]
    result = rd(*given, "--out", tmp_path / "results", "--frames", 2)
    assert result.code == 2, result.stderr
    assert words in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "results" / "points").exists() or not list((tmp_path / "results" / "points").iterdir())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("stream", "../victim.txt", "is no file of the folder streams"), ("codec", "../escaped", "is no name of a codec")],
)
def test_points_name_no_other_files(copy: Path, carphone: Path, field: str, value: str, words: str) -> None:
    victim = copy.parent / "victim.txt"
    victim.write_text("mine")
    point = json.loads(next((copy / "points").glob("*.json")).read_text())
    (copy / "points" / "crafted.json").write_text(json.dumps({**point, "description": "other", field: value}))
    before = sorted(path.name for path in copy.parent.iterdir())
    for arguments in (
        ("rd", carphone, *options(copy, X264), "--overwrite"),
        ("rd", carphone, *options(copy, X264)),
        ("plot", copy, "-o", copy / "a.svg"),
        ("report", copy, "-o", copy / "a.html"),
    ):
        result = typed(*arguments)
        assert result.code == 1 and words in result.stderr and "crafted.json" in result.stderr
    assert victim.read_text() == "mine" and sorted(path.name for path in copy.parent.iterdir()) == before


def test_a_point_does_not_delete_the_coded_file_of_another(copy: Path, carphone: Path) -> None:
    path = next((copy / "points").glob("*.json"))
    point = json.loads(path.read_text())
    (copy / "points" / "crafted.json").write_text(json.dumps({**point, "description": "other"}))
    result = rd(carphone, *options(copy, X264), "--overwrite")
    assert result.code == 1 and "the coded file of another point" in result.stderr
    assert (copy / point["stream"]).is_file()


def test_links_in_a_results_folder_are_not_followed(copy: Path, carphone: Path) -> None:
    point = next(point for point in read_points(copy) if point.codec == "x264")
    victim, stream = copy.parent / "victim.txt", copy / point.stream
    victim.write_text("mine")
    for path in (stream, copy / "frames.csv", copy / "x264.json"):
        path.unlink()
        path.symlink_to(victim)
    result = rd(carphone, *options(copy, X264))
    assert result.code == 0 and victim.read_text() == "mine"
    assert stream.stat().st_size == point.file_bytes and not any(path.is_symlink() for path in copy.rglob("*"))
    for path in (copy / "streams").iterdir():
        path.unlink()
        path.symlink_to(carphone)
    typed("report", copy, "-o", copy / "a.html")
    assert "is no file of the results folder" in (copy / "a.html").read_text()


def test_two_runs_do_not_share_a_folder(copy: Path, carphone: Path) -> None:
    from scaleflow.partial_file import only_writer

    with only_writer(copy / "points"):
        result = rd(carphone, *options(copy, X264))
    assert result.code == 2 and "is being written by another process" in result.stderr
