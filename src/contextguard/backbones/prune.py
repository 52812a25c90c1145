"""``with contextguard.prune(model, method) as run``: prune whatever the model is called with."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from contextguard.backbones import TESTED_TRANSFORMERS, backbone_for
from contextguard.backbones.base import Planner
from contextguard.backbones.hooks import PruneHooks
from contextguard.backbones.report import PruneReport
from contextguard.errors import CallError, SettingError
from contextguard.plan import PrunePlan

_ACTIVE: weakref.WeakSet[nn.Module] = weakref.WeakSet()
_WARNED: set[str] = set()


class PruneRun:
    """What happens in a ``prune`` block; still readable when the block has ended."""

    def __init__(self, hooks: PruneHooks) -> None:
        self._hooks = hooks

    @property
    def plans(self) -> list[list[PrunePlan]]:
        """Plans of the last prefill with video: by row of the batch, then by video.

        A row without video has an empty list. Beams and returned sequences are rows of their own
        and share the plans of their sample. Empty before the first prefill.
        """
        return self._hooks.plans

    @property
    def report(self) -> PruneReport:
        """Token counts, seconds, tower calls and warnings, summed over the block's calls."""
        return self._hooks.report

    def reset(self) -> None:
        """Forget plans and report; what follows starts from zero."""
        self._hooks.plans = []
        self._hooks.report = PruneReport(tower_calls=dict.fromkeys(self._hooks.parts.towers, 0))

    def __repr__(self) -> str:
        return f"PruneRun({self.report})"


@contextmanager
def prune(model: nn.Module, method: Planner) -> Iterator[PruneRun]:
    """Prune every video the model sees inside the block, before its decoder.

    ``model(...)`` and ``model.generate(...)`` are called as ever; outputs of ``forward`` have the
    kept tokens only, ``generate`` returns what it always does. Nothing of the model is replaced:
    the hooks go when the block ends. A cache filled inside the block keeps counting the original
    tokens and can be continued there.

    Args:
        model: a ``Qwen2_5OmniThinkerForConditionalGeneration``; of a model that also speaks, its
            ``thinker`` (text only: the talker reads hidden states of every original token).
        method: anything with ``plan(clip) -> PrunePlan``, e.g. ``ContextGuard(...)``.

    Raises:
        UnsupportedModelError: no backbone knows the model's class.
        SettingError: ``method`` cannot plan.
        CallError: the model is in another ``prune`` block; inside the block, calls whose result
            would silently be wrong.
        PlanError: inside the block, plans that do not fit.
    """
    backbone = backbone_for(model)
    if isinstance(method, type) or not callable(getattr(method, "plan", None)):
        raise SettingError(
            f"method must be an object with plan(clip), got {method!r}"
            + ("; create one, with ()" if isinstance(method, type) else "")
        )
    if model in _ACTIVE:
        raise CallError("the model is already in a prune block; end that one first")
    _warn_if_untested()
    hooks = PruneHooks(backbone, model, method)
    _ACTIVE.add(model)
    try:
        with hooks.installed():
            yield PruneRun(hooks)
    finally:
        _ACTIVE.discard(model)


def _warn_if_untested() -> None:
    import transformers
    from packaging.version import Version

    version = transformers.__version__
    if Version(version) > Version(TESTED_TRANSFORMERS) and version not in _WARNED:
        _WARNED.add(version)
        warnings.warn(
            f"transformers {version} is newer than {TESTED_TRANSFORMERS}, the newest release "
            "contextguard was tested with; check answers against Full() before relying on them",
            stacklevel=4,
        )
