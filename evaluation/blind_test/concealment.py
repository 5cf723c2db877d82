"""Text that nobody reads by accident in the source of a page, and that the page itself can read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice


def conceal(text: str, key: str) -> str:
    """A text in base64, after an exclusive or with the bytes that a key stands for.

    It keeps a curious eye from names, not a person who means to read them: the page has both the key and the way back.

    Args:
        key: at least eight hexadecimal digits.
    """
    data = text.encode("utf-8")
    return base64.b64encode(bytes(a ^ b for a, b in zip(data, islice(_bytes_of(key), len(data)), strict=True))).decode()


def _bytes_of(key: str) -> Iterator[int]:
    """Marsaglia, "Xorshift RNGs", Journal of Statistical Software, 2003: 32 bits of state, which JavaScript has too."""
    state = int(key[:8], 16) or 1
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state >> 24
