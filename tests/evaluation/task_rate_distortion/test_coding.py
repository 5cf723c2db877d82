"""Coding the clips of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.sweep import MeasuredPoints
from scaleflow.evaluation.task_rate_distortion import coding


def test_clips_are_coded_by_those_who_were_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos and single frames apart, both by the same workers or cluster."""
    calls: list[dict[str, Any]] = []

    def measure(clips: object, codecs: object, settings: MeasuringSettings, *rest: object, **given: Any) -> Any:
        calls.append({"period": settings.intra_period, **given})
        return MeasuredPoints()

    monkeypatch.setattr(coding, "measure", measure)
    clips = [(ClipFile("video", tmp_path / "v.mp4"), 8, False), (ClipFile("frame", tmp_path / "f.png"), 1, True)]
    cluster: Any = object()
    coding.code_clips(clips, [], MeasuringSettings(("psnr-y",)), tmp_path, {}, 3, cluster, False, lambda told: None)
    assert [(call["period"], call["workers"], call["cluster"] is cluster) for call in calls] == [
        (32, 3, True),
        (1, 3, True),
    ]
