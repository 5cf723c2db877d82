"""Writing mp4, mov, mkv and webm files, with the audio of the source."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import av.error

from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.audio_output import AudioClock, add_audio_stream, discard_at_end, why_not_copied
from scaleflow.codec.video.color_tags import MATRICES, PRIMARIES, RANGES, TRANSFERS, tag_code
from scaleflow.codec.video.frame_planes import frame_from_planes
from scaleflow.codec.video.hdr_metadata import x264_parameters
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format
from scaleflow.codec.video.stream_template import video_template
from scaleflow.codec.video.video_encoding import VideoEncoding
from scaleflow.codec.video.video_writer import VideoWriter
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import OutputFile, OutputStream

log = logging.getLogger(__name__)

_GLOBAL_HEADER = 1 << 22
_WRITE_BUFFER = 1 << 20
_LARGEST_TIMESCALE = 1_000_000_000
_LARGEST_SECONDS = 4_000_000_000
"""Of audio: the clock of a computer is below, and so is what 64 bits of any muxer's ticks can count."""


class ContainerWriter(VideoWriter):
    """Encodes pictures with ``encoding`` and muxes them and copied audio packets with FFmpeg's muxer ``container``."""

    def __init__(
        self,
        output: OutputStream,
        container: str,
        properties: VideoProperties,
        encoding: VideoEncoding,
        audio: Sequence[AudioStream],
    ) -> None:
        super().__init__(output.name, properties, describe_pixel_format(encoding.pixel_format))
        if encoding.codec != "libx264" and (properties.mastering_display or properties.content_light_level):
            log.warning("%s: %s has no place for the HDR metadata of the source", output.name, encoding.codec)
        if not isinstance(output, OutputFile) and container in ("mp4", "mov"):
            raise UsageError(f"{output.name}: {container} cannot be written to a pipe or device; use mkv or y4m")
        self._output = output
        self._layout = encoding.pixel_format
        self._audio = tuple(audio)
        self._container_format = container
        self._duration = max(1, round(1 / (properties.frame_rate * properties.time_base)))
        self._held: Any = None
        self._audio_clocks: dict[int, AudioClock] = {}
        self._container = av.open(
            output,
            mode="w",
            format=container,
            options=_muxer_options(container, properties.time_base),
            buffer_size=_WRITE_BUFFER,
        )
        try:
            self._video = self._add_video(encoding)
            self._audio_streams = [self._add_audio(stream, container) for stream in self._audio]
            self._container.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            self._abort()
            raise DataError(f"{self.name}: {container} cannot hold this video: {error}") from error
        except BaseException:
            self._abort()
            raise

    def _add_video(self, encoding: VideoEncoding) -> Any:
        properties = self.properties
        if not properties.rotation:
            stream: Any = self._container.add_stream(encoding.codec, rate=_rate(properties))
            self._encoder: av.VideoCodecContext = stream.codec_context
            _configure(self._encoder, encoding, self._target, properties)
            stream.time_base = properties.time_base
            return stream
        # PyAV lets a display matrix into an output only with the parameters of an input's stream.
        encoder = av.CodecContext.create(encoding.codec, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        self._encoder = encoder
        _configure(self._encoder, encoding, self._target, properties)
        self._encoder.open()
        with video_template(self._encoder, properties.sample_aspect_ratio, properties.rotation) as template:
            stream = self._container.add_stream_from_template(template, opaque=True)
        context = stream.codec_context
        context.pix_fmt = self._encoder.pix_fmt
        context.framerate = self._encoder.framerate
        context.sample_aspect_ratio = self._encoder.sample_aspect_ratio
        for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
            setattr(context, tag, getattr(self._encoder, tag))
        stream.time_base = properties.time_base
        return stream

    def _add_audio(self, audio: AudioStream, container: str) -> Any:
        reason = why_not_copied(audio, container)
        if reason is not None:
            log.warning(
                "%s: %s audio cannot be copied into %s and is left out (%s)", self.name, audio.codec, container, reason
            )
            return None
        return add_audio_stream(self._container, audio)

    def _write_planes(self, planes: Planes, pts: int) -> None:
        frame = frame_from_planes(planes, self._layout)
        frame.pts, frame.time_base = pts, self.properties.time_base
        frame.colorspace = self._encoder.colorspace
        frame.color_range = self._encoder.color_range
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._encoder.encode(frame):
                packet.stream = self._video
                if not packet.duration:
                    packet.duration = self._duration  # Players leave out a last picture that has none.
                self._mux_held()
                self._held = packet  # How long the last one is shown is known at the end.
            if frame is None and self._held is not None:
                if self.last_duration is not None:
                    self._held.duration = self.last_duration
                self._mux_held()
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: writing failed: {error.strerror}; nothing was kept") from error

    def _mux_held(self) -> None:
        if self._held is not None:
            self._container.mux(self._held)
            self._held = None

    def write_audio(self, packet: AudioPacketData) -> None:
        """Mux one audio packet as it is."""
        if not 0 <= packet.stream_index < len(self._audio_streams):
            raise DataError(
                f"{self.name}: an audio packet belongs to stream {packet.stream_index}, which does not exist"
            )
        stream = self._audio_streams[packet.stream_index]
        if stream is None:
            return
        described = self._audio[packet.stream_index]
        clock = self._audio_clocks.setdefault(packet.stream_index, AudioClock(described, stream.time_base))
        pts, dts = clock.times(packet)
        if max(abs(pts), abs(dts), packet.duration or 0) * described.time_base > _LARGEST_SECONDS:
            log.warning(
                "%s: the rest of audio stream %d is left out: its times are out of range",
                self.name,
                packet.stream_index,
            )
            self._audio_streams[packet.stream_index] = None
            return
        copy = av.Packet(packet.data)
        copy.time_base = described.time_base
        copy.pts, copy.dts = pts, dts
        copy.is_keyframe = packet.is_keyframe
        if packet.duration:
            copy.duration = packet.duration
        if packet.discarded:
            discard_at_end(copy, packet.discarded, described, self._container_format)
        copy.stream = stream
        try:
            self._container.mux(copy)
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: writing audio failed: {error.strerror}; nothing was kept") from error

    def _finish(self) -> None:
        self._encode(None)
        try:
            self._container.close()
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: writing failed: {error.strerror}; nothing was kept") from error
        self._output.commit()

    def _abort(self) -> None:
        self._output.abort()
        try:
            self._container.close()
        except av.error.FFmpegError:
            pass  # The file is removed already; the muxer need not write its end.


def _muxer_options(container: str, time_base: Fraction) -> dict[str, str]:
    scale = time_base.denominator
    if container not in ("mp4", "mov"):
        # Audio that starts before time 0 (encoder delay) would otherwise shift all streams.
        return {"avoid_negative_ts": "disabled"}
    if scale > _LARGEST_TIMESCALE:
        return {}
    # Without these, times are rounded to milliseconds in edit lists, and small scales are multiplied.
    return {"video_track_timescale": str(scale), "movie_timescale": str(scale)}


def _rate(properties: VideoProperties) -> Fraction:
    return properties.frame_rate.limit_denominator(1_000_000)


def _configure(
    encoder: av.VideoCodecContext, encoding: VideoEncoding, target: PixelFormat, properties: VideoProperties
) -> None:
    encoder.width, encoder.height = properties.width, properties.height
    encoder.pix_fmt = encoding.pixel_format
    encoder.time_base = properties.time_base
    encoder.framerate = _rate(properties)
    encoder.sample_aspect_ratio = properties.sample_aspect_ratio
    matrix, color_range = _coding_tags(target, properties)
    encoder.colorspace = tag_code(MATRICES, matrix)
    encoder.color_range = tag_code(RANGES, color_range)
    encoder.color_primaries = tag_code(PRIMARIES, properties.color_primaries)
    encoder.color_trc = tag_code(TRANSFERS, properties.color_transfer)
    options = dict(encoding.options)
    if encoding.codec == "libx264":
        parameters = x264_parameters(properties.mastering_display, properties.content_light_level)
        if color_range == "tv":
            parameters.append("videoformat=component")  # Without it x264 leaves out a range that is limited.
        if parameters:
            options["x264-params"] = ":".join(parameters)
        encoder.max_b_frames = 0  # Decoding order is display order, so that times need no edit list.
    encoder.options = options
    encoder.flags = int(encoder.flags) | _GLOBAL_HEADER


def _coding_tags(target: PixelFormat, properties: VideoProperties) -> tuple[str, str]:
    """Matrix and range to write: the source's own, except where conversion changed them."""
    source = describe_pixel_format(properties.pixel_format)
    if target.family == "rgb":
        return "gbr", "pc"
    if source.family == "rgb":
        return "bt709", "tv"
    if source.family == "gray" and properties.color_range == "unknown":
        return properties.color_matrix, "pc"
    return properties.color_matrix, properties.color_range
