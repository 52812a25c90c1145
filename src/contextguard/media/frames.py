"""Sampling a picture stream: at each sample time, the frame that was on screen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextguard.errors import MediaError

CLOCK = 0.002
"""Seconds two time stamps may differ and still mean the same moment: Matroska's clock has 1 ms."""


class FrameSampler:
    """Takes decoded frames in display order and keeps those on screen at i / fps.

    Times count from the first frame. Frame i is the last one whose time is at most i / fps (within
    :data:`CLOCK`). Only sampled frames are converted and held.

    Args:
        fps: samples a second.
        native_rate: frames a second of the stream, for frames without a duration of their own.
        expected: number of samples the header leads one to expect (a hint for the buffer).
        limit: most samples that may be held.

    Raises:
        MediaError: more samples than ``limit``, as after a jump in broken time stamps.
    """

    def __init__(
        self, fps: float, native_rate: float | None, expected: int, limit: int = 1_000_000
    ) -> None:
        self.fps = fps
        self.start: float | None = None
        self.times: list[float] = []
        self.resized = 0
        self._frame_length = 1.0 / native_rate if native_rate else 0.0
        self._expected = max(2, expected)
        self._limit = limit
        self._buffer: NDArray[np.uint8] = np.empty((0, 0, 0, 3), np.uint8)
        self._size = (0, 0)
        self._held: Any = None
        self._held_time = 0.0

    def push(self, frame: Any) -> None:
        """Take the next decoded frame."""
        stamp = frame.time
        if stamp is None:
            stamp = (self.start or 0.0) + (
                0.0 if self._held is None else self._held_time + self._frame_length
            )
        if self.start is None:
            self.start = float(stamp)
            self._size = (frame.width, frame.height)
        time = max(float(stamp) - self.start, self._held_time)
        if self._held is not None:
            self._sample_until(time)
        self._held, self._held_time = frame, time

    @property
    def duration(self) -> float:
        """Seconds from the first frame's start to the last frame's end; 0 before any frame."""
        if self._held is None:
            return 0.0
        own = getattr(self._held, "duration", None)
        length = float(own * self._held.time_base) if own else self._frame_length
        return self._held_time + length

    def finish(self) -> NDArray[np.uint8]:
        """The samples, uint8 ``[N, H, W, 3]``; N = floor(duration * fps), even, at least 2."""
        wanted = math.floor((self.duration + CLOCK) * self.fps)
        wanted = max(2, wanted - wanted % 2)
        image: NDArray[np.uint8] | None = None
        while len(self.times) < wanted:
            image = self._store(self._held, image)
        del self.times[wanted:]
        return self._buffer[:wanted]

    def _sample_until(self, time: float) -> None:
        """Store the held frame for every sample moment before ``time``."""
        image: NDArray[np.uint8] | None = None
        while len(self.times) / self.fps + CLOCK < time:
            image = self._store(self._held, image)

    def _store(self, frame: Any, image: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        if image is None:
            image = self._convert(frame)
        count = len(self.times)
        if count >= self._limit:
            raise MediaError(
                f"more than {self._limit} frames at {self.fps:g} fps, up to {self._held_time:.0f} "
                "s; the time stamps may be broken: sample fewer frames a second, or export anew"
            )
        if not count:
            self._buffer = np.empty((self._expected, *image.shape), np.uint8)
        elif count == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.empty_like(self._buffer)])
        self._buffer[count] = image
        self.times.append(self._held_time)
        return image

    def _convert(self, frame: Any) -> NDArray[np.uint8]:
        width, height = self._size
        if (frame.width, frame.height) != self._size:
            self.resized += 1
        image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=width, height=height)
        return upright(image, frame)


def upright(image: NDArray[np.uint8], frame: Any) -> NDArray[np.uint8]:
    """``image`` as a player shows it: turned and mirrored by the frame's display matrix.

    The matrix sends pixel (x, y) to (a x + c y, b x + d y). Angles between quarter turns, which
    players do not agree on, count as the nearest quarter turn.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        rows, columns = d, a
    else:
        image = image.swapaxes(0, 1)
        rows, columns = b, c
    return image[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1]
