"""What is read, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.command_cases import commands_case
from tests.fuzz.harness import Case
from tests.fuzz.picture_cases import clips_case, labels_case, masks_case
from tests.fuzz.stream_cases import container_case, output_case, payload_case
from tests.fuzz.votes_cases import votes_case
from tests.fuzz.weights_cases import checkpoint_case, perceptual_case, weights_case

TARGETS: Mapping[str, Case] = {
    "container": container_case,
    "payload": payload_case,
    "output": output_case,
    "weights": weights_case,
    "perceptual": perceptual_case,
    "checkpoint": checkpoint_case,
    "masks": masks_case,
    "labels": labels_case,
    "clips": clips_case,
    "votes": votes_case,
    "commands": commands_case,
}
"""Each makes an input of its kind and reads it as the commands do."""
