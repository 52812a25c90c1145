"""thimble, a real clip with sound, and a clip without."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

CLIPS = Path(__file__).parents[2] / "examples" / "clips"


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


@pytest.fixture(scope="session")
def mute(tmp_path_factory) -> Path:
    """8 s without sound: a still picture, then another."""
    path = tmp_path_factory.mktemp("clips") / "mute.mp4"
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 255, (2, 7, 7, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 112, 112, "yuv420p"
        for i in range(32):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pictures[i // 16])))
        out.mux(stream.encode())
    return path
