"""Clips whose every frame says its own number, and whose sound is a known tone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NATIVE = 24
BITS = 8
HEIGHT, WIDTH = 48, 64


def numbered_frame(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Black and white columns spell ``number`` in binary; the top quarter is red for "up"."""
    image = np.zeros((height, width, 3), np.uint8)
    column = width // BITS
    for bit in range(BITS):
        if number >> bit & 1:
            image[height // 4 :, bit * column : (bit + 1) * column] = 255
    image[: height // 4] = (255, 0, 0)
    return image


def read_number(image: np.ndarray) -> int:
    """The number :func:`numbered_frame` drew, from an upright decoded frame."""
    height, width, _ = image.shape
    column = width // BITS
    row = image[height // 2 : -4].mean(axis=(0, 2))
    bits = row[column // 2 : BITS * column : column] > 127
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def tone(hertz: float, seconds: float, rate: int, amplitude: float = 0.4) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def main_frequency(track: np.ndarray, rate: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(track * np.hanning(len(track))))
    return float(spectrum.argmax() * rate / len(track))


CODECS = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "avi": ("mpeg4", "libmp3lame"),
    "webm": ("libvpx-vp9", "libopus"),
}


def write_clip(
    path: Path,
    *,
    numbers: Sequence[int] | None = range(2 * NATIVE),
    ticks: Sequence[int] | None = None,
    clock: int = NATIVE,
    sound: np.ndarray | None = None,
    rate: int = 48_000,
    layout: str = "stereo",
    sound_start: float = 0.0,
    pause: float | None = None,
    codecs: tuple[str, str] | None = None,
    rotation: float | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file: frame ``numbers[i]`` at ``ticks[i] / clock``; ``sound`` is ``[c, n]``.

    ``pause`` seconds without time stamps lie in the middle of the sound.
    """
    vcodec, acodec = codecs or CODECS[path.suffix[1:]]
    with av.open(str(path), "w", options=options or {}) as out:
        video = audio = None
        if numbers is not None:
            video = out.add_stream(vcodec, rate=clock)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.codec_context.time_base = Fraction(1, clock)
            if vcodec == "libx264":
                video.options = {"crf": "10", "bf": "2"}
            if vcodec == "libvpx-vp9":
                video.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}
            if rotation is not None:
                video.set_display_rotation(rotation)
        if sound is not None:
            audio = out.add_stream(acodec, rate=rate, layout=layout)
        for i, number in enumerate(numbers or ()):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number))
            frame.pts = ticks[i] if ticks is not None else i
            frame.time_base = Fraction(1, clock)
            out.mux(video.encode(frame))
        if video is not None:
            out.mux(video.encode())
        if audio is not None:
            sound = np.atleast_2d(sound)
            pieces = [sound] if pause is None else np.array_split(sound, 2, axis=1)
            begin = round(sound_start * rate)
            for piece in pieces:
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(piece), format="fltp", layout=layout
                )
                frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
                out.mux(audio.encode(frame))
                begin += piece.shape[1] + round((pause or 0) * rate)
            out.mux(audio.encode())
    return path
