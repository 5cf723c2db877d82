"""Streams of every feature with what decoders must make of them, and the check that this one does."""
