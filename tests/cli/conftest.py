"""The command line with a stand-in for the networks, in this process; and as a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from scaleflow.cli.main import app
from scaleflow.codec.models import registry
from scaleflow.evaluation.rate_distortion import measure_point
from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from tests.cli import json_page
from tests.codec.conftest import carphone, ffmpeg, with_audio
from tests.codec.stand_in import StandInModel
from tests.davis_clips import car, car_masks, davis
from tests.places import REPOSITORY

__all__ = ["car", "car_masks", "carphone", "davis", "ffmpeg", "with_audio"]


STAND_IN_PROGRAM = """
import warnings
warnings.simplefilter("ignore")
import scaleflow.codec.models.registry
from tests.codec.stand_in import StandInModel
scaleflow.codec.models.registry.load_model = lambda *arguments, **options: StandInModel()
from scaleflow.cli.main import main
main()
"""


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A command's ``--threads`` holds for its process; here that process goes on with other tests."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Result:
    """What a command returned."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr


def typed(*arguments: object) -> Result:
    """Runs a command in this process, with the model that it asks for: its imports are paid for once.

    JSON lines must be as their documentation says.
    """
    texts = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, texts)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if "--json" in texts and "--show" not in texts:
        verb = json_page.verb_of(texts)
        assert verb is not None, f"{json_page.PAGE.name} says nothing of {texts}"
        for line in result.stdout.splitlines():
            assert not (wrong := json_page.differences(verb, json.loads(line))), wrong
    return Result(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def scaleflow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in this process with the stand-in."""
    monkeypatch.setattr(registry, "load_model", lambda *arguments, **options: StandInModel())
    return typed


@contextmanager
def encoders_in_this_process() -> Iterator[None]:
    """Within, the encoders and decoders of ``rd`` that are commands of ScaleFlow run in this process; ffmpeg is a
    program all the same. Ten programs would import the networks ten times."""
    own = scaleflow_command()

    def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        if list(command[: len(own)]) != own:
            return subprocess.run(command, **options)  # type: ignore[call-overload, no-any-return]
        done = typed(*command[len(own) :])
        return subprocess.CompletedProcess(command, done.code, done.stdout, done.stderr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure_point, "subprocess", SimpleNamespace(run=run))
        yield


@pytest.fixture
def program() -> Callable[..., subprocess.Popen[bytes]]:
    """Starts a command as a program, with the stand-in; standard streams are pipes."""

    def start(*arguments: object, stdin: object = subprocess.PIPE) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", STAND_IN_PROGRAM, *map(str, arguments)],
            cwd=REPOSITORY,
            stdin=stdin,  # type: ignore[arg-type]
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start
