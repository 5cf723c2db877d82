"""Which pairs are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scaleflow.errors import UsageError
from scaleflow.evaluation.blind_test.settings import BlindTestSettings
from scaleflow.evaluation.blind_test.trials import MOVING_PICTURES, Trial, plan_trials
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.report.matched_points import points_at_equal_rate
from scaleflow.evaluation.report.settings import ReportSettings


@pytest.fixture
def point(results: Path) -> RatePoint:
    return read_points(results)[0]


def points_of(
    point: RatePoint, codecs: Sequence[str], sizes: Sequence[int], clips: int = 2, frames: int = 40
) -> list[RatePoint]:
    """Each codec at each size on each clip."""
    return [
        replace(
            point,
            codec=codec,
            clip=replace(point.clip, name=f"{clip}.y4m", content=f"c{clip}", frames=frames),
            file_bytes=size,
            bits_per_pixel=size / 1e5,
            stream=f"streams/{codec}-{clip}-{size}",
        )
        for codec in codecs
        for clip in range(clips)
        for size in sizes
    ]


def test_points_are_matched_by_bytes_each_once(point: RatePoint) -> None:
    def sized(codec: str, *sizes: int) -> list[RatePoint]:
        return points_of(point, [codec], sizes, clips=1)

    found = points_at_equal_rate(sized("a", 2000, 1000, 1040), sized("b", 1050, 2150, 5000), 0.1)
    # 1000 would match 1050 too, which 1040 is nearer to
    assert [(a.file_bytes, b.file_bytes) for a, b in found] == [(1040, 1050), (2000, 2150)]
    assert points_at_equal_rate(sized("a", 1000), sized("b", 1100), 0.1)
    assert not points_at_equal_rate(sized("a", 1000), sized("b", 1101), 0.1)


def test_trials_are_balanced_and_of_equal_rate(point: RatePoint) -> None:
    points = points_of(point, ["a", "b", "c"], [1000, 2000, 4000])
    trials = plan_trials(points, ReportSettings(), BlindTestSettings(pairs=36, seed=1))
    assert len(trials) == 36
    assert set(Counter(trial.codecs for trial in trials).values()) == {12}
    assert set(Counter((trial.codecs, trial.mode) for trial in trials).values()) == {4}
    assert set(Counter((trial.codecs, trial.left.clip.name) for trial in trials).values()) == {6}
    assert set(Counter((trial.codecs, trial.left.codec) for trial in trials).values()) == {6}
    assert all(trial.left.file_bytes == trial.right.file_bytes for trial in trials)
    assert all(trial.left.clip == trial.right.clip for trial in trials)
    moving = [trial for trial in trials if trial.mode == "moving"]
    assert {trial.numbers for trial in moving} == {tuple(range(8, 8 + MOVING_PICTURES))}
    assert {trial.numbers for trial in trials if trial.mode == "zoom"} == {(6,), (20,), (33,)}


def described(trials: Sequence[Trial]) -> list[tuple[str, str, str, tuple[int, ...]]]:
    return [(trial.left.stream, trial.right.stream, trial.mode, trial.numbers) for trial in trials]


def test_the_seed_decides(point: RatePoint) -> None:
    points = points_of(point, ["a", "b"], [1000, 2000])
    made = [
        described(plan_trials(points, ReportSettings(), BlindTestSettings(pairs=8, seed=seed))) for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]


def test_only_the_chosen_codecs_and_the_nearest_rate(point: RatePoint) -> None:
    points = points_of(point, ["a", "b", "c"], [1000, 2000, 4000])
    report = ReportSettings(bits_per_pixel=0.019, pictures=1)
    trials = plan_trials(points, report, BlindTestSettings(("c", "a"), pairs=200))
    assert {trial.codecs for trial in trials} == {frozenset("ac")}
    assert {trial.left.file_bytes for trial in trials} == {2000}
    assert len(trials) == 2 * 3  # clips, and ways of showing: there are no others at that rate


def test_short_clips_do_not_move(point: RatePoint) -> None:
    points = points_of(point, ["a", "b"], [1000], frames=3)
    assert {trial.mode for trial in plan_trials(points, ReportSettings(), BlindTestSettings())} == {"still", "zoom"}
    with pytest.raises(UsageError, match="nothing to show: pictures is 0"):
        plan_trials(points, ReportSettings(pictures=0), BlindTestSettings())


def test_requests_that_cannot_be_met(point: RatePoint) -> None:
    points = points_of(point, ["a", "b"], [1000])
    points = [replace(one, file_bytes=1250) if one.codec == "b" else one for one in points]
    with pytest.raises(UsageError, match=r"within rate_tolerance 10 % .* the closest differ by 25\.0 %") as raised:
        plan_trials(points, ReportSettings(), BlindTestSettings())
    assert raised.value.fields == ("rate_tolerance",)
    with pytest.raises(UsageError, match="codec 'x' was not measured; there are a, b"):
        plan_trials(points, ReportSettings(), BlindTestSettings(("a", "x")))
    with pytest.raises(UsageError, match="a alone makes no pair"):
        plan_trials([one for one in points if one.codec == "a"], ReportSettings(), BlindTestSettings())
    apart = [one for one in points if (one.codec, one.clip.name) in (("a", "0.y4m"), ("b", "1.y4m"))]
    with pytest.raises(UsageError, match="they share no clip"):
        plan_trials(apart, ReportSettings(), BlindTestSettings())


@pytest.mark.parametrize(
    "settings",
    [
        *({"pairs": 0}, {"pairs": 201}, {"seed": -1}, {"seed": 1 << 32}),
        *({"rate_tolerance": -1.0}, {"rate_tolerance": float("nan")}, {"rate_tolerance": 101.0}),
    ],
)
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(UsageError, match=f"^{name} .* is outside") as raised:
        BlindTestSettings(**settings)  # type: ignore[arg-type]
    assert raised.value.fields == (name,)


def test_one_codec_is_no_pair() -> None:
    with pytest.raises(UsageError, match="x264 alone makes no pair"):
        BlindTestSettings(("x264", "x264"))
