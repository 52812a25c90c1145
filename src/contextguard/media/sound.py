"""A sound track as mono samples at 16 kHz, aligned with the picture."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from contextguard.media.container import SAMPLING_RATE

_GAP = 0.1
"""Seconds of missing time stamps that count as a hole, to be filled with silence."""


class SoundTrack:
    """Takes decoded audio frames and joins them into one mono track.

    Every channel is resampled to 16 kHz and the mean over channels taken, as librosa and with it
    Qwen's own utilities do. Holes in the time stamps become silence, so sound stays in step.
    """

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._samples = 0
        self._start: float | None = None
        self._next: float | None = None
        self._resampler: Any = None
        self._format: tuple[str, str, int] | None = None

    def push(self, frame: Any) -> None:
        """Take the next decoded frame."""
        time = frame.time
        if self._start is None:
            self._start = float(time or 0.0)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        hole = 0.0 if time is None or self._next is None else float(time) - self._next
        if form != self._format or hole > _GAP:
            self._flush()
            self._format = form
            self._resampler = av.AudioResampler(
                format="fltp", layout=frame.layout, rate=SAMPLING_RATE
            )
        if hole > _GAP:
            wanted = round((float(time) - self._start) * SAMPLING_RATE)
            self._append(np.zeros(max(0, wanted - self._samples), np.float32))
        begin = float(time) if time is not None else (self._next or 0.0)
        self._next = begin + frame.samples / frame.sample_rate
        self._take(self._resampler.resample(frame))

    def finish(self, picture_start: float) -> NDArray[np.float32] | None:
        """The track ``[n]`` from the first frame of the picture on; None if nothing was decoded.

        Args:
            picture_start: time stamp of the first video frame, in seconds.
        """
        self._flush()
        if self._start is None or not self._samples:
            return None
        lead = round((self._start - picture_start) * SAMPLING_RATE)
        track = np.concatenate([np.zeros(max(0, lead), np.float32), *self._parts])
        return track[max(0, -lead) :]

    @property
    def end(self) -> float:
        """Time stamp at which the sound ends, in seconds; 0 before any frame."""
        return self._next or 0.0

    def _flush(self) -> None:
        if self._resampler is not None:
            self._take(self._resampler.resample(None))
            self._resampler = None

    def _take(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame is not None and frame.samples:
                self._append(frame.to_ndarray().mean(axis=0, dtype=np.float32))

    def _append(self, samples: NDArray[np.float32]) -> None:
        self._parts.append(samples)
        self._samples += len(samples)
