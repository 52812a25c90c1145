"""Hits and divergences summed up by question type, scenario and style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from contextguard.evaluation.intervals import clustered_mean_interval, wilson
from contextguard.evaluation.results import ClipResult, QuestionResult
from contextguard.world.questions import QUESTION_TYPES
from contextguard.world.scenarios import SCENARIOS
from contextguard.world.spec import STYLES

Row = tuple[int, ClipResult, QuestionResult]
"""(number of the clip, clip, question)."""


@dataclass(frozen=True)
class Cell:
    """A group of questions.

    Attributes:
        n, clips: questions, and the clips they are about.
        hits: right answers.
        interval: 95% Wilson interval of the accuracy.
        kl: mean KL(full || pruned) of the first token, nats.
        kl_interval: its 95% interval, clips drawn together; None for fewer than two clips.
    """

    n: int
    clips: int
    hits: int
    interval: tuple[float, float]
    kl: float
    kl_interval: tuple[float, float] | None

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.hits / self.n

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Cell:
        """The cell of some questions, at least one."""
        hits = sum(q.hit for _, _, q in rows)
        kl = np.array([q.kl for _, _, q in rows])
        clips = np.array([i for i, _, _ in rows])
        return cls(
            n=len(rows),
            clips=len(np.unique(clips)),
            hits=hits,
            interval=wilson(hits, len(rows)),
            kl=float(kl.mean()),
            kl_interval=clustered_mean_interval(kl, clips),
        )


@dataclass(frozen=True)
class Scores:
    """The results of one method on a set of clips.

    Attributes:
        model, method: names.
        settings: of the method and the run.
        clips: one result a clip.
    """

    model: str
    method: str
    settings: dict[str, Any]
    clips: tuple[ClipResult, ...]

    @cached_property
    def rows(self) -> list[Row]:
        """One entry a question."""
        return [(i, clip, q) for i, clip in enumerate(self.clips) for q in clip.questions]

    @cached_property
    def overall(self) -> Cell:
        """All questions. It hides much: types that pruning cannot touch never move."""
        return Cell.of(self.rows)

    @cached_property
    def by_type(self) -> dict[str, Cell]:
        """By question type, in the world's order."""
        return _cells(self.rows, lambda row: row[2].type, QUESTION_TYPES)

    @cached_property
    def by_scenario(self) -> dict[str, Cell]:
        """By scenario, in the world's order."""
        return _cells(self.rows, lambda row: row[1].scenario, SCENARIOS)

    @cached_property
    def by_style(self) -> dict[str, Cell]:
        """By style: seen in training, or held out."""
        return _cells(self.rows, lambda row: row[1].style, STYLES)

    @cached_property
    def by_scenario_and_type(self) -> dict[str, dict[str, Cell]]:
        """By type within each scenario."""
        return {
            name: _cells(
                [r for r in self.rows if r[1].scenario == name],
                lambda row: row[2].type,
                QUESTION_TYPES,
            )
            for name in self.by_scenario
        }

    @cached_property
    def tokens(self) -> dict[str, int]:
        """Tokens of all clips: video, video_kept, audio, audio_kept."""
        names = self.clips[0].tokens
        return {name: sum(clip.tokens[name] for clip in self.clips) for name in names}

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Each warning once, with the number of clips it is about."""
        counts = Counter(line for clip in self.clips for line in clip.warnings)
        return tuple(
            f"{count} of {len(self.clips)} clips: {line}" for line, count in counts.items()
        )

    def to_dict(self, notes: Iterable[str] = ()) -> dict[str, Any]:
        """JSON-ready; ``notes`` go before the warnings."""
        return {
            "accuracy": self.overall.accuracy,
            "n": self.overall.n,
            "clips": len(self.clips),
            "by_type": _accuracies(self.by_type),
            "by_scenario": _accuracies(self.by_scenario),
            "by_style": _accuracies(self.by_style),
            "by_scenario_and_type": {
                name: _accuracies(cells) for name, cells in self.by_scenario_and_type.items()
            },
            "kl": self._each(lambda cell: cell.kl),
            "intervals": {
                "accuracy": self._each(lambda cell: list(cell.interval)),
                "kl": self._each(lambda cell: cell.kl_interval and list(cell.kl_interval)),
            },
            "tokens": self.tokens,
            "model": self.model,
            "method": self.method,
            "settings": self.settings,
            "warnings": [*notes, *self.warnings],
        }

    def _each(self, value: Callable[[Cell], Any]) -> dict[str, Any]:
        return {
            "overall": value(self.overall),
            **{
                name: {key: value(cell) for key, cell in cells.items()}
                for name, cells in (
                    ("by_type", self.by_type),
                    ("by_scenario", self.by_scenario),
                    ("by_style", self.by_style),
                )
            },
        }


def _accuracies(cells: dict[str, Cell]) -> dict[str, dict[str, float]]:
    return {key: {"accuracy": cell.accuracy, "n": cell.n} for key, cell in cells.items()}


def _cells(rows: Sequence[Row], key: Callable[[Row], str], order: Iterable[str]) -> dict[str, Cell]:
    """A cell for each key that occurs, in ``order``; keys it does not know come last."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    known = [name for name in order if name in groups]
    return {name: Cell.of(groups[name]) for name in [*known, *sorted(set(groups) - set(known))]}
