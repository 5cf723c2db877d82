"""Points that are measured in several runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, FrameRecords, RatePoint
from scaleflow.evaluation.rate_distortion.point_file import read_point

MASKED = EvaluatedClip("a.y4m", "clips/a.y4m", "c0", 64, 48, 2, 25.0, masks="m0", masks_path="masks/a")


def point(clip: EvaluatedClip, **metrics: list[float]) -> RatePoint:
    """Of two pictures."""
    means: dict[str, float | None] = {name: sum(values) / 2 for name, values in metrics.items()}
    frames = FrameRecords([0.0, 0.04], [80, 40], ["intra", "inter"], dict(metrics))
    return RatePoint(
        clip, "x264", "x264", "-crf 30", ("ffmpeg",), ("ffmpeg",), "streams/a.nut", 30, 0.1, 3.0, {}, 1.0, 1.0, means,
        frames, stream_hash="s0",
    )  # fmt: skip


def test_what_was_measured_before_is_kept(tmp_path: Path) -> None:
    earlier = point(MASKED, psnr=[30.0, 32.0], lpips=[0.2, 0.4])
    both = point(MASKED, psnr=[31.0, 33.0], vmaf=[80.0, 82.0]).with_metrics_of(earlier)
    assert both.metrics == {"psnr": 32.0, "lpips": 0.3000000000000000444, "vmaf": 81.0}
    assert both.frames.metrics == {"psnr": [31.0, 33.0], "lpips": [0.2, 0.4], "vmaf": [80.0, 82.0]}
    (tmp_path / "a.json").write_text(both.to_json())
    assert read_point(tmp_path / "a.json") == both


def test_masks_stay_with_what_was_measured_in_them() -> None:
    earlier = point(MASKED, psnr=[30.0, 32.0])
    bare = replace(MASKED, masks="", masks_path="")
    assert point(bare, vmaf=[80.0, 82.0]).with_metrics_of(earlier).clip == MASKED
    assert point(MASKED, vmaf=[80.0, 82.0]).with_metrics_of(replace(earlier, clip=bare)).clip == MASKED
