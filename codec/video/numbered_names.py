"""Names of numbered files after a printf pattern such as ``frame_%06d.png``."""

from __future__ import annotations

import os
import re

from scaleflow.errors import UsageError

_FIELD = re.compile(r"%(%|0?\d*d)")
"""A number field, or ``%%``, which stands for one per cent sign."""


def has_printf_number(path: str) -> bool:
    """Whether the file name holds a number field such as ``%06d``."""
    return any(match[1] != "%" for match in _FIELD.finditer(os.path.basename(path)))


class NumberedName:
    """A pattern with one number field; other per cent signs stand for themselves, ``%%`` for one.

    Raises:
        UsageError: there is no number field, or more than one.
    """

    def __init__(self, pattern: str) -> None:
        parts = [""]
        fields: list[str] = []
        end = 0
        for match in _FIELD.finditer(pattern):
            parts[-1] += pattern[end : match.start()]
            end = match.end()
            if match[1] == "%":
                parts[-1] += "%"
            else:
                fields.append(match[1][:-1])
                parts.append("")
        parts[-1] += pattern[end:]
        if len(fields) != 1:
            raise UsageError(
                f"{pattern}: a pattern has one number field such as %06d, this one has {len(fields) or 'none'}; "
                "write %% for a per cent sign"
            )
        self._before, self._after = parts
        if len(fields[0]) > 3:
            raise UsageError(f"{pattern}: numbers of {fields[0]} digits are too long for the name of a file")
        self._width = int(fields[0] or 0)
        self._fill = "0" if fields[0].startswith("0") else " "
        self._expression = re.compile(re.escape(self._before) + r" *(\d+)" + re.escape(self._after))

    def name_of(self, number: int) -> str:
        """The name that a number has."""
        return self._before + str(number).rjust(self._width, self._fill) + self._after

    def match(self, name: str) -> int | None:
        """The number in a name, with however many digits; None where the name is another one."""
        found = self._expression.fullmatch(name)
        return int(found[1]) if found else None

    def number_of(self, name: str) -> int | None:
        """The number from which :meth:`name_of` makes exactly this name; None where there is none."""
        number = self.match(name)
        return number if number is not None and self.name_of(number) == name else None
