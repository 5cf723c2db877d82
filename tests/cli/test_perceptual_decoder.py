"""The perceptual decoder as a user trains, exports and uses it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scaleflow
from scaleflow.adversarial import perceptual_codec
from scaleflow.adversarial.perceptual_weights import load_second_synthesis
from scaleflow.codec.models.capabilities import require_parts
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_model
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.report.stream_pictures import CachedModels, read_pictures
from tests.adversarial.changed_decoder import write_changed_decoder
from tests.cli.conftest import encoders_in_this_process
from tests.cli.test_regions import Run, run
from tests.codec.conftest import packaged_clip
from tests.evaluation.rate_distortion.test_point import MASKED, point

__all__ = ["run"]


def luma(path: Path) -> list[np.ndarray]:
    with open_video(path) as reader:
        return [picture.planes[0].astype(int) for picture in reader]


def test_a_trained_decoder_shows_the_same_stream_otherwise(
    run: Run, carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, weights, coded = tmp_path / "videos", tmp_path / "sharp.safetensors", tmp_path / "coded.sfv"
    videos.mkdir()
    (videos / "carphone.mp4").symlink_to(packaged_clip("carphone_pristine.mp4"))
    changes = [
        f"stages.{stage}.{key}"
        for stage in ("lpips", "long", "adversary")
        for key in ("steps=2", "batch=1", "warm_up=0")
    ]
    changes += ["stages.adversary.learning_rate=0.02", "optimization.average=0"]  # so that two steps show
    changes += [f"data.path={videos}", "data.crop=64", "data.workers=0", "log_every=1"]
    changes += ["adversarial.lpips=0", "adversarial.squared_error=0", "adversarial.weight=1", "adversarial.ramp=0"]
    shown = run("train", "--preset", "perceptual", "--threads", 1, "--json", "--out", tmp_path / "run", *changes)
    reports = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [report["stage"] for report in reports] == ["lpips"] * 2 + ["long"] * 2 + ["adversary"] * 2
    assert "discriminator accuracy" in reports[-1] and "discriminator accuracy" not in reports[0]
    run("export", tmp_path / "run" / "last.ckpt", weights)
    card = (tmp_path / "run" / "model-card.md").read_text()
    codec = require_parts(load_model())
    size = sum(parameter.numel() for parameter in load_second_synthesis(weights, codec).parameters()) / 1e6
    assert f"{size:.2f} million parameters" in card and f"goes with the codec's weights {codec.weights_hash}" in card

    run("encode", carphone, coded, "-q", 10, "--frames", 3)
    run("decode", coded, tmp_path / "fidelity.y4m")
    options = ("--decoder", "perceptual", "--decoder-weights", weights)
    run("decode", coded, tmp_path / "full.y4m", *options)
    run("decode", coded, tmp_path / "none.y4m", *options, "--perception", 0)
    assert (tmp_path / "none.y4m").read_bytes() == (tmp_path / "fidelity.y4m").read_bytes()
    plain, full = luma(tmp_path / "fidelity.y4m"), luma(tmp_path / "full.y4m")
    assert len(full) == 3 and any(np.abs(ours - theirs).max() > 0 for ours, theirs in zip(full, plain, strict=True))

    # the library does the same, from the middle of the stream as well
    with scaleflow.open_decoder(coded, decoder="perceptual", decoder_weights=weights) as decoder:
        assert all(np.array_equal(frame.planes[0], ours) for frame, ours in zip(decoder, full, strict=True))
        decoder.seek(0.1)
        assert np.array_equal(next(decoder).planes[0], full[2])
    monkeypatch.setattr(perceptual_codec, "DEFAULT_WEIGHTS", weights)
    scaleflow.decode(coded, tmp_path / "library.y4m", decoder="perceptual")
    assert (tmp_path / "library.y4m").read_bytes() == (tmp_path / "full.y4m").read_bytes()


def test_the_shipped_decoder_sharpens_what_the_shipped_codec_decodes(run: Run, carphone: Path, tmp_path: Path) -> None:
    """At a low rate; its strength is a mixture with what the fidelity decoder shows."""
    coded, lossless = tmp_path / "coded.sfv", ("--format", "y4m")
    run("encode", carphone, coded, "-q", 6, "--frames", 3)
    run("decode", coded, tmp_path / "fidelity.y4m", *lossless)
    for strength in (0, 0.5, 1):
        shown = tmp_path / f"{strength}.y4m"
        run("decode", coded, shown, *lossless, "--decoder", "perceptual", "--perception", strength)
    plain, none, half, full = (luma(tmp_path / f"{name}.y4m") for name in ("fidelity", "0", "0.5", "1"))
    for numbers in range(3):
        assert np.array_equal(plain[numbers], none[numbers])
        detail = full[numbers] - plain[numbers]
        assert np.abs(half[numbers] - plain[numbers] - detail / 2).max() <= 1
        assert 0.3 < np.sqrt((detail**2).mean()) < 8
        assert gradient(full[numbers]) > 1.01 * gradient(plain[numbers])


def gradient(picture: np.ndarray) -> float:
    """Mean difference of samples that are beside each other."""
    return float(np.abs(np.diff(picture, axis=1)).mean())


DECODER = ("--decoder", "perceptual", "--decoder-weights")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--perception", 0.5), 2, "--perception is of decoder 'perceptual'"),
        (("--decoder", "perceptual", "--perception", 2), 2, "--perception 2 is outside 0..1"),
        (("--decoder", "perceptual", "--perception", -1), 2, "--perception -1 is outside 0..1"),
        (("--decoder", "perceptual", "--perception", "nan"), 2, "--perception nan is outside 0..1"),
        (("--decoder", "sharp"), 2, "'sharp' is not one of 'fidelity', 'perceptual'"),
        (("--decoder-weights", "{own}"), 2, "--decoder-weights is of decoder 'perceptual'"),
        ((*DECODER, "none.safetensors"), 1, "no such file of a perceptual"),
        ((*DECODER, "{other}"), 1, "belongs to weights 00"),
        ((*DECODER, "{clip}"), 1, "is no safetensors file"),
        ((*DECODER, "{folder}"), 1, "is no safetensors file"),
        ((*DECODER, "{codec}"), 1, "holds 'scaleflow-1', no perceptual decoder"),
        (("--weights", "{own}"), 1, "weights format 'scaleflow-perceptual-2', expected 'scaleflow-1'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    run: Run, carphone: Path, tmp_path: Path, options: tuple[object, ...], code: int, words: str
) -> None:
    """By all verbs that show pictures, and nothing is left of what they began to write."""
    coded = tmp_path / "coded.sfv"
    run("encode", carphone, coded, "-q", 10, "--frames", 1)
    places = {
        "own": write_changed_decoder(tmp_path / "own.safetensors"),
        "other": write_changed_decoder(tmp_path / "other.safetensors", "00" * 32),
        "codec": WEIGHTS_FOLDER / "default.safetensors",
        "clip": carphone,
        "folder": tmp_path,
    }
    filled = [str(option).format(**places) for option in options]
    before = sorted(tmp_path.iterdir())
    for verb in (
        ("decode", coded, tmp_path / "out.y4m"),
        ("compare", carphone, coded, "--frames", 1, "--csv", tmp_path / "out.csv"),
    ):
        told = run(*verb, *filled, code=code).stderr
        assert words in told.replace("\n", " ") and (len(told.splitlines()) == 1 or "Usage:" in told)
    if "--weights" not in options:
        told = run("rd", carphone, "--frames", 1, "--codec", "scaleflow", "--out", tmp_path / "rd", *filled, code=code)
        assert words in told.stderr.replace("\n", " ")
    assert sorted(tmp_path.iterdir()) == before


def test_a_codec_without_a_perceptual_decoder_says_so(scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    """The stand-in is such a codec."""
    coded, weights = tmp_path / "coded.sfv", write_changed_decoder(tmp_path / "tiny.safetensors")
    assert scaleflow("encode", carphone, coded, "--frames", 1).code == 0
    told = scaleflow("decode", coded, tmp_path / "out.y4m", *DECODER, weights)
    assert told.code == 2 and "has no --decoder 'perceptual'; default and recurrent have" in told.stderr
    assert len(told.stderr.splitlines()) == 1 and not (tmp_path / "out.y4m").exists()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (("adversarial.lpips_backbone={tmp}/none",), 2, "there is no such file of LPIPS backbone weights"),
        (("adversarial.lpips_backbone={tmp}",), 2, "there is no such file of LPIPS backbone weights"),
        (("adversarial.lpips_backbone={codec}",), 1, "AlexNet's weights under torchvision's names are needed"),
        (("adversarial.lpips_backbone={clip}",), 1, "cannot be read as weights"),
        (("adversarial.lpips=0", "model.start={own}"), 1, "expected 'scaleflow-1'"),
        (("adversarial.lpips=0", "model.start={tmp}/none.safetensors"), 2, "there is no such weights file"),
    ],
)
def test_training_says_what_it_lacks(
    run: Run, carphone: Path, tmp_path: Path, changes: tuple[str, ...], code: int, words: str
) -> None:
    own, codec = write_changed_decoder(tmp_path / "own.safetensors"), WEIGHTS_FOLDER / "default.safetensors"
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "carphone.mp4").symlink_to(packaged_clip("carphone_pristine.mp4"))
    filled = [change.format(tmp=tmp_path, own=own, codec=codec, clip=carphone) for change in changes]
    given = ("--out", tmp_path / "run", f"data.path={videos}", "data.crop=64", "data.workers=0")
    told = run("train", "--preset", "perceptual", "--threads", 1, *given, *filled, code=code).stderr
    assert words in told and len(told.splitlines()) == 1 and not (tmp_path / "run").exists()


def decoded_rgb(path: Path) -> dict[int, np.ndarray]:
    with open_video(path) as reader:
        return {n: rgb_picture(picture.planes, reader.properties) for n, picture in enumerate(reader)}


def test_whatever_shows_pictures_takes_the_decoder(
    run: Run, carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``rd``, its table, ``compare`` and ``report`` show what ``decode`` shows."""
    weights, results = write_changed_decoder(tmp_path / "tiny.safetensors"), tmp_path / "results"
    options = ("--decoder", "perceptual", "--decoder-weights", weights)
    common = ("--quality", 10, "--frames", 2, "--metrics", "flicker", "--out", results)
    with encoders_in_this_process():
        found = run("rd", carphone, "--codec", "sharp=scaleflow", *options, *common)
        assert "sharp: to see what fidelity pays, measure the codec without --decoder perceptual" in found.stdout
        found = run("rd", carphone, "--codec", "scaleflow", *common, "--json")
    (compared,) = json.loads(found.stdout.splitlines()[-1])["decoders"]
    assert (compared["codec"], compared["against"], compared["streams"]) == ("sharp", "scaleflow", 1)
    sharp, plain = sorted(read_points(results), key=lambda point: point.codec, reverse=True)
    assert sharp.stream_hash == plain.stream_hash and sharp.metrics["psnr-yuv"] != plain.metrics["psnr-yuv"]

    def measured(decoded: Path, *given: object) -> float:
        more = ("--metrics", "psnr-yuv", "--frames", 2, "--threads", 1, "--json")
        value = json.loads(run("compare", carphone, decoded, *given, *more).stdout)["means"]["psnr-yuv"]
        return float(value)

    stream, decoded = results / sharp.stream, tmp_path / "sharp.mkv"
    run("decode", stream, decoded, "--lossless", "--threads", 1, *options)
    assert measured(stream, *options) == measured(decoded) == pytest.approx(sharp.metrics["psnr-yuv"], abs=1e-9)
    assert measured(stream) == pytest.approx(plain.metrics["psnr-yuv"], abs=1e-9)
    refused = run("compare", carphone, decoded, *options, code=2).stderr
    assert refused.startswith("scaleflow: --decoder perceptual decodes .sfv files, ")

    models = CachedModels("cpu", decoder_weights=(weights,))
    shown = read_pictures(stream, [1], models.as_measured(sharp)).pictures[1]
    assert np.array_equal(shown, decoded_rgb(decoded)[1])
    assert not np.array_equal(shown, read_pictures(stream, [1], models.as_measured(plain)).pictures[1])
    folder = CachedModels("cpu", weights_folder=tmp_path)
    assert np.array_equal(shown, read_pictures(stream, [1], folder.as_measured(sharp)).pictures[1])
    given = ("report", results, "-o", tmp_path / "report.html", "--pictures", 1)
    run(*given)
    lost = "was shown by a perceptual decoder (file hash"
    assert lost in (tmp_path / "report.html").read_text()
    run(*given, "--decoder-weights", weights, "--overwrite")
    assert lost not in (tmp_path / "report.html").read_text()
    none = run(*given, "--decoder-weights", tmp_path / "none", "--overwrite", code=2).stderr
    assert none.startswith("scaleflow: --decoder-weights ") and "there is no such file" in none


