"""What a pruned run did: token counts, seconds, tower calls, warnings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch


@dataclass
class PruneReport:
    """Sums over the calls made in a ``prune`` block; call ``run.reset()`` to start again.

    Counts are of the decoder's rows: with n beams or returned sequences every sample counts n
    times, and with ``use_cache=False`` every generated token prefills, and counts, anew. Padding
    counts nowhere.

    Attributes:
        prefills: decoder passes over a sequence with video.
        video, video_kept: video tokens before and after.
        audio, audio_kept: audio tokens before and after, those without video included.
        image: image tokens; all are kept.
        text: all other tokens; all are kept.
        seconds: ``encode`` in the towers, ``plan`` locating, planning and gathering, ``prefill``
            the decoder's passes over sequences with video.
        tower_calls: forward passes of each tower.
        warnings: the plans' and the backbone's, each once, in order.
    """

    prefills: int = 0
    video: int = 0
    video_kept: int = 0
    audio: int = 0
    audio_kept: int = 0
    image: int = 0
    text: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"encode": 0.0, "plan": 0.0, "prefill": 0.0}
    )
    tower_calls: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def compression(self) -> float:
        """Removed / (video + audio tokens), a fraction; 0 before the first prefill."""
        total = self.video + self.audio
        return (total - self.video_kept - self.audio_kept) / total if total else 0.0

    def warn(self, line: str) -> None:
        """Add a warning, once."""
        if line not in self.warnings:
            self.warnings.append(line)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with ``compression``."""
        return {**asdict(self), "compression": self.compression}

    def __str__(self) -> str:
        times = ", ".join(f"{name} {value:.2f} s" for name, value in self.seconds.items())
        return (
            f"video {self.video} -> {self.video_kept}, audio {self.audio} -> {self.audio_kept} "
            f"tokens, compression {self.compression:.1%}; {times}"
            + (f"; {len(self.warnings)} warnings" if self.warnings else "")
        )


def now(device: torch.device) -> float:
    """Seconds on a clock that has waited for ``device``."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def timed(report: PruneReport, part: str, device: torch.device) -> Iterator[None]:
    """Add the time of the block to ``report.seconds[part]``."""
    start = now(device)
    yield
    report.seconds[part] += now(device) - start
