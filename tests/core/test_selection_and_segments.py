"""The pure functions of the method on inputs small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from contextguard.selection import spatial_selection, variation_maps
from contextguard.temporal import adjacent_similarity, depth_scores, merge_groups, segment_starts


@pytest.mark.parametrize(
    ("grid", "ratio", "locations"),
    [
        ((16, 16), 0.1, 36),  # N = 25, g = 5, strides 3, 3
        ((13, 23), 0.1, 42),  # N = 29, g = 5, strides 2, 4
        ((16, 16), 0.03, 4),  # N = 7, g = 2, not 3
        ((16, 16), 0.0, 0),
        ((16, 16), 1.0, 256),
        ((2, 3), 0.1, 1),  # N = 0, yet a share above 0 keeps one
        ((1, 1), 0.01, 1),
        ((1, 40), 0.3, 4),  # N = 12, g = 3, strides 1 (not 0) and 13
    ],
)
def test_locations_kept(grid: tuple[int, int], ratio: float, locations: int) -> None:
    rng = torch.Generator().manual_seed(0)
    mask = spatial_selection(torch.rand(3, *grid, generator=rng), ratio)
    assert mask.sum((1, 2)).tolist() == [locations] * 3


def test_the_largest_variation_of_each_cell_wins() -> None:
    variation = torch.zeros(2, 5, 4)
    variation[0, 1, 1] = variation[0, 4, 3] = 1.0
    # N = 4, g = 2, strides 2 and 2: cells of rows 0-1, 2-3 and the partial row 4.
    first, second = spatial_selection(variation, 0.2)
    assert first.nonzero().tolist() == [[0, 2], [1, 1], [2, 0], [2, 2], [4, 0], [4, 3]]
    # Nothing but ties: the lower raster index.
    assert second.nonzero().tolist() == [[0, 0], [0, 2], [2, 0], [2, 2], [4, 0], [4, 2]]


def test_variation_by_hand() -> None:
    """A 2x2 map of two temporal patches whose mean has the corners 0, 3, 4, 0 (d = 1)."""
    mean = torch.tensor([[0.0, 3.0], [4.0, 0.0]])
    chunk = torch.stack([mean + 10, mean - 10])[..., None]
    assert variation_maps([chunk])[0].tolist() == [[7.0, 6.0], [8.0, 7.0]]
    assert variation_maps([chunk.bfloat16()])[0].tolist() == [[7.0, 6.0], [8.0, 7.0]]


def test_depth_by_hand() -> None:
    """Five chunks: s = 0.9, 0.2, 0.8, 0.7 (Eq. 6); only chunks 2..T-2 have a depth."""
    s = torch.tensor([math.nan, 0.9, 0.2, 0.8, 0.7], dtype=torch.float64)
    depth = depth_scores(s)
    assert depth.tolist() == pytest.approx([0, 0, 0.9 + 0.8 - 0.4, 0.9 + 0.7 - 1.6, 0])
    assert segment_starts([depth], 0.5) == (0, 2)
    assert segment_starts([depth], 1.3 + 1e-6) == (0,)
    assert segment_starts([torch.zeros(5), depth], 0.5, [2, 2, 2, 2, 1]) == (0, 2, 4)


def test_a_missing_similarity_has_no_depth_but_does_not_hide_the_others() -> None:
    s = torch.tensor([math.nan, 0.9, math.nan, 0.1, math.nan, 0.8], dtype=torch.float64)
    assert depth_scores(s).tolist() == pytest.approx([0, 0, 0, 0.9 + 0.8 - 0.2, 0, 0])


def test_adjacent_similarity_by_hand() -> None:
    means = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [-2.0, 0.0], [3.0, 0.0]])
    s = adjacent_similarity(means)
    assert math.isnan(s[0])
    assert s[1:].tolist() == pytest.approx([math.sqrt(0.5), 0.0, 0.0, -1.0], abs=1e-6)
    s = adjacent_similarity(means, [True, True, False, True, True])
    assert torch.isnan(s).tolist() == [True, False, True, True, False]


def test_greedy_groups() -> None:
    s = torch.tensor([math.nan, 0.99, 0.98, 0.99, 0.99, 0.5], dtype=torch.float64)
    assert merge_groups(range(6), s, 0.98) == [(0, 1), (2, 3, 4), (5,)]
    assert merge_groups(range(2, 6), s, 0.98) == [(2, 3, 4), (5,)]
    assert merge_groups(range(1), s[:1], 0.98) == [(0,)]
