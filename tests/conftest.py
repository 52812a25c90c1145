"""What several folders of tests share: one thread, thimble, a real clip with sound."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

CLIPS = Path(__file__).parents[1] / "examples" / "clips"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def thimble():
    from contextguard.checkpoints import load_checkpoint

    return load_checkpoint("thimble", "cpu")


@pytest.fixture(scope="session")
def bunny() -> Path:
    """5 s, 480x270, with sound: 10 frames at 2 fps, 3 chunks of 5x9 tokens a temporal patch."""
    return CLIPS / "bigbuckbunny_short.mp4"
