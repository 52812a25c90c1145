from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from scene_clips import random_clip

from contextguard.errors import PlanError
from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard
from contextguard.plan import SEMANTIC, SPATIAL, MergeGroup, PrunePlan

H, W = 2, 3


def clip(dtype: torch.dtype = torch.float32) -> ClipFeatures:
    made = random_clip(7, chunks=4, grid=(H, W), width=8, patches=[2, 2, 2, 1], dtype=dtype)
    return ClipFeatures(made.video, made.audio, unpaired_audio=5)


def hand_made(features: ClipFeatures) -> PrunePlan:
    """Chunk 0 alone, chunks 1 and 2 merged, chunk 3 short."""
    groups = [
        MergeGroup((0,), torch.tensor([0, 7, 11])),
        MergeGroup((1, 2), torch.tensor([3, 4])),
        MergeGroup((3,), torch.tensor([5])),
    ]
    reasons = [torch.tensor(r, dtype=torch.uint8) for r in ([1, 2, 3], [1, 1], [2])]
    return PrunePlan.from_groups(
        features, groups, method="by hand", reasons=reasons, segments=(0, 3), warnings=("one line",)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_apply_is_the_mean_over_the_chunks(dtype: torch.dtype) -> None:
    features = clip(dtype)
    flat = [v.flatten(0, 2) for v in features.video]
    alone, merged, short = hand_made(features).apply(features.video)
    assert torch.equal(alone, flat[0][[0, 7, 11]])
    mean = (flat[1][[3, 4]].double() + flat[2][[3, 4]].double()) / 2
    assert torch.equal(merged, mean.to(dtype))
    assert torch.equal(short, flat[3][[5]])
    assert merged.dtype == dtype


def test_positions_and_counts() -> None:
    plan = hand_made(clip())
    assert plan.video.position.tolist() == [0, 7, 11, 15, 16, 41]
    # 42 video tokens, audio 5 + 5 + 5 + 4 beside the picture and 5 beyond it.
    assert (plan.stats.video_tokens, plan.stats.video_kept) == (42, 6)
    assert (plan.stats.audio_tokens, plan.stats.audio_kept) == (24, 24)
    assert plan.stats.compression == pytest.approx(36 / 66)
    assert plan.reason.tolist() == [SEMANTIC, SPATIAL, SEMANTIC | SPATIAL, 1, 1, 2]


def test_repr_tells_the_essentials() -> None:
    assert repr(hand_made(clip())) == (
        "PrunePlan(by hand: video 42 -> 6, audio 24 -> 24, compression 54.5%, "
        "4 chunks in 2 segments and 3 groups, 1 warnings)"
    )


@pytest.mark.parametrize("made", [hand_made, ContextGuard().plan])
def test_json_and_back(made: Any) -> None:
    features = clip()
    plan = made(features)
    text = json.dumps(plan.to_dict(), allow_nan=False)
    again = PrunePlan.from_dict(json.loads(text))
    assert json.dumps(again.to_dict(), allow_nan=False) == text
    assert repr(again) == repr(plan)
    assert again.settings == plan.settings
    for a, b in zip(again.apply(features.video), plan.apply(features.video), strict=True):
        assert torch.equal(a, b)


def test_keep_all_changes_nothing() -> None:
    features = clip(torch.bfloat16)
    plan = PrunePlan.keep_all(features, method="full")
    assert plan.video.is_identity
    assert plan.stats.compression == 0
    for kept, v in zip(plan.apply(features.video), features.video, strict=True):
        assert torch.equal(kept, v.flatten(0, 2))


@pytest.mark.parametrize("key", ["method", "grid", "video", "groups", "reason", "layer"])
def test_a_missing_entry_is_named(key: str) -> None:
    data = hand_made(clip()).to_dict()
    del data[key]
    with pytest.raises(PlanError, match=f"not a plan.*{key}"):
        PrunePlan.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema version 99; this release reads 1"),
        ({"grid": [2]}, "not a plan"),
        ({"grid": [2, 4]}, "video map covers 42 tokens, the clip has 56"),
        ({"audio_lengths": [1, 1, 1, 1]}, "audio map covers 19 tokens, the clip has 4"),
        ({"reason": [1, 2]}, r"reason has shape \(2,\), expected \(6,\)"),
        ({"groups": [{"chunks": [0]}]}, "not a plan.*kept"),
    ],
)
def test_malformed_data(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        PrunePlan.from_dict(hand_made(clip()).to_dict() | change)


def test_data_of_another_kind() -> None:
    with pytest.raises(PlanError, match="'list'"):
        PrunePlan.from_dict([])  # type: ignore[arg-type]


def test_apply_refuses_another_clip() -> None:
    features = clip()
    with pytest.raises(PlanError, match=r"chunks of \[12, 12, 12, 6\] tokens, got \[12, 12, 12\]"):
        hand_made(features).apply(features.video[:3])


def test_groups_must_hold_every_chunk_once() -> None:
    features = clip()
    for chunks in ([(0,), (1,)], [(0, 1), (1, 2), (3,)]):
        groups = [MergeGroup(c, torch.tensor([0])) for c in chunks]
        with pytest.raises(PlanError, match="every chunk of the clip exactly once"):
            PrunePlan.from_groups(features, groups, method="by hand")
