"""Configurations of codec training from presets and YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.loop import configuration_file

PRESETS = ("adversarial", "default", "finetune", "perceptual", "roi", "ssf2020", "task", "tiny")


def configuration_of(values: Mapping[str, Any], source: str = "configuration") -> TrainingConfig:
    """Make a configuration from nested dictionaries.

    Raises:
        UsageError: see :func:`scaleflow.training.loop.configuration_file.checked_configuration`.
    """
    return configuration_file.checked_configuration(TrainingConfig, values, source)


def preset(name: str) -> dict[str, Any]:
    """The values of one of :data:`PRESETS`. Raises :class:`UsageError` where it is none."""
    return configuration_file.preset(name, PRESETS, "scaleflow.training.codec.presets")