@pytest.mark.parametrize("is_there", [True, False])
def test_a_stream_is_coded_once_for_all_decoders(run: Run, carphone: Path, tmp_path: Path, is_there: bool) -> None:
    weights, results = write_changed_decoder(tmp_path / "tiny.safetensors"), tmp_path / "results"
    common = ("--frames", 1, "--quality", 10, "--metrics", "psnr-y", "--out", results)
    with encoders_in_this_process():
        run("rd", carphone, "--codec", "scaleflow", *common)
        (plain,) = read_points(results)
        if not is_there:  # what lies in its place does not stand in for it
            (results / plain.stream).write_bytes(b"other")
        run("rd", carphone, "--codec", f"sharp=scaleflow --decoder perceptual --decoder-weights {weights}", *common)
    (sharp,) = (point for point in read_points(results) if point.codec == "sharp")
    assert sharp.stream_hash == plain.stream_hash == file_hash(results / sharp.stream)
    assert sharp.stream != plain.stream and sharp.metrics != plain.metrics
    assert (sharp.encode_seconds == plain.encode_seconds) == is_there


def test_points_lead_to_no_decoder(tmp_path: Path) -> None:
    """A point's command opens no file: decoders are those that the settings name, by the hash that a point gives."""
    weights = write_changed_decoder(tmp_path / "tiny.safetensors")
    made = point(MASKED, psnr=[30.0, 30.0])
    command = ("scaleflow", "decode", "--decoder", "perceptual", "--decoder-weights", str(weights))
    crafted = replace(made, decode_command=command, software={"decoder weights": file_hash(weights)})
    with pytest.raises(DataError, match="is not here: give its file as decoder_weights"):
        CachedModels("cpu").as_measured(crafted)
    CachedModels("cpu", decoder_weights=(weights,)).as_measured(crafted)
    with pytest.raises(DataError, match="is not here"):
        CachedModels("cpu", decoder_weights=(weights,)).as_measured(replace(crafted, software={}))
    with pytest.raises(DataError, match="decoder 'loud' is unknown"):
        CachedModels("cpu").as_measured(replace(made, decode_command=("decode", "--decoder", "loud")))
