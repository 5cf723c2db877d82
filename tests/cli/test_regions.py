"""Regions of interest on the command line, with the shipped model on a real clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.distortion import region_psnr, weighted_psnr
from scaleflow.codec.models import scaleflow_codec
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import write_network
from scaleflow.errors import DataError
from tests.cli.conftest import Result, typed
from tests.codec.models.golden import PAYLOADS_FILE, moving_pictures

Run = Callable[..., Result]
WIDTH, HEIGHT = 88, 72


@pytest.fixture
def run() -> Run:
    """Runs a command in this process, with the networks that it asks for, on one thread: pictures are small."""
    torch.set_num_threads(1)

    def invoke(*arguments: object, code: int = 0) -> Result:
        result = typed(*arguments)
        assert result.code == code, result.stderr
        return result

    return invoke


def ellipse(shift: int = 0) -> Image.Image:
    picture = Image.new("L", (2 * WIDTH, 2 * HEIGHT), 0)
    ImageDraw.Draw(picture).ellipse((50 + shift, 30, 110 + shift, 100), fill=255)
    return picture


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``still.png``, ``full.png``, ``empty.png``, and folders: ``moving``, and ``flip``, empty and then full."""
    folder = tmp_path_factory.mktemp("masks")
    ellipse().save(folder / "still.png")
    for name, value in (("full", 255), ("empty", 0)):
        Image.new("L", (WIDTH, HEIGHT), value).save(folder / f"{name}.png")
    for name in ("moving", "flip"):
        (folder / name).mkdir()
    for number in range(120):
        ellipse(number % 40).save(folder / "moving" / f"{number}.png")
        Image.new("L", (WIDTH, HEIGHT), 255 * (number >= 60)).save(folder / "flip" / f"{number}.png")
    return folder


def samples_of(path: Path) -> list[tuple[np.ndarray, ...]]:
    with open_video(path) as reader:
        return [picture.planes for picture in reader]


def test_without_a_mask_streams_are_what_they_were(run: Run, tmp_path: Path) -> None:
    """Payloads that were recorded before there were regions."""
    clip = tmp_path / "golden.y4m"
    pictures = moving_pictures()
    frames = [b"FRAME\n" + b"".join(plane.tobytes() for plane in planes) for planes in pictures]
    height, width = pictures[0][0].shape
    clip.write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode() + b"".join(frames))
    run("encode", clip, tmp_path / "golden.sfv", "-q", 30, "--intra-quality-offset", 0)
    with SfvReader(tmp_path / "golden.sfv") as reader:
        payloads = [item.payload.hex() for item in reader if isinstance(item, VideoPacket)]
    assert payloads == json.loads(PAYLOADS_FILE.read_text())["moving"]["payloads"]


def test_bits_go_where_the_mask_says(run: Run, carphone: Path, masks: Path, tmp_path: Path) -> None:
    figures = {}
    for name in ("empty", "still", "full"):
        path = tmp_path / f"{name}.sfv"
        options = ("-q", 40, "--frames", 4, "--roi", masks / f"{name}.png", "--verify", "--psnr", "--json")
        figures[name] = json.loads(run("encode", carphone, path, *options).stdout.splitlines()[-1])
        run("decode", path, tmp_path / f"{name}.y4m")
    assert figures["empty"]["file_bytes"] < 0.42 * figures["still"]["file_bytes"]
    assert figures["still"]["file_bytes"] < 0.7 * figures["full"]["file_bytes"]
    assert figures["still"]["region_psnr_yuv"] > figures["still"]["psnr_yuv"] + 4
    assert figures["empty"]["region_psnr_yuv"] is None
    # A full mask leaves pictures as they are without one, and costs next to nothing.
    run("encode", carphone, tmp_path / "plain.sfv", "-q", 40, "--frames", 4)
    run("decode", tmp_path / "plain.sfv", tmp_path / "plain.y4m")
    assert (tmp_path / "plain.y4m").read_bytes() == (tmp_path / "full.y4m").read_bytes()
    assert 0 < figures["full"]["file_bytes"] - (tmp_path / "plain.sfv").stat().st_size < 16


