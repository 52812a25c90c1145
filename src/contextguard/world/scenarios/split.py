"""``split``: a silent part covers most of the frame; the sounding place is beside it or inset."""

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
    one_change,
    sign_and_shapes,
    thing_in,
)
from contextguard.world.spec import CELL, GRID, SIZE, ClipSpec, Item, Region, Shot
from contextguard.world.words import place_of

_SIDE = 3 * CELL
"""Pixels of the sounding part: a strip this wide or a square of this side."""
_SILENT = ("plain", "haze", "grid", "dots")

Box = tuple[int, int, int, int]


def draw(rng: Generator, seconds: int, style: str, mismatch: float) -> ClipSpec:
    """A clip: every cut is one of the silent part; the sounding part cuts with half of them."""
    cast = draw_cast(rng, style, mismatch)
    digits = draw_digits(rng, one_change(rng, seconds))
    box = _strip(rng) if rng.random() < 0.5 else _inset(rng)
    sounding = _sounding(rng, cast, box)
    shots = []
    for start in draw_cuts(rng, seconds):
        if start and rng.random() < 0.5:
            sounding = _sounding(rng, cast, box)
        shots.append(_shot(rng, cast, start, box, *sounding))
    return finish(rng, "split", style, seconds, cast, tuple(shots), digits)


def _strip(rng: Generator) -> Box:
    edge = 0 if rng.random() < 0.5 else SIZE - _SIDE
    return (edge, 0, _SIDE, SIZE) if rng.random() < 0.5 else (0, edge, SIZE, _SIDE)


def _inset(rng: Generator) -> Box:
    column, row = (int(v) for v in rng.integers(0, GRID - _SIDE // CELL + 1, 2))
    return column * CELL, row * CELL, _SIDE, _SIDE


def _sounding(rng: Generator, cast: Cast, box: Box) -> tuple[Region, Item]:
    moving = bool(rng.random() < 0.4)
    x, y, w, h = box
    slide = int(rng.integers(0, max(w, h) - _SIDE + 1))
    place = (x + slide, y, _SIDE, _SIDE) if w > h else (x, y + slide, _SIDE, _SIDE)
    region = draw_region(rng, (place_of(cast.thing),), box, moving)
    return region, thing_in(rng, cast, place, int(rng.integers(58, 77)), 1, moving)


def _shot(rng: Generator, cast: Cast, start: int, box: Box, sounding: Region, thing: Item) -> Shot:
    silent = draw_region(rng, _SILENT, moving=bool(rng.random() < 0.4))
    items = (thing, *sign_and_shapes(rng, cast, free_cells(rng, box)))
    return Shot(float(start), (silent, sounding), items)
