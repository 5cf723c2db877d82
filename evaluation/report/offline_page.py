"""Web pages that are one file and ask for nothing over a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from scaleflow.evaluation.rate_distortion.point import without_infinities

SHARED_STYLE = "base.css"
SHARED_SCRIPT = "elements.js"
"""Of the report's own folder: what its pages have in common."""


def offline_page(package: str, template: str, scripts: Sequence[str], style: str, content: dict[str, Any]) -> str:
    """HTML with its style, data and scripts in place, those that all pages share before its own.

    Args:
        package: whose folder ``page`` holds the files that are named.
        template: HTML in which ``/* style */``, ``/* data */`` and ``/* script */`` stand, once each and in this order.
        content: what the scripts find as JSON in the element ``data``.
    """
    shared = resources.files("scaleflow.evaluation.report") / "page"
    files = resources.files(package) / "page"
    data = json.dumps(without_infinities(content), allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    parts = {
        "/* style */": "\n".join(file.read_text("utf-8") for file in (shared / SHARED_STYLE, files / style)),
        # Names may hold anything, but nothing in the data may end the element that it stands in.
        "/* data */": data.replace("<", "\\u003c"),
        "/* script */": "\n".join(
            file.read_text("utf-8") for file in (shared / SHARED_SCRIPT, *(files / name for name in scripts))
        ),
    }
    text = (files / template).read_text("utf-8")
    pieces = []
    for mark, part in parts.items():
        before, text = text.split(mark)
        pieces += [before, part]
    return "".join([*pieces, text])
