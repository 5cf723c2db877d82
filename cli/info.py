"""``scaleflow info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.console import print_json
from scaleflow.cli.values import bitrate_text, seconds_text, size_text

if TYPE_CHECKING:
    from scaleflow.codec.decoding.info import StreamInfo


def info(source: options.Source, json: options.Json = False) -> None:
    """Say what an .sfv file holds; exit with 1 where it is damaged."""
    from scaleflow.codec.decoding.info import read_info

    found = read_info(source)
    if json:
        print_json(_record(source, found))
    else:
        for line in _lines(source, found):
            typer.echo(line)
    if found.damaged:
        raise typer.Exit(1)


def _record(source: str, found: StreamInfo) -> dict[str, Any]:
    header, video = found.header, found.header.video
    return {
        "file": source,
        "model": header.model,
        "weights_hash": header.weights_hash,
        "precision": header.precision,
        "software": header.software,
        "intra_period": header.intra_period,
        "width": video.width,
        "height": video.height,
        "pixel_format": video.pixel_format,
        "bit_depth": video.bit_depth,
        "working_format": video.working_format,
        "frame_rate": str(video.frame_rate),
        "time_base": str(video.time_base),
        "color_matrix": video.color_matrix,
        "color_range": video.color_range,
        "color_primaries": video.color_primaries,
        "color_transfer": video.color_transfer,
        "sample_aspect_ratio": str(video.sample_aspect_ratio),
        "rotation": video.rotation,
        "audio": [
            {
                "codec": audio.codec,
                "sample_rate": audio.sample_rate,
                "channels": audio.channels,
                "channel_layout": audio.channel_layout,
                "language": audio.language,
            }
            for audio in header.audio
        ],
        "pictures": found.pictures,
        "duration": found.duration,
        "file_bytes": found.file_bytes,
        "bits": {kind: 8 * size for kind, size in found.payload_bytes.items()}
        | {"container": 8 * found.overhead_bytes},
        "counts": found.counts,
        "bitrate": found.bitrate,
        "bits_per_pixel": found.bits_per_pixel,
        "key_frames": [
            {"picture": key.frame_number, "time": key.time, "offset": key.offset} for key in found.key_frames
        ],
        "damage": [
            {"offset": region.offset, "length": region.length, "reason": region.reason} for region in found.damaged
        ],
    }


def _lines(source: str, found: StreamInfo) -> list[str]:
    from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS

    header, video = found.header, found.header.video
    released = RELEASED_WEIGHTS.get(header.weights_hash)
    name = "" if released is None else f"{released.name}, "
    colors = (video.color_matrix, video.color_primaries, video.color_transfer, video.color_range)
    lines = [
        source,
        f"  model       {header.model}, weights {name}{header.weights_hash[:16]}..., {header.precision}"
        + (f", by {header.software}" if header.software else ""),
        f"  video       {video.width}x{video.height} {video.pixel_format}, {float(video.frame_rate):.6g} pictures/s"
        + (f", rotated by {video.rotation} degrees" if video.rotation else "")
        + (f", pixels {video.sample_aspect_ratio}" if video.sample_aspect_ratio != 1 else ""),
        f"  colour      matrix {colors[0]}, primaries {colors[1]}, transfer {colors[2]}, range {colors[3]}",
    ]
    for audio in header.audio:
        language = f", {audio.language}" if audio.language else ""
        lines.append(f"  audio       {audio.codec}, {audio.sample_rate} Hz, {audio.channels} channels{language}")
    lines += [
        f"  duration    {seconds_text(found.duration)} ({found.duration:.3f} s), {found.pictures} pictures, "
        f"{len(found.key_frames)} key frames",
        f"  size        {size_text(found.file_bytes)}, {bitrate_text(found.bitrate)}, {found.bits_per_pixel:.4f} bpp",
    ]
    parts = {"key frames": "intra", "inter": "inter", "audio": "audio"}
    shares = [(name, found.payload_bytes[kind]) for name, kind in parts.items()] + [("container", found.overhead_bytes)]
    text = ", ".join(
        f"{name} {size_text(size)} ({100 * size / found.file_bytes:.1f} %)" for name, size in shares if size
    )
    lines.append(f"  of which    {text}")
    times = [f"{key.time:.2f}" for key in found.key_frames[:12]]
    more = f" and {len(found.key_frames) - len(times)} more" if len(found.key_frames) > len(times) else ""
    lines.append(f"  key frames  at {', '.join(times)} s{more}")
    lines += [f"  damage      at byte {region.offset}: {region.reason}" for region in found.damaged[:20]]
    return lines
