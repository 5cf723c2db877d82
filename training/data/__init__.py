"""Clips to train on: where they come from, and how they are cut out."""
