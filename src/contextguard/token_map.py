"""How a sequence gets shorter: a sparse, row-stochastic map from original to remaining tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from contextguard.errors import PlanError


@dataclass(frozen=True, eq=False)
class TokenMap:
    """For each token of the shorter sequence: the position it takes and what it is made of.

    Token i takes original position ``position[i]`` and is the weighted sum of the original tokens
    ``sources[offsets[i]:offsets[i+1]]`` with ``weights`` at the same places (compressed sparse
    rows). Keeping, dropping, first-of-group, group means and weighted merges all fit. All tensors
    live on the CPU: a plan outlives the model it was made for.

    Attributes:
        length: tokens of the original sequence.
        position: int64 ``[n]``, strictly ascending.
        offsets: int64 ``[n + 1]``, ascending from 0; every token has at least one source.
        sources: int64 ``[m]``, original indices.
        weights: float32 ``[m]``.

    Raises:
        PlanError: tensors that do not describe such a map.
    """

    length: int
    position: Tensor
    offsets: Tensor
    sources: Tensor
    weights: Tensor

    def __post_init__(self) -> None:
        n, m = self.position.numel(), self.sources.numel()
        if self.offsets.numel() != n + 1 or self.weights.numel() != m or int(self.offsets[-1]) != m:
            raise PlanError(
                f"token map of {n} tokens and {m} sources needs {n + 1} offsets ending in {m} and "
                f"{m} weights, got {self.offsets.numel()} and {self.weights.numel()}"
            )
        if n and not bool((self.offsets.diff() >= 1).all()):
            raise PlanError("every token of a map needs at least one source")
        if n > 1 and not bool((self.position.diff() >= 1).all()):
            raise PlanError("the positions of a token map must be strictly ascending")
        for name, x in (("position", self.position), ("source", self.sources)):
            if x.numel() and (int(x.min()) < 0 or int(x.max()) >= self.length):
                raise PlanError(
                    f"{name} {int(x.max()) if int(x.max()) >= self.length else int(x.min())} lies "
                    f"outside the {self.length} original tokens"
                )

    @classmethod
    def keep(cls, length: int, kept: Tensor) -> TokenMap:
        """The map that keeps the tokens ``kept`` (ascending original indices) unchanged."""
        return cls.means(length, [(kept, [0])])

    @classmethod
    def identity(cls, length: int) -> TokenMap:
        """The map that changes nothing."""
        return cls.keep(length, torch.arange(length))

    @classmethod
    def means(cls, length: int, groups: Sequence[tuple[Tensor, Sequence[int]]]) -> TokenMap:
        """Groups of tokens, each the mean over equal blocks of the original sequence.

        Args:
            length: tokens of the original sequence.
            groups: in ascending order of position: the kept tokens, int64 ``[n]``, ascending
                indices inside a block, and the original index of the first token of each block.
        """
        kept = [k.to("cpu", torch.int64) for k, _ in groups]
        starts = [torch.tensor(list(blocks)) for _, blocks in groups]
        sizes = torch.tensor([k.numel() for k in kept])
        counts = torch.tensor([s.numel() for s in starts]).repeat_interleave(sizes)
        return cls(
            length=length,
            position=torch.cat([k + s[0] for k, s in zip(kept, starts, strict=True)]),
            offsets=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
            sources=torch.cat(
                [(k[:, None] + s).flatten() for k, s in zip(kept, starts, strict=True)]
            ),
            weights=(1.0 / counts.float()).repeat_interleave(counts),
        )

    @property
    def kept(self) -> int:
        """Tokens of the shorter sequence."""
        return int(self.position.numel())

    @property
    def untouched(self) -> Tensor:
        """Bool ``[kept]``: the token is exactly the original token at its own position."""
        single = self.offsets.diff() == 1
        first = self.offsets[:-1]
        return single & (self.sources[first] == self.position) & (self.weights[first] == 1)

    @property
    def is_identity(self) -> bool:
        """True if nothing is dropped, moved or mixed."""
        return self.kept == self.length and bool(self.untouched.all())

    def apply(self, blocks: Sequence[Tensor]) -> Tensor:
        """The shorter sequence ``[kept, d]`` of the original one, given as blocks ``[n_b, d]``.

        A token that has one source of weight 1 keeps its bits; every other is summed in fp32 and
        cast back. The blocks are read in turn, each once, and never joined. Differentiable.
        """
        first = blocks[0]
        device = first.device
        sizes = torch.tensor([b.shape[0] for b in blocks])
        if int(sizes.sum()) != self.length:
            raise PlanError(f"the map covers {self.length} tokens, got {int(sizes.sum())}")
        rows = torch.repeat_interleave(torch.arange(self.kept), self.offsets.diff())
        copied = self._copied(rows)
        mixed_rows, mixed_index = torch.unique(rows[~copied], return_inverse=True)
        slot = torch.zeros_like(rows)
        slot[~copied] = mixed_index
        mixed = torch.zeros(mixed_rows.numel(), first.shape[1], device=device, dtype=torch.float32)
        parts: list[Tensor] = []
        part_rows: list[Tensor] = []
        start = 0
        for block, size in zip(blocks, sizes.tolist(), strict=True):
            here = (self.sources >= start) & (self.sources < start + size)
            take, mix = here & copied, here & ~copied
            if bool(take.any()):
                parts.append(block.index_select(0, (self.sources[take] - start).to(device)))
                part_rows.append(rows[take])
            if bool(mix.any()):
                source = block.index_select(0, (self.sources[mix] - start).to(device)).float()
                _add_weighted(mixed, slot[mix], source, self.weights[mix])
            start += size
        parts.append(mixed.to(first.dtype))
        order = torch.cat([*part_rows, mixed_rows]).argsort()
        tokens = torch.cat(parts)
        if bool((order == torch.arange(order.numel())).all()):
            return tokens
        return tokens.index_select(0, order.to(device))

    def _copied(self, rows: Tensor) -> Tensor:
        """Bool ``[m]``: this source is the only one of its token and has weight 1."""
        return (self.offsets.diff() == 1)[rows] & (self.weights == 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the identity is written by its length alone."""
        if self.is_identity:
            return {"identity": self.length}
        return {
            "length": self.length,
            "position": self.position.tolist(),
            "offsets": self.offsets.tolist(),
            "sources": self.sources.tolist(),
            "weights": self.weights.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TokenMap:
        """Read what :meth:`to_dict` wrote."""
        if "identity" in data:
            return cls.identity(data["identity"])
        ints = {
            k: torch.tensor(data[k], dtype=torch.int64) for k in ("position", "offsets", "sources")
        }
        return cls(
            length=data["length"],
            weights=torch.tensor(data["weights"], dtype=torch.float32),
            **ints,
        )


def _add_weighted(total: Tensor, slots: Tensor, source: Tensor, weights: Tensor) -> None:
    """``total[slots] += weights * source`` in place; neighbouring slots are added as one view."""
    first, last = int(slots[0]), int(slots[-1])
    weight = weights.to(source.device)[:, None]
    if last - first + 1 == slots.numel() and bool((slots.diff() == 1).all()):
        total[first : last + 1].addcmul_(source, weight)
    else:
        total.index_add_(0, slots.to(source.device), source * weight)
