"""Which tokens of a chunk stay: the semantic and the spatial selection (Sec. 2.2, App. B.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from contextguard.similarity import at_least_fp32, plain_fp32, tile_rows

RULES = ("low", "high", "random")

# Below this variation the squares of the differences start to fall under the smallest fp32 number.
_SMALL_VARIATION = 1e-15


def semantic_count(tokens: int, ratio: float) -> int:
    """ceil(ratio * tokens); ours: a product within 1e-9 of an integer counts as that integer."""
    return max(0, math.ceil(ratio * tokens - 1e-9))


def semantic_selection(
    scores: Tensor, count: int, rule: str = "low", generator: torch.Generator | None = None
) -> Tensor:
    """Keep exactly ``count`` tokens by their scores (Sec. 2.2).

    Args:
        scores: fp32 ``[M]``, u of each token (Eq. 4).
        count: how many to keep, 0..M.
        rule: "low" keeps the lowest scores, which audio explains least; "high" the highest;
            "random" draws from ``generator`` (the rules of Table 4). Equal scores go to the lower
            index (ours).
        generator: of the device of ``scores``, for "random".

    Returns:
        bool ``[M]``.
    """
    if rule == "random":
        order = torch.randperm(scores.numel(), generator=generator, device=scores.device)
    else:
        order = torch.argsort(scores, stable=True, descending=rule == "high")
    kept = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    kept[order[:count]] = True
    return kept


def cell_size(height: int, width: int, ratio: float) -> tuple[int, int]:
    """The strides of the grid-wise sampling (App. B.2); ours: never below 1, on long thin maps."""
    target = math.floor(ratio * height * width + 1e-9)
    g = max(1, math.isqrt(target))
    return max(1, height // g), max(1, width // g)


def spatial_selection(variation: Tensor, ratio: float) -> Tensor:
    """Keep the location of largest variation of every grid cell (App. B.2).

    The cells step over the map from its corner, the last, partial ones included, so slightly more
    than ``ratio`` of the locations stay: 36 of 16x16 and 42 of 13x23 at 0.1.

    Args:
        variation: fp32 ``[K, H, W]``, one map a chunk (:func:`variation_maps`).
        ratio: rho_spa; 0 keeps nothing, more than 0 at least one location.

    Returns:
        bool ``[K, H, W]``. Equal variations go to the lower raster index (ours).
    """
    maps, height, width = variation.shape
    kept = torch.zeros(maps, height * width, dtype=torch.bool, device=variation.device)
    if ratio == 0:
        return kept.view_as(variation)
    dh, dw = cell_size(height, width, ratio)
    rows, columns = -(-height // dh), -(-width // dw)
    padded = variation.new_full((maps, rows * dh, columns * dw), -math.inf)
    padded[:, :height, :width] = variation
    cells = padded.view(maps, rows, dh, columns, dw).transpose(2, 3).flatten(3)
    best = cells.argmax(-1)
    i = torch.arange(rows, device=best.device)[:, None] * dh + best // dw
    j = torch.arange(columns, device=best.device) * dw + best % dw
    return kept.scatter_(1, (i * width + j).flatten(1), True).view_as(variation)


def variation_maps(chunks: Sequence[Tensor]) -> Tensor:
    """How much each location differs from its neighbours (App. B.2).

    The sum of the L2 norms of the differences to the up, down, left and right neighbours that
    exist, on the mean over the temporal patches.

    Args:
        chunks: K tensors ``[F, H, W, d]``, finite, any floating dtype.

    Returns:
        fp32 ``[K, H, W]`` on the CPU. A map whose squares would leave the range of fp32 comes
        scaled by a positive factor: only its order is used.
    """
    _, height, width, d = chunks[0].shape
    device = chunks[0].device
    size = width * min(height, max(1, tile_rows(2 * width * d, device)))
    buffers = torch.empty(3, size, d, device=device)
    with plain_fp32(device):
        maps = torch.stack([_variation(chunk, None, buffers) for chunk in chunks]).cpu()
        for k, peak in enumerate(maps.flatten(1).amax(1).tolist()):
            if not _SMALL_VARIATION <= peak < math.inf:
                largest = float(chunks[k].abs().max())
                if largest > 0:
                    maps[k] = _variation(chunks[k], largest, buffers).cpu()
    return maps


def _variation(chunk: Tensor, divisor: float | None, buffers: Tensor) -> Tensor:
    """Band by band of map rows, so that the differences are taken while the rows are in cache.

    In raster order the left neighbour lies 1 back and the upper one a row back. The direct
    difference, not |x|^2 + |y|^2 - 2xy: neighbours are alike, and what cancels there would decide
    which location wins.
    """
    patches, height, width, d = chunk.shape
    size = buffers.shape[1]
    band, before, wide = buffers
    scratch = None if chunk.dtype == torch.float32 else wide
    left, up = torch.zeros(2, height * width, device=chunk.device)
    parts = [torch.split(patch, size) for patch in chunk.reshape(patches, -1, d)]
    for start, rows in zip(range(0, height * width, size), zip(*parts, strict=True), strict=True):
        n = rows[0].shape[0]
        x = band if n == size else band[:n]
        _sum_patches(rows, x, scratch, divisor)
        if start > 0:
            difference = before[-width:].sub_(x[:width])
            torch.linalg.vector_norm(difference, dim=1, out=up[start : start + width])
        # From here on the band before is no longer needed: its buffer takes the differences.
        for lag, out in ((width, up), (1, left)):
            if n > lag:
                difference = torch.sub(x[lag:], x[:-lag], out=before[: n - lag])
                torch.linalg.vector_norm(difference, dim=1, out=out[start + lag : start + n])
        band, before = before, band
    left, up = left.view(height, width), up.view(height, width)
    variation: Tensor = up.clone()
    variation[:-1] += up[1:]
    variation[:, 1:] += left[:, 1:]
    variation[:, :-1] += left[:, 1:]
    return variation / patches


def _sum_patches(
    rows: Sequence[Tensor], out: Tensor, scratch: Tensor | None, divisor: float | None
) -> None:
    """The fp32 sum of the temporal patches, F tensors ``[n, d]``, into one."""
    if divisor is not None:
        rows = [(at_least_fp32(r) / divisor).float() for r in rows]
    first, *later = rows
    if later and scratch is None:
        torch.add(first, later.pop(0), out=out)
    else:
        out.copy_(first)
    for row in later:
        out += row if scratch is None else scratch[: out.shape[0]].copy_(row)
