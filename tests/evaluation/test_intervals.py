"""Intervals against published tables and against a bootstrap written out in loops."""

from __future__ import annotations

import random

import numpy as np
import pytest

from contextguard.errors import SettingError
from contextguard.evaluation.intervals import clustered_mean_interval, wilson


def test_wilson_interval_against_a_published_table():
    # Newcombe 1998, Table I, method 3 (Wilson score without continuity correction).
    table = (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    )
    for hits, n, low, high in table:
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_stays_in_range():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(7, 7)[1] == 1.0
    for hits, n in ((5, 4), (-1, 4)):
        with pytest.raises(SettingError, match=rf"hits must be in \[0, 4\], got {hits}"):
            wilson(hits, n)


def test_bootstrap_draws_whole_clusters():
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    values = rng.exponential(size=40)[clusters] + 0.1 * rng.random(clusters.size)
    found = clustered_mean_interval(values, clusters)

    draw = random.Random(5)
    groups = [[v for v, c in zip(values, clusters, strict=True) if c == k] for k in range(40)]
    means = []
    for _ in range(2000):
        sample = [v for _ in range(40) for v in draw.choice(groups)]
        means.append(sum(sample) / len(sample))
    means.sort()
    assert found == pytest.approx((means[50], means[1949]), rel=0.04)
    # Values drawn one by one would claim far more than 40 clips can tell.
    alone = clustered_mean_interval(values, np.arange(values.size))
    assert found[1] - found[0] > 1.5 * (alone[1] - alone[0])


def test_bootstrap_is_seeded_and_needs_two_clusters():
    values, clusters = np.array([0.0, 1.0, 5.0]), np.array([1, 1, 2])
    first = clustered_mean_interval(values, clusters)
    assert first == clustered_mean_interval(values, clusters)
    # Two clusters: a resample is one of them twice, or both.
    assert first == (0.5, 5.0)
    assert clustered_mean_interval(values, np.array([4, 4, 4])) is None
