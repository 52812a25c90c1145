"""One pass over the video features: the mean of each chunk and the score of each token (Eq. 4).

The features of a clip are gigabytes at full width, so they are read once, tile by tile: while a
tile lies in the cache it gives its norms, its part of the mean and its dot products. Everything
is fp32 whatever the dtype of the features; bf16 and fp16 tiles are widened in one small buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from contextguard.errors import FeatureError
from contextguard.features import require_finite

_CPU_TILE = 640 * 1024
_ACCELERATOR_TILE = 64 * 1024 * 1024
# Below this norm the squares of the values start to fall under the smallest fp32 number.
_SMALL_NORM = 1e-15


@dataclass(frozen=True, eq=False)
class VideoScan:
    """What one pass over the video gives.

    Attributes:
        scores: T tensors fp32 ``[M_t]`` on the CPU: u_t, in [-1, 1] (Eq. 4).
        means: fp32 ``[T, d]`` on the device of the features: the mean token of each chunk.
    """

    scores: tuple[Tensor, ...]
    means: Tensor


@contextmanager
def plain_fp32(device: torch.device) -> Iterator[None]:
    """No autograd and no autocast inside: what is written as fp32 is computed in fp32."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def tile_rows(width: int, device: torch.device) -> int:
    """How many fp32 rows of ``width`` values to handle at once: as many as stay in the cache."""
    budget = _CPU_TILE * torch.get_num_threads() if device.type == "cpu" else _ACCELERATOR_TILE
    return max(1, budget // (4 * width))


def at_least_fp32(x: Tensor) -> Tensor:
    """fp64 as it is, everything else in fp32: for rescaling before the cast could overflow."""
    return x if x.dtype == torch.float64 else x.float()


def unit_rows(x: Tensor) -> Tensor:
    """The rows of ``[n, d]`` in fp32 at length 1, or 0 where all values are 0.

    Divided by their largest value first, so that no square overflows or vanishes.
    """
    x = at_least_fp32(x)
    peak = x.abs().amax(-1, keepdim=True)
    x = (x / torch.where(peak == 0, 1, peak)).float()
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(norm == 0, 1, norm)


def audio_means(audio: Sequence[Tensor]) -> Tensor:
    """The mean audio token of each chunk.

    Args:
        audio: T tensors ``[L_t, d]``.

    Returns:
        fp32 ``[T, d]``, a row of zeros where L_t = 0.

    Raises:
        FeatureError: NaN or infinity, named with the chunk.
    """
    with plain_fp32(audio[0].device):
        means = torch.zeros(len(audio), audio[0].shape[1], device=audio[0].device)
        ones = torch.ones(max(a.shape[0] for a in audio), device=audio[0].device)
        for t, a in enumerate(audio):
            if a.shape[0]:
                means[t].addmv_(a.float().t(), ones[: a.shape[0]]).div_(a.shape[0])
        finite = torch.isfinite(means).all(1).tolist()
        for t, ok in enumerate(finite):
            if not ok:
                means[t] = _mean_of_huge(audio[t], "audio", t)
    return means


def scan_video(video: Sequence[Tensor], guide: Tensor, own_mean: Sequence[bool]) -> VideoScan:
    """Score every video token by its cosine to the guide of its chunk (Eq. 4).

    Args:
        video: T tensors ``[F_t, H, W, d]``.
        guide: fp32 ``[T, d]``, the visual semantics expected in each chunk.
        own_mean: T flags; True scores the chunk against its own mean token instead.

    Returns:
        u_t and the chunk means. The cosine to or of a vector of zeros is 0.

    Raises:
        FeatureError: NaN or infinity, named with the chunk.
    """
    first = video[0]
    width, device = first.shape[-1], first.device
    sizes = [v.numel() // width for v in video]
    starts = list(accumulate(sizes, initial=0))
    with plain_fp32(device):
        step = min(tile_rows(width, device), max(sizes))
        ones = torch.ones(step, device=device)
        wide = None if first.dtype == torch.float32 else torch.empty(step, width, device=device)
        unit = unit_rows(guide)
        means = torch.zeros(len(video), width, device=device)
        dots = torch.empty(sum(sizes), device=device)
        norms = torch.empty(sum(sizes), device=device)
        for t, chunk in enumerate(video):
            dot, norm = dots[starts[t] : starts[t + 1]], norms[starts[t] : starts[t + 1]]
            mean, toward = means[t], unit[t]
            tiles = torch.split(chunk.reshape(-1, width), step)
            dot_tiles, norm_tiles = torch.split(dot, step), torch.split(norm, step)
            for tile, dot_tile, norm_tile in zip(tiles, dot_tiles, norm_tiles, strict=True):
                x = _widened(tile, wide)
                torch.linalg.vector_norm(x, dim=1, out=norm_tile)
                mean.addmv_(x.t(), ones[: x.shape[0]])
                if not own_mean[t]:
                    torch.mv(x, toward, out=dot_tile)
            if own_mean[t]:
                # The mean is known only now; the chunk is still in the outer cache.
                toward.copy_(unit_rows(mean[None])[0])
                for tile, dot_tile in zip(tiles, dot_tiles, strict=True):
                    torch.mv(_widened(tile, wide), toward, out=dot_tile)
        means /= torch.tensor(sizes, device=device)[:, None]
        scores = dots.div_(norms).clamp_(-1, 1)
        doubtful = ~(torch.isfinite(norms) & (norms >= _SMALL_NORM))
        if bool(doubtful.any()):
            marked = zip(torch.split(scores, sizes), torch.split(doubtful, sizes), strict=True)
            for t, (score, doubt) in enumerate(marked):
                if bool(doubt.any()):
                    _rescore(video[t], t, score, doubt, means[t], unit[t], own_mean[t])
    return VideoScan(torch.split(scores.cpu(), sizes), means)


def _widened(tile: Tensor, buffer: Tensor | None) -> Tensor:
    return tile if buffer is None else buffer[: tile.shape[0]].copy_(tile)


def _rescore(
    chunk: Tensor, t: int, score: Tensor, doubt: Tensor, mean: Tensor, unit: Tensor, own_mean: bool
) -> None:
    """Redo in place the tokens whose squares left the range of fp32, or refuse the chunk."""
    rows = chunk.reshape(-1, chunk.shape[-1])
    # A mean is finite only if every token is.
    if not bool(torch.isfinite(mean).all()):
        mean.copy_(_mean_of_huge(rows, "video", t))
        if own_mean:
            unit = unit_rows(mean[None])[0]
            doubt = torch.ones_like(doubt)
    score[doubt] = torch.mv(unit_rows(rows[doubt]), unit).clamp_(-1, 1)


def _mean_of_huge(rows: Tensor, modality: str, t: int) -> Tensor:
    """The fp32 mean of ``[n, d]`` whose sum overflowed, or the error if a value is not finite."""
    require_finite(rows, modality, t)
    mean = (at_least_fp32(rows) / rows.shape[0]).sum(0).float()
    if not bool(torch.isfinite(mean).all()):
        raise FeatureError(
            f"{modality} features of chunk {t} reach {float(rows.abs().max()):.3g}, "
            "beyond the range of fp32; check the encoder's output"
        )
    return mean
