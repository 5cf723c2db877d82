"""Configurations: presets, files, changes from the command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleflow.errors import UsageError
from scaleflow.training.codec.configuration_file import PRESETS, configuration_of, preset
from scaleflow.training.loop.configuration_file import override, read_yaml


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound_and_come_back_from_their_yaml(name: str, tmp_path: Path) -> None:
    config = configuration_of(preset(name))
    (tmp_path / "run.yaml").write_text(config.to_yaml())
    assert configuration_of(read_yaml(tmp_path / "run.yaml"), str(tmp_path / "run.yaml")) == config


def test_changes() -> None:
    values = preset("tiny")
    override(
        values,
        ["data.path=some/folder", "stages.inter.learning_rate=1e-4", "loss.weights=[6, 1, 1]", "validation.every=5"],
    )
    config = configuration_of(values)
    assert config.data.path == "some/folder" and config.stages[1].learning_rate == 1e-4
    assert config.loss.weights == (6, 1, 1) and config.validation.every == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.crops=64", "data.crops is unknown: did you mean crop?"),
        ("dat.crop=64", "dat is unknown: did you mean data?"),
        ("data.crop=100", "no multiple of 64: use 64"),
        ("data.crop=many", "data.crop = 'many': input should be a valid integer"),
        ("data.kind=tape", "data.kind = 'tape'"),
        ("stages.intra.steps=0", "stages.intra.steps = 0 is outside"),
        ("stages.intra.stps=5", "stages.intra.stps is unknown: did you mean steps?"),
        ("stages.outer.steps=5", "there is no stage 'outer', only intra, inter"),
        ("stages.inter.unroll=[1, 3]", "rising numbers of pictures from 2 on"),
        ("stages=[]", "at least one is needed"),
        ("seed.deeper=1", "seed is a value and holds no keys"),
        ("seed", "expected key=value"),
        ("loss.weights=[", "is no YAML"),
        ("optimization.clip_norm=.nan", "optimization.clip_norm = nan"),
    ],
)
def test_mistakes_are_named(change: str, message: str) -> None:
    values = preset("tiny")
    values["seed"] = 3
    with pytest.raises(UsageError) as caught:
        override(values, [change])
        configuration_of(values, "run.yaml")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    for text, message in (("- 1", "expected keys"), ("a: [", "is no YAML"), ("\xff", "expected keys")):
        (tmp_path / "run.yaml").write_text(text)
        with pytest.raises(UsageError, match=message):
            configuration_of(read_yaml(tmp_path / "run.yaml"), str(tmp_path / "run.yaml"))
    with pytest.raises(UsageError, match="cannot be read"):
        configuration_of(read_yaml(tmp_path / "none.yaml"), str(tmp_path / "none.yaml"))
