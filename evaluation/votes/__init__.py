"""Votes of people who saw pairs of pictures and did not know the codecs, and what they say of these."""
