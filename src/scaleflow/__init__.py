"""A neural video codec toolkit: encode, decode and measure real video files with a learned codec.

What this module names is the public face, and loaded when it is first used; what cannot be reached from here is
private by convention, and may change in any release.

>>> import scaleflow
>>> "encode" in dir(scaleflow)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "ClusterSettings",
    "DataError",
    "DecodeSettings",
    "EncodeSettings",
    "FrameDecoder",
    "FrameEncoder",
    "Region",
    "ScaleFlowError",
    "UsageError",
    "VideoDecoder",
    "VideoFrame",
    "__version__",
    "accelerate",
    "compare",
    "decode",
    "encode",
    "info",
    "list_models",
    "load_model",
    "open_decoder",
    "verify",
]

if TYPE_CHECKING:
    from scaleflow.cluster import ClusterSettings as ClusterSettings
    from scaleflow.codec.decoding.file import DecodeSettings as DecodeSettings
    from scaleflow.codec.decoding.video_decoder import VideoDecoder as VideoDecoder
    from scaleflow.codec.decoding.video_decoder import VideoFrame as VideoFrame
    from scaleflow.codec.encoding.settings import EncodeSettings as EncodeSettings
    from scaleflow.codec.frame_coder import FrameDecoder as FrameDecoder
    from scaleflow.codec.frame_coder import FrameEncoder as FrameEncoder
    from scaleflow.codec.models.registry import list_models as list_models
    from scaleflow.codec.models.registry import load_model as load_model
    from scaleflow.efficient_nets.video.conversion import accelerate as accelerate
    from scaleflow.errors import DataError as DataError
    from scaleflow.errors import ScaleFlowError as ScaleFlowError
    from scaleflow.errors import UsageError as UsageError
    from scaleflow.evaluation.metrics.comparison import compare as compare
    from scaleflow.files import decode as decode
    from scaleflow.files import encode as encode
    from scaleflow.files import info as info
    from scaleflow.files import open_decoder as open_decoder
    from scaleflow.files import verify as verify
    from scaleflow.roi.region import Region as Region

    __version__: str

_PLACES = {
    "ClusterSettings": "cluster",
    "DataError": "errors",
    "DecodeSettings": "codec.decoding.file",
    "EncodeSettings": "codec.encoding.settings",
    "FrameDecoder": "codec.frame_coder",
    "FrameEncoder": "codec.frame_coder",
    "Region": "roi.region",
    "ScaleFlowError": "errors",
    "UsageError": "errors",
    "VideoDecoder": "codec.decoding.video_decoder",
    "VideoFrame": "codec.decoding.video_decoder",
    "accelerate": "efficient_nets.video.conversion",
    "compare": "evaluation.metrics.comparison",
    "decode": "files",
    "encode": "files",
    "info": "files",
    "list_models": "codec.models.registry",
    "load_model": "codec.models.registry",
    "open_decoder": "files",
    "verify": "files",
}
"""Public names, and the modules below this one that define them."""



def __getattr__(name: str) -> Any:
    if name == "__version__":
        from scaleflow.version import scaleflow_version

        return scaleflow_version()
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
