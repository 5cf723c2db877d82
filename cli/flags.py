"""Names of the library's settings in messages, put as a person types them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scaleflow.errors import ScaleFlowError

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "bits_per_pixel": ("bpp",),
    "boxes": ("roi_boxes",),
    "coded": ("pictures",),
    "data.path": ("data",),
    "dilation": ("roi_dilation",),
    "finder": ("roi_from",),
    "finder_network": ("roi_network", "network"),
    "frame_rate": ("fps",),
    "key_times": ("key_at",),
    "labels": ("data",),
    "masks": ("roi",),
    "mode": ("roi_mode",),
    "networks": ("roi_weights",),
    "pixel_format": ("pix_fmt",),
    "program": ("ffmpeg",),
    "refinement": ("refine",),
    "region": ("roi_mode",),
    "steps": ("refine",),
    "strength": ("roi_strength",),
    "worker_threads": ("threads",),
}
"""Parameters of verbs that stand for a setting of another name, where the verb has none of the same name."""


def in_flags(error: ScaleFlowError, flags: Mapping[str, str]) -> str:
    """The message of an error, with the options of a verb in place of the settings that it names.

    Args:
        error: its ``fields`` say which words of it are settings.
        flags: the option of each parameter of the verb. Settings that none of them stands for are left as they are.
    """
    known = {field: flag for field in error.fields if (flag := _flag(field, flags)) is not None}
    if not known:
        return str(error)
    # not within a path or another word; what Python writes as ``two_pass=True`` is ``--two-pass`` alone
    names = "|".join(re.escape(field) for field in sorted(known, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w./\\-])({names})(=True\b)?(?![\w/\\-]|\.\w)")
    return pattern.sub(lambda match: known[match[1]], str(error))


def _flag(field: str, flags: Mapping[str, str]) -> str | None:
    names: Sequence[str] = (field, *OTHER_NAMES.get(field, ()))
    return next((flags[name] for name in names if name in flags), None)
