"""Full: every token stays. The reference all other methods are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from contextguard.features import ClipFeatures
from contextguard.methods.base import Method
from contextguard.plan import PrunePlan


@dataclass(frozen=True)
class Full(Method):
    """Keep every video and audio token."""

    name: ClassVar[str] = "full"

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        """The plan that changes nothing."""
        return PrunePlan.keep_all(clip, method=self.name)
