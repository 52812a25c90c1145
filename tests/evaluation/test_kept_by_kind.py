"""Token shares against a loop over tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contextguard.errors import PlanError
from contextguard.evaluation.truth_shares import KindShares, kept_by_kind, truth_methods
from contextguard.features import ClipFeatures
from contextguard.methods import ContextGuard, Full
from contextguard.plan import MergeGroup, PrunePlan
from contextguard.token_map import TokenMap
from contextguard.world.truth import KINDS


def features(chunks: int = 5, patches: int = 2, seed: int = 0) -> ClipFeatures:
    g = torch.Generator().manual_seed(seed)
    scene = torch.randn(3, 3, 16, generator=g)
    video = [scene + 0.1 * torch.randn(patches, 3, 3, 16, generator=g) for _ in range(chunks)]
    return ClipFeatures(video, [torch.randn(50, 16, generator=g) for _ in range(chunks)])


def by_loop(plan: PrunePlan, kinds: np.ndarray) -> dict[str, tuple[int, int]]:
    """From the merge groups, not the token map: every chunk of a group keeps its ``kept``."""
    kept = dict.fromkeys(KINDS, 0)
    total = dict.fromkeys(KINDS, 0)
    frames = []
    for count in plan.patches:
        frames.append(kinds[sum(map(len, frames)) :][:count])
    for chunk, tokens in enumerate(frames):
        [group] = [g for g in plan.groups if chunk in g.chunks]
        for index, kind in enumerate(tokens.ravel()):
            total[KINDS[kind]] += 1
            kept[KINDS[kind]] += index in group.kept.tolist()
    return {name: (kept[name], total[name]) for name in KINDS}


@pytest.mark.parametrize("tau", [0.5, 0.97, 1.0])
def test_counts_are_those_of_a_loop(tau):
    plan = ContextGuard(tau_merge=tau, rho_sem=0.4).plan(features())
    kinds = np.random.default_rng(1).integers(0, 4, (10, 3, 3)).astype(np.int8)
    found = kept_by_kind(plan, kinds)
    assert list(found) == list(KINDS)
    assert found == by_loop(plan, kinds)
    assert found["background"] == (0, 0)
    if tau == 0.5:
        assert any(len(g.chunks) > 1 for g in plan.groups)


def test_by_hand():
    clip = features(chunks=3, patches=1)
    # Chunks 0 and 1 merge at tokens 0 and 8, chunk 2 keeps token 4.
    groups = [MergeGroup((0, 1), torch.tensor([0, 8])), MergeGroup((2,), torch.tensor([4]))]
    plan = PrunePlan.from_groups(clip, groups, method="hand")
    kinds = np.full((3, 3, 3), KINDS.index("background"))
    kinds[0, 0, 0] = kinds[1, 0, 0] = kinds[1, 2, 2] = KINDS.index("text")
    kinds[2, 1, 1] = kinds[2, 0, 0] = KINDS.index("sounding")
    shares = KindShares()
    shares.add(plan, kinds)
    assert shares.counts == {
        "explained": (0, 0),
        "text": (3, 3),
        "silent": (0, 0),
        "sounding": (1, 2),
        "background": (1, 22),
    }
    assert shares.sequence == (3, 27)
    shares.add(PrunePlan.keep_all(clip, method="full"), kinds)
    table = shares.to_dict()
    assert table["sounding"] == {"share": 0.75, "kept": 3, "total": 4}
    assert table["silent"] == {"share": None, "kept": 0, "total": 0}
    assert table["sequence"] == {"share": 30 / 54, "kept": 30, "total": 54}
    assert table["clips"] == 2


def test_a_source_of_no_weight_is_not_kept():
    clip = features(chunks=1, patches=1)
    plan = PrunePlan.keep_all(clip, method="weights")
    video = TokenMap(
        length=9,
        position=torch.tensor([0, 5]),
        offsets=torch.tensor([0, 2, 4]),
        sources=torch.tensor([0, 1, 5, 7]),
        weights=torch.tensor([1.0, 0.0, 0.5, 0.5]),
    )
    plan = PrunePlan(**{**vars(plan), "video": video, "reason": torch.zeros(2, dtype=torch.uint8)})
    kinds = np.zeros((1, 3, 3), np.int8)
    kinds.ravel()[[1, 7]] = 2
    assert kept_by_kind(plan, kinds)["silent"] == (1, 2)
    assert kept_by_kind(plan, kinds)["explained"] == (2, 7)


@pytest.mark.parametrize("shape", [(9, 3, 3), (10, 7, 7), (90,)])
def test_truth_of_another_clip_is_refused(shape):
    plan = Full().plan(features())
    with pytest.raises(PlanError, match=r"token map \(10, 3, 3\), the truth .*2 frames a second"):
        kept_by_kind(plan, np.zeros(shape, np.int8))


def test_the_methods_that_are_compared():
    methods = truth_methods({"rho_sem": 0.3})
    table = {name: (m.guide, m.rule, m.rho_sem) for name, m in methods.items()}
    assert table == {
        "audio": ("audio", "low", 0.3),
        "visual": ("visual", "low", 0.3),
        "random": ("audio", "random", 0.3),
        "high": ("audio", "high", 0.3),
    }
