"""``event``: something is heard for a while only, and what the picture shows then is asked."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from contextguard.world.scenarios.common import (
    draw_cast,
    draw_digits,
    draw_object_box,
    draw_region,
    finish,
    free_cells,
    sign_and_shapes,
    thing_in,
)
from contextguard.world.spec import ClipSpec, Shot
from contextguard.world.words import place_of


def draw(rng: Generator, seconds: int, style: str, mismatch: float) -> ClipSpec:
    """A clip without cuts: the sign shows one digit while the sound is heard and others before
    and after; in half of the clips the object is in the picture only then.
    """
    cast = draw_cast(rng, style, mismatch)
    start, end = _heard(rng, seconds)
    digits = draw_digits(rng, [s for s in (start, end) if 0 < s < seconds])
    box = draw_object_box(rng)
    moving = bool(rng.random() < 0.5)
    region = draw_region(rng, (place_of(cast.thing),), moving=moving)
    thing = thing_in(rng, cast, box, int(rng.integers(58, 79)), 0, moving)
    if rng.random() < 0.5:
        thing = replace(thing, shown=(float(start), float(end)))
    items = (thing, *sign_and_shapes(rng, cast, free_cells(rng, box)))
    shots = (Shot(0.0, (region,), items),)
    return finish(rng, "event", style, seconds, cast, shots, digits, (float(start), float(end)))


def _heard(rng: Generator, seconds: int) -> tuple[int, int]:
    """Whole seconds of the sound: inside the first or the last half, two or more if they fit."""
    half = seconds // 2
    length = int(rng.integers(min(2, half), half + 1))
    start = int(rng.integers(0, half - length + 1))
    return (start, start + length) if rng.random() < 0.5 else (
        seconds - start - length, seconds - start
    )  # fmt: skip