def test_strength_1_changes_no_picture(run: Run, carphone: Path, masks: Path, tmp_path: Path) -> None:
    for name, options in (("a", ()), ("b", ("--roi", masks / "still.png", "--roi-strength", 1))):
        run("encode", carphone, tmp_path / f"{name}.sfv", "--frames", 3, *options)
        run("decode", tmp_path / f"{name}.sfv", tmp_path / f"{name}.y4m")
    assert (tmp_path / "a.y4m").read_bytes() == (tmp_path / "b.y4m").read_bytes()


@pytest.mark.parametrize("mode", ["implicit", "learned-scaling", "both"])
def test_shipped_networks_spare_what_is_outside(
    run: Run, carphone: Path, masks: Path, tmp_path: Path, mode: str
) -> None:
    """They belong to the shipped codec; its own decoder decodes what they made."""
    figures = {}
    for name, options in (("plain", ()), ("regions", ("--roi-mode", mode))):
        path = tmp_path / f"{name}.sfv"
        region = ("--roi", masks / ("still.png" if options else "full.png"))
        common = ("-q", 30, "--frames", 4, "--verify", "--psnr", "--json")
        figures[name] = json.loads(run("encode", carphone, path, *common, *region, *options).stdout.splitlines()[-1])
        run("verify", path)
    assert figures["regions"]["file_bytes"] < 0.8 * figures["plain"]["file_bytes"]
    assert figures["regions"]["region_psnr_yuv"] > figures["regions"]["psnr_yuv"] + 1


def test_refinement_makes_more_of_a_region(run: Run, carphone: Path, masks: Path, tmp_path: Path) -> None:
    """Less rate and about the same quality inside; the decoder agrees."""
    figures = {}
    common = ("-q", 30, "--frames", 2, "--psnr", "--json", "--roi", masks / "still.png")
    for name, options in (("plain", ()), ("refined", ("--refine", 10))):
        done = run("encode", carphone, tmp_path / f"{name}.sfv", *common, *options)
        figures[name] = json.loads(done.stdout.splitlines()[-1])
    assert figures["refined"]["file_bytes"] < 0.97 * figures["plain"]["file_bytes"]
    assert figures["refined"]["region_psnr_yuv"] > figures["plain"]["region_psnr_yuv"] - 0.2
    run("verify", tmp_path / "refined.sfv")


def test_workers_write_the_same_bytes(run: Run, carphone: Path, masks: Path, tmp_path: Path) -> None:
    """Each group with its own masks, and refined."""
    options = ("--frames", 6, "--intra-period", 2, "--threads", 1, "--roi", masks / "moving", "--refine", 2)
    run("encode", carphone, tmp_path / "alone.sfv", *options)
    run("encode", carphone, tmp_path / "shared.sfv", *options, "--workers", 2)
    assert (tmp_path / "alone.sfv").read_bytes() == (tmp_path / "shared.sfv").read_bytes()


