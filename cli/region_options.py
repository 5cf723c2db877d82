"""What commands are told of regions of interest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from scaleflow.cli.video_source import check_input
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.codec.encoding.region_masks import OpenMasks
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.models.video_model import VideoModel
    from scaleflow.roi.coding import RegionMode, RegionSettings
    from scaleflow.roi.finders.region_finder import RegionFinder

Masks = Annotated[
    str | None,
    typer.Option(
        "--roi",
        help="Masks of the region of interest: a video, a folder or pattern of pictures, or one picture for all.",
        show_default=False,
    ),
]
Boxes = Annotated[
    Path | None,
    typer.Option(
        "--roi-boxes", help="JSON of boxes instead, as of COCO or of FFmpeg's addroi filter.", show_default=False
    ),
]
Finder = Annotated[
    str | None,
    typer.Option(
        "--roi-from",
        help="Find the region instead: by motion or saliency, or with a network by segmentation or detection.",
        show_default=False,
    ),
]
FinderNetwork = Annotated[
    Path | None,
    typer.Option(
        "--roi-network", help="What finds it: a run of scaleflow nets train, or its weights.", show_default=False
    ),
]
FinderClasses = Annotated[
    str | None,
    typer.Option(
        "--roi-classes", help="Classes that are inside, as in car,pedestrian.", show_default="all but a background"
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--roi-mode",
        help="latent-scaling, learned-scaling, implicit (for decoders that know of no regions) or both.",
        show_default="latent-scaling",
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        "--roi-strength",
        help="How many times coarser what lies outside is quantized, 1..64.",
        show_default="8, or what the qoffsets of --roi-boxes amount to",
    ),
]
Networks = Annotated[
    Path | None,
    typer.Option(
        "--roi-weights", help="Region networks, of train --preset roi and export.", show_default="those shipped"
    ),
]
TargetPsnr = Annotated[
    float | None,
    typer.Option(
        "--target-roi-psnr",
        help="Aim at a PSNR-YUV (6:1:1) in dB within the region, by encoding several times.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class RegionRequest:
    """Masks to open once the video is known, and how to code what they mark."""

    masks: OpenMasks
    settings: RegionSettings
    networks: Path | None

    def prepare(self, model: VideoModel) -> None:
        """Let a model code regions. Raises :class:`UsageError` or :class:`DataError`."""
        from scaleflow.roi.coding import set_region_coding

        set_region_coding(model, self.settings, self.networks)


def region_request(
    source: VideoSource,
    model: str,
    *,
    masks: str | None,
    boxes: Path | None,
    finder: str | None,
    finder_network: Path | None,
    finder_classes: str | None,
    mode: str | None,
    strength: float | None,
    networks: Path | None,
) -> RegionRequest | None:
    """What the options ask for, checked as far as the video need not be known; None without a region.

    Raises:
        UsageError: they do not go together, or with the model, or name what is not there.
        DataError: a file of boxes is malformed.
    """
    sources: dict[str, str | Path | None] = {"--roi": masks, "--roi-boxes": boxes, "--roi-from": finder}
    given = _given(sources)
    details = {"--roi-mode": mode, "--roi-strength": strength, "--roi-weights": networks}
    of_finder = {"--roi-network": finder_network, "--roi-classes": finder_classes}
    if not given:
        for name, value in {**details, **of_finder}.items():
            if value is not None:
                raise UsageError(f"{name} is of a region of interest: give one with {', '.join(sources)}")
        return None

    from scaleflow.codec.models.registry import DEFAULT_MODEL
    from scaleflow.roi.coding import DEFAULT_MODE, DEFAULT_STRENGTH, RegionSettings

    if model != DEFAULT_MODEL:
        raise UsageError(f"{given[0]}: model {model} codes no regions of interest: use the default model")
    opened, meant = _masks(source, masks, boxes, finder, finder_network, finder_classes)
    if strength is None:
        strength = meant or DEFAULT_STRENGTH
    # an unknown mode is refused by the settings
    return RegionRequest(opened, RegionSettings(cast("RegionMode", mode or DEFAULT_MODE), strength), networks)


def _given(sources: dict[str, str | Path | None]) -> list[str]:
    """The name of the source that is given, if any. Raises :class:`UsageError` where there are several."""
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} given: a region comes from one of them")
    return given


def _masks(
    source: VideoSource,
    masks: str | None,
    boxes: Path | None,
    finder: str | None,
    finder_network: Path | None,
    finder_classes: str | None,
) -> tuple[OpenMasks, float | None]:
    """The one source that is given, and the strength that it asks for, if it does."""
    if finder is not None:
        from scaleflow.roi.mask_sources.found import open_found_masks

        return partial(open_found_masks, source, region_finder(finder, finder_network, finder_classes)), None
    for name, value in (("--roi-network", finder_network), ("--roi-classes", finder_classes)):
        if value is not None:
            raise UsageError(f"{name} is of --roi-from, which is not given")
    return _masks_of_files(masks, boxes)


def region_finder(name: str, network: Path | None, classes: str | None) -> RegionFinder:
    """What finds regions, by its name.

    Raises:
        UsageError: there is none, or it lacks a network, or takes none, or knows other classes.
        DataError: the network's file is damaged.
    """
    from scaleflow.roi.finders.names import OF_NETWORKS, make_finder

    if name not in OF_NETWORKS:
        for option, value in (("--roi-network", network), ("--roi-classes", classes)):
            if value is not None:
                raise UsageError(f"{option} is of {' and '.join(OF_NETWORKS)}: {name} takes none")
    if name not in OF_NETWORKS or network is None:
        return make_finder(name)
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
    from scaleflow.efficient_nets.tasks.region_finder import NetworkRegionFinder

    chosen = [part.strip() for part in classes.split(",")] if classes is not None else []
    return NetworkRegionFinder(read_network(weights_of_run(network)), chosen, boxes=name == "detection")


def _masks_of_files(masks: str | None, boxes: Path | None) -> tuple[OpenMasks, float | None]:
    """As :func:`_masks`, of sources that do not look at the video."""
    if boxes is not None:
        from scaleflow.roi.mask_sources.box_file import read_box_file

        box_file = read_box_file(boxes)
        return box_file.masks, box_file.strength

    from scaleflow.roi.mask_sources.mask_file import open_mask_file

    assert masks is not None
    check_input(masks)
    return partial(open_mask_file, masks), None


def open_region(masks: str | None, boxes: Path | None) -> OpenMasks | None:
    """Masks or boxes, whichever is given; None where neither is.

    Raises:
        UsageError: both are given, or name what is not there.
        DataError: a file of boxes is malformed.
    """
    return _masks_of_files(masks, boxes)[0] if _given({"--roi": masks, "--roi-boxes": boxes}) else None


def required_region(masks: str | None, boxes: Path | None) -> OpenMasks:
    """As :func:`open_region`, where there must be one."""
    region = open_region(masks, boxes)
    if region is None:
        raise UsageError("there is no region of interest: give one with --roi or --roi-boxes")
    return region
