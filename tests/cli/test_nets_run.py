"""``scaleflow nets run`` as a user runs it: from coded real frames to labels, beside those of the decoded file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from scaleflow.codec.decoding import stream_decoder
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.efficient_nets.data.label_maps import read_labels
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.frame_exit.network import FrameExitConfig
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork, GatedNetwork, write_action_network
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import read_network, write_network
from scaleflow.efficient_nets.tasks.known_tasks import TASKS, make_task
from tests.adversarial.changed_decoder import write_changed_decoder
from tests.cli.conftest import Result, typed
from tests.cli.test_nets import VIDEO_FRAMES, camvid, trained
from tests.cli.test_training_commands import events

__all__ = ["camvid", "trained"]

Run = Callable[..., Result]
SIZE = (96, 72)
ARCHITECTURE = Architecture("resnet", width=8)


@pytest.fixture(scope="module")
def coded(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CamVid's frames by the shipped codec, with a key picture in the midst."""
    path = tmp_path_factory.mktemp("coded") / "coded.sfv"
    encode = ("encode", camvid / "val" / "images", path, "--quality", 40, "--intra-period", 3, "--no-scene-cut")
    assert typed(*encode, "--threads", 1).code == 0
    return path


@pytest.fixture(scope="module")
def decoded(coded: Path) -> Path:
    """The same decoded to a file without loss."""
    path = coded.with_suffix(".mkv")
    assert typed("decode", coded, path, "--lossless", "--threads", 1).code == 0
    return path


