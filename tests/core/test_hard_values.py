"""Values that break naive arithmetic: NaN, infinity, squares out of range, zeros, many tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scene_clips import random_clip
from torch import Tensor

from contextguard.errors import FeatureError
from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard
from contextguard.plan import PrunePlan
from contextguard.selection import variation_maps
from contextguard.similarity import scan_video


def sample(chunks: int = 4, **options: Any) -> ClipFeatures:
    clip = random_clip(1, chunks=chunks, **({"grid": (4, 6)} | options))
    return ClipFeatures(clip.video, clip.audio, check_finite=False)


def kept(plan: PrunePlan) -> list[list[int]]:
    return [g.kept.tolist() for g in plan.groups]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("which", ["video", "audio"])
def test_not_finite_is_named(which: str, value: float) -> None:
    clip = sample(4)
    getattr(clip, which)[2].view(-1)[7] = value
    with pytest.raises(FeatureError, match=f"{which} features of chunk 2 hold 1 NaN or infinite"):
        ContextGuard().plan(clip)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("scale", [2.0**125, 2.0**-75, 2.0**-100])
@pytest.mark.parametrize("guide", ["audio", "visual"])
def test_the_plan_does_not_depend_on_the_scale(
    guide: str, scale: float, dtype: torch.dtype
) -> None:
    """Squares overflow at 2**125 (so does the sum over a chunk) and vanish at 2**-75."""
    clip = random_clip(5, chunks=6, grid=(5, 7), patches=2)
    clip.video[1][0, 2] = 0
    video = [(v.clamp(-3.7, 3.7) / 2).to(dtype) for v in clip.video]
    audio = [(a.clamp(-3.7, 3.7) / 2).to(dtype) for a in clip.audio]
    plain = ContextGuard(guide=guide).plan(ClipFeatures(video, audio))
    scaled = ContextGuard(guide=guide).plan(
        ClipFeatures([v * scale for v in video], [a * scale for a in audio], check_finite=False)
    )
    assert kept(scaled) == kept(plain)
    assert scaled.segments == plain.segments
    np.testing.assert_allclose(scaled.depth_video, plain.depth_video, atol=1e-6)
    np.testing.assert_allclose(scaled.depth_audio, plain.depth_audio, atol=1e-6)


def test_one_huge_token_among_ordinary_ones() -> None:
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(1, 4, 4, 32, generator=rng)
    guide = torch.randn(1, 32, generator=rng)
    huge = x.clone()
    huge[0, 1, 2] *= 1e30
    huge[0, 3, 0] *= 1e-30
    plain, scaled = (scan_video([v], guide, [False]).scores[0] for v in (x, huge))
    stock = torch.nn.functional.cosine_similarity(x.view(16, 32), guide)
    torch.testing.assert_close(plain, stock, atol=1e-6, rtol=0)
    torch.testing.assert_close(scaled, stock, atol=1e-6, rtol=0)


def test_beyond_fp32_is_refused() -> None:
    clip = ClipFeatures(
        [torch.full((1, 2, 2, 3), 1e200, dtype=torch.float64)], [torch.ones(1, 3).double()]
    )
    with pytest.raises(FeatureError, match=r"video features of chunk 0 reach 1e\+200"):
        ContextGuard().plan(clip)


def test_no_score_exceeds_one() -> None:
    """Multiples of the guide: rounding alone would put many above 1."""
    rng = torch.Generator().manual_seed(0)
    guide = torch.randn(1, 7, generator=rng)
    tokens = guide * torch.randn(1, 20, 20, 1, generator=rng)
    scores = scan_video([tokens], guide, [False]).scores[0]
    torch.testing.assert_close(scores.abs(), torch.ones(400), atol=1e-6, rtol=0)
    assert scores.abs().max() <= 1


def test_zeros_score_zero() -> None:
    zeros = torch.zeros(1, 2, 2, 3)
    assert scan_video([zeros], torch.ones(1, 3), [False]).scores[0].tolist() == [0.0] * 4
    assert scan_video([zeros + 1], torch.zeros(1, 3), [False]).scores[0].tolist() == [0.0] * 4
    assert scan_video([zeros], torch.zeros(1, 3), [True]).scores[0].tolist() == [0.0] * 4


def test_many_tiles_and_bands_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = random_clip(9, chunks=2, grid=(7, 5), patches=3, width=8, dtype=torch.bfloat16)
    guide = torch.ones(2, 8)

    def all_numbers() -> list[Tensor]:
        scan = scan_video(clip.video, guide, [False, True])
        return [*scan.scores, scan.means, *variation_maps(clip.video)]

    whole = all_numbers()
    for rows in (1, 2, 16, 33):
        monkeypatch.setattr("contextguard.similarity.tile_rows", lambda width, device, n=rows: n)
        monkeypatch.setattr("contextguard.selection.tile_rows", lambda width, device, n=rows: n)
        for a, b in zip(all_numbers(), whole, strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def test_features_under_autograd_and_autocast() -> None:
    clip = sample(4)
    expected = ContextGuard().plan(clip)
    for v in clip.video:
        v.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plan = ContextGuard().plan(clip)
    assert kept(plan) == kept(expected)
    assert plan.depth_video == expected.depth_video
