"""Configurations of ``scaleflow nets train``."""
