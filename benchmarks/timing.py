"""Timing in turns: A B A B, so that a change of the machine's load meets all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from rich.console import Console


def medians_ms(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each function, run in turns after one warm-up round.

    CPU time of the calling thread, which all of them run on alone: on a shared machine the wall
    time of the longer ones would hold more of other processes' turns.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(repeats + 1):
        for name, function in functions.items():
            start = time.thread_time()
            function()
            if round_:
                taken[name].append(1e3 * (time.thread_time() - start))
    return {name: statistics.median(times) for name, times in taken.items()}


def wide_console() -> Console:
    """A console of at least 120 columns: a table cut to 80 in a pipe loses its headings."""
    return Console(width=max(Console().width, 120))
