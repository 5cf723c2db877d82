"""From a video, coded by ScaleFlow or otherwise, to one whose pictures are restored."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.container import SfvHeader
from scaleflow.codec.decoding.file import DecodeSettings, check_decode, decode_file
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.errors import DataError

STREAM_SUFFIX = ".sfv"


@dataclass(frozen=True)
class RestoreSettings:
    """How to restore.

    Attributes:
        steps: of each picture's trajectory.
        seed: of the noise that all pictures start from.
        output: as for decoding: most pictures, lossless or not, whether to overwrite.
    """

    steps: int
    seed: int
    output: DecodeSettings


def restore_file(
    source: Path,
    destination: Path,
    model: RestorationDiffusion,
    network: ClockworkUNet,
    settings: RestoreSettings,
    load_codec: Callable[[SfvHeader], VideoModel],
    progress: Callable[[int, int | None], None] = lambda pictures, of: None,
) -> int:
    """Restore all pictures; audio and what else is known of the video stays.

    Args:
        source: an ``.sfv`` file, or any video.
        network: the model's UNet by a clock.
        load_codec: gives the codec that an ``.sfv`` file needs.
        progress: is told how many pictures of how many (None where that is not known) are done.

    Returns:
        The number of pictures.

    Raises:
        UsageError: the output cannot be made, or exists.
        DataError: the source cannot be read, or its pictures are too small; nothing is left.
    """
    check_decode(source, destination, settings.output)
    if source.suffix.lower() != STREAM_SUFFIX:
        return _restore(source, destination, model, network, settings, progress)
    with tempfile.TemporaryDirectory(prefix="scaleflow-diffusion-") as folder:
        decoded = Path(folder) / "decoded.mkv"
        decode_file(source, decoded, load_codec, DecodeSettings(frames=settings.output.frames, lossless=True))
        try:
            return _restore(decoded, destination, model, network, settings, progress)
        except DataError as error:
            raise DataError(str(error).replace(str(decoded), str(source))) from error


def _restore(
    source: Path,
    destination: Path,
    model: RestorationDiffusion,
    network: ClockworkUNet,
    settings: RestoreSettings,
    progress: Callable[[int, int | None], None],
) -> int:
    output = settings.output
    with open_video(source, working_format="rgb") as reader:
        found = reader.properties
        least = model.unet.config.multiple
        if min(found.width, found.height) < least:
            raise DataError(
                f"{source}: has pictures of {found.width}x{found.height}, too small to restore: {least} lines and "
                "columns are needed"
            )
        noise = model.noise_for(found.height, found.width, settings.seed)
        count = 0
        with open_output(
            destination,
            found,
            lossless=output.lossless,
            format=output.format,
            overwrite=output.overwrite,
            audio=reader.audio_streams,
        ) as writer:
            for item in reader.items():
                if isinstance(item, AudioPacketData):
                    writer.write_audio(item)
                    continue
                writer.write(Picture(_restored(item.planes, model, network, settings.steps, noise), item.pts))
                count += 1
                progress(count, output.frames or reader.frame_count)
                if count == output.frames:
                    break
    return count


@torch.inference_mode()
def _restored(planes: Planes, model: RestorationDiffusion, network: ClockworkUNet, steps: int, noise: Tensor) -> Planes:
    decoded = torch.from_numpy(np.stack(planes).astype(np.float32) / 255)[None].to(noise.device)
    restored = model.restore(decoded, steps, noise, network.reset(steps))
    samples: NDArray[np.uint8] = (255 * restored[0]).round().byte().cpu().numpy()
    return tuple(np.ascontiguousarray(plane) for plane in samples)
