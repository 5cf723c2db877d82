"""Presets of the training of restoration diffusion models: YAML files."""
