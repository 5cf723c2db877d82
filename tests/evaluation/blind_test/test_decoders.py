"""One stream, shown by two decoders: the very case that metrics cannot judge."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaleflow.errors import DataError
from scaleflow.evaluation.blind_test import BlindTestSettings, write_blind_test
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.rate_distortion.point_file import read_point
from scaleflow.evaluation.report import ReportSettings
from scaleflow.evaluation.report.stream_pictures import CachedModels, read_pictures
from tests.adversarial.changed_decoder import write_changed_decoder
from tests.evaluation.blind_test.test_html_file import data_of, hidden_part, picture_of

PAIRS = BlindTestSettings(("scaleflow", "sharp"), pairs=200, rate_tolerance=0)


def test_each_codec_is_shown_by_the_decoder_it_was_measured_with(results: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    weights = write_changed_decoder(tmp_path / "tiny.safetensors")
    (path,) = (folder / "points").glob("*-scaleflow-28.json")
    plain = read_point(path)
    sharp = replace(
        plain,
        codec="sharp",
        decode_command=("scaleflow", "decode", "INPUT", "OUTPUT", "--decoder", "perceptual"),
        software={"decoder weights": file_hash(weights)},
    )
    path.with_name("sharp.json").write_text(sharp.to_json())
    with pytest.raises(DataError, match="no pair could be decoded: sharp: was shown by a perceptual decoder"):
        write_blind_test(folder, tmp_path / "a.html", ReportSettings(pictures=1), PAIRS)
    report = ReportSettings(pictures=1, decoder_weights=(weights,))
    assert write_blind_test(folder, tmp_path / "a.html", report, PAIRS) == 3

    models = CachedModels("cpu", decoder_weights=(weights,))
    data = data_of(tmp_path / "a.html")
    for pair, named in zip(data["pairs"], hidden_part(data)["pairs"], strict=True):
        assert {named[side]["codec"] for side in ("left", "right")} == {"scaleflow", "sharp"}
        if pair["mode"] != "still":
            continue
        for side in ("left", "right"):
            point = sharp if named[side]["codec"] == "sharp" else plain
            decoded = read_pictures(folder / point.stream, [named["first_picture"]], models.as_measured(point))
            shown = picture_of(data["images"][pair[side][0]])
            assert np.array_equal(shown, decoded.pictures[named["first_picture"]])
        assert pair["left"] != pair["right"]
