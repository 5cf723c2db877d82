"""Standard input as a stream of bytes."""

from __future__ import annotations

import sys
from typing import BinaryIO

from scaleflow.errors import UsageError


def standard_input() -> BinaryIO:
    """Standard input for bytes.

    Raises:
        UsageError: it is closed, or takes text only, as in notebooks.
    """
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise UsageError("standard input is closed or holds no bytes here: name a file instead of -")
    return stream
