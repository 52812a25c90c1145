"""95% confidence intervals of shares and means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextguard.errors import SettingError

RESAMPLES = 2000
"""Bootstrap samples behind an interval of a mean."""


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share, 95% by default; (0, 1) when nothing was counted.

    It takes the n trials as independent. Questions about one clip are not quite: over several
    types it is somewhat too narrow, within one type (one question a clip) it is right.

    Raises:
        SettingError: ``hits`` outside 0..n.
    """
    if not 0 <= hits <= n:
        raise SettingError(f"hits must be in [0, {n}], got {hits}")
    if n == 0:
        return 0.0, 1.0
    p, d = hits / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / d
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return max(0.0, middle - half), min(1.0, middle + half)


def clustered_mean_interval(
    values: NDArray[Any], clusters: NDArray[Any], seed: int = 0
) -> tuple[float, float] | None:
    """95% percentile bootstrap interval of the mean, drawing whole clusters.

    Args:
        values: ``[n]``.
        clusters: ``[n]``, what the value belongs to; the questions of a clip share its prefill, so
            they are drawn together.
        seed: of the resampling; the same input gives the same interval.

    Returns:
        (low, high), None with fewer than two clusters, which tell nothing about the spread.
    """
    _, index = np.unique(clusters, return_inverse=True)
    n = int(index.max()) + 1 if index.size else 0
    if n < 2:
        return None
    totals = np.bincount(index, weights=values, minlength=n)
    counts = np.bincount(index, minlength=n)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    means = (drawn @ totals) / (drawn @ counts)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
