"""How much of each kind of token a plan keeps, known because the world drew every token.

No language model runs: features come from the towers, plans from the method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from contextguard.checkpoints import Checkpoint
from contextguard.errors import PlanError, SettingError
from contextguard.evaluation.features import FPS, clip_features
from contextguard.media import load_clip
from contextguard.methods import ContextGuard, Method
from contextguard.plan import PrunePlan
from contextguard.world.scenarios import SCENARIOS
from contextguard.world.truth import KINDS

if TYPE_CHECKING:
    from contextguard.world.dataset import ClipEntry

Counts = dict[str, tuple[int, int]]
"""Kind of token -> (kept, total)."""


def kept_by_kind(plan: PrunePlan, token_kinds: NDArray[np.integer[Any]]) -> Counts:
    """Video tokens of each kind that a plan keeps.

    A token counts as kept when something of it reaches the decoder: it stays itself, or it is
    averaged into a token that stays. So a still picture merged over three chunks keeps the selected
    locations of all three; what merging saves is not in these counts but in ``plan.stats``. Nor is
    what averaging does: a sign that changes within a group is kept, but blurred.

    Args:
        plan: of one clip, at 2 frames a second.
        token_kinds: integers ``[seconds, H, W]``, indices into
            :data:`~contextguard.world.truth.KINDS`, one a video token in raster order.

    Returns:
        (kept, total) for every kind, in the order of ``KINDS``.

    Raises:
        PlanError: another number of seconds or another token map than the plan's.
    """
    shape = (sum(plan.patches), *plan.grid)
    if tuple(token_kinds.shape) != shape:
        raise PlanError(
            f"the plan has a token map {shape}, the truth {tuple(token_kinds.shape)}: truth counts "
            "a temporal patch a second, so decode at 2 frames a second with the model's own size"
        )
    kinds = torch.as_tensor(np.ascontiguousarray(token_kinds), dtype=torch.int64).flatten()
    kept = torch.zeros(plan.video.length, dtype=torch.bool)
    kept[plan.video.sources[plan.video.weights != 0]] = True
    total = torch.bincount(kinds, minlength=len(KINDS)).tolist()
    stays = torch.bincount(kinds[kept], minlength=len(KINDS)).tolist()
    return {name: (stays[i], total[i]) for i, name in enumerate(KINDS)}


@dataclass
class KindShares:
    """Counts summed over clips.

    Attributes:
        clips: number of clips.
        counts: (kept, total) of each kind.
        sequence: (tokens left in the sequence, video tokens before): merged tokens count once.
    """

    clips: int = 0
    counts: Counts = field(default_factory=lambda: dict.fromkeys(KINDS, (0, 0)))
    sequence: tuple[int, int] = (0, 0)

    def add(self, plan: PrunePlan, token_kinds: NDArray[np.integer[Any]]) -> None:
        """Count one clip."""
        new = kept_by_kind(plan, token_kinds)
        self.counts = {k: _sum(pair, new[k]) for k, pair in self.counts.items()}
        self.sequence = _sum(self.sequence, (plan.video.kept, plan.video.length))
        self.clips += 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: shares, None for a kind that does not occur, beside the counts."""
        pairs = {**self.counts, "sequence": self.sequence}
        return {
            "clips": self.clips,
            **{
                name: {"share": share((kept, total)), "kept": kept, "total": total}
                for name, (kept, total) in pairs.items()
            },
        }


def share(pair: tuple[int, int]) -> float | None:
    """kept / total, None if there is nothing to keep."""
    return pair[0] / pair[1] if pair[1] else None


def truth_methods(settings: Mapping[str, Any] | None = None) -> dict[str, ContextGuard]:
    """What the model card compares: both guides, and the two rules that ought to do worse.

    Args:
        settings: settings they share, without guide and rule.
    """
    given = dict(settings or {})
    return {
        "audio": ContextGuard(**given, guide="audio"),
        "visual": ContextGuard(**given, guide="visual"),
        "random": ContextGuard(**given, rule="random"),
        "high": ContextGuard(**given, rule="high"),
    }


def truth_shares(
    checkpoint: Checkpoint,
    entries: Sequence[ClipEntry],
    methods: Mapping[str, Method],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, KindShares]]:
    """What each method keeps of each kind of token, by scenario.

    Args:
        checkpoint: its towers make the features, once a clip for all methods.
        entries: the clips, of one or several manifests.
        methods: by the name they are reported under.
        progress: called with (clips finished, clips in all).

    Returns:
        scenario -> method -> counts, in the world's order of scenarios.

    Raises:
        SettingError: no clips.
        MediaError: a clip that is missing or cannot be decoded.
        PlanError: a clip whose token map is not the one its truth is of, or kinds of token this
            release does not know.
    """
    if not entries:
        raise SettingError("there are no clips to look at")
    found: dict[str, dict[str, KindShares]] = {}
    for i, entry in enumerate(entries):
        if tuple(entry.kinds) != KINDS:
            raise PlanError(
                f"{entry.path}: its manifest counts {', '.join(entry.kinds)}, this release "
                f"{', '.join(KINDS)}; render the folder again"
            )
        clip = load_clip(entry.path, FPS, max_sound_seconds=checkpoint.sound_limit)
        features = clip_features(checkpoint, clip)
        shares = found.setdefault(entry.scenario, {name: KindShares() for name in methods})
        for name, method in methods.items():
            shares[name].add(_drawn(method, i).plan(features), entry.token_kinds)
        if progress is not None:
            progress(i + 1, len(entries))
    known = [name for name in SCENARIOS if name in found]
    return {name: found[name] for name in [*known, *sorted(set(found) - set(known))]}


def _drawn(method: Method, clip: int) -> Method:
    """A random rule with another seed for each clip.

    One seed draws the same locations of every clip, and places in the frame differ in what they
    show: the draw would not average out.
    """
    if isinstance(method, ContextGuard) and method.rule == "random":
        return replace(method, seed=method.seed + clip)
    return method


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]
