"""What commands are told of regions of interest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import typer

from scaleflow.cli.video_source import check_input
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.codec.encoding.region_masks import OpenMasks
    from scaleflow.roi.coding import RegionMode
    from scaleflow.roi.finders.region_finder import RegionFinder
    from scaleflow.roi.region import Region

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
class MaskOptions:
    """A region that files mark."""

    PANEL: ClassVar[str] = "Region of interest"

    roi: Masks = None
    roi_boxes: Boxes = None


@dataclass(frozen=True)
class RegionOptions(MaskOptions):
    """A region that files mark or that is found, and how it is coded."""

    roi_from: Finder = None
    roi_network: FinderNetwork = None
    roi_classes: FinderClasses = None
    roi_mode: Mode = None
    roi_strength: Strength = None
    roi_weights: Networks = None


def region_of(options: RegionOptions, model: str) -> Region | None:
    """What the options ask for, checked as far as the video need not be known; None without a region.

    Raises:
        UsageError: they do not go together, or with the model, or name what is not there.
        DataError: the network of a finder is damaged.
    """
    sources: dict[str, str | Path | None] = {
        "--roi": options.roi,
        "--roi-boxes": options.roi_boxes,
        "--roi-from": options.roi_from,
    }
    given = _given(sources)
    if not given:
        details = {
            "--roi-mode": options.roi_mode,
            "--roi-strength": options.roi_strength,
            "--roi-weights": options.roi_weights,
            "--roi-network": options.roi_network,
            "--roi-classes": options.roi_classes,
        }
        for name, value in details.items():
            if value is not None:
                raise UsageError(f"{name} is of a region of interest: give one with {', '.join(sources)}")
        return None

    from scaleflow.codec.models.registry import DEFAULT_MODEL
    from scaleflow.roi.coding import DEFAULT_MODE
    from scaleflow.roi.region import Region

    if model != DEFAULT_MODEL:
        raise UsageError(f"{given[0]}: model {model} codes no regions of interest: use the default model")
    finder = _finder(options)
    if options.roi is not None:
        check_input(options.roi)
    return Region(
        masks=options.roi,
        boxes=options.roi_boxes,
        finder=finder,
        # an unknown mode is refused by the settings
        mode=cast("RegionMode", options.roi_mode or DEFAULT_MODE),
        strength=options.roi_strength,
        networks=options.roi_weights,
    )


def _finder(options: RegionOptions) -> RegionFinder | None:
    if options.roi_from is not None:
        return region_finder(options.roi_from, options.roi_network, options.roi_classes)
    for name, value in (("--roi-network", options.roi_network), ("--roi-classes", options.roi_classes)):
        if value is not None:
            raise UsageError(f"{name} is of --roi-from, which is not given")
    return None


def _given(sources: dict[str, str | Path | None]) -> list[str]:
    """The name of the source that is given, if any. Raises :class:`UsageError` where there are several."""
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} given: a region comes from one of them")
    return given


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
    from scaleflow.efficient_nets.networks.region_finder import NetworkRegionFinder
    from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run

    chosen = [part.strip() for part in classes.split(",")] if classes is not None else []
    return NetworkRegionFinder(read_network(weights_of_run(network)), chosen, boxes=name == "detection")


def open_region(options: MaskOptions) -> OpenMasks | None:
    """Masks or boxes, whichever is given; None where neither is.

    Raises:
        UsageError: both are given, or name what is not there.
        DataError: a file of boxes is malformed.
    """
    if not _given({"--roi": options.roi, "--roi-boxes": options.roi_boxes}):
        return None
    if options.roi_boxes is not None:
        from scaleflow.roi.mask_sources.box_file import read_box_file

        return read_box_file(options.roi_boxes).masks

    from scaleflow.roi.mask_sources.mask_file import open_mask_file

    assert options.roi is not None
    check_input(options.roi)
    return partial(open_mask_file, options.roi)


def required_region(options: MaskOptions) -> OpenMasks:
    """As :func:`open_region`, where there must be one."""
    region = open_region(options)
    if region is None:
        raise UsageError("there is no region of interest: give one with --roi or --roi-boxes")
    return region
