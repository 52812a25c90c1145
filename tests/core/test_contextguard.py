"""What is special about the method: settings, counts, missing audio, predictors."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from scene_clips import random_clip
from torch import Tensor

from contextguard.errors import FeatureError, SettingError
from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard
from contextguard.plan import SEMANTIC, SPATIAL, PrunePlan
from contextguard.selection import variation_maps
from contextguard.similarity import scan_video


def sample(chunks: int = 4, **options: Any) -> ClipFeatures:
    clip = random_clip(1, chunks=chunks, **({"grid": (4, 6)} | options))
    return ClipFeatures(clip.video, clip.audio, check_finite=False)


def kept(plan: PrunePlan) -> list[list[int]]:
    return [g.kept.tolist() for g in plan.groups]


@pytest.mark.parametrize(
    ("setting", "value", "legal"),
    [
        ("rho_sem", 1.01, r"\[0, 1\], got 1.01"),
        ("rho_sem", True, r"\[0, 1\], got True"),
        ("rho_sem", "0.5", r"\[0, 1\], got '0.5'"),
        ("rho_spa", -0.1, r"\[0, 1\], got -0.1"),
        ("rho_spa", math.nan, r"\[0, 1\], got nan"),
        ("tau_merge", -1.5, r"\[-1, 1\], got -1.5"),
        ("tau_merge", None, r"\[-1, 1\], got None"),
        ("depth_threshold", 4.1, r"\[0, 4\], got 4.1"),
        ("guide", "sound", "'audio', 'visual' or a callable, got 'sound'"),
        ("guide", 3, "got 3"),
        ("on_missing_audio", "ignore", "visual, keep_all, error, got 'ignore'"),
        ("rule", "lowest", "low, high, random, got 'lowest'"),
        ("seed", -1, "0 or more, got -1"),
        ("seed", 1.0, "0 or more, got 1.0"),
    ],
)
def test_illegal_settings_are_named(setting: str, value: Any, legal: str) -> None:
    with pytest.raises(SettingError, match=f"{setting} must be .*{legal}"):
        ContextGuard(**{setting: value})


def test_both_shares_zero_keeps_nothing() -> None:
    with pytest.raises(SettingError, match="both 0"):
        ContextGuard(rho_sem=0, rho_spa=0)


def test_settings_are_recorded() -> None:
    plan = ContextGuard(rho_sem=0.25, rule="high").plan(sample())
    assert plan.method == "contextguard"
    assert json.loads(json.dumps(plan.settings)) == {
        "rho_sem": 0.25,
        "rho_spa": 0.1,
        "tau_merge": 0.98,
        "depth_threshold": 0.5,
        "guide": "audio",
        "on_missing_audio": "visual",
        "rule": "high",
        "seed": 0,
    }
    assert ContextGuard(guide=torch.nn.Identity()).settings()["guide"] == "Identity"


def test_two_locations_vary_alike() -> None:
    chunk = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert variation_maps([chunk])[0].tolist() == [[5.0, 5.0]]
    plan = ContextGuard(rho_sem=0, rho_spa=0.5).plan(ClipFeatures([chunk], [torch.ones(1, 2)]))
    assert kept(plan) == [[0]]


def test_exact_ties_go_to_the_lower_index() -> None:
    """All tokens but the fifth are zero vectors: their cosine is 0 by definition."""
    chunk = torch.zeros(1, 2, 4, 8)
    chunk[0, 1, 0] = 1.0
    clip = ClipFeatures([chunk], [torch.ones(3, 8)])
    for rule, expected in (("low", [0, 1, 2, 3]), ("high", [0, 1, 2, 4])):
        assert kept(ContextGuard(rho_spa=0, rule=rule).plan(clip)) == [expected]


@pytest.mark.parametrize(("share", "count"), [(0.5, 300), (0.501, 301), (0.1, 60), (1 / 3, 200)])
def test_semantic_count_rounds_up(share: float, count: int) -> None:
    clip = sample(1, grid=(15, 20), patches=2)
    plan = ContextGuard(rho_sem=share, rho_spa=0).plan(clip)
    assert plan.video.kept == count
    assert set(plan.reason.tolist()) == {SEMANTIC}


def test_the_paper_compresses_by_46_percent() -> None:
    """Semantic pruning alone at 299 video and 25 audio tokens a second (Table 3)."""
    clip = sample(5, grid=(13, 23), patches=2, audio=50, width=4)
    clip = ClipFeatures(clip.video[:4], clip.audio[:4])
    plan = ContextGuard(rho_spa=0, tau_merge=1).plan(clip)
    assert plan.stats.video_tokens / plan.stats.audio_tokens == 299 / 25
    assert round(100 * plan.stats.compression) == 46


def test_unpaired_audio_stays_and_counts() -> None:
    plan = ContextGuard().plan(sample(2))
    longer = ContextGuard().plan(
        ClipFeatures(sample(2).video, sample(2).audio, unpaired_audio=1000)
    )
    assert longer.video.kept == plan.video.kept
    assert longer.stats.audio_kept == plan.stats.audio_kept + 1000


def test_all_settings_off_is_the_identity() -> None:
    still = sample(5, change=0.0, drift=0.0)
    plan = ContextGuard(rho_sem=1, tau_merge=1).plan(still)
    assert plan.video.is_identity
    assert all(
        torch.equal(a, v.flatten(0, 2))
        for a, v in zip(plan.apply(still.video), still.video, strict=True)
    )
    assert len(ContextGuard(rho_sem=1).plan(still).groups) == 1


def test_equal_chunks_do_not_merge_at_one() -> None:
    chunk = sample(1).video[0]
    clip = ClipFeatures([chunk] * 4, [torch.ones(2, chunk.shape[-1])] * 4)
    assert [g.chunks for g in ContextGuard(tau_merge=1).plan(clip).groups] == [
        (0,),
        (1,),
        (2,),
        (3,),
    ]
    assert [g.chunks for g in ContextGuard(tau_merge=0.99).plan(clip).groups] == [(0, 1, 2, 3)]


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_short_clips_are_one_segment(chunks: int) -> None:
    plan = ContextGuard(depth_threshold=0).plan(sample(chunks, change=1.0))
    assert plan.segments == (0,)
    assert plan.depth_video == plan.depth_audio == (0.0,) * chunks
    assert len(plan.groups) == chunks


def test_random_rule() -> None:
    clip = sample(6, change=1.0)
    options: dict[str, Any] = {"rule": "random", "rho_spa": 0}
    plan = ContextGuard(**options).plan(clip)
    assert kept(ContextGuard(**options).plan(clip)) == kept(plan)
    assert kept(ContextGuard(**options, seed=1).plan(clip)) != kept(plan)
    assert {len(k) for k in kept(plan)} == {24}
    drawn = torch.zeros(48)
    for seed in range(200):
        drawn[torch.tensor(kept(ContextGuard(**options, seed=seed).plan(sample(1)))[0])] += 1
    # Binomial(200, 1/2): seven standard deviations each side.
    assert drawn.min() > 50
    assert drawn.max() < 150


def test_default_policy_compares_with_the_own_mean() -> None:
    clip = sample(5, silent=(1, 3))
    plan = ContextGuard(tau_merge=1).plan(clip)
    assert plan.warnings == (
        "2 of 5 chunks have no audio tokens: compared with their own mean visual embedding "
        "(on_missing_audio='visual')",
    )
    visual = scan_video(clip.video, torch.zeros(5, 16), [True] * 5)
    mixed = scan_video(clip.video, torch.ones(5, 16), [False, True, False, True, False])
    for t in (1, 3):
        assert torch.equal(mixed.scores[t], visual.scores[t])
        x = clip.video[t].reshape(-1, 16)
        stock = torch.nn.functional.cosine_similarity(x, x.mean(0)[None])
        torch.testing.assert_close(visual.scores[t], stock, atol=1e-6, rtol=0)


def test_keep_all_policy_keeps_silent_chunks_whole() -> None:
    clip = sample(6, silent=(2, 3), change=0.0, drift=0.0)
    plan = ContextGuard(on_missing_audio="keep_all").plan(clip)
    assert plan.warnings == (
        "2 of 6 chunks have no audio tokens: kept whole (on_missing_audio='keep_all')",
    )
    assert plan.segments == (0, 2, 4)
    assert [g.chunks for g in plan.groups] == [(0, 1), (2, 3), (4, 5)]
    assert kept(plan)[1] == list(range(48))
    sizes = [len(k) for k in kept(plan)]
    assert plan.reason.split(sizes)[1].tolist() == [SEMANTIC] * 48
    assert SPATIAL in plan.reason.split(sizes)[0].tolist()


def test_error_policy_names_the_chunk() -> None:
    method = ContextGuard(on_missing_audio="error")
    with pytest.raises(FeatureError, match=r"chunk 2 has no audio tokens \(2 of 4 chunks\)"):
        method.plan(sample(4, silent=(2, 3)))
    assert method.plan(sample(4)).warnings == ()


def test_visual_guide_needs_no_audio() -> None:
    clip = sample(4, silent=(0, 1, 2, 3))
    expected = kept(ContextGuard(guide="visual").plan(clip))
    for policy in ("keep_all", "error"):
        plan = ContextGuard(guide="visual", on_missing_audio=policy).plan(clip)
        assert plan.warnings == ()
        assert kept(plan) == expected


def test_predictor_sees_the_audio_and_its_silent_rows_are_ignored() -> None:
    clip = sample(4, silent=(1,))
    seen: list[tuple[int, ...]] = []

    def predictor(audio: list[Tensor]) -> Tensor:
        seen.extend(tuple(a.shape) for a in audio)
        return torch.stack([a.mean(0) for a in audio])  # NaN for the silent chunk

    plan = ContextGuard(guide=predictor).plan(clip)
    assert seen == [(5, 16), (0, 16), (5, 16), (4, 16)]
    assert kept(plan) == kept(ContextGuard(guide="audio").plan(clip))
    assert plan.settings["guide"] == "predictor"


def test_predictor_is_not_called_without_any_audio() -> None:
    def never(audio: list[Tensor]) -> Tensor:
        raise AssertionError("called")

    clip = sample(3, silent=(0, 1, 2))
    assert kept(ContextGuard(guide=never).plan(clip)) == kept(
        ContextGuard(guide="visual").plan(clip)
    )


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (torch.zeros(4, 15), SettingError, r"must return a tensor \(4, 16\), got \(4, 15\)"),
        (torch.zeros(16), SettingError, r"got \(16,\)"),
        ([0.0], SettingError, "got <class 'list'>"),
        (torch.full((4, 16), math.nan), FeatureError, "NaN or infinity for chunk 0"),
    ],
)
def test_what_a_predictor_must_return(returned: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ContextGuard(guide=lambda audio: returned).plan(sample(4))


def test_alternating_patches_are_reported() -> None:
    line = "between 1 and 2 temporal patches"
    assert line in ContextGuard().plan(sample(4, patches=[1, 2, 1, 2])).warnings[0]
    assert line in ContextGuard().plan(sample(3, patches=[2, 1, 2])).warnings[0]
    for patches in ([2, 2, 2, 1], [2, 2, 2, 2], [2, 1]):
        assert ContextGuard().plan(sample(len(patches), patches=patches)).warnings == ()
