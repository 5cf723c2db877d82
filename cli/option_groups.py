"""Options that belong together, as one dataclass: a verb takes it as one parameter, a person types its fields.

The fields are annotated with ``typer.Option`` and have defaults; the class variable ``PANEL`` is the heading of their
section of the help.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import OptionInfo


def ungrouped(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes the fields of each option group as parameters of its own, which is what typer knows.

    ``def verb(rate: RateOptions)`` becomes ``def verb(*, quality=None, bitrate=None, ...)``.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and is_dataclass(hint):
            groups[parameter.name] = hint
            parameters += _parameters(hint)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint))

    @wraps(function)
    def verb(**values: Any) -> Any:
        given = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return function(**values, **given)

    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return verb


def _parameters(group: type[Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        annotation = _in_panel(hints[field.name], group.PANEL)
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
        )


def _in_panel(hint: Any, panel: str) -> Any:
    """An annotation whose option stands under a heading of the help."""
    if get_origin(hint) is not Annotated:
        return hint
    base, *notes = get_args(hint)
    placed = []
    for note in notes:
        if isinstance(note, OptionInfo):
            note = copy(note)
            note.rich_help_panel = panel
        placed.append(note)
    parts = (base, *placed)
    annotated: Any = Annotated
    return annotated[parts]