def network_file(folder: Path, task: str, classes: tuple[str, ...], architecture: Architecture = ARCHITECTURE) -> Path:
    """A network with random weights, whose outputs differ from place to place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(architecture, TASKS[task].outputs(len(classes)), task).eval()
    write_network(folder / f"{task}.safetensors", TaskNetwork(task, classes, architecture, SIZE, network))
    return folder / f"{task}.safetensors"


def maps_in(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("frame_*.png"))]


def predictions(weights: Path, video: Path, method: str = "dense", **settings: Any) -> Iterator[torch.Tensor]:
    """What the network finds in a file, by the parts that training and measuring use."""
    found = read_network(weights)
    network, task = found.for_video(NamedMethod(method, settings)), make_task(found.task, found.task_settings)
    with open_video(video, working_format="rgb") as reader, torch.inference_mode():
        for picture in reader:
            tensor = torch.from_numpy(np.stack(picture.planes).astype(np.float32) / 255)
            shown = Window.whole((tensor.shape[1], tensor.shape[2]), found.size).picture(tensor)[None]
            output = network(shown.contiguous(memory_format=torch.channels_last))[0]
            yield task.prediction(output, (tensor.shape[1], tensor.shape[2]))


def test_labels_are_those_of_the_decoded_file(coded: Path, decoded: Path, trained: Path, tmp_path: Path) -> None:
    out, drawn = tmp_path / "labels", tmp_path / "drawn.mp4"
    arguments = ("nets", "run", coded, "--network", trained, "--out", out, "--threads", 1)
    method = ("--method", "skip-conv threshold=0.5 block=2")
    done = typed(*arguments, *method, "--drawn", drawn, "--compare-with-file", "--json")
    assert done.code == 0, done.stderr
    summary = events(done.stdout)[-1]
    assert summary["pictures"] == VIDEO_FRAMES and summary["file"]["same_labels"] == VIDEO_FRAMES
    assert 0 < summary["macs"] < summary["dense_macs"]
    assert 0 < summary["decode_seconds"] + summary["network_seconds"] < summary["seconds"]
    assert 0 < summary["file"]["write_seconds"] < summary["file"]["decode_seconds"]

    expected = list(predictions(trained / "network.safetensors", decoded, "skip-conv", threshold=0.5, block=2))
    assert len(maps_in(out)) == VIDEO_FRAMES
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(maps_in(out), expected, strict=True))
    classes = json.loads((out / "classes.json").read_text())["classes"]
    first = sorted(out.glob("frame_*.png"))[0]
    assert torch.equal(read_labels(first, len(classes), None), expected[0])  # as the task reads labels

    with open_video(drawn, working_format="rgb") as reader, open_video(decoded, working_format="rgb") as plain:
        pairs = list(zip(reader, plain, strict=True))
    assert len(pairs) == VIDEO_FRAMES and (reader.properties.width, reader.properties.height) == SIZE
    colors = np.array(json.loads((out / "classes.json").read_text())["colors"])
    wanted = (np.stack(pairs[0][1].planes, -1) + colors[maps_in(out)[0]]) / 2
    assert np.abs(np.stack(pairs[0][0].planes, -1) - wanted).mean() < 8  # but for the chroma of 4:2:0

    again = typed(*arguments)
    assert again.code == 2 and "holds labels already" in again.stderr and "--overwrite" in again.stderr
    part = typed(*arguments, "--overwrite", "--first", 4, "--frames", 9)
    assert part.code == 0 and part.stdout.startswith("1 pictures in ")
    assert [path.name for path in sorted(out.glob("*.png"))] == ["frame_000005.png"]
    dense = list(predictions(trained / "network.safetensors", decoded))
    assert np.array_equal(maps_in(out)[0], dense[4])
    (out / "notes.txt").write_text("mine")
    kept = typed(*arguments, "--overwrite")
    assert kept.code == 2 and "holds more than labels" in kept.stderr and (out / "notes.txt").exists()


@pytest.mark.parametrize("source", ["png", "jpg"])
def test_measuring_sees_the_same_pictures(
    coded: Path, camvid: Path, trained: Path, tmp_path: Path, source: str
) -> None:
    """``nets eval --pictures`` on labels that were found in the coded file: all of them are right. Neither the matrix
    of RGB pictures nor the chroma of JPEG ones, which lies otherwise than a video's, is what a player guesses."""
    if source == "jpg":
        (tmp_path / "jpg").mkdir()
        for path in sorted((camvid / "val" / "images").iterdir()):
            Image.open(path).save(tmp_path / "jpg" / f"{path.stem}.jpg")
        coded = tmp_path / "coded.sfv"
        assert typed("encode", tmp_path / "jpg", coded, "--quality", 40, "--threads", 1).code == 0
    data = tmp_path / "data" / "val"
    (data / "images").mkdir(parents=True)
    assert typed("nets", "run", coded, "--network", trained, "--out", data / "labels", "--threads", 1).code == 0
    assert typed("decode", coded, f"{data / 'images'}/", "--threads", 1).code == 0
    arguments = ("nets", "eval", trained, "--data", data, "--out", tmp_path / "results", "--pictures", coded, "--json")
    measured = typed(*arguments)
    assert measured.code == 0, measured.stderr
    assert events(measured.stdout)[0]["measures"]["accuracy"] == 100


def test_gates_of_the_codec_in_one_process(coded: Path, decoded: Path, trained: Path, tmp_path: Path) -> None:
    def run(method: str) -> dict[str, Any]:
        arguments = ("--network", trained, "--out", tmp_path / method.split("=")[-1], "--threads", 1, "--json")
        done = typed("nets", "run", coded, *arguments, "--method", method, "--compare-with-file")
        assert done.code == 0, done.stderr
        return events(done.stdout)[-1]

    everywhere = run("codec-gates execution=compiled residual=0 prediction=0")
    assert everywhere["file"]["same_labels"] == VIDEO_FRAMES and everywhere["macs"] == everywhere["dense_macs"]
    nowhere = run("codec-gates prediction=1000 residual=1000")
    assert nowhere["key_pictures"] == 2 and nowhere["macs"] < 0.5 * nowhere["dense_macs"]
    maps = maps_in(tmp_path / "1000")
    assert np.array_equal(maps[1], maps[0]) and not np.array_equal(maps[3], maps[0])
    weights = write_changed_decoder(tmp_path / "tiny.safetensors")
    shown = ("--decoder", "perceptual", "--decoder-weights", weights)
    arguments = ("nets", "run", coded, "--network", trained, "--out", tmp_path / "shown", "--threads", 1)
    gates = typed(*arguments, "--method", "codec-gates", *shown)
    assert gates.code == 2 and "does not say what changed" in gates.stderr
    assert typed(*arguments, *shown).code == 0
    dense = list(predictions(trained / "network.safetensors", decoded))
    assert any(
        not np.array_equal(ours, theirs) for ours, theirs in zip(maps_in(tmp_path / "shown"), dense, strict=True)
    )


