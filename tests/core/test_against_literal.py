"""The fast method against the literal one: same segments, groups, indices and reasons."""

from __future__ import annotations

from collections import Counter
from typing import Any

import literal
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene_clips import Clip, random_clip

from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard
from contextguard.plan import SEMANTIC, SPATIAL, PrunePlan

GRIDS = [(1, 1), (1, 2), (2, 3), (5, 4), (1, 40), (13, 23), (17, 23), (20, 36)]


def as_float64(tensors: list[torch.Tensor]) -> list[np.ndarray]:
    return [x.double().numpy() for x in tensors]


def swapped(audio: list[torch.Tensor]) -> torch.Tensor:
    """A stand-in predictor: the mean audio token, its halves swapped; NaN for silent chunks."""
    return torch.stack([a.float().mean(0).roll(a.shape[1] // 2) for a in audio])


def swapped_literally(audio: list[np.ndarray]) -> list[np.ndarray]:
    half = audio[0].shape[1] // 2
    rows = [literal.mean_row(a) if len(a) else None for a in audio]
    return [None if r is None else np.concatenate([r[-half:], r[:-half]]) for r in rows]


def both(clip: Clip, **options: Any) -> tuple[PrunePlan, literal.LiteralPlan]:
    fast = ContextGuard(**options).plan(ClipFeatures(clip.video, clip.audio, check_finite=False))
    if callable(options.get("guide")):
        options["guide"] = swapped_literally
    slow = literal.plan(as_float64(clip.video), as_float64(clip.audio), **options)
    return fast, slow


def assert_same(fast: PrunePlan, slow: literal.LiteralPlan) -> None:
    assert list(fast.segments) == slow.segments
    assert [list(g.chunks) for g in fast.groups] == [g.chunks for g in slow.groups]
    assert [g.kept.tolist() for g in fast.groups] == [g.kept for g in slow.groups]
    reasons = [
        a * SEMANTIC + b * SPATIAL
        for g in slow.groups
        for a, b in zip(g.semantic, g.spatial, strict=True)
    ]
    assert fast.reason.tolist() == reasons


def assert_close(fast: PrunePlan, slow: literal.LiteralPlan) -> None:
    """What holds whatever the near ties."""
    np.testing.assert_allclose(fast.depth_video, slow.depth_video, atol=1e-5)
    np.testing.assert_allclose(fast.depth_audio, slow.depth_audio, atol=1e-5)


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    chunks = draw(st.integers(1, 12))
    grid = draw(st.sampled_from(GRIDS))
    regular = draw(st.sampled_from([[1], [2], [3], [2, 2, 2, 1], [2, 3]]))
    patches = [regular[t % len(regular)] for t in range(chunks)]
    if draw(st.booleans()):
        patches[-1] = 1
    silent = draw(st.sets(st.integers(0, chunks - 1), max_size=chunks))
    clip = random_clip(
        draw(st.integers(0, 2**32)),
        chunks=chunks,
        grid=grid,
        width=draw(st.sampled_from([5, 8])) if grid[0] > 10 else draw(st.sampled_from([3, 16])),
        patches=patches,
        audio=draw(st.integers(1, 6)),
        silent=tuple(silent) if draw(st.booleans()) else (),
        change=draw(st.sampled_from([0.0, 0.2, 1.0])),
        drift=draw(st.sampled_from([0.0, 0.15, 0.6])),
        dtype=draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16])),
    )
    if draw(st.integers(0, 3)) == 0:
        clip.video[draw(st.integers(0, chunks - 1))].zero_()
    if draw(st.integers(0, 3)) == 0:
        clip.audio[draw(st.integers(0, chunks - 1))].zero_()
    if draw(st.integers(0, 3)) == 0:
        clip.video[0][:, : (grid[0] + 1) // 2].zero_()
    return clip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    clip=clips(),
    guide=st.sampled_from(["audio", "visual", swapped]),
    on_missing_audio=st.sampled_from(["visual", "keep_all"]),
    rule=st.sampled_from(["low", "high"]),
    rho_sem=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    rho_spa=st.sampled_from([0.05, 0.1, 0.5, 1.0]),
    tau_merge=st.sampled_from([-1.0, 0.9, 0.98, 1.0]),
    depth_threshold=st.sampled_from([0.0, 0.1, 0.5, 4.0]),
)
def test_any_clip_any_setting(clip: Clip, **options: Any) -> None:
    fast, slow = both(clip, **options)
    assert_close(fast, slow)
    if not slow.near_ties:
        assert_same(fast, slow)
        expected = [literal.merged(as_float64(clip.video), g) for g in slow.groups]
        atol = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}
        for got, want in zip(fast.apply(clip.video), expected, strict=True):
            np.testing.assert_allclose(
                got.double().numpy(), want, atol=atol[clip.video[0].dtype], rtol=1e-2
            )


@pytest.fixture(scope="module")
def two_hundred() -> list[tuple[PrunePlan, literal.LiteralPlan]]:
    """Seeded default-setting clips of every map, guide, policy and dtype."""
    out = []
    for seed in range(200):
        chunks = 1 + seed % 12
        silent = tuple(t for t in range(chunks) if seed % 3 == 0 and (t + seed) % 4 == 0)
        clip = random_clip(
            seed,
            chunks=chunks if seed % 8 < 5 else min(chunks, 6),
            grid=GRIDS[seed % 8],
            width=6 if seed % 8 >= 5 else 24,
            patches=1 if seed % 5 else 2,
            silent=silent,
            change=(0.15, 0.3)[seed % 2],
            drift=(0.1, 0.4)[seed // 2 % 2],
            dtype=(torch.float32, torch.bfloat16)[seed // 4 % 2],
        )
        out.append(
            both(
                clip,
                guide=("audio", "visual", swapped)[seed // 3 % 3],
                on_missing_audio=("visual", "keep_all")[seed // 6 % 2],
            )
        )
    return out


def test_two_hundred_clips(two_hundred: list[tuple[PrunePlan, literal.LiteralPlan]]) -> None:
    compared = 0
    for fast, slow in two_hundred:
        assert_close(fast, slow)
        if not slow.near_ties:
            assert_same(fast, slow)
            compared += 1
    exempt = Counter(tie for _, slow in two_hundred for tie in set(slow.near_ties))
    assert compared >= 170, f"too many clips exempt as near ties: {exempt}"


def test_the_clips_have_segments_and_merges_of_many_kinds(
    two_hundred: list[tuple[PrunePlan, literal.LiteralPlan]],
) -> None:
    slow = [s for _, s in two_hundred]
    assert sum(len(s.segments) > 1 for s in slow) > 40
    assert {len(s.segments) for s in slow} >= {1, 2, 3}
    assert {len(g.chunks) for s in slow for g in s.groups} >= {1, 2, 3, 4}
    assert sum(any(d > 0.5 for d in s.depth_video) for s in slow) > 15
    assert sum(any(d > 0.5 for d in s.depth_audio) for s in slow) > 15
    # Segments whose chunks form several groups, and groups that are not the whole segment.
    assert sum(len(s.groups) > len(s.segments) for s in slow) > 40
    reasons = {
        (a, b) for s in slow for g in s.groups for a, b in zip(g.semantic, g.spatial, strict=True)
    }
    assert reasons == {(True, True), (True, False), (False, True)}
