"""Errors that reach a person: one line that names what is wrong, where, and what to do about it."""


class ScaleFlowError(Exception):
    """Base of every error that the command line shows without a traceback.

    Example:
        >>> import scaleflow
        >>> try:
        ...     scaleflow.info("no such file.sfv")
        ... except scaleflow.ScaleFlowError as error:
        ...     print(error, error.exit_code)
        no such file.sfv: cannot be opened: No such file or directory 2
    """

    exit_code = 1


class UsageError(ScaleFlowError):
    """The request itself cannot be carried out: a bad option, an unknown model, an output that already exists.

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
