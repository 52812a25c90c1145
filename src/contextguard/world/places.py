"""Grounds of the world: a texture for each place, and neutral ones that belong to no sound."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextguard.world.words import PLACES

FloatArray = NDArray[np.float32]

MARGIN = 64
"""Pixels a ground is larger than a frame, so that it can scroll."""
VARIANTS = 8
NEUTRAL = ("plain", "haze", "grid", "dots", "paper", "board")
"""Grounds that are no place; ``paper`` and ``board`` are what slides are written on."""

_BASE: dict[str, tuple[int, int, int]] = {
    "church": (150, 125, 100),
    "stage": (70, 45, 75),
    "street": (95, 95, 105),
    "road": (130, 100, 65),
    "forest": (45, 95, 50),
    "sea": (50, 105, 140),
    "office": (165, 155, 130),
    "wall": (120, 130, 120),
    "plain": (135, 132, 128),
    "haze": (120, 118, 125),
    "grid": (150, 145, 140),
    "dots": (110, 112, 108),
    "paper": (186, 184, 174),
    "board": (62, 68, 70),
}


def _pattern(place: str, x: FloatArray, y: FloatArray, phase: float, scale: float) -> FloatArray:
    """The texture of a place, in grey levels around 0."""
    return np.asarray(_grey(place, x, y, phase, scale), np.float32)


def _grey(place: str, x: FloatArray, y: FloatArray, phase: float, scale: float) -> Any:
    if place == "church":  # bricks
        brick = np.sin(x / 9 * scale + (y // 22) * 1.5) > 0.9
        return np.sign(np.sin(y / 7 * scale + phase)) * 10 + brick * -18.0
    if place == "stage":  # curtain
        return np.sin(x / 12 * scale + phase) * 22
    if place == "street":  # windows
        return ((np.sin(x / 16 * scale + phase) > 0) & (np.sin(y / 20 + phase) > 0)) * 30.0
    if place == "road":  # lane marks
        return (np.abs((y + phase * 10) % 60 - 30) < 3) * 70.0
    if place == "forest":  # foliage
        return np.sin(x / 5 * scale + phase) * np.sin(y / 11 * scale) * 24
    if place == "sea":  # waves
        return np.sin(y / 6 * scale + np.sin(x / 14 + phase) * 1.5) * 22
    if place == "office":  # tiles
        return (((x + phase * 6) % 36 < 2) | ((y + phase * 6) % 36 < 2)) * -35.0
    if place == "wall":  # stripes
        return np.sin((x + y) / 8 * scale + phase) * 14
    if place == "haze":  # a slow gradient
        return np.sin((x * np.cos(phase) + y * np.sin(phase)) / 90 * scale) * 22
    if place == "grid":  # thin lines
        return (((x + phase * 9) % 49 < 1.5) | ((y + phase * 9) % 49 < 1.5)) * -22.0
    if place == "dots":
        return ((x % 18 - 9) ** 2 + (y % 18 - 9) ** 2 < 6) * 20.0
    return np.zeros_like(x)  # plain, paper, board


@lru_cache(maxsize=256)
def ground(place: str, variant: int, size: int) -> FloatArray:
    """One variant of a ground: float32 ``[size + MARGIN, size + MARGIN, 3]``, levels 0-255."""
    rng = np.random.default_rng([(*PLACES, *NEUTRAL).index(place), variant])
    y, x = np.mgrid[0 : size + MARGIN, 0 : size + MARGIN].astype(np.float32)
    texture = _pattern(place, x, y, rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.1))
    color = np.array(_BASE[place]) + rng.normal(0, 8, 3)
    return np.asarray(color + texture[..., None] * np.array([1, 1, 0.9]), np.float32)


@lru_cache(maxsize=4)
def sensor_noise(size: int) -> FloatArray:
    """A field of camera noise to crop from, float32 ``[size + MARGIN, size + MARGIN, 3]``."""
    noise = np.random.default_rng(0).normal(0, 6, (size + MARGIN, size + MARGIN, 3))
    return np.asarray(noise, np.float32)
