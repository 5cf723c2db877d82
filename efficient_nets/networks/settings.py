"""Settings of networks by name."""

from __future__ import annotations

from dataclasses import dataclass

from scaleflow.errors import UsageError

MOST_WIDTH = 512
MOST_BLOCKS = 64
"""Of files of others, too: a network is built before it is known whether its weights are there."""


@dataclass(frozen=True)
class NetworkSettings:
    """Which network, and its settings; each network has some of them.

    Attributes:
        name: as people type it; see :data:`~scaleflow.efficient_nets.networks.known_networks.NETWORKS`.
        width: channels of the first stage of ``resnet`` and of ``unet``.
        blocks: of the four stages of ``resnet``.
        decoder: channels of the decoder of ``resnet`` and ``efficientnet-lite0``.
        patch: side of the patches of a transformer; 0 for the usual one of the task.
        skipped: first and last block that skip attention, counted from 0, of names that end with ``-skipat``.
    """

    name: str = "resnet"
    width: int = 48
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    decoder: int = 64
    patch: int = 0
    skipped: tuple[int, int] = (3, 8)

    def __post_init__(self) -> None:
        for name, values, most in (
            ("width", (self.width,), MOST_WIDTH),
            ("blocks", self.blocks, MOST_BLOCKS),
            ("decoder", (self.decoder,), MOST_WIDTH),
        ):
            if not all(1 <= value <= most for value in values):
                raise UsageError(f"network.{name} = {getattr(self, name)} is outside 1..{most}")
        if not 0 <= self.patch <= MOST_WIDTH:
            raise UsageError(
                f"network.patch = {self.patch} is outside 1..{MOST_WIDTH}, and not 0 for the usual one of the task"
            )
