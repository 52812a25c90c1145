"""The fixture that writes clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from media_files import write_clip


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "clip.mp4", **options: object) -> Path:
        return write_clip(tmp_path / name, **options)

    return make
