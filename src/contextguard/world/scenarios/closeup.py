"""``closeup``: the sounding object fills half of the frame, on a ground that is no place."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from contextguard.world.scenarios.common import (
    Cast,
    draw_cast,
    draw_cuts,
    draw_digits,
    draw_region,
    finish,
    free_cells,
    one_change,
    sign_and_shapes,
    thing_in,
)
from contextguard.world.spec import CELL, SIZE, ClipSpec, Shot

_SIDE = 5 * CELL
"""Pixels of the object that are in the frame; a larger one is cut off by the frame's border."""


def draw(rng: Generator, seconds: int, style: str, mismatch: float) -> ClipSpec:
    """A clip: the object leans to one side in all shots; cuts move it to another corner."""
    cast = draw_cast(rng, style, mismatch)
    digits = draw_digits(rng, one_change(rng, seconds))
    angle = int(rng.integers(24, 37)) * (1 if rng.random() < 0.5 else -1)
    shots = tuple(_shot(rng, cast, start, angle) for start in draw_cuts(rng, seconds, 0.5))
    return finish(rng, "closeup", style, seconds, cast, shots, digits)


def _shot(rng: Generator, cast: Cast, start: int, angle: int) -> Shot:
    size = int(rng.integers(_SIDE, _SIDE + 21))
    right, low = bool(rng.integers(2)), bool(rng.integers(2))
    box = ((SIZE - _SIDE) * right, (SIZE - _SIDE) * low, _SIDE, _SIDE)
    over = size - _SIDE
    region = draw_region(rng, ("plain", "haze"), moving=bool(rng.random() < 0.4))
    thing = thing_in(rng, cast, box, size, 0, bool(rng.random() < 0.4))
    x, y = box[0] - (0 if right else over), box[1] - (0 if low else over)
    thing = replace(thing, x=x, y=y, angle=angle)
    return Shot(float(start), (region,), (thing, *sign_and_shapes(rng, cast, free_cells(rng, box))))
