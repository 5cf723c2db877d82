"""Errors that reach a person: one line that names what is wrong, where, and what to do about it."""


class ScaleFlowError(Exception):
    """Base of every error that the command line shows without a traceback."""

    exit_code = 1


class UsageError(ScaleFlowError):
    """The request itself cannot be carried out: a bad option, an unknown model, an output that already exists."""

    exit_code = 2


class DataError(ScaleFlowError):
    """The input cannot be used: not a video, a damaged stream, weights that do not match."""