@pytest.mark.parametrize(("name", "options"), [("flip", ()), ("moving", ("--two-pass", "--frames", "50"))])
def test_a_bitrate_is_met(
    run: Run, carphone: Path, masks: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    coded = tmp_path / "coded.sfv"
    run("encode", carphone, coded, "--bitrate", "40k", "--roi", masks / name, *options)
    assert json.loads(run("info", coded, "--json").stdout)["bitrate"] == pytest.approx(40e3, rel=0.03)


def test_a_psnr_of_the_region_is_met(run: Run, carphone: Path, masks: Path, tmp_path: Path) -> None:
    coded, decoded = tmp_path / "coded.sfv", tmp_path / "decoded.y4m"
    run("encode", carphone, coded, "--target-roi-psnr", 36, "--roi", masks / "still.png", "--frames", 6)
    run("decode", coded, decoded)
    mask = np.asarray(ellipse().resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    values = []
    for ours, theirs in zip(samples_of(decoded), samples_of(carphone), strict=False):
        found = region_psnr(theirs, ours, 8, mask)
        assert found is not None
        values.append(weighted_psnr(found))
    assert len(values) == 6 and np.mean(values) == pytest.approx(36, abs=0.12)


@pytest.mark.parametrize("finder", ["motion", "saliency"])
def test_masks_found_on_the_fly_are_those_that_make_writes(
    run: Run, carphone: Path, tmp_path: Path, finder: str
) -> None:
    made = run("roi", "make", carphone, tmp_path / "masks.mkv", "--from", finder, "--frames", 12, "--json")
    records = [json.loads(line) for line in made.stdout.splitlines()]
    assert records[0]["event"] == "progress" and records[-1]["masks"] == 12 and 0 < records[-1]["mean_share"] < 0.9
    # An excerpt has the masks of its pictures.
    options = ("--start", 0.3, "--frames", 5, "-q", 30)
    run("encode", carphone, tmp_path / "made.sfv", *options, "--roi", tmp_path / "masks.mkv")
    run("encode", carphone, tmp_path / "found.sfv", *options, "--roi-from", finder)
    assert (tmp_path / "made.sfv").read_bytes() == (tmp_path / "found.sfv").read_bytes()


def test_networks_find_regions(run: Run, carphone: Path, tmp_path: Path) -> None:
    architecture = Architecture(width=4, blocks=(1, 1, 1, 1), decoder=4)
    torch.manual_seed(0)
    made = TaskNetwork(
        "segmentation", ("road", "car", "tree"), architecture, (176, 144), build_network(architecture, 3)
    )
    write_network(tmp_path / "network.safetensors", made)
    network = ("--roi-network", tmp_path / "network.safetensors", "--roi-classes", "car,tree")
    run("encode", carphone, tmp_path / "made.sfv", "--frames", 1)
    shares = {}
    for name in ("segmentation", "detection"):
        given = ("--from", name, *network, "--frames", 3, "--json")
        shown = run("roi", "make", carphone, tmp_path / f"{name}.mkv", *given)
        shares[name] = json.loads(shown.stdout.splitlines()[-1])["mean_share"]
    assert 0 < shares["segmentation"] <= shares["detection"] <= 1
    for arguments, words in (
        (("--roi-from", "segmentation", "--roi-network", tmp_path / "none"), "there is no such weights file"),
        (("--roi-from", "keypoints", *network[:2]), "and --roi-from keypoints takes one for keypoints: use --roi-from"),
        (("--roi-from", "segmentation", *network[:2], "--roi", tmp_path / "made.mkv"), "--roi and --roi-from given"),
        (("--roi-from", "segmentation", *network[:2], "--roi-dilation", 300), "--roi-dilation 300 is outside 0..256"),
        (("--roi-from", "saliency", "--roi-dilation", 3), "--roi-dilation is of segmentation, foreground, detection"),
        (("--roi", tmp_path / "made.mkv", "--roi-dilation", 3), "--roi-dilation is of --roi-from, which is not given"),
        (("--roi-from", "segmentation", *network[:3], "bus"), "knows no class 'bus': choose of road, car, tree"),
        (
            ("--roi-from", "motion", *network[:2]),
            "--roi-network is of segmentation, foreground,",
        ),
        (("--roi", tmp_path / "made.mkv", *network[:2]), "--roi-network is of --roi-from, which is not given"),
        (network[2:], "--roi-classes is of a region of interest"),
    ):
        refused = run("encode", carphone, tmp_path / "a.sfv", *arguments, code=2)
        (line,) = refused.stderr.splitlines()
        assert line.startswith("scaleflow: ") and words in line
    assert not (tmp_path / "a.sfv").exists()


def test_make_refuses_what_it_must_not_do(run: Run, carphone: Path, tmp_path: Path) -> None:
    run("roi", "make", carphone, f"{tmp_path}/masks/", "--from", "saliency", "--frames", 2)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["frame_000001.png", "frame_000002.png"]
    before = (tmp_path / "masks" / "frame_000001.png").read_bytes()
    for arguments, words in (
        ((carphone, f"{tmp_path}/masks/", "--from", "motion"), "exists already"),
        ((carphone, carphone, "--from", "motion", "--overwrite"), "input itself"),
        (
            (carphone, tmp_path / "m.mkv", "--from", "segmentation"),
            "name a run of scaleflow nets train as --roi-network",
        ),
        (
            (carphone, tmp_path / "m.mkv", "--from", "luck"),
            "use motion, saliency, segmentation, foreground,",
        ),
        ((carphone, tmp_path / "m.mkv", "--from", "motion", "--frames", 0), "--frames 0"),
        ((carphone, tmp_path / "m.unknown", "--from", "motion"), "cannot tell the form"),
        ((tmp_path / "none.mp4", tmp_path / "m.mkv", "--from", "motion"), "no such file"),
        ((carphone, "-", "--from", "motion", "--json"), "--json"),
    ):
        refused = run("roi", "make", *arguments, code=2)
        (line,) = refused.stderr.splitlines()
        assert line.startswith("scaleflow: ") and words in line
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]
    run("roi", "make", carphone, f"{tmp_path}/masks/", "--from", "motion", "--frames", 1, "--overwrite")
    assert (tmp_path / "masks" / "frame_000001.png").read_bytes() != before


def test_boxes_are_masks(run: Run, carphone: Path, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[16:48, 24:64] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    images = [{"id": n, "width": 2 * WIDTH, "height": 2 * HEIGHT} for n in range(4)]
    boxes = [{"image_id": n, "bbox": [48, 32, 80, 64]} for n in range(4)]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    (tmp_path / "addroi.json").write_text(json.dumps([{"x": 24, "y": 16, "w": 40, "h": 32, "qoffset": -0.2}]))
    for name, options in (
        ("mask", ("--roi", tmp_path / "mask.png")),
        ("coco", ("--roi-boxes", tmp_path / "coco.json")),
        # An offset of a fifth of 51 parameters, six to an octave.
        ("weaker", ("--roi", tmp_path / "mask.png", "--roi-strength", 2 ** (0.2 * 51 / 6))),
        ("addroi", ("--roi-boxes", tmp_path / "addroi.json")),
        ("told", ("--roi-boxes", tmp_path / "addroi.json", "--roi-strength", 8)),
    ):
        run("encode", carphone, tmp_path / f"{name}.sfv", "--frames", 4, *options)
    coded = {name: (tmp_path / f"{name}.sfv").read_bytes() for name in ("mask", "coco", "weaker", "addroi", "told")}
    assert coded["mask"] == coded["coco"] == coded["told"] != coded["addroi"] == coded["weaker"]


def test_latent_scaling_needs_the_map_that_it_writes(
    run: Run, carphone: Path, masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See the same of the implicit mode in the tests of training, where its networks come from."""
    run("encode", carphone, tmp_path / "coded.sfv", "--frames", 2, "--roi", masks / "still.png")
    forbid_maps(monkeypatch)
    assert "no maps here" in run("decode", tmp_path / "coded.sfv", tmp_path / "decoded.y4m", code=1).stderr


def forbid_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that knows of no maps."""

    def refuse(*arguments: object) -> None:
        raise DataError("no maps here")

    monkeypatch.setattr(scaleflow_codec, "decode_bin_widths", refuse)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--roi", "{masks}/short"], 1, "short: holds 2 masks, the video has 120 pictures"),
        (["--roi", "{masks}/wide.png"], 1, "wide.png: is 200x72, of another aspect ratio than the pictures of 88x72"),
        (["--roi", "{masks}/words.txt"], 1, "words.txt"),
        (["--roi", "{masks}/nothing"], 1, "the folder holds no pictures"),
        (["--roi", "{masks}/none.png"], 2, "none.png: there is no such file"),
        (["--roi", "{still}", "--refine", "0"], 2, "--refine 0 is outside 1..10000; for none, leave --refine out"),
        (["--roi", "-"], 2, "not from standard input"),
        (["--roi", "{still}", "--roi-boxes", "{masks}/out.json"], 2, "--roi and --roi-boxes given"),
        (["--roi-boxes", "{masks}/out.json"], 1, "out.json: [0]: the box from (80, 0) to (100, 9) is not within"),
        (["--roi-boxes", "{masks}/nan.json"], 1, "nan.json: is no JSON: NaN is no number"),
        (["--roi-boxes", "{masks}/words.txt"], 1, "words.txt: is no JSON"),
        (["--roi-boxes", "{masks}/none.json"], 2, "none.json: there is no such file"),
        (["--roi-boxes", "{masks}/short"], 2, "short: cannot be read: Is a directory"),
        (
            ["--roi-from", "detection"],
            2,
            "'detection' needs a network: name a run of scaleflow nets train as --roi-network",
        ),
        (["--roi", "{still}", "--roi-strength", "nan"], 2, "--roi-strength nan is outside 1..64"),
        (["--roi", "{still}", "--roi-strength", "100"], 2, "--roi-strength 100 is outside 1..64"),
        (["--roi", "{still}", "--roi-mode", "magic"], 2, "--roi-mode 'magic' is unknown: use latent-scaling"),
        (["--roi", "{still}", "--roi-mode", "both"], 2, "none are shipped: train and export some"),
        (["--roi", "{still}", "--roi-mode", "both", "--roi-weights", "{still}"], 1, "is no safetensors file"),
        (["--roi", "{still}", "--roi-mode", "implicit", "--roi-weights", "no.x"], 1, "no.x: there is no such file"),
        (["--roi", "{still}", "--model", "ssf2020-4"], 2, "model ssf2020-4 codes no regions of interest"),
        (["--roi-strength", "4"], 2, "--roi-strength is of a region of interest: give one with --roi"),
        (["--roi-mode", "implicit"], 2, "--roi-mode is of a region of interest"),
        (["--target-roi-psnr", "30"], 2, "--target-roi-psnr is of a region of interest"),
        (["--target-roi-psnr", "30", "-q", "20", "--roi", "{still}"], 2, "give one"),
        (["--target-roi-psnr", "30", "--frames", "2", "--roi", "{empty}"], 1, "empty in all pictures"),
    ],
)
def test_mistakes_take_one_line_and_leave_nothing(
    run: Run,
    carphone: Path,
    masks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr("scaleflow.roi.coding.DEFAULT_NETWORKS", tmp_path / "default-roi.safetensors")
    made = tmp_path / "made"
    (made / "short").mkdir(parents=True)
    (made / "nothing").mkdir()
    for number in range(2):
        Image.new("L", (WIDTH, HEIGHT), 255).save(made / "short" / f"{number}.png")
    Image.new("L", (200, HEIGHT), 255).save(made / "wide.png")
    (made / "words.txt").write_text("only words, and many of them: " * 20)
    (made / "out.json").write_text('[{"x": 80, "y": 0, "w": 20, "h": 9}]')
    (made / "nan.json").write_text('[{"x": NaN, "y": 0, "w": 20, "h": 9}]')
    places = {"masks": made, "still": masks / "still.png", "empty": masks / "empty.png"}
    output = tmp_path / "out" / "new.sfv"
    output.parent.mkdir()
    result = run("encode", carphone, output, *(option.format(**places) for option in options), code=code)
    (line,) = result.stderr.splitlines()
    assert line.startswith("scaleflow: ") and words in line
    assert not list(output.parent.iterdir())
