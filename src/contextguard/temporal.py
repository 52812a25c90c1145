"""Temporal segments and merge groups (Sec. 2.3, App. B.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from contextguard.similarity import plain_fp32, unit_rows


def adjacent_similarity(means: Tensor, present: Sequence[bool] | None = None) -> Tensor:
    """s_t = cos of the mean tokens of chunks t and t-1 (Sec. 2.3).

    Args:
        means: ``[T, d]``, the mean token of each chunk.
        present: T flags, False where a chunk has no such tokens; all True if None.

    Returns:
        float64 ``[T]`` on the CPU; NaN where there is no similarity: at 0 and beside a chunk that
        is not present.
    """
    similarity = torch.full((means.shape[0],), math.nan, dtype=torch.float64)
    with plain_fp32(means.device):
        unit = unit_rows(means)
        cosine = (unit[1:] * unit[:-1]).sum(-1).clamp_(-1, 1)
    similarity[1:] = cosine.cpu().double()
    if present is not None:
        here = torch.tensor(list(present))
        similarity[1:][~(here[1:] & here[:-1])] = math.nan
    return similarity


def depth_scores(similarity: Tensor) -> Tensor:
    """How deep a valley of similarity each chunk lies in (Eq. 6).

    Args:
        similarity: ``[T]``, NaN where missing (:func:`adjacent_similarity`).

    Returns:
        ``[T]``: max of s_i before t + max of s_i after t - 2 s_t; 0 where s_t or either side is
        missing, so at most chunks 2..T-2 have a depth.
    """
    known = similarity.nan_to_num(nan=-math.inf)
    nothing = known.new_full((1,), -math.inf)
    before = torch.cat([nothing, known.cummax(0).values[:-1]])
    after = torch.cat([known.flip(0).cummax(0).values.flip(0)[1:], nothing])
    defined = torch.isfinite(known) & torch.isfinite(before) & torch.isfinite(after)
    return torch.where(defined, before + after - 2 * known, 0.0)


def segment_starts(
    depths: Sequence[Tensor], threshold: float, *labels: Sequence[int]
) -> tuple[int, ...]:
    """First chunk of each temporal segment (App. B.3).

    Args:
        depths: depth scores ``[T]``, one tensor a modality; a chunk above ``threshold`` in any of
            them opens a segment.
        threshold: of the depth, 0.5 in the paper.
        *labels: T integers each; a chunk whose label differs from the one before opens a segment.
            Ours: the number of temporal patches is such a label, because chunks of unequal size
            share no index set.
    """
    opens = torch.stack([d > threshold for d in depths]).any(0)
    opens[0] = True
    for label in labels:
        value = torch.tensor(list(label))
        opens[1:] |= value[1:] != value[:-1]
    return tuple(opens.nonzero().flatten().tolist())


def merge_groups(chunks: range, similarity: Tensor, threshold: float) -> list[tuple[int, ...]]:
    """The merge groups of one segment: one greedy pass over its chunks (App. B.3).

    A chunk joins the running group while its similarity to the chunk before is above
    ``threshold``, else it opens a new one. No cosine exceeds 1, so a threshold of 1 merges none.

    Args:
        chunks: the chunks of the segment.
        similarity: ``[T]``, s^v_t (:func:`adjacent_similarity`).
        threshold: tau_merge.
    """
    groups = [[chunks[0]]]
    for t, joins in zip(chunks[1:], (similarity[chunks[1:]] > threshold).tolist(), strict=True):
        if joins:
            groups[-1].append(t)
        else:
            groups.append([t])
    return [tuple(g) for g in groups]
