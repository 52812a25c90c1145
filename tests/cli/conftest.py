"""A clip without sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest


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
