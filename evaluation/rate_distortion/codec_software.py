"""What codecs need before they are measured: encoders, weights, and who made them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import av

from scaleflow.codec.models.registry import DEFAULT_MODEL, WEIGHTS_FOLDER, load_model
from scaleflow.efficient_nets.networks.region_finder import read_region_finder
from scaleflow.efficient_nets.networks.weights_file import weights_of_run
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.evaluation.ffmpeg import find_ffmpeg
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.roi.finders.names import OF_NETWORKS, make_finder
from scaleflow.version import scaleflow_version

DECODER_WEIGHTS = "decoder weights"
"""Name among a point's software of the perceptual decoder that showed it."""


def check_codecs(codecs: Sequence[EvaluatedCodec], ffmpeg: Path | None) -> Path | None:
    """Whether all codecs can run here, before hours are spent on some of them.

    Args:
        ffmpeg: the program to use; found where None.

    Returns:
        The ffmpeg that has all encoders; None where no codec needs one.

    Raises:
        UsageError: an encoder or weights are missing, or a network finds no such regions; says what to leave out or to
            give.
        DataError: a perceptual decoder or a network cannot be read, or the decoder belongs to another model.
    """
    for codec in codecs:
        if not codec.how.decode:
            continue
        for setting in codec.settings:
            for weights in (codec.weights_of(setting), codec.region_weights_of(setting)):
                if weights is not None and not weights.is_file():
                    raise UsageError(f"codec {codec.name}: {weights}: no such weights file")
            model = codec.model_of(setting)
            if model is not None:
                _check_model(codec.name, model)
    _check_decoders(codecs)
    _check_region_finders(codecs)
    encoders = list(dict.fromkeys(codec.encoder for codec in codecs if codec.encoder is not None))
    if all(codec.how.decode for codec in codecs):
        return None
    return find_ffmpeg(ffmpeg, encoders=encoders)


def _check_model(codec: str, model: str) -> None:
    try:
        load_model(model)
    except (ScaleFlowError, OSError) as error:
        raise UsageError(
            f"codec {codec}: {error}; leave it out, or give weights as '{codec}=scaleflow --model ssf2020:PATH'"
        ) from error


def _check_decoders(codecs: Sequence[EvaluatedCodec]) -> None:
    """Whether the perceptual decoders can be read, and belong to the models. Raises what reading them raises."""
    checked = set()
    for codec in codecs:
        for setting in codec.settings if codec.how.decode else ():
            decoder, model, weights = codec.decoder_of(setting), codec.model_of(setting), codec.weights_of(setting)
            identity = decoder.weights_file, model, weights
            if decoder.is_perceptual and identity not in checked:
                checked.add(identity)
                try:
                    decoder.show()(load_model(model or DEFAULT_MODEL, weights=weights))
                except ScaleFlowError as error:
                    raise type(error)(f"codec {codec.name}: {error}", fields=error.fields) from error


def _check_region_finders(codecs: Sequence[EvaluatedCodec]) -> None:
    """Whether networks find the regions that codecs code. Raises what reading them raises."""
    for codec in codecs:
        for setting in codec.settings:
            _check_region_options(codec, setting)
    chosen = {
        found_by: codec.name
        for codec in codecs
        for setting in codec.settings
        if (found_by := codec.region_finder_of(setting)) is not None
    }
    for (finder, network, classes), name in chosen.items():
        try:
            read_region_finder(finder, network, classes)
        except ScaleFlowError as error:
            raise type(error)(f"codec {name}: {error}", fields=error.fields) from error


def _check_region_options(codec: EvaluatedCodec, setting: CodecSetting) -> None:
    """Whether a codec that is to find its regions can. Raises :class:`UsageError`."""
    finder, network = codec.option("--roi-from", of=setting), codec.option("--roi-network", of=setting)
    if finder is None and network is None:
        return
    if codec.program != "scaleflow":
        raise UsageError(
            f"codec {codec.name}: {codec.program} finds no regions itself: leave its --roi-from and --roi-network out, "
            "and give them beside the codecs, so that masks are made for it"
        )
    if finder is None:
        raise UsageError(f"codec {codec.name}: --roi-network {network} is of --roi-from, which is not given")
    if network is None and finder in OF_NETWORKS:
        raise UsageError(
            f"codec {codec.name}: --roi-from {finder} needs a network: add --roi-network with a run of scaleflow nets "
            "train"
        )
    if network is None:
        try:
            make_finder(finder)
        except UsageError as error:
            raise UsageError(f"codec {codec.name}: --roi-from {error}") from error
    elif finder not in OF_NETWORKS:
        raise UsageError(f"codec {codec.name}: --roi-network is of {', '.join(OF_NETWORKS)}: {finder} takes none")


def software_of(codec: EvaluatedCodec, setting: CodecSetting, ffmpeg: Path | None) -> dict[str, str]:
    """Versions of the programs, and the weights, that a point came from.

    Raises:
        UsageError: ffmpeg does not run.
    """
    if not codec.how.decode:
        assert ffmpeg is not None
        encoder = {"scaleflow": scaleflow_version(), "PyAV": av.__version__} if codec.how.encode else {}
        return {"ffmpeg": ffmpeg_version(ffmpeg)} | encoder
    model, weights = codec.model_of(setting), codec.weights_of(setting)
    if weights is None and model is None:
        weights = WEIGHTS_FOLDER / "default.safetensors"
    elif model is not None and ":" in model:
        weights = Path(model.partition(":")[2])
    found = {"scaleflow": scaleflow_version()}
    # published weights are what their name says
    files = {
        "weights": weights,
        "region weights": codec.region_weights_of(setting),
        DECODER_WEIGHTS: codec.decoder_of(setting).weights_file,
    }
    if (found_by := codec.region_finder_of(setting)) is not None:
        files["region network"] = weights_of_run(found_by[1])
    for name, path in files.items():
        if path is not None:
            found[name] = _weights_hash(path, path.stat().st_mtime_ns)
    return found


@lru_cache(maxsize=64)
def _weights_hash(path: Path, modified: int) -> str:
    return file_hash(path)


@lru_cache(maxsize=4)
def ffmpeg_version(program: Path) -> str:
    """As ffmpeg says it. Raises :class:`UsageError` where it cannot be run."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"{program}: is no ffmpeg that runs here ({error})") from error
    words = done.stdout.split()
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"
