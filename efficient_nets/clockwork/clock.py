"""Which steps of a sampling trajectory are computed in full.

Habibian et al., "Clockwork Diffusion: Efficient Generation With Model-Step Distillation", CVPR 2024, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from scaleflow.errors import UsageError

Pattern = Literal["alternating", "last", "middle"]


@dataclass(frozen=True)
class Clock:
    """A clock of N computes every N-th step in full; on the others an adaptor stands in for the low resolution.

    Attributes:
        period: the paper's N. 1 computes all steps in full.
        first: steps at the start that are computed in full whatever the period; the first always is.
        pattern: ``alternating`` spreads the full steps evenly. The others have as many steps of either kind, but those
            of the adaptor one after the other: the ``last`` ones, or those in the ``middle``, as the paper's table 3.
    """

    period: int = 2
    first: int = 1
    pattern: Pattern = "alternating"

    def __post_init__(self) -> None:
        for name in ("period", "first"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"clock: {name} = {value} must be a whole number from 1 on")
        if self.pattern not in get_args(Pattern):
            raise UsageError(f"clock: pattern {self.pattern!r} is unknown: use {', '.join(get_args(Pattern))}")

    def full_steps(self, steps: int) -> tuple[bool, ...]:
        """Of each step of a trajectory, whether it is computed in full.

        Raises:
            UsageError: there are no steps.
        """
        if steps < 1:
            raise UsageError(f"steps = {steps} must be 1 or more")
        alternating = tuple(step < self.first or (step - self.first + 1) % self.period == 0 for step in range(steps))
        skipped = alternating.count(False)
        if self.pattern == "alternating" or not skipped:
            return alternating
        start = steps - skipped
        if self.pattern == "middle":
            start = max(self.first, start // 2)
        return tuple(not start <= step < start + skipped for step in range(steps))

    def __str__(self) -> str:
        return f"period={self.period} first={self.first} pattern={self.pattern}"


def parse_clock(text: str) -> Clock:
    """A clock from ``2``, or from ``period=4 first=2 pattern=last`` with any of these left out.

    Raises:
        UsageError: it is none.
    """
    words = text.split()
    if len(words) == 1 and "=" not in words[0]:
        words = [f"period={words[0]}"]
    known = [field.name for field in fields(Clock)]
    values: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or name not in known or name in values:
            raise UsageError(f"clock {text!r}: expected a number such as 2, or {', '.join(known)} as in period=2")
        values[name] = value if name == "pattern" else _whole(text, name, value)
    return clock_of(values)


def clock_of(values: Mapping[str, Any]) -> Clock:
    """A clock from its settings by name. Raises :class:`UsageError` for what is none."""
    try:
        return Clock(**values)
    except TypeError as error:
        raise UsageError(f"clock: {error}") from error


def _whole(text: str, name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"clock {text!r}: {name} = {value!r} is no whole number") from None
