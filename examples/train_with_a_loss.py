"""The codec as a PyTorch module with a loss of your own: python examples/train_with_a_loss.py [STEPS].

``scaleflow train`` is the way to train weights that ship; this is for what it does not have.
"""

from __future__ import annotations

import sys

import torch

import scaleflow
from scaleflow.codec.video.color_tensors import planes_to_rgb, rgb_to_planes


def main(steps: int = 3) -> float:
    """Take some steps on a made clip that moves to the right, and return the last loss."""
    model = scaleflow.load_model("default").train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-5)
    texture = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 16), (96, 128), mode="bicubic").clamp(0, 1)
    clip = torch.stack([texture[..., 4 * t : 4 * t + 64] for t in range(3)], 1)[..., :64, :]  # (N, T, 3, H, W)
    loss = torch.zeros(())
    for step in range(steps):
        coded = model(rgb_to_planes(clip), quality=torch.tensor([24.0]))
        error = (planes_to_rgb(*coded.planes) - clip).abs().mean()  # yours here
        loss = coded.bits_per_pixel + 20 * error
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {coded.bits_per_pixel.item():.3f} bits per pixel, error {error.item():.4f}")
    return loss.item()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
