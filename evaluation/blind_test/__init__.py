"""A page on which people compare pictures of codecs without knowing which is which."""

from scaleflow.evaluation.blind_test.html_file import write_blind_test
from scaleflow.evaluation.blind_test.settings import BlindTestSettings

__all__ = ["BlindTestSettings", "write_blind_test"]
