"""Which decoder shows the pictures of a ScaleFlow codec, as the options of its command line say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from scaleflow.adversarial.perceptual_codec import DEFAULT_WEIGHTS, decoder_of
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import UsageError

KIND, PERCEPTION, WEIGHTS = DECODER_OPTIONS = ("--decoder", "--perception", "--decoder-weights")
"""Options of a ScaleFlow codec that its decoder takes and its encoder does not, each with a value."""


@dataclass(frozen=True)
class DecoderChoice:
    """A decoder.

    Attributes:
        kind: ``fidelity`` or ``perceptual``.
        perception: share of the perceptual decoder's detail that is shown; all of it where None.
        weights: file of the perceptual decoder; the shipped one where None.

    Raises:
        UsageError: an unknown kind, a share out of range, or one of the others without ``perceptual``.
    """

    kind: str = "fidelity"
    perception: float | None = None
    weights: Path | None = None

    def __post_init__(self) -> None:
        self.show()

    @classmethod
    def of_options(cls, options: Sequence[str]) -> DecoderChoice:
        """The choice that options make, which may hold others beside.

        Raises:
            UsageError: they make none that there is.
        """
        if options and options[-1] in DECODER_OPTIONS:
            raise UsageError(f"{options[-1]} needs a value")
        kind, share, weights = (_value(options, name) for name in DECODER_OPTIONS)
        try:
            perception = float(share) if share is not None else None
        except ValueError:
            raise UsageError(f"perception {share!r} is not a number of 0..1", fields=("perception",)) from None
        return cls(kind or "fidelity", perception, Path(weights) if weights is not None else None)

    @property
    def is_perceptual(self) -> bool:
        """Whether pictures are not those of the fidelity decoder."""
        return self.kind == "perceptual"

    @property
    def weights_file(self) -> Path | None:
        """Of the perceptual decoder, the shipped one where none is named; None of the fidelity decoder."""
        return (self.weights or DEFAULT_WEIGHTS) if self.is_perceptual else None

    @property
    def options(self) -> tuple[str, ...]:
        """What :meth:`of_options` reads; nothing of the fidelity decoder."""
        if not self.is_perceptual:
            return ()
        given: tuple[str, ...] = (KIND, self.kind)
        if self.perception is not None:
            given += PERCEPTION, str(self.perception)
        return given if self.weights is None else (*given, WEIGHTS, str(self.weights))

    def show(self) -> Callable[[VideoModel], VideoModel]:
        """What gives a loaded model this decoder. Raises as the class."""
        return decoder_of(self.kind, self.perception, self.weights)


def with_decoder(options: Sequence[str], choice: DecoderChoice) -> list[str]:
    """A codec's options with a decoder for those that say nothing of it: what the codec says itself wins."""
    has_one_decoder = (_value(options, "--model") or "").startswith("ssf2020")
    if _value(options, KIND) == "fidelity" or has_one_decoder:
        return list(options)
    pairs = zip(choice.options[::2], choice.options[1::2], strict=True)
    return [*options, *(part for name, value in pairs if name not in options for part in (name, value))]


def separated(options: Sequence[str]) -> list[str]:
    """Options with their values apart, where a decoder's are given as in ``--decoder=perceptual``."""
    apart: list[str] = []
    for option in options:
        name, is_joined, value = option.partition("=")
        apart += [name, value] if is_joined and name in DECODER_OPTIONS else [option]
    return apart


def without_decoder(options: Sequence[str]) -> list[str]:
    """What the encoder takes of a codec's options."""
    kept: list[str] = []
    is_value = False
    for option in options:
        if not is_value and option not in DECODER_OPTIONS:
            kept.append(option)
        is_value = not is_value and option in DECODER_OPTIONS
    return kept


def _value(options: Sequence[str], name: str) -> str | None:
    """What follows an option where it is first given."""
    return next((value for option, value in pairwise(options) if option == name), None)
