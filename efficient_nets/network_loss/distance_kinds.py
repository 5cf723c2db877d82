"""Names of what is compared of a network's findings; configurations take them without loading any network."""

from __future__ import annotations

from typing import Literal

Distance = Literal["outputs", "features", "labels"]
"""The outputs for both pictures, the features before the last layer, or the task's own loss against labels."""
