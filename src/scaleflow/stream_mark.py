"""What an ``.sfv`` file begins with, for all that read one and all that must not take it for a video."""

MAGIC = b"\x93SFV\r\n\x1a\n"
"""As in PNG: a byte with the high bit set, and line ends that a transfer in text mode would change."""
