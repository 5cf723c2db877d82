"""Errors that reach a person: one line that names what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence


class ScaleFlowError(Exception):
    """Base of every error that the command line shows without a traceback.

    Attributes:
        fields: settings that the message speaks of: fields of a dataclass or arguments of a function, each as it stands
            in the message. A program that calls them otherwise, as the command line does, can put its own names there.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class UsageError(ScaleFlowError):
    """The request itself cannot be carried out: a bad setting, an unknown model, an output that already exists."""

    exit_code = 2


class DataError(ScaleFlowError):
    """The input cannot be used: not a video, a damaged stream, weights that do not match."""
