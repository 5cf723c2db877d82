"""What the votes of several files say of each pair of codecs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaleflow.evaluation.statistics.preference import sign_test, wilson_interval
from scaleflow.evaluation.votes.votes_file import Vote, VotesFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preference:
    """Of two codecs, in the order of their names.

    Attributes:
        codecs: the first is the one that shares are of.
        clip: name of the clip that votes were on; None for all.
        persons: how many sessions the votes are of.
        preferred: votes for each of the two.
        ties: votes without preference.
        size_ratio: bytes of the first by bytes of the second, the geometric mean over votes.
    """

    codecs: tuple[str, str]
    clip: str | None
    persons: int
    preferred: tuple[int, int]
    ties: int
    size_ratio: float

    @property
    def votes(self) -> int:
        """All of them."""
        return sum(self.preferred) + self.ties

    @property
    def share(self) -> float:
        """Of the votes that prefer the first codec, 0..1; a vote without preference counts half for each."""
        return (self.preferred[0] + self.ties / 2) / self.votes

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        return wilson_interval(self.preferred[0] + self.ties / 2, self.votes)

    @property
    def p_value(self) -> float:
        """Of the sign test, which leaves out votes without preference."""
        return sign_test(*self.preferred)


def distinct_sessions(files: Sequence[tuple[Path, VotesFile]]) -> list[VotesFile]:
    """One file of each session: the one with the most votes.

    A file that was copied, or saved once more after further votes, is one person's all the same. Such files are named
    in a warning.
    """
    of_session: dict[str, list[tuple[Path, VotesFile]]] = {}
    for path, file in files:
        of_session.setdefault(file.session, []).append((path, file))
    kept = []
    for copies in of_session.values():
        kept.append(max((file for _, file in copies), key=lambda file: len(file.votes)))
        names = list(dict.fromkeys(str(path) for path, _ in copies))
        if len(names) > 1:
            logger.warning("%s: are of one session, whose votes are counted once", ", ".join(names))
        elif len(copies) > 1:
            logger.warning("%s: was given more than once; its votes are counted once", names[0])
    return kept


def count_preferences(files: Sequence[VotesFile], by_clip: bool = False) -> list[Preference]:
    """A preference for each pair of codecs, by their names; with ``by_clip``, each followed by those of its clips."""
    votes = [(file.session, vote) for file in files for vote in file.votes]
    return [
        preference
        for codecs in sorted({_codecs(vote) for _, vote in votes})
        for preference in _of_codecs(codecs, [one for one in votes if _codecs(one[1]) == codecs], by_clip)
    ]


def _codecs(vote: Vote) -> tuple[str, str]:
    first, second = sorted((vote.left.codec, vote.right.codec))
    return first, second


def _of_codecs(codecs: tuple[str, str], votes: Sequence[tuple[str, Vote]], by_clip: bool) -> Iterator[Preference]:
    yield _count(codecs, None, votes)
    for clip in sorted({vote.clip for _, vote in votes}) if by_clip else ():
        yield _count(codecs, clip, [one for one in votes if one[1].clip == clip])


def _count(codecs: tuple[str, str], clip: str | None, votes: Sequence[tuple[str, Vote]]) -> Preference:
    choices = [vote.choice for _, vote in votes]
    sizes = [{side.codec: side.file_bytes for side in (vote.left, vote.right)} for _, vote in votes]
    return Preference(
        codecs=codecs,
        clip=clip,
        persons=len({session for session, _ in votes}),
        preferred=(choices.count(codecs[0]), choices.count(codecs[1])),
        ties=choices.count(None),
        size_ratio=math.exp(math.fsum(math.log(size[codecs[0]] / size[codecs[1]]) for size in sizes) / len(sizes)),
    )
