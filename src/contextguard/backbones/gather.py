"""From plans to the shorter sequence: which columns stay, and which of them change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contextguard.backbones.base import VideoColumns
from contextguard.errors import PlanError
from contextguard.plan import PrunePlan
from contextguard.token_map import TokenMap


@dataclass(frozen=True, eq=False)
class Gather:
    """Which columns of a padded batch make up the shorter one.

    Attributes:
        index: int64 ``[B, K]`` on the CPU, the original column of each; order is kept, short rows
            are padded with dropped columns on the side the batch is padded on.
        real: bool ``[B, K]``, False at padding.
        length: S, the original columns.
    """

    index: Tensor
    real: Tensor
    length: int

    @classmethod
    def of(cls, keep: Tensor, real: Tensor) -> Gather:
        """Keep the columns ``keep & real``.

        Args:
            keep: bool ``[B, S]`` on the CPU.
            real: bool ``[B, S]`` on the CPU, False at padding.
        """
        keep = keep & real
        length = keep.shape[1]
        counts = keep.sum(dim=1)
        longest = int(counts.max())
        slots = torch.arange(longest)
        if bool(real[:, -1].all()):
            index = keep.byte().argsort(dim=1, stable=True)[:, length - longest :]
            filled = slots >= (longest - counts)[:, None]
        else:
            index = (~keep).byte().argsort(dim=1, stable=True)[:, :longest]
            filled = slots < counts[:, None]
        return cls(index=index, real=filled, length=length)

    def slots(self, row: int, columns: Tensor) -> Tensor:
        """Where the kept ``columns`` (int64 ``[n]``) of sample ``row`` went."""
        at = torch.full((self.length,), -1, dtype=torch.int64)
        filled = self.real[row].nonzero().flatten()
        at[self.index[row, filled]] = filled
        return at[columns]

    def take(self, x: Tensor) -> Tensor:
        """The rows of ``x [B, S, d]``, as ``[B, K, d]``. Differentiable."""
        batch, length = x.shape[:2]
        flat = (self.index + torch.arange(batch)[:, None] * length).flatten()
        picked = x.reshape(batch * length, -1).index_select(0, flat.to(x.device))
        return picked.view(batch, -1, x.shape[2])

    def take_positions(self, x: Tensor) -> Tensor:
        """The columns of ``x [R, B, S]``, as ``[R, B, K]``."""
        index = self.index.to(x.device)
        return x.gather(2, index.expand(x.shape[0], *index.shape))


def check_plan(plan: object, where: VideoColumns) -> PrunePlan:
    """Raise :class:`PlanError` unless ``plan`` is one for the clip at ``where``."""
    if not isinstance(plan, PrunePlan):
        raise PlanError(f"a method's plan() must return a PrunePlan, got {type(plan).__name__}")
    if plan.layer != 0:
        raise PlanError(
            f"the plan takes effect before decoder layer {plan.layer}; this backbone prunes before "
            "the decoder, layer 0"
        )
    found = (plan.grid, plan.patches, plan.audio_lengths)
    if found != (where.grid, where.patches, where.audio_lengths):
        raise PlanError(
            "the plan is for another clip: (grid, patches, audio_lengths) "
            f"{found}, expected {(where.grid, where.patches, where.audio_lengths)}"
        )
    return plan


def keep_columns(keep: Tensor, plan: PrunePlan, where: VideoColumns) -> None:
    """Clear in ``keep`` (bool ``[S]``) the columns ``plan`` drops."""
    for token_map, columns in ((plan.video, where.video), (plan.audio, where.audio)):
        if token_map.kept < token_map.length:
            keep[columns] = False
            keep[columns[token_map.position]] = True


def changed_tokens(
    embeds: Tensor, plans: Sequence[PrunePlan], where: Sequence[VideoColumns]
) -> tuple[Tensor, Tensor] | None:
    """Columns and new values of the kept tokens of one sample that are not what they were.

    Args:
        embeds: ``[S, d]``; only the rows that are mixed are read.
        plans: one a video.
        where: one a video.

    Returns:
        (int64 ``[n]`` columns, ``[n, d]`` values), or None if no token changes.
    """
    maps = []
    for plan, place in zip(plans, where, strict=True):
        for token_map, columns in ((plan.video, place.video), (plan.audio, place.audio)):
            changed = _changed(token_map, columns, embeds.shape[0])
            if changed is not None:
                maps.append(changed)
    if not maps:
        return None
    return (
        torch.cat([m.position for m in maps]),
        torch.cat([m.apply([embeds]) for m in maps]),
    )


def _changed(token_map: TokenMap, columns: Tensor, length: int) -> TokenMap | None:
    """The part of ``token_map`` that changes tokens, as a map between columns of the sequence."""
    changed = ~token_map.untouched
    if not bool(changed.any()):
        return None
    counts = token_map.offsets.diff()
    used = changed.repeat_interleave(counts)
    return TokenMap(
        length=length,
        position=columns[token_map.position[changed]],
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), counts[changed].cumsum(0)]),
        sources=columns[token_map.sources[used]],
        weights=token_map.weights[used],
    )
