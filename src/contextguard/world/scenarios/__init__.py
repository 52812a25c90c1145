"""The scenarios of the world, one file each: what is drawn where, and when it sounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from contextguard.errors import SettingError
from contextguard.world.scenarios import ambient, closeup, event, slides, split
from contextguard.world.spec import STYLES, ClipSpec

Scenario = Callable[[Generator, int, str, float], ClipSpec]
"""(generator, seconds, style, share of mismatched sounds) -> specification."""

SCENARIOS: dict[str, Scenario] = {
    "ambient": ambient.draw,
    "split": split.draw,
    "closeup": closeup.draw,
    "slides": slides.draw,
    "event": event.draw,
}
MISMATCH = 0.25
"""Share of clips whose sound belongs to another object."""
SHORTEST, LONGEST = 4, 12
"""Seconds of a clip whose length is drawn."""


def draw_seconds(rng: Generator) -> int:
    """Length of a clip: half of them 10 to 12 s, the others 4 to 9 s."""
    long = rng.random() < 0.5
    return int(rng.integers(10, LONGEST + 1) if long else rng.integers(SHORTEST, 10))


def draw_clip(
    scenario: str, seed: int, index: int, seconds: int | None = None, style: str = "seen"
) -> ClipSpec:
    """Clip ``index`` of a seed; the same arguments give the same clip.

    Args:
        scenario: of :data:`SCENARIOS`.
        seed, index: at least 0.
        seconds: length, at least 2; None draws 4 to 12.
        style: ``seen`` or ``held_out``.

    Raises:
        SettingError: an argument outside its range.
    """
    if scenario not in SCENARIOS:
        raise SettingError(f"scenario must be one of {', '.join(SCENARIOS)}, got {scenario!r}")
    if style not in STYLES:
        raise SettingError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    for name, value, least in (("seed", seed, 0), ("index", index, 0), ("seconds", seconds, 2)):
        if value is not None and value < least:
            raise SettingError(f"{name} must be at least {least}, got {value}")
    rng = np.random.default_rng([seed, index, list(SCENARIOS).index(scenario)])
    length = draw_seconds(rng)
    return SCENARIOS[scenario](rng, seconds or length, style, MISMATCH)
