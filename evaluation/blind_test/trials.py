"""Which pairs of pictures are shown, in which order, and what is on which side."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from scaleflow.errors import UsageError
from scaleflow.evaluation.blind_test.settings import BlindTestSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.report.matched_points import (
    nearest_points,
    points_at_equal_rate,
    size_difference,
    spread_pictures,
)
from scaleflow.evaluation.report.settings import ReportSettings

MOVING_PICTURES = 24
"""Most pictures of a moving clip: they are embedded without loss, and a page is sent by mail."""

FEWEST_MOVING = 4
"""Fewer show no motion."""


@dataclass(frozen=True)
class Trial:
    """A pair that a person judges.

    Attributes:
        mode: one of :data:`scaleflow.evaluation.votes.votes_file.MODES`.
        numbers: of the pictures that are shown, within the clip.
    """

    left: RatePoint
    right: RatePoint
    mode: str
    numbers: tuple[int, ...]

    @property
    def codecs(self) -> frozenset[str]:
        """Both."""
        return frozenset((self.left.codec, self.right.codec))


def plan_trials(points: Sequence[RatePoint], report: ReportSettings, settings: BlindTestSettings) -> list[Trial]:
    """At most as many trials as are asked for, in random order, each codec as often on the left as on the right.

    Pairs of codecs, ways of showing, clips and rates come as equally often as there are trials of them. The same points
    and seed give the same trials.

    Raises:
        UsageError: a codec was not measured, there is only one, or no two points are of nearly equal rate.
    """
    possible = list(_possible_trials(points, report, settings))
    if not possible:
        raise UsageError(
            f"there is nothing to show: pictures is 0, and no clip has the {FEWEST_MOVING} pictures that show motion",
            fields=("pictures",),
        )
    chance = random.Random(settings.seed)
    chance.shuffle(possible)
    chosen = _balanced_choice(possible, settings.pairs)
    chosen = _balanced_sides(chosen, chance)
    chance.shuffle(chosen)
    return chosen


def _possible_trials(
    points: Sequence[RatePoint], report: ReportSettings, settings: BlindTestSettings
) -> Iterator[Trial]:
    for first, second in _matched_points(points, report, settings):
        clip = first.clip
        for number in spread_pictures(clip.frames, report.pictures):
            yield Trial(first, second, "still", (number,))
            yield Trial(first, second, "zoom", (number,))
        count = min(clip.frames, MOVING_PICTURES)
        if count >= FEWEST_MOVING:
            start = (clip.frames - count) // 2
            yield Trial(first, second, "moving", tuple(range(start, start + count)))


def _matched_points(
    points: Sequence[RatePoint], report: ReportSettings, settings: BlindTestSettings
) -> list[tuple[RatePoint, RatePoint]]:
    measured = list(dict.fromkeys(point.codec for point in points))
    for codec in settings.codecs:
        if codec not in measured:
            raise UsageError(f"codec {codec!r} was not measured; there are {', '.join(measured)}")
    codecs = [codec for codec in measured if not settings.codecs or codec in settings.codecs]
    if len(codecs) < 2:
        raise UsageError(f"{codecs[0]} alone makes no pair: measure another codec with scaleflow rd")
    found, differences = [], []
    for content in dict.fromkeys(point.clip.content for point in points):
        of_clip = [point for point in points if point.clip.content == content]
        for pair in combinations(codecs, 2):
            first, second = ([point for point in of_clip if point.codec == codec] for codec in pair)
            matched = points_at_equal_rate(first, second, settings.rate_tolerance / 100)
            if matched and report.bits_per_pixel is not None:
                # the nearest of the first codec, with what it was matched with
                (nearest,) = nearest_points((a for a, _ in matched), report.bits_per_pixel)
                matched = [(a, b) for a, b in matched if a is nearest]
            found += matched
            differences += [size_difference(a, b) for a in first for b in second]
    if not found:
        closest = f"the closest differ by {100 * min(differences):.1f} %" if differences else "they share no clip"
        raise UsageError(
            f"no files of two codecs are within rate_tolerance {settings.rate_tolerance:g} % of the same size; "
            f"{closest}: raise rate_tolerance, or measure settings of nearer rates",
            fields=("rate_tolerance",),
        )
    return found


def _balanced_choice(possible: Sequence[Trial], count: int) -> list[Trial]:
    """One after the other, what has been chosen least: by codecs, then way, then clip, then rate, then picture."""
    used: Counter[tuple[object, ...]] = Counter()
    waiting = {number: _keys(trial) for number, trial in enumerate(possible)}
    chosen: list[Trial] = []
    while waiting and len(chosen) < count:
        best = min(waiting, key=lambda number: [used[key] for key in waiting[number]])
        used.update(waiting.pop(best))
        chosen.append(possible[best])
    return chosen


def _keys(trial: Trial) -> list[tuple[object, ...]]:
    codecs, clip, mode = trial.codecs, trial.left.clip.content, trial.mode
    return [
        (codecs,),
        (codecs, mode),
        (codecs, clip),
        (codecs, mode, clip),
        (codecs, clip, trial.left.stream),
        (clip, trial.numbers),
    ]


def _balanced_sides(trials: Sequence[Trial], chance: random.Random) -> list[Trial]:
    turned: dict[frozenset[str], list[bool]] = {}
    for codecs in dict.fromkeys(trial.codecs for trial in trials):
        count = sum(trial.codecs == codecs for trial in trials)
        first = chance.random() < 0.5
        turned[codecs] = [bool(number % 2) is first for number in range(count)]
        chance.shuffle(turned[codecs])
    return [
        replace(trial, left=trial.right, right=trial.left) if turned[trial.codecs].pop() else trial for trial in trials
    ]
