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
    from scaleflow.roi.mask_sources.in_loop import FinderInLoop
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
        help="Find the region instead: by motion or saliency, or with a network in decoded pictures by segmentation, "
        "foreground, detection or keypoints.",
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
        "--roi-classes",
        help="Classes or points that are inside, as in car,pedestrian.",
        show_default="objects: all but ground and surroundings",
    ),
]
Dilation = Annotated[
    int | None,
    typer.Option(
        "--roi-dilation",
        help="Samples by which what a network found in the picture before grows, 0..256.",
        show_default="8",
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
    roi_dilation: Dilation = None
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
            "--roi-dilation": options.roi_dilation,
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
    from scaleflow.roi.mask_sources.in_loop import FinderInLoop

    found = _found(options)
    in_loop = found if isinstance(found, FinderInLoop) else None
    if options.roi is not None:
        check_input(options.roi)
    return Region(
        masks=in_loop or options.roi,
        boxes=options.roi_boxes,
        finder=None if isinstance(found, FinderInLoop) else found,
        # an unknown mode is refused by the settings
        mode=cast("RegionMode", options.roi_mode or DEFAULT_MODE),
        strength=options.roi_strength,
        networks=options.roi_weights,
    )


def _found(options: RegionOptions) -> RegionFinder | FinderInLoop | None:
    """What finds the region in pictures of the input, or with a network in decoded ones; None without either.

    Raises:
        UsageError: there is no such finder, or options do not go with it.
        DataError: the network's file is damaged.
    """
    if options.roi_from is None:
        for name, value in (
            ("--roi-network", options.roi_network),
            ("--roi-classes", options.roi_classes),
            ("--roi-dilation", options.roi_dilation),
        ):
            if value is not None:
                raise UsageError(f"{name} is of --roi-from, which is not given")
        return None

    from scaleflow.roi.finders.names import OF_NETWORKS
    from scaleflow.roi.mask_sources.in_loop import DEFAULT_DILATION, FinderInLoop

    finder = region_finder(options.roi_from, options.roi_network, options.roi_classes)
    if options.roi_from in OF_NETWORKS:
        return FinderInLoop(finder, DEFAULT_DILATION if options.roi_dilation is None else options.roi_dilation)
    if options.roi_dilation is not None:
        raise UsageError(f"--roi-dilation is of {', '.join(OF_NETWORKS)}: {options.roi_from} takes none")
    return finder


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
                raise UsageError(f"{option} is of {', '.join(OF_NETWORKS)}: {name} takes none")
    if name not in OF_NETWORKS or network is None:
        return make_finder(name)
    from scaleflow.efficient_nets.networks.region_finder import read_region_finder

    chosen = [part.strip() for part in classes.split(",")] if classes is not None else []
    return read_region_finder(name, network, chosen)


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
