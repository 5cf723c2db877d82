"""Restoration of decoded pictures by a conditional diffusion model.

As in Saharia et al., "Image Super-Resolution via Iterative Refinement", 2021, the degraded picture is concatenated to
the noisy sample. The sample is not the picture but what is missing in the decoded one, original - decoded, brought to a
deviation of 1: most of a picture is known already.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.diffusion.ddim import DdimTrajectory, Denoiser
from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.efficient_nets.diffusion.unet import UNet, UNetConfig
from scaleflow.errors import UsageError

LEAST_DEVIATION = 1e-3
"""Of residuals in 0..1, so that pairs without an error do not divide by zero."""


class RestorationDiffusion(nn.Module):
    """A UNet that removes noise from residuals, beside the decoded picture.

    Attributes:
        unet: takes 6 channels, the noisy residual and the decoded picture in -1..1, and gives 3.
        schedule: of the noise.
        deviation: of residuals of samples in 0..1; kept with the weights.
    """

    def __init__(self, config: UNetConfig, schedule: NoiseSchedule) -> None:
        super().__init__()
        if (config.inputs, config.outputs) != (6, 3):
            raise UsageError(
                f"inputs = {config.inputs}, outputs = {config.outputs}: residual and decoded picture are 6, the "
                "prediction 3"
            )
        self.unet = UNet(config)
        self.schedule = schedule
        self.deviation: Tensor
        self.register_buffer("deviation", torch.tensor(0.05))

    @torch.no_grad()
    def measure(self, original: Tensor, decoded: Tensor) -> None:
        """Take the deviation of residuals from pictures (N, 3, H, W) in 0..1."""
        self.deviation.copy_((original - decoded).square().mean().sqrt().clamp_min(LEAST_DEVIATION))

    def loss(self, original: Tensor, decoded: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error of the prediction, for pictures (N, 3, H, W) in 0..1, times (N,) and noise of 1."""
        clean = (original - decoded) / self.deviation
        noisy = self.schedule.noisy(clean, noise, time)
        output = self.unet(torch.cat((noisy, condition_of(decoded)), 1), time)
        return F.mse_loss(output.float(), self.schedule.target(clean, noise, time))

    def trajectory(self, decoded: Tensor, steps: int) -> DdimTrajectory:
        """The way to a residual, given decoded pictures whose sides are multiples of ``unet.config.multiple``."""
        return DdimTrajectory(self.schedule, steps, condition_of(decoded))

    def restore(self, decoded: Tensor, steps: int, noise: Tensor, network: Denoiser | None = None) -> Tensor:
        """Restored pictures in 0..1, of decoded ones (N, 3, H, W) in 0..1 of any size from ``least_side`` on.

        Pictures are mirrored at their right and lower edges up to sides that the UNet can take.

        Args:
            steps: calls of the network.
            noise: (N, 3, H', W') of deviation 1, of the size that :meth:`padded_size` says.
            network: in place of the UNet, such as one that is clocked.

        Raises:
            UsageError: the pictures are smaller than that.
        """
        height, width = decoded.shape[-2:]
        least = self.unet.config.multiple
        if min(height, width) < least:
            raise UsageError(f"pictures of {width}x{height} are too small: {least} lines and columns are needed")
        lines, columns = self.padded_size(height, width)
        padded = F.pad(decoded, (0, columns - width, 0, lines - height), mode="reflect")
        residual = self.trajectory(padded, steps).run(network or self.unet, noise)
        restored = decoded + self.deviation * residual[:, :, :height, :width].float()
        return restored.clamp(0, 1)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """The next (height, width) that the UNet can take."""
        multiple = self.unet.config.multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    def noise_for(self, height: int, width: int, seed: int) -> Tensor:
        """Noise (1, 3, H', W') for pictures of a size; the same for all of a video, so that it flickers less."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(1, 3, *self.padded_size(height, width), generator=generator).to(self.deviation.device)


def condition_of(decoded: Tensor) -> Tensor:
    """Decoded pictures in 0..1 as the UNet is given them."""
    return 2 * decoded - 1
