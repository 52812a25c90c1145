"""Opening a local video file: what is refused, and what the header says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from contextguard.errors import MediaError
from contextguard.media.truncation import promised_bytes

SAMPLING_RATE = 16_000
"""Samples a second of every decoded sound track; the feature extractors expect this rate."""

_DEMUXERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,nut,mxf,3gp,mj2"
"""Containers that hold their own streams; playlists, which name other files, are left out."""

_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+:")


@dataclass(frozen=True)
class ClipSource:
    """What the header of a media file says.

    Attributes:
        path: the file.
        container: name of FFmpeg's demuxer.
        video_codec: codec of the picture.
        width, height: coded size in pixels, before any rotation.
        frame_rate: average native rate in frames a second, or None if the header has none.
        duration: length of the file in seconds, or None if the header has none.
        audio_codec: codec of the sound track, or None.
        audio_rate: native samples a second, or None.
        audio_channels: native channels; 0 without sound.
        audio_duration: length of the sound track in seconds, or None if the header has none.
    """

    path: Path
    container: str
    video_codec: str
    width: int
    height: int
    frame_rate: float | None
    duration: float | None
    audio_codec: str | None = None
    audio_rate: int | None = None
    audio_channels: int = 0
    audio_duration: float | None = None


def local_path(path: str | os.PathLike[str]) -> Path:
    """``path`` as an existing, non-empty regular file.

    Raises:
        MediaError: a URL or protocol string, a missing file, a directory, a pipe or device, an
            empty or unreadable file.
    """
    text = os.fspath(path)
    file = Path(text).expanduser()
    try:
        exists = file.exists()
    except (OSError, ValueError) as error:
        raise MediaError(f"{text!r} is not a file name ({error})") from error
    if not exists:
        if _URL.match(text) and not re.match(r"^[a-zA-Z]:[\\/]", text):
            raise MediaError(f"{text}: only local files are read; download the clip first")
        raise MediaError(f"{text}: no such file; check the path")
    if file.is_dir():
        raise MediaError(f"{text}: is a directory; give the video file itself")
    if not file.is_file():
        raise MediaError(f"{text}: is not a regular file; save the clip to disk first")
    if file.stat().st_size == 0:
        raise MediaError(f"{text}: the file is empty; download or export it again")
    if not os.access(file, os.R_OK):
        raise MediaError(f"{text}: permission denied; make the file readable")
    return file


@contextmanager
def open_container(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Any, Any | None]]:
    """Open ``path`` and yield (container, picture stream, sound stream or None).

    Raises:
        MediaError: see :func:`local_path`; also a file that is no video container, is cut short,
            or has no picture that can be decoded.
    """
    file = local_path(path)
    promised, size = promised_bytes(file), file.stat().st_size
    if promised is not None and promised > size:
        raise MediaError(
            f"{path}: the file is cut short, {size:,} of at least {promised:,} bytes are there; "
            "download or export it again"
        )
    try:
        container = av.open(str(file.resolve()), options={"format_whitelist": _DEMUXERS})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path}: not a readable video file ({_reason(error)}); it may be renamed, cut short "
            "or a playlist; export the clip again as mp4, mkv, webm, mov or avi"
        ) from error
    with container:
        video = container.streams.best("video")
        audio = container.streams.best("audio")
        if video is None:
            held = "sound but no picture" if audio is not None else "no picture"
            raise MediaError(f"{path}: the file holds {held}; give a file with a video stream")
        if video.disposition & Disposition.attached_pic:
            raise MediaError(
                f"{path}: the only picture is cover art; give a file with a video stream"
            )
        for stream, what in ((video, "picture"), (audio, "sound")):
            if stream is not None and stream.codec_context is None:
                raise MediaError(
                    f"{path}: no decoder for its {what}; export the clip again with h264 and AAC"
                )
        yield container, video, audio


def probe_clip(path: str | os.PathLike[str]) -> ClipSource:
    """What the header says, without decoding: milliseconds, and the same errors as decoding."""
    with open_container(path) as (container, video, audio):
        return describe(path, container, video, audio)


def describe(
    path: str | os.PathLike[str], container: Any, video: Any, audio: Any | None
) -> ClipSource:
    """The :class:`ClipSource` of an open container."""
    length = container.duration / av.time_base if container.duration else None
    source = ClipSource(
        path=Path(path),
        container=container.format.name,
        video_codec=video.codec_context.name,
        width=video.codec_context.width,
        height=video.codec_context.height,
        frame_rate=float(video.average_rate) if video.average_rate else None,
        duration=stream_duration(video) or length,
    )
    if audio is None:
        return source
    return ClipSource(
        **{
            **vars(source),
            "audio_codec": audio.codec_context.name,
            "audio_rate": audio.codec_context.sample_rate,
            "audio_channels": audio.codec_context.layout.nb_channels,
            "audio_duration": stream_duration(audio) or length,
        }
    )


def stream_duration(stream: Any) -> float | None:
    """Seconds the header gives for one stream, or None."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).splitlines()[0] if text else type(error).__name__
