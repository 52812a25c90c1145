"""Two files of the world to ask thimble about, and entries of a manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "clips"


@pytest.fixture(scope="session")
def split() -> Path:
    """8 s of the world, 196x196."""
    return EXAMPLES / "split.mp4"


@pytest.fixture(scope="session")
def slides() -> Path:
    """8 s of the world, 196x196."""
    return EXAMPLES / "slides.mp4"


@pytest.fixture
def make_entry():
    """A manifest's entry for any file."""
    from contextguard.world.dataset import ClipEntry, Question
    from contextguard.world.truth import KINDS

    def make(path, *, questions, scenario="ambient", style="seen"):
        return ClipEntry(
            path=path,
            scenario=scenario,
            style=style,
            seed=0,
            index=0,
            seconds=8,
            facts={},
            questions=tuple(Question(*q) for q in questions),
            kinds=KINDS,
            token_kinds=np.zeros((8, 7, 7), np.int8),
        )

    return make
