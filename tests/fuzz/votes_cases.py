"""Altered files of votes, read and counted."""

from __future__ import annotations

import json
import random
from pathlib import Path

from scaleflow.evaluation.votes.preferences import count_preferences, distinct_sessions
from scaleflow.evaluation.votes.votes_file import read_votes
from tests.evaluation.votes.conftest import votes_file
from tests.fuzz.mutation import VALUES, changed_bytes, changed_value

_JSON_VALUES = tuple(value for value in VALUES if not isinstance(value, bytes))


def votes_case(source: random.Random, folder: Path) -> None:
    """Two persons' votes, one file altered; what is read has shares, intervals and p-values."""
    (folder / "sound.json").write_text(json.dumps(votes_file(["a", "b", None], session="1" * 32)))
    altered = votes_file(["a", None, "b"], clips=("x.y4m", "y.y4m"))
    if source.random() < 0.8:
        altered = changed_value(altered, source, _JSON_VALUES)
    # Halves of characters, which no file can hold, are written as escapes.
    text = json.dumps(altered).encode()
    (folder / "altered.json").write_bytes(changed_bytes(text, source) if source.random() < 0.3 else text)
    files = [(path, read_votes(path)) for path in sorted(folder.glob("*.json"))]
    for found in count_preferences(distinct_sessions(files), by_clip=True):
        assert 0 <= found.interval[0] <= found.share <= found.interval[1] <= 1 and 0 <= found.p_value <= 1
        assert found.size_ratio > 0
