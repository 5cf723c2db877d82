"""The perceptual decoder as a user trains, exports and uses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scaleflow
from scaleflow.adversarial import perceptual_codec
from scaleflow.adversarial.perceptual_weights import load_perceptual_network, serialized_perceptual_weights
from scaleflow.codec.video.reader import open_video
from tests.cli.test_regions import Run, run
from tests.codec.conftest import packaged_clip

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
        f"stages.{stage}.{key}" for stage in ("lpips", "adversary") for key in ("steps=2", "batch=1", "warm_up=0")
    ]
    changes += ["stages.adversary.learning_rate=0.02", "optimization.average=0"]  # so that two steps show
    changes += [f"data.path={videos}", "data.crop=64", "data.workers=0", "log_every=1", "adversarial.network=tiny"]
    changes += ["adversarial.lpips=0", "adversarial.squared_error=0", "adversarial.weight=1", "adversarial.ramp=0"]
    shown = run("train", "--preset", "perceptual", "--threads", 1, "--json", "--out", tmp_path / "run", *changes)
    reports = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [report["stage"] for report in reports] == ["lpips"] * 2 + ["adversary"] * 2
    assert "discriminator accuracy" in reports[-1] and "discriminator accuracy" not in reports[0]
    run("export", tmp_path / "run" / "last.ckpt", weights)

    run("encode", carphone, coded, "-q", 10, "--frames", 3)
    missing = run("decode", coded, tmp_path / "no.y4m", "--decoder", "perceptual", code=2).stderr
    assert "--decoder-weights" in missing and len(missing.splitlines()) == 1 and not (tmp_path / "no.y4m").exists()
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


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--perception", 0.5), 2, "--perception is of decoder 'perceptual'"),
        (("--decoder", "perceptual", "--perception", 2), 2, "--perception 2 is outside 0..1"),
        (("--decoder", "sharp"), 2, "'sharp' is not one of 'fidelity', 'perceptual'"),
        (("--decoder", "perceptual", "--decoder-weights", "none.safetensors"), 1, "no such file of a perceptual"),
        (("--decoder", "perceptual", "--decoder-weights", "{other}"), 1, "belongs to weights 00"),
        (("--decoder", "perceptual", "--decoder-weights", "{clip}"), 1, "is no safetensors file"),
    ],
)
def test_mistakes_are_told_in_one_line(
    run: Run, carphone: Path, tmp_path: Path, options: tuple[object, ...], code: int, words: str
) -> None:
    coded, other = tmp_path / "coded.sfv", tmp_path / "other.safetensors"
    run("encode", carphone, coded, "-q", 10, "--frames", 1)
    from scaleflow.adversarial.perceptual_network import PerceptualNetwork, tiny_perceptual

    other.write_bytes(serialized_perceptual_weights(PerceptualNetwork(tiny_perceptual()), "00" * 32))
    assert load_perceptual_network(other)[1] == "00" * 32
    filled = [str(option).format(other=other, clip=carphone) for option in options]
    told = run("decode", coded, tmp_path / "out.y4m", *filled, code=code).stderr
    assert words in told.replace("\n", " ") and not (tmp_path / "out.y4m").exists()
