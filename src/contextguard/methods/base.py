"""The one thing a method does: look at a clip's features and say what stays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from contextguard.features import ClipFeatures
from contextguard.plan import PrunePlan


class Method(ABC):
    """Base of every pruning method. A subclass is one small file: settings and :meth:`plan`."""

    name: ClassVar[str]
    """The name the command line and the reports use."""
    reads_question: ClassVar[bool] = False
    """Whether what stays also depends on the question: then nothing is shared between questions."""

    @abstractmethod
    def plan(self, clip: ClipFeatures) -> PrunePlan:
        """Decide which tokens of ``clip`` stay, which merge, and why."""

    def settings(self) -> dict[str, Any]:
        """The settings, JSON-ready, as plans and reports record them."""
        return {}
