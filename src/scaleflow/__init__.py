"""A neural video codec toolkit."""
