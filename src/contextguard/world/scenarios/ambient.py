"""``ambient``: a place with its sounding object fills the frame; signs and shapes stand in it."""

from __future__ import annotations

from numpy.random import Generator

from contextguard.world.scenarios.common import (
    Cast,
    draw_cast,
    draw_cuts,
    draw_digits,
    draw_object_box,
    draw_region,
    finish,
    free_cells,
    one_change,
    sign_and_shapes,
    thing_in,
)
from contextguard.world.spec import ClipSpec, Shot
from contextguard.world.words import place_of


def draw(rng: Generator, seconds: int, style: str, mismatch: float) -> ClipSpec:
    """A clip: cuts to another corner of the place, half of the shots drifting."""
    cast = draw_cast(rng, style, mismatch)
    digits = draw_digits(rng, one_change(rng, seconds))
    shots = tuple(_shot(rng, cast, start) for start in draw_cuts(rng, seconds))
    return finish(rng, "ambient", style, seconds, cast, shots, digits)


def _shot(rng: Generator, cast: Cast, start: int) -> Shot:
    box = draw_object_box(rng)
    moving = bool(rng.random() < 0.5)
    region = draw_region(rng, (place_of(cast.thing),), moving=moving)
    thing = thing_in(rng, cast, box, int(rng.integers(58, 79)), 0, moving)
    items = (thing, *sign_and_shapes(rng, cast, free_cells(rng, box)))
    return Shot(float(start), (region,), items)
