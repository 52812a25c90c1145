"""``slides``: a talk's slides with signs, shapes and greeked text; the sounding place is inset."""

from __future__ import annotations

from numpy.random import Generator

from contextguard.world.scenarios.common import (
    Cast,
    draw_cast,
    draw_cuts,
    draw_digits,
    draw_region,
    finish,
    free_cells,
    sign_and_shapes,
    thing_in,
)
from contextguard.world.spec import CELL, SIZE, ClipSpec, Item, Region, Shot
from contextguard.world.words import place_of

_SIDE = 3 * CELL
_LINES = 2 * CELL


def draw(rng: Generator, seconds: int, style: str, mismatch: float) -> ClipSpec:
    """A clip: every slide another layout, mostly with another digit; the inset stays."""
    cast = draw_cast(rng, style, mismatch)
    starts = draw_cuts(rng, seconds, 0.75)
    digits = draw_digits(rng, [s for s in starts[1:] if rng.random() < 0.75])
    box = (
        (SIZE - _SIDE) * int(rng.integers(2)), (SIZE - _SIDE) * int(rng.integers(2)),
        _SIDE, _SIDE,
    )  # fmt: skip
    inset = draw_region(rng, (place_of(cast.thing),), box, bool(rng.random() < 0.5))
    thing = thing_in(rng, cast, box, int(rng.integers(54, 73)), 1, True)
    dark = bool(rng.random() < 0.4)
    shots = tuple(_slide(rng, cast, start, box, inset, thing, dark) for start in starts)
    return finish(rng, "slides", style, seconds, cast, shots, digits)


def _slide(
    rng: Generator,
    cast: Cast,
    start: int,
    box: tuple[int, int, int, int],
    inset: Region,
    thing: Item,
    dark: bool,
) -> Shot:
    slide = draw_region(rng, ("board",) if dark else ("paper",))
    placed = sign_and_shapes(rng, cast, free_cells(rng, box))
    taken = [box, *((i.x, i.y, i.size, i.size) for i in placed)]
    lines = []
    for _ in range(6):
        x, y = (int(v) for v in rng.integers(4, SIZE - _LINES - 3, 2))
        block = (x, y, _LINES, _LINES)
        if not any(_touch(block, other) for other in taken):
            taken.append(block)
            seed, tone = int(rng.integers(1000)), "dark" if dark else "light"
            lines.append(Item("lines", "", tone, x, y, _LINES, seed))
    return Shot(float(start), (slide, inset), (*lines, thing, *placed))


def _touch(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
