"""A key-value cache that holds fewer tokens than it stands for.

``generate`` slices inputs and counts positions by ``cache.get_seq_length()``; masks are sized by
what the layers hold. After pruning the two differ. The cache keeps its object and layers, only its
class is swapped for one that answers the first with the original, logical, length and the mask
code with the physical one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from contextguard.errors import CallError

if TYPE_CHECKING:

    class _Cache:
        def get_seq_length(self, layer_idx: int = 0) -> Any: ...
        def get_query_offset(self, layer_idx: int = 0) -> Any: ...
        def reset(self) -> None: ...
        def crop(self, tokens_to_remove: int) -> None: ...
        def batch_repeat_interleave(self, repeats: int) -> None: ...
        def batch_select_indices(self, indices: Tensor) -> None: ...
else:
    _Cache = object


class Scope:
    """Whether the block that pruned a cache is still open."""

    def __init__(self) -> None:
        self.open = True

    def __deepcopy__(self, memo: object) -> Scope:
        return self


@dataclass
class CacheState:
    """What a pruned cache's columns are.

    Attributes:
        real: bool ``[B, P]``, the physical columns that hold a token; the others are padding.
        logical: the original columns these P columns stand for, padding included.
        scope: open while the block that translates masks is.
    """

    real: Tensor
    logical: int
    scope: Scope

    def __post_init__(self) -> None:
        self.padded = not bool(self.real.all())

    @property
    def removed(self) -> int:
        """Columns gone; the same in every row, since short rows are padded."""
        return self.logical - self.real.shape[1]


class LogicalLength(_Cache):
    """Mixed into a cache's class: logical length outside, physical length for the masks."""

    pruned: CacheState | None = None

    def get_seq_length(self, layer_idx: int = 0) -> Any:
        """Logical tokens seen, as generation code expects."""
        length = super().get_seq_length(layer_idx)
        return length if self.pruned is None else length + self.pruned.removed

    def get_query_offset(self, layer_idx: int = 0) -> Any:
        """Physical tokens held, as mask code expects."""
        offset = super().get_query_offset(layer_idx)
        if self.pruned is None:
            return offset
        if self.pruned.padded and not self.pruned.scope.open:
            raise CallError(
                "this cache was pruned to different lengths in its batch and is used outside the "
                "block that pruned it, where its padding cannot be masked; go on inside "
                "contextguard.prune(...)"
            )
        return offset - self.pruned.removed

    def reset(self) -> None:
        """Empty the cache; it is not pruned any more."""
        self.pruned = None
        super().reset()

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last ``-tokens_to_remove`` tokens; never back into the pruned prompt."""
        if self.pruned is not None:
            after = int(self.get_seq_length()) + tokens_to_remove
            if tokens_to_remove > 0 or after < self.pruned.logical:
                raise CallError(
                    f"cannot crop a pruned cache by {tokens_to_remove}: only tokens after the "
                    f"pruned prompt of {self.pruned.logical} can go, give their negative number"
                )
        super().crop(tokens_to_remove)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every sample ``repeats`` times."""
        if self.pruned is not None:
            self.pruned.real = self.pruned.real.repeat_interleave(repeats, dim=0)
        super().batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the samples ``indices``."""
        if self.pruned is not None:
            self.pruned.real = self.pruned.real[indices.to(self.pruned.real.device)]
        super().batch_select_indices(indices)


_CLASSES: dict[type, type] = {}


def _pruned_class(cls: type) -> type:
    if cls not in _CLASSES:
        _CLASSES[cls] = type(
            f"Pruned{cls.__name__}", (LogicalLength, cls), {"__module__": __name__}
        )
    return _CLASSES[cls]


def tag(cache: Any, state: CacheState) -> None:
    """Make ``cache`` answer with the logical length of ``state``."""
    if not isinstance(cache, LogicalLength):
        cache.__class__ = _pruned_class(type(cache))
    cache.pruned = state


def state_of(cache: Any) -> CacheState | None:
    """The state of a pruned cache, None for any other."""
    return cache.pruned if isinstance(cache, LogicalLength) else None


def physical_length(cache: Any) -> int:
    """Columns the cache holds now."""
    if cache is None:
        return 0
    state = state_of(cache)
    return int(cache.get_seq_length()) - (state.removed if state is not None else 0)


def physical_mask(cache: Any, mask: Tensor | None, batch: int, device: torch.device) -> Tensor:
    """Bool ``[batch, P]``: the real columns among those the cache holds now.

    Args:
        cache: a cache, pruned or not, or None.
        mask: 2-D mask over the logical columns (and any after them), or None if none is padding.
        batch: rows.
        device: where the mask is wanted.
    """
    held = physical_length(cache)
    state = state_of(cache)
    done, logical = (0, 0) if state is None else (state.real.shape[1], state.logical)
    if mask is None:
        rest = torch.ones(batch, held - done, dtype=torch.bool, device=device)
    else:
        rest = mask[:, logical : logical + held - done].to(device, torch.bool)
    return rest if state is None else torch.cat([state.real.to(device), rest], dim=1)


def translate(cache: Any, mask: Any, batch: int, length: int, device: torch.device) -> Any:
    """The mask of a later call of ``length`` tokens on a pruned cache, in physical columns.

    ``generate`` builds 4-D masks for a static cache itself, from the logical mask; the columns
    after the prompt are then all real, which holds for tokens it made.

    Raises:
        CallError: a 2-D mask of another length, or several new tokens a sample under a 4-D mask,
            whose padding is lost.
    """
    state = state_of(cache)
    if state is None:
        return mask
    if isinstance(mask, torch.Tensor) and mask.ndim == 2:
        expected = int(cache.get_seq_length()) + length
        if mask.shape[1] != expected:
            raise CallError(
                f"attention_mask has {mask.shape[1]} columns; the pruned cache stands for "
                f"{expected - length} tokens, so give {expected} (all original tokens count)"
            )
        past = physical_mask(cache, mask, batch, device)
        return torch.cat([past, mask[:, -length:].to(device, torch.bool)], dim=1)
    if mask is not None and length > 1 and batch > 1:
        raise CallError(
            f"{length} new tokens for each of {batch} samples on a pruned cache under a 4-D mask "
            "(a static cache makes one): their padding cannot be told. Use a dynamic cache"
        )
    if not state.padded:
        return None
    past = physical_mask(cache, None, batch, device)
    return torch.cat([past, past.new_ones(batch, length)], dim=1)
