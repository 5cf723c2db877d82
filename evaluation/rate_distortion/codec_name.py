"""Names that results of codecs are kept under."""

from __future__ import annotations

import re

_NAME = re.compile(r"\w[\w.+-]{0,79}")


def is_codec_name(name: str) -> bool:
    """Whether results can be kept under a name: it is one of a file, and leads to no other folder."""
    return _NAME.fullmatch(name) is not None and len(name.encode()) <= 240
