"""Sets of weights that the default model was shipped with; their versions, and where their files are found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleasedWeights:
    """A set of weights under a name of its own.

    Attributes:
        name: the model and a number that rises with each set.
        release: of ScaleFlow, which shipped it.
        shipped: the day of its first commit, as YYYY-MM-DD.
        commit: the commit of the project's repository that first held it.
    """

    name: str
    release: str
    shipped: str
    commit: str

    @property
    def command(self) -> str:
        """What writes the file in a clone of the repository."""
        return f"git show {self.commit}:codec/weights/default.safetensors > {self.name}.safetensors"


RELEASED_WEIGHTS = {
    "455d1e3b92986b298804efb1acb9c57cd49252a0c1d6cb8bc3fc247a86dbe5f0": ReleasedWeights(
        "default-1", "0.1.0", "2026-11-23", "cc7ec210eb15"
    ),
    "cb245705eb25cad1dd1dfd96458d2b32ae4e56918552f078d7a40931633decd9": ReleasedWeights(
        "default-2", "0.1.0", "2026-11-23", "b6b5bb3e74a3"
    ),
    "0af7b417ebaf8099ff601bd14997a20c5fd61993328ce8854a29b124c401dd00": ReleasedWeights(
        "default-3", "0.1.0", "2026-11-23", "f8563ab45622"
    ),
}
"""By the hash that headers of streams carry; see ``docs/stability.md``."""


def describe_weights(weights_hash: str) -> str:
    """A hash for people: with the name of the set, where it is one that was shipped."""
    released = RELEASED_WEIGHTS.get(weights_hash)
    return f"hash {weights_hash}" if released is None else f"{released.name} (hash {weights_hash})"
