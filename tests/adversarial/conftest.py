"""The clips of the codec's tests."""

from __future__ import annotations

from tests.codec.conftest import carphone, ffmpeg

__all__ = ["carphone", "ffmpeg"]
