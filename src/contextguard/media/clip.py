"""Decoding a clip: frames at a chosen rate and the sound beside them, in one streaming pass."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from contextguard.errors import MediaError, SettingError
from contextguard.media.container import (
    SAMPLING_RATE,
    ClipSource,
    describe,
    open_container,
)
from contextguard.media.frames import FrameSampler
from contextguard.media.sound import SoundTrack

_MEMORY = 16 * 2**30
"""Bytes of sampled frames above which a clip is refused instead of filling the memory."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A decoded clip.

    Attributes:
        frames: uint8 ``[N, H, W, 3]``, RGB, upright; N is even because two frames make one
            temporal patch.
        fps: frames a second of ``frames``; frame i was on screen at i / fps.
        audio: float32 ``[n]``, mono, from the first frame's start on; None without a sound track.
            A track of digital silence is sound.
        sampling_rate: samples a second of ``audio``.
        duration: seconds of picture.
        path: the file.
        source: what its header says.
        frame_times: the time stamp of each sampled frame, in seconds from the first.
        decode_seconds: wall time decoding took.
        warnings: one line for everything that was mended while decoding.
    """

    frames: NDArray[np.uint8]
    fps: float
    audio: NDArray[np.float32] | None
    sampling_rate: int
    duration: float
    path: Path
    source: ClipSource
    frame_times: tuple[float, ...]
    decode_seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def audio_seconds(self) -> float:
        """Length of the sound in seconds; 0 without sound."""
        return 0.0 if self.audio is None else len(self.audio) / self.sampling_rate

    def __repr__(self) -> str:
        n, h, w, _ = self.frames.shape
        sound = f"{self.audio_seconds:.2f} s sound" if self.audio is not None else "no sound"
        return f"Clip({self.path.name}: {n} frames of {w}x{h} at {self.fps:g} fps, {sound})"


def load_clip(
    path: str | os.PathLike[str], fps: float = 2.0, *, max_sound_seconds: float | None = None
) -> Clip:
    """Decode a local video file.

    Args:
        path: mp4, mkv, webm, mov, avi or another container FFmpeg reads. URLs and playlists are
            refused.
        fps: frames a second to sample, in (0, 240].
        max_sound_seconds: refuse a longer sound track, before decoding where the header tells.

    Raises:
        MediaError: a file that is missing, empty, broken, cut short, or holds no picture; a sound
            track longer than ``max_sound_seconds``; sampled frames that would not fit in memory.
        SettingError: ``fps`` out of range.
    """
    check_fps(fps)
    begin = time.perf_counter()
    with open_container(path) as (container, video, audio):
        source = describe(path, container, video, audio)
        expected = math.ceil((source.duration or 0) * fps)
        _check_size(source, expected)
        _check_sound(source, source.audio_duration, max_sound_seconds)
        limit = max(2, _MEMORY // (source.width * source.height * 3))
        frames = FrameSampler(float(fps), source.frame_rate, expected, limit)
        sound = SoundTrack()
        try:
            skipped = _decode(container, video, audio, frames, sound)
        except MediaError as error:
            raise MediaError(f"{path}: {error}") from error
        if frames.start is None:
            raise MediaError(
                f"{path}: no frame of the {source.video_codec} picture can be decoded; "
                "export the clip again"
            )
        track = sound.finish(frames.start) if audio is not None else None
    _check_sound(source, len(track) / SAMPLING_RATE if track is not None else 0, max_sound_seconds)
    images = frames.finish()
    return Clip(
        frames=images,
        fps=float(fps),
        audio=track,
        sampling_rate=SAMPLING_RATE,
        duration=frames.duration,
        path=Path(path),
        source=source,
        frame_times=tuple(frames.times),
        decode_seconds=time.perf_counter() - begin,
        warnings=tuple(_warnings(source, frames, skipped, track)),
    )


def check_fps(fps: float) -> None:
    """Raise :class:`SettingError` unless ``fps`` can be sampled at."""
    if not (isinstance(fps, (int, float)) and 0 < fps <= 240):
        raise SettingError(f"fps must be in (0, 240], got {fps!r}")


def _decode(
    container: Any, video: Any, audio: Any | None, frames: FrameSampler, sound: SoundTrack
) -> dict[str, int]:
    """Read the file once, front to back; returns the packets of each kind that would not decode."""
    video.thread_type = "AUTO"
    streams = [video] if audio is None else [video, audio]
    skipped = {"picture": 0, "sound": 0}
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            skipped["picture"] += 1
            packet = None
        if packet is None:
            return skipped
        is_picture = packet.stream.index == video.index
        try:
            decoded = packet.decode()
        except (av.FFmpegError, ValueError):
            skipped["picture" if is_picture else "sound"] += 1
            continue
        for frame in decoded:
            if is_picture:
                frames.push(frame)
            else:
                sound.push(frame)


def _check_size(source: ClipSource, expected: int) -> None:
    needed = expected * source.width * source.height * 3
    if needed > _MEMORY:
        raise MediaError(
            f"{source.path}: {expected} frames of {source.width}x{source.height} need "
            f"{needed / 2**30:.0f} GiB of memory (limit {_MEMORY / 2**30:.0f}); "
            "sample fewer frames a second or cut the clip"
        )


def _check_sound(source: ClipSource, seconds: float | None, limit: float | None) -> None:
    if limit is not None and seconds is not None and seconds > limit + 0.05:
        raise MediaError(
            f"{source.path}: {seconds:.1f} s of sound, the model's audio front end takes "
            f"{limit:g} s and would drop the rest; cut the clip"
        )


def _warnings(
    source: ClipSource,
    frames: FrameSampler,
    skipped: dict[str, int],
    track: NDArray[np.float32] | None,
) -> list[str]:
    lines = [
        f"{count} packets of the {kind} could not be decoded and were left out"
        for kind, count in skipped.items()
        if count
    ]
    if source.audio_codec is not None and track is None:
        lines.append("the sound track holds no samples: treated as a clip without sound")
    if frames.resized:
        lines.append(f"{frames.resized} frames of another size were scaled to the first one's")
    if frames.duration * frames.fps < 2:
        lines.append(
            f"{frames.duration:.2f} s give fewer than two frames at {frames.fps:g} fps: "
            "the last frame was repeated"
        )
    return lines
