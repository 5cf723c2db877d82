"""How sure a preference is that some votes show."""

from __future__ import annotations

import math

NORMAL_QUANTILE = 1.959963984540054
"""Of 97.5 %: what leaves 5 % outside, half on each side."""


def wilson_interval(successes: float, trials: int) -> tuple[float, float]:
    """95 % interval of a share.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA, 1927. It stays within 0..1
    and says something even where all trials came out alike.

    Args:
        successes: 0 to ``trials``; a trial may count half.
        trials: 1 at least.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is no share")
    share, squared = successes / trials, NORMAL_QUANTILE**2
    middle = (share + squared / (2 * trials)) / (1 + squared / trials)
    half = math.sqrt(share * (1 - share) / trials + squared / (4 * trials**2)) / (1 + squared / trials)
    half *= NORMAL_QUANTILE
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(wins: int, losses: int) -> float:
    """How likely votes are at least as uneven where neither side is preferred: the exact two-sided sign test.

    Votes without preference are left out, as the test has it. 1 where there are no others.
    """
    from scipy.stats import binomtest

    if wins + losses == 0:
        return 1.0
    return float(binomtest(wins, wins + losses).pvalue)
