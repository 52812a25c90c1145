"""Clips of the world as real files: h264 and AAC in mp4, written with PyAV."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from contextguard.world.render import audio, frames
from contextguard.world.sounds import SAMPLE_RATE
from contextguard.world.spec import SIZE, ClipSpec

FRAME_RATE = 8
"""Frames a second of a written file; signs change and cuts fall on whole seconds."""
_FILE_SAMPLE_RATE = 48000
_AAC_FRAME = 1024


def write_clip(spec: ClipSpec, path: Path) -> None:
    """Write ``spec`` to ``path``, an ``.mp4`` file that is overwritten; the same bytes every time.

    A write that fails or is interrupted leaves nothing there.

    Raises:
        OSError: the folder is missing or closed, or the disk is full.
    """
    data = _encoded(spec)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _encoded(spec: ClipSpec) -> bytes:
    """The file, made in memory: a full disk is then met by one plain write."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        # With threads or vector code x264 gives other bytes from run to run.
        options = {"crf": "26", "threads": "1", "x264-params": "asm=0"}
        picture = container.add_stream("libx264", rate=FRAME_RATE, options=options)
        picture.width = picture.height = SIZE
        picture.pix_fmt = "yuv420p"
        track = container.add_stream("aac", rate=_FILE_SAMPLE_RATE, layout="mono")
        track.bit_rate = 96000
        camera = np.random.default_rng(spec.camera_seed)
        for image in frames(spec, FRAME_RATE, camera):
            shown = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            container.mux(picture.encode(shown))
        container.mux(picture.encode(None))
        for sound in _resampled(audio(spec)):
            container.mux(track.encode(sound))
        container.mux(track.encode(None))
    return buffer.getvalue()


def _resampled(wave: NDArray[np.float32]) -> list[av.AudioFrame]:
    """``wave`` at the file's rate, cut to whole AAC frames: the sound ends with the picture."""
    source = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    source.sample_rate = SAMPLE_RATE
    source.time_base = Fraction(1, SAMPLE_RATE)
    resampler = av.AudioResampler("fltp", "mono", _FILE_SAMPLE_RATE, frame_size=_AAC_FRAME)
    sounds = [*resampler.resample(source), *resampler.resample(None)]
    return [s for s in sounds if s.samples == _AAC_FRAME]
