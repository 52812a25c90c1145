"""Clips whose decisions vary: scenes that drift, jump and fall silent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clip:
    video: list[Tensor]
    audio: list[Tensor]


def random_clip(
    seed: int,
    *,
    chunks: int,
    grid: tuple[int, int],
    width: int = 16,
    patches: int | list[int] = 2,
    audio: int = 5,
    silent: tuple[int, ...] = (),
    change: float = 0.25,
    drift: float = 0.15,
    dtype: torch.dtype = torch.float32,
) -> Clip:
    """A clip of scenes.

    Every chunk is its scene plus a drift; a new scene of the picture, and apart from it of the
    sound, starts with probability ``change``. The last chunk may be shorter.
    """
    rng = torch.Generator().manual_seed(seed)
    counts = [patches] * chunks if isinstance(patches, int) else patches

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    def happens(p: float) -> bool:
        return float(torch.rand(1, generator=rng)) < p

    offset = normal(width)
    scene, sound = normal(*grid, width) + offset, normal(width)
    video, heard = [], []
    for t in range(chunks):
        if happens(change):
            scene = normal(*grid, width) + normal(width)
        if happens(change):
            sound = normal(width)
        scene = scene + drift * float(torch.rand(1, generator=rng)) * normal(width)
        video.append((scene + 0.1 * normal(counts[t], *grid, width)).to(dtype))
        length = 0 if t in silent else audio - (t == chunks - 1 and audio > 1)
        heard.append((sound + 0.3 * normal(length, width)).to(dtype))
    return Clip(video, heard)
