"""Codecs as they are named on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import write_network
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.codec_programs import shown_command
from scaleflow.evaluation.rate_distortion.codec_software import check_codecs, software_of
from scaleflow.evaluation.rate_distortion.codecs import codec_names, named_codec, parse_codec
from scaleflow.evaluation.rate_distortion.decoder_choice import DECODER_OPTIONS, DecoderChoice
from tests.adversarial.changed_decoder import write_changed_decoder


def test_a_named_anchor() -> None:
    codec = named_codec("x265")
    assert [setting.label for setting in codec.settings][:2] == ["-crf 18", "-crf 23"]
    command = codec.encode_command(codec.settings[1], 16, 2, "/somewhere/ffmpeg")
    assert command[0] == "/somewhere/ffmpeg" and command[-3:] == ["-crf", "23", "OUTPUT"]
    assert "log-level=error:info=0:keyint=16:pools=2" in command and command[command.index("-g") + 1] == "16"
    assert shown_command(command)[0] == "ffmpeg" and codec.encoder == "libx265" and codec.suffix == "nut"
    assert codec.fixed_options.endswith("-crf *")


def test_a_model_with_weights_of_its_own() -> None:
    codec = parse_codec("mine=scaleflow --weights 'my weights.safetensors' --device cuda", (10, 30.5))
    assert [setting.label for setting in codec.settings] == ["--quality 10", "--quality 30.5"]
    encode = shown_command(codec.encode_command(codec.settings[1], 32, 1, ""))
    assert encode[:4] == ["scaleflow", "encode", "INPUT", "OUTPUT"] and encode[-2:] == ["--quality", "30.5"]
    assert "--weights" in encode
    decode = shown_command(codec.decode_command(codec.settings[1], 8, 1, ""))
    assert decode[-4:] == ["--weights", "my weights.safetensors", "--device", "cuda"]
    assert codec.weights_of(codec.settings[0]) == Path("my weights.safetensors") and codec.suffix == "sfv"


def test_settings_may_be_models_or_rates() -> None:
    published = named_codec("ssf2020")
    assert len(published.settings) == 9 and published.model_of(published.settings[8]) == "ssf2020-9"
    assert published.encode_command(published.settings[8], 32, 1, "")[-2:] == ["--model", "ssf2020-9"]
    assert published.decode_command(published.settings[8], 8, 1, "")[-2:] == ["--model", "ssf2020-9"]
    by_rate = parse_codec("r=scaleflow --bitrate {100k,400k}")
    assert [setting.label for setting in by_rate.settings] == ["--bitrate 100k", "--bitrate 400k"]
    single = parse_codec("one=ffmpeg -c:v libx264 -crf 30")
    assert [setting.label for setting in single.settings] == ["as given"]


def test_codecs_of_regions_are_given_masks() -> None:
    codec = parse_codec("mine=scaleflow --roi {masks} --roi-strength 4", (20, 40))
    assert codec.needs_masks and [setting.label for setting in codec.settings] == ["--quality 20", "--quality 40"]
    command = shown_command(codec.encode_command(codec.settings[0], 16, 1, ""))
    assert command[command.index("--roi") + 1] == "MASKS" and command[-2:] == ["--quality", "20"]
    assert "--roi" not in codec.decode_command(codec.settings[0], 8, 1, "")
    for name, suffix in (("roi-blur", "sfv"), ("roi-objects", "objects"), ("roi-x265", "nut")):
        baseline = named_codec(name, (20, 40))
        assert baseline.needs_masks and baseline.suffix == suffix and name in codec_names()
        command = shown_command(baseline.encode_command(baseline.settings[0], 16, 2, "ffmpeg"))
        assert command[:3] == ["scaleflow", "baseline", name.removeprefix("roi-")]
        assert command[command.index("--roi") + 1] == "MASKS"
    assert shown_command(named_codec("roi-x265").decode_command(codec.settings[0], 8, 1, "f"))[0] == "ffmpeg"
    assert not named_codec("scaleflow").needs_masks and not named_codec("x265").needs_masks


def test_networks_of_regions_are_software_too(tmp_path: Path) -> None:
    networks = tmp_path / "n.safetensors"
    learned = parse_codec(f"mine=scaleflow --roi {{masks}} --roi-mode implicit --roi-weights {networks}", (20,))
    with pytest.raises(UsageError, match=r"n\.safetensors: no such weights file"):
        check_codecs([learned], None)
    networks.write_bytes(b"networks")
    assert "region weights" in software_of(learned, learned.settings[0], None)
    plain = parse_codec("mine=scaleflow --roi {masks} --roi-mode latent-scaling", (20,))
    assert "region weights" not in software_of(plain, plain.settings[0], None)


def test_networks_that_find_regions_are_software_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    text = f"roi=scaleflow --roi-from segmentation --roi-network={run} --roi-classes car,tree"
    codec = parse_codec(text, (20,))
    assert codec.region_finder_of(codec.settings[0]) == ("segmentation", run, ("car", "tree"))
    assert not codec.needs_masks
    with pytest.raises(UsageError, match=r"codec roi: .*run: there is no such weights file"):
        check_codecs([codec], None)
    run.mkdir()
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        architecture = Architecture(width=4, blocks=(1, 1, 1, 1), decoder=4)
        made = TaskNetwork("segmentation", ("car", "tree"), architecture, (96, 72), build_network(architecture, 2))
        write_network(run / "network.safetensors", made)
        check_codecs([codec], None)
        found.append(software_of(codec, codec.settings[0], None))
    assert found[0]["region network"] != found[1]["region network"]
    assert {name for name in found[0] if found[0][name] != found[1][name]} == {"region network"}
    other = parse_codec(text.replace("segmentation", "keypoints"), (20,))
    with pytest.raises(UsageError, match=r"codec roi: .* was trained for segmentation"):
        check_codecs([other], None)
    moving = parse_codec("roi=scaleflow --roi-from motion", (20,))
    assert moving.region_finder_of(moving.settings[0]) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("h267", "codec 'h267' is unknown: use scaleflow, ssf2020, x264"),
        ("x=mpv -c:v libx264", "after = comes scaleflow, ffmpeg"),
        ("x=ffmpeg -c:v libx264 -crf {1,2} -g {3,4}", "two options list settings ({1,2} and {3,4})"),
        ("x=ffmpeg -c:v libx264 -crf {1,1}", "lists a setting twice"),
        ("x=ffmpeg -i other.mp4 -c:v libx264", "leave out -f and -i"),
        ("x=ffmpeg '-c:v", "No closing quotation"),
        ("a/b=ffmpeg -c:v libx264", "codec name 'a/b'"),
        ("=ffmpeg -c:v libx264", "codec name ''"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_codec(text)
    assert words in str(error.value)


def test_what_they_need_is_looked_for_first(tmp_path: Path) -> None:
    program = check_codecs([named_codec(name) for name in codec_names() if name != "ssf2020"], None)
    assert program is not None
    assert check_codecs([named_codec("scaleflow")], None) is None
    with pytest.raises(UsageError, match="encoder libx999"):
        check_codecs([parse_codec("x=ffmpeg -c:v libx999 -crf {1,2}")], None)
    with pytest.raises(UsageError, match=r"codec mine: none.safetensors: no such weights file"):
        check_codecs([parse_codec("mine=scaleflow --weights none.safetensors")], None)
    with pytest.raises(UsageError, match=r"codec old: .*leave it out, or give weights"):
        check_codecs([parse_codec("old=scaleflow --model ssf2020:none.pth.tar")], None)


def test_other_weights_are_other_software(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"first")
    codec = parse_codec(f"mine=scaleflow --weights {weights}")
    first = software_of(codec, codec.settings[0], None)
    weights.write_bytes(b"second")
    assert software_of(codec, codec.settings[0], None) != first
    shipped = named_codec("scaleflow")
    assert len(software_of(shipped, shipped.settings[0], None)["weights"]) == 16


def test_the_decoder_of_a_sweep_is_of_the_codecs_that_have_several() -> None:
    sweep = DecoderChoice("perceptual", 0.5, Path("sharp.safetensors"))

    def options(text: str) -> tuple[str, ...]:
        codec = parse_codec(text, (10,), sweep)
        decode = shown_command(codec.decode_command(codec.settings[0], 8, 1, "f"))
        encode = shown_command(codec.encode_command(codec.settings[0], 32, 1, "f"))
        assert not set(encode) & set(DECODER_OPTIONS)
        return DecoderChoice.of_options(decode).options

    full = ("--decoder", "perceptual", "--perception", "0.5", "--decoder-weights", "sharp.safetensors")
    assert options("scaleflow") == options("mine=scaleflow --weights m.safetensors") == full
    assert options("roi-blur") == options("roi-objects") == full
    assert options("all=scaleflow --perception 1") == (*full[:3], "1.0", *full[4:])
    assert options("plain=scaleflow --decoder fidelity") == options("other=scaleflow --decoder=fidelity") == ()
    assert options("old=scaleflow --model ssf2020-3") == options("ssf2020") == options("x264") == ()


def test_a_list_of_strengths_is_a_curve() -> None:
    codec = parse_codec("knob=scaleflow --quality 10 --decoder perceptual --perception {0,0.5,1}")
    assert [codec.decoder_of(setting).perception for setting in codec.settings] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s=scaleflow --decoder sharp", "codec s: decoder 'sharp' is unknown"),
        ("s=scaleflow --decoder perceptual --perception 2", "codec s: perception 2 is outside"),
        ("s=scaleflow --decoder perceptual --perception {0,nan}", "codec s: perception nan is outside"),
        ("s=scaleflow --decoder perceptual --perception half", "codec s: perception 'half' is not a number"),
        ("s=scaleflow --perception 0.5", "codec s: perception is of decoder 'perceptual'"),
        ("s=scaleflow --decoder-weights a.safetensors", "codec s: decoder_weights is of decoder 'perceptual'"),
        ("s=scaleflow --quality 10 --decoder", "codec s: --decoder needs a value"),
        ("x=ffmpeg -c:v libx264 --decoder perceptual", "codec x: --decoder is of ScaleFlow's own codecs"),
        ("r=roi-x265 --decoder=perceptual", "codec r: --decoder is of ScaleFlow's own codecs"),
        ("x264 --decoder perceptual", "codec 'x264 --decoder perceptual' is unknown"),
    ],
)
def test_decoders_that_there_are_not(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_codec(text)


def test_a_decoder_belongs_to_its_codec(tmp_path: Path) -> None:
    own, other = write_changed_decoder(tmp_path / "own"), write_changed_decoder(tmp_path / "other", "00" * 32)

    def check(path: Path) -> None:
        check_codecs([parse_codec(f"s=scaleflow --decoder perceptual --decoder-weights {path}")], None)

    check(own)
    with pytest.raises(DataError, match=r"codec s: .*other: this perceptual decoder belongs to weights 0000"):
        check(other)
    with pytest.raises(DataError, match=r"codec s: .*none: there is no such file of a perceptual decoder"):
        check(tmp_path / "none")