def test_a_method_that_is_calibrated_and_a_video_of_another_codec(decoded: Path, trained: Path, tmp_path: Path) -> None:
    arguments = ("nets", "run", decoded, "--network", trained, "--out", tmp_path / "labels", "--threads", 1)
    done = typed(*arguments, "--method", "residual-quantization bits=4", "--json")
    assert done.code == 0, done.stderr
    assert events(done.stdout)[-1]["pictures"] == VIDEO_FRAMES == len(maps_in(tmp_path / "labels"))
    refused = typed(*arguments, "--overwrite", "--method", "codec-gates")
    assert refused.code == 2 and "only an .sfv file says what changed" in refused.stderr
    refused = typed(*arguments, "--overwrite", "--compare-with-file")
    assert refused.code == 2 and "--compare-with-file is of .sfv files" in refused.stderr


def test_points_and_boxes(coded: Path, decoded: Path, tmp_path: Path) -> None:
    """Beside what the tasks find in the decoded file; drawn, and resampled by what was found before."""
    for task, name, classes in (("keypoints", "points", ("nose", "tail")), ("detection", "boxes", ("car", "bus"))):
        weights, out, drawn = network_file(tmp_path, task, classes), tmp_path / task, tmp_path / f"{task}.mp4"
        arguments = ("nets", "run", coded, "--network", weights, "--threads", 1)
        done = typed(*arguments, "--out", out, "--drawn", drawn)
        assert done.code == 0, done.stderr
        lines = [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
        assert [line["picture"] for line in lines] == list(range(VIDEO_FRAMES)) and lines[1]["seconds"] == 0.04
        for line, rows in zip(lines, predictions(weights, decoded), strict=True):
            keys = ("x", "y") if task == "keypoints" else ("left", "top", "right", "bottom")
            ours = [[item[key] for key in keys] for item in line[name]]
            wanted = rows[rows[:, 4] >= 0][:, :4] if task == "detection" else rows
            assert torch.allclose(torch.tensor(ours).view(-1, len(keys)), wanted, atol=0.006)
            assert all(item["class"] in classes and 0 <= item["score"] <= 1 for item in line[name])
        with open_video(drawn) as reader:
            assert len(list(reader)) == VIDEO_FRAMES
    done = typed(*arguments, "--out", tmp_path / "salisa", "--method", "salisa size=64x64", "--json")
    assert done.code == 0, done.stderr
    assert events(done.stdout)[-1]["pictures"] == VIDEO_FRAMES and events(done.stdout)[-1]["key_pictures"] == 1


def test_an_action(coded: Path, decoded: Path, tmp_path: Path) -> None:
    config = FrameExitConfig(3, frames=4, features=8, gate=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gated = GatedNetwork(ARCHITECTURE, config, (0.1,)).eval()
    weights, classes = tmp_path / "action.safetensors", ("wave", "walk", "jump")
    write_action_network(weights, ActionNetwork(classes, ARCHITECTURE, config, (64, 64), gated))
    arguments = ("nets", "run", "--network", weights, "--threads", 1, "--json", "--method", "frame-exit threshold=1")
    found = []
    for number, video in enumerate((coded, decoded)):
        done = typed(*arguments, video, "--out", tmp_path / str(number))
        assert done.code == 0, done.stderr
        found.append(json.loads((tmp_path / str(number) / "action.json").read_text()))
    assert found[0] == found[1] and found[0]["looked_at"] == 4 and set(found[0]["scores"]) == set(classes)
    assert sum(found[0]["scores"].values()) == pytest.approx(1)
    for wrong, words in (
        (("--drawn", tmp_path / "a.mp4"), "--drawn: an action is found in a whole video"),
        (("--frames", 3), "a video of 3 frames is shorter than the 4"),
        (("--method", "frame-exit strictness=7"), "has gates for"),
        (("--method", "frame-exit threshold=0.1,0.2"), "settings, one is run"),
    ):
        refused = typed(*arguments, coded, "--out", tmp_path / "none", *wrong)
        assert refused.code and words in refused.stderr and refused.stderr.count("\n") == 1
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{tmp}/none.sfv", "--network", "{run}"), 2, "none.sfv"),
        (("{coded}", "--network", "{tmp}"), 2, "there is no such weights file"),
        (("{coded}", "--network", "{coded}"), 1, "no safetensors file"),
        (("{coded}", "--network", "{restoration}"), 2, "is for restoration, which gives pictures"),
        (("{coded}", "--network", "{run}", "--method", "skip"), 2, "method 'skip' is unknown"),
        (("{coded}", "--network", "{run}", "--method", "skip-conv threshold=0,1"), 2, "gives 2 settings"),
        (("{coded}", "--network", "{run}", "--size", "8x8"), 2, "32 and more"),
        (("{coded}", "--network", "{run}", "--first", "5"), 2, "has no picture 5: use a smaller --first"),
        (("{coded}", "--network", "{run}", "--drawn", "{tmp}/labels/a.mp4"), 2, "holds labels alone"),
        (("{coded}", "--network", "{run}", "--drawn", "{tmp}/a.txt"), 2, "cannot tell the form of output"),
        (("{coded}", "--network", "{run}", "--method", "salisa size=64x64"), 2, "is for segmentation"),
        (("{video}", "--network", "{run}", "--decoder", "perceptual"), 2, "are of .sfv files"),
        (("{damaged}", "--network", "{run}", "--drawn", "{tmp}/a.mp4"), 1, "damage at byte"),
        (("{damaged}", "--network", "{run}", "--compare-with-file"), 1, "networks are shown whole files only"),
    ],
)
def test_what_cannot_be_labelled(
    coded: Path, decoded: Path, trained: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    payload = bytearray(coded.read_bytes())
    payload[len(payload) // 2] ^= 1
    damaged = tmp_path / "damaged.sfv"
    damaged.write_bytes(payload)
    places = {"tmp": tmp_path, "run": trained, "coded": coded, "video": decoded, "damaged": damaged}
    if "{restoration}" in arguments:
        places["restoration"] = network_file(
            tmp_path, "restoration", ("red", "green", "blue"), Architecture("unet", width=8)
        )
    before = sorted(tmp_path.iterdir())
    given = [argument.format(**places) for argument in arguments]
    refused = typed("nets", "run", *given, "--out", tmp_path / "labels", "--threads", 1)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_left_of_a_run_that_is_stopped(
    coded: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = stream_decoder.StreamDecoder._decode_picture

    def stop(self: Any, packet: Any) -> Any:
        if packet.frame_number == 3:
            raise KeyboardInterrupt
        return decode(self, packet)

    monkeypatch.setattr(stream_decoder.StreamDecoder, "_decode_picture", stop)
    out, drawn = tmp_path / "labels", tmp_path / "drawn.mp4"
    stopped = typed("nets", "run", coded, "--network", trained, "--out", out, "--drawn", drawn, "--threads", 1)
    assert stopped.code == 130 and not list(tmp_path.iterdir())


def test_colours_are_those_of_the_video(trained: Path, tmp_path: Path) -> None:
    """A matrix that a player would not guess from the size is kept on the way to the network."""
    properties = VideoProperties(
        *SIZE, "yuv420p", 8, Fraction(25), Fraction(1, 25), color_matrix="bt709", working_format="rgb"
    )
    source, coded = tmp_path / "red.mp4", tmp_path / "red.sfv"
    with open_output(source, properties) as writer:
        for number in range(2):
            planes = tuple(np.full((72, 96), value, np.uint8) for value in (200, 40, 90))
            writer.write(Picture(planes, number))
    assert typed("encode", source, coded, "--quality", 60, "--threads", 1).code == 0
    done = typed(
        *("nets", "run", coded, "--network", trained, "--out", tmp_path / "labels", "--threads", 1),
        *("--compare-with-file", "--json"),
    )
    assert done.code == 0 and events(done.stdout)[-1]["file"]["same_labels"] == 2
