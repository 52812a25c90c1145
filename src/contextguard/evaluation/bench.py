"""thimble-bench: fixed clips of every scenario that no training has seen, made where it runs.

Clips are drawn, written as mp4 files into a cache folder and scored from there. The seeds lie far
above those of training and of every example.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from contextguard import world
from contextguard.errors import SettingError
from contextguard.world.dataset import (
    MANIFEST,
    ClipEntry,
    DatasetError,
    RenderOrder,
    read_manifest,
    render,
)
from contextguard.world.scenarios import SCENARIOS
from contextguard.world.spec import STYLES

SETS = {"quick": (12, 990_012), "full": (100, 990_100)}
"""Name -> (clips a scenario, seed). The sets share no clip, so that a look at the quick one while
developing tunes nothing on the full one. A style takes the same seeds with its own drawings."""


def bench_entries(
    name: str = "quick",
    style: str = "seen",
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[ClipEntry]:
    """The clips of a set, rendered unless the cache has them.

    Args:
        name: of :data:`SETS`.
        style: ``seen``, or ``held_out``: drawings, fonts and sounds that no training sees.
        folder: where clips are kept; None is the user's cache folder.
        progress: called with (clips rendered, clips in all) if the cache lacks them.

    Returns:
        Entries of all scenarios, scenario by scenario.

    Raises:
        SettingError: an unknown name or style, or a folder that cannot be used.
        DatasetError: clips that cannot be written or read.
    """
    if name not in SETS:
        raise SettingError(f"set must be one of {', '.join(SETS)}, got {name!r}")
    if style not in STYLES:
        raise SettingError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    count, seed = SETS[name]
    base = Path(folder).expanduser() if folder is not None else cache_folder()
    place = base / f"{name}-{style}-{world_version()}"
    if not (place / MANIFEST).is_file():
        try:
            base.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(f"{base}: cannot be made: {error.strerror}") from error
        render(RenderOrder(tuple(SCENARIOS), seed, count, place, style), progress)
    try:
        return read_manifest(place)
    except DatasetError as error:
        raise DatasetError(f"{error} (delete {str(place)!r} and run again)") from error


def cache_folder() -> Path:
    """``contextguard/thimble-bench`` in ``XDG_CACHE_HOME``, in ``~/.cache`` if that is unset."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "contextguard" / "thimble-bench"


def world_version() -> str:
    """8 hexadecimal digits of the world's own files: clips of another world are not reused."""
    folder = Path(world.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.suffix != ".pyc" and f.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:8]
