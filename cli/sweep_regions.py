"""Regions of interest of the verbs that measure codecs at several settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from scaleflow.cli import region_options
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.rate_distortion.clip_regions import ClipRegions


@dataclass(frozen=True)
class SweepRegionOptions:
    """Where the masks come from that codecs are given, and by which metrics are taken."""

    PANEL: ClassVar[str] = "Regions of interest"

    roi: Annotated[
        str | None,
        typer.Option(
            help="Masks of regions of interest: a folder that holds them by the names of the clips, or davis for those "
            "that DAVIS has. Metrics are then also taken within and outside.",
            show_default=False,
        ),
    ] = None
    roi_from: Annotated[
        str | None,
        typer.Option(
            help="Find these masks instead, in the pictures as they are: by motion or saliency, or with a network by "
            "segmentation, foreground, detection or keypoints.",
            show_default=False,
        ),
    ] = None
    roi_network: region_options.FinderNetwork = None
    roi_classes: region_options.FinderClasses = None


def sweep_regions(options: SweepRegionOptions) -> ClipRegions | None:
    """Where masks come from; None without regions.

    Raises:
        UsageError: options do not go together, or there is no such finder or network.
        DataError: the network's file is damaged.
    """
    from scaleflow.evaluation.rate_distortion.clip_regions import FoundRegions, GivenRegions

    if options.roi_from is None:
        for name, value in (("--roi-network", options.roi_network), ("--roi-classes", options.roi_classes)):
            if value is not None:
                raise UsageError(f"{name} is of --roi-from, which is not given")
        return None if options.roi is None else GivenRegions(options.roi)
    if options.roi is not None:
        raise UsageError("--roi and --roi-from given: a region comes from one of them")
    finder = region_options.region_finder(options.roi_from, options.roi_network, options.roi_classes)
    words = [options.roi_from]
    if options.roi_network is not None:
        words += [_hash_of(options.roi_network), options.roi_classes or ""]
    return FoundRegions(finder, " ".join(words))


def _hash_of(network: Path) -> str:
    from scaleflow.efficient_nets.networks.weights_file import weights_of_run
    from scaleflow.evaluation.file_hash import file_hash

    return file_hash(weights_of_run(network))
