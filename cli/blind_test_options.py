"""Options of ``scaleflow report`` that make a blind test of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.blind_test import BlindTestSettings


@dataclass(frozen=True)
class BlindTestOptions:
    """Which pairs a person is shown."""

    PANEL: ClassVar[str] = "Blind test"

    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Write a page on which a person votes on pairs of unnamed pictures at equal rate."
        ),
    ] = False
    codec: Annotated[
        list[str] | None, typer.Option(help="Only these; to be repeated.", show_default="all that were measured")
    ] = None
    pairs: Annotated[int | None, typer.Option(help="Most pairs on the page.", show_default="20")] = None
    seed: Annotated[
        int | None, typer.Option(help="Of the order of the pairs, and of their sides.", show_default="0")
    ] = None
    rate_tolerance: Annotated[
        float | None,
        typer.Option(help="Percent by which the two files of a pair may differ in size.", show_default="10"),
    ] = None

    def settings(self) -> BlindTestSettings | None:
        """What was asked for; None without ``--blind``.

        Raises:
            UsageError: other options were given without it, or are out of range.
        """
        from scaleflow.evaluation.blind_test import BlindTestSettings

        given = {name: getattr(self, name) for name in ("pairs", "seed", "rate_tolerance")}
        given = {name: value for name, value in given.items() if value is not None}
        if self.blind:
            return BlindTestSettings(tuple(self.codec or ()), **given)
        for name in ("codec", *given) if self.codec else given:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: is of blind tests; add --blind, or leave {flag} out")
        return None
