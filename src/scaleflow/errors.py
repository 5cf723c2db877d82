"""Errors that reach a person: one line that names what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence


class ScaleFlowError(Exception):
    """Base of every error that the command line shows without a traceback.

    Attributes:
        fields: settings that the message speaks of: fields of a dataclass or arguments of a function, each as it stands
            in the message. A program that calls them otherwise, as the command line does, can put its own names there.

    Example:
        >>> import scaleflow
        >>> try:
        ...     scaleflow.info("no such file.sfv")
        ... except scaleflow.ScaleFlowError as error:
        ...     print(error, error.exit_code)
        no such file.sfv: cannot be opened: No such file or directory 2
    """

    exit_code = 1

    def __init__(self, message: str = "", *, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class UsageError(ScaleFlowError):
    """The request itself cannot be carried out: a bad setting, an unknown model, an output that already exists.

    Example:
        >>> import scaleflow
        >>> scaleflow.load_model("no such model")
        Traceback (most recent call last):
        ...
        scaleflow.errors.UsageError: model 'no such model' is unknown: ...
    """

    exit_code = 2


class DataError(ScaleFlowError):
    """The input cannot be used: not a video, a damaged stream, weights that do not match.

    Example:
        >>> import scaleflow
        >>> scaleflow.info(clip)
        Traceback (most recent call last):
        ...
        scaleflow.errors.DataError: ...not an .sfv file...
    """
