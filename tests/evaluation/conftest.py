"""thimble, and three short real files with sound to ask it about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples" / "clips"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def thimble():
    from contextguard.checkpoints import load_checkpoint

    return load_checkpoint("thimble", "cpu")


@pytest.fixture(scope="session")
def split() -> Path:
    """8 s of the world, 196x196."""
    return EXAMPLES / "split.mp4"


@pytest.fixture(scope="session")
def slides() -> Path:
    """8 s of the world, 196x196."""
    return EXAMPLES / "slides.mp4"


@pytest.fixture(scope="session")
def bunny() -> Path:
    """5 s, 480x270: 3 chunks of 5x9 tokens a temporal patch."""
    return EXAMPLES / "bigbuckbunny_short.mp4"


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
