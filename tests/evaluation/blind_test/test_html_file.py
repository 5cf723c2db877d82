"""The page: what is in it, what nobody may read in it, and what becomes of streams and originals that have gone."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scaleflow.codec.models.registry import load_model
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.blind_test import BlindTestSettings, write_blind_test
from scaleflow.evaluation.blind_test import html_file as blind_html_file
from scaleflow.evaluation.blind_test.concealment import conceal
from scaleflow.evaluation.rate_distortion.point_file import read_point
from scaleflow.evaluation.report import ReportSettings
from scaleflow.evaluation.report.stream_pictures import read_pictures
from tests.evaluation.blind_test.conftest import PAIRS

ANY_RATE = BlindTestSettings(pairs=4, rate_tolerance=100)
ONE_PICTURE = ReportSettings(pictures=1)


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def hidden_part(data: dict[str, Any]) -> dict[str, Any]:
    # An exclusive or undoes itself.
    text = base64.b64decode(data["concealed"]).decode("latin-1")
    size = len(text)
    mask = base64.b64decode(conceal("\0" * size, data["page"]))
    hidden: dict[str, Any] = json.loads(bytes(ord(a) ^ b for a, b in zip(text, mask, strict=True)))
    return hidden


def picture_of(uri: str) -> np.ndarray[Any, Any]:
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.fixture
def copied(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(results, tmp_path / "results"))


def test_pictures_are_what_the_decoders_wrote(page: Path, results: Path, carphone: Path) -> None:
    data = data_of(page)
    hidden = hidden_part(data)
    assert len(data["pairs"]) == len(hidden["pairs"]) == PAIRS
    assert {pair["mode"] for pair in data["pairs"]} == {"still", "zoom", "moving"}
    whole = set()
    for pair, named in zip(data["pairs"], hidden["pairs"], strict=True):
        if pair["mode"] == "zoom":
            assert (pair["width"], pair["height"]) == (44, 36)
            continue
        numbers = [named["first_picture"] + n for n in range(named["pictures"])]
        for side in ("left", "right"):
            codec, setting = named[side]["codec"], named[side]["setting"].split()[-1]
            (stream,) = (results / "streams").glob(f"*-{codec}-{setting}.*")
            assert stream.stat().st_size == named[side]["file_bytes"]
            decoded = read_pictures(stream, numbers, lambda header: load_model()).pictures
            for number, index in zip(numbers, pair[side], strict=True):
                assert np.array_equal(picture_of(data["images"][index]), decoded[number])
        original = read_pictures(carphone, numbers, lambda header: load_model()).pictures
        for number, index in zip(numbers, pair["original"], strict=True):
            assert np.array_equal(picture_of(data["images"][index]), original[number])
        whole.add((pair["mode"], len(numbers)))
    assert whole == {("still", 1), ("moving", 6)}


def test_nothing_names_a_codec_or_a_clip(page: Path) -> None:
    text = page.read_text("utf-8")
    # Coded pictures are letters at random, which may come to mean anything.
    text = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+", "", text)
    concealed = data_of(page)["concealed"]
    assert concealed in text
    text = text.replace(concealed, "").lower()
    for word in ("scaleflow", "x264", "carphone", "crf", "quality", "y4m"):
        assert word not in text, word
    # neither does base64 without the key
    assert b"x264" not in base64.b64decode(concealed)


def test_nothing_is_asked_for_over_a_network(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not set(re.findall(r"https?://[^\s\"'<]+", text)) - {"http://www.w3.org/2000/svg"}
    assert "@import" not in text and "url(" not in text and "default-src 'none'" in text


def test_same_seed_gives_the_same_bytes_and_another_another_page(results: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = BlindTestSettings(pairs=3, seed=seed, rate_tolerance=100)
        write_blind_test(results, tmp_path / f"{name}.html", ONE_PICTURE, settings)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert data_of(tmp_path / "a.html")["page"] != data_of(tmp_path / "c.html")["page"]


def test_original_is_gone(copied: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in (copied / "points").iterdir():
        point = read_point(path)
        path.write_text(replace(point, clip=replace(point.clip, path=str(tmp_path / "gone.y4m"))).to_json())
    write_blind_test(copied, tmp_path / "a.html", ONE_PICTURE, ANY_RATE)
    assert all(pair["original"] is None for pair in data_of(tmp_path / "a.html")["pairs"])
    assert "the blind test does not show its original" in caplog.text


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "is no file of the results folder"),
        (lambda path: path.write_bytes(path.read_bytes() + bytes(9)), "has not the size that its point says"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "not an .sfv file"),
    ],
)
def test_streams_that_cannot_be_decoded_are_left_out(
    copied: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None], words: str
) -> None:
    (stream,) = (copied / "streams").glob("*-scaleflow-28.sfv")
    file_bytes = stream.stat().st_size
    harm(stream)
    settings = BlindTestSettings(pairs=200, rate_tolerance=100)
    count = write_blind_test(copied, tmp_path / "a.html", ONE_PICTURE, settings)
    named = hidden_part(data_of(tmp_path / "a.html"))["pairs"]
    assert count == len(named) > 0
    assert all(file_bytes != pair[side]["file_bytes"] for pair in named for side in ("left", "right"))
    assert words in caplog.text and "the blind test leaves out a stream" in caplog.text


def test_no_stream_is_left(copied: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "streams")
    with pytest.raises(DataError, match="no pair could be decoded"):
        write_blind_test(copied, tmp_path / "a.html", ONE_PICTURE, ANY_RATE)
    assert not (tmp_path / "a.html").exists()


def test_pages_that_no_browser_takes(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blind_html_file, "LARGEST_PAGE", 1 << 10)
    with pytest.raises(UsageError, match="pairs 4 make a page of"):
        write_blind_test(results, tmp_path / "a.html", ONE_PICTURE, ANY_RATE)
    assert not list(tmp_path.iterdir())


def test_requests_that_are_refused_before_anything_is_decoded(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end the name with \.html"):
        write_blind_test(results, tmp_path / "a.pdf")
    with pytest.raises(UsageError, match="no such folder"):
        write_blind_test(tmp_path / "none", tmp_path / "a.html")
    (tmp_path / "a.html").touch()
    with pytest.raises(UsageError, match="exists already"):
        write_blind_test(results, tmp_path / "a.html")
