"""The perceptual decoder: a second synthesis, which shows the codec's latents as they look best.

It has the shape of the codec's own synthesis transforms, of key pictures and of residuals, begins with their weights,
and goes on learning what people see. Beside what those see, it sees the detail that it added to the picture before,
moved by the decoded flow, so that invented detail stays on the object that it was invented for. The picture that the
codec predicts from is not changed: streams, prediction and exactness are those of the fidelity decoder. Only luma is
changed: detail in chroma brought LPIPS nothing, was seen as coloured grids, and cost as much PSNR as that in luma.

In the spirit of the perceptual decoders of Mentzer et al., "High-fidelity generative image compression" (NeurIPS
2020), whose whole codec is trained, and of Veerabadran et al., "Adversarial distortion for learned video compression"
(CVPR Workshops 2020); here the synthesis alone is.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.adversarial.moved_detail import move_detail
from scaleflow.codec.models.capabilities import GivesParts
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.layers import Convolution
from scaleflow.codec.models.transforms import PICTURE_CHANNELS

LUMA_CHANNELS = 4
"""Of a packed picture, which come first."""


class SecondSynthesis(nn.Module):
    """Decoded parts, and detail that was added before, to the detail that is added now.

    Detail is the difference between what is to be shown and the decoded picture. The transforms cost what the codec's
    cost and a little more: 11.0 thousand multiplications for each sample of luma with the default model, whose two
    transforms have 1.7 million weights.

    Args:
        codec: whose transforms are copied; they do not change with these.
    """

    def __init__(self, codec: GivesParts) -> None:
        super().__init__()
        self.key, self.inter = (copy.deepcopy(transform) for transform in codec.synthesis_transforms)
        self.inter.finish_first = _with_more_channels(self.inter.get_submodule("finish_first"), LUMA_CHANNELS)

    def forward(self, parts: DecodedParts, earlier: Tensor | None) -> Tensor:
        """Detail to add to ``parts.picture``, packed alike (N, 6, H / 2, W / 2); that of chroma is 0.

        Args:
            parts: of the pictures.
            earlier: detail that was added to the pictures before, not moved yet; None of the first, and nothing of it
                is seen in key pictures.
        """
        if parts.key:
            shown = _picture_of(self.key(parts.latents, parts.quality)).float()
        else:
            assert earlier is not None and parts.flow is not None
            moved = move_detail(earlier, parts.flow)
            condition = torch.cat((parts.prediction, moved[:, :LUMA_CHANNELS].to(parts.prediction.dtype)), 1)
            change = _picture_of(self.inter(parts.latents, parts.quality, *parts.beside[:-1], condition))
            shown = parts.prediction.float() + change.float()
        detail = (shown - parts.picture)[:, :LUMA_CHANNELS]
        return F.pad(detail, (0, 0, 0, 0, 0, PICTURE_CHANNELS - LUMA_CHANNELS))


def _with_more_channels(convolution: nn.Module, more: int) -> Convolution:
    """Takes further channels after its own, and does not heed them yet."""
    assert isinstance(convolution, nn.Conv2d)
    wider = Convolution(convolution.in_channels + more, convolution.out_channels, convolution.kernel_size[0], padding=1)
    with torch.no_grad():
        wider.weight.zero_()
        wider.weight[:, : convolution.in_channels] = convolution.weight
        assert wider.bias is not None and convolution.bias is not None
        wider.bias.copy_(convolution.bias)
    return wider.to(convolution.weight.device)


def _picture_of(result: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Without the features that some transforms pass on to the next picture."""
    return result[0] if isinstance(result, tuple) else result
