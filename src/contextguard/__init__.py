"""ContextGuard: keep the video tokens that audio cannot explain.

The public names are imported on first use, so that ``import contextguard`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextguard.backbones.prune import PruneRun as PruneRun
    from contextguard.backbones.prune import prune as prune
    from contextguard.errors import ContextGuardError as ContextGuardError
    from contextguard.features import ClipFeatures as ClipFeatures
    from contextguard.methods import ContextGuard as ContextGuard
    from contextguard.methods import Full as Full
    from contextguard.plan import MergeGroup as MergeGroup
    from contextguard.plan import PrunePlan as PrunePlan
    from contextguard.token_map import TokenMap as TokenMap

__version__ = "0.1.0"

_HOME = {
    "ClipFeatures": "features",
    "ContextGuard": "methods",
    "ContextGuardError": "errors",
    "Full": "methods",
    "MergeGroup": "plan",
    "PrunePlan": "plan",
    "PruneRun": "backbones.prune",
    "TokenMap": "token_map",
    "prune": "backbones.prune",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'contextguard' has no attribute {name!r}")
    return getattr(import_module(f"contextguard.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
