"""Clips of the world as real files: h264 and AAC in mp4, written with PyAV."""

from __future__ import annotations

import argparse
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.random import Generator

from contextguard.world.clip import SIZE, ClipSpec, ambient, audio, frame
from contextguard.world.questions import QUESTION_TYPES, question
from contextguard.world.sounds import SAMPLE_RATE

FRAME_RATE = 8
"""Frames a second of a written file; signs change and cuts fall on whole seconds."""
_FILE_SAMPLE_RATE = 48000
_AAC_FRAME = 1024


def write_clip(spec: ClipSpec, path: Path, camera: Generator) -> None:
    """Write ``spec`` to ``path``; an interrupted write leaves no file there.

    Args:
        spec: the clip.
        path: an ``.mp4`` file; overwritten.
        camera: draws the sensor noise.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with av.open(str(part), "w", format="mp4") as container:
            picture = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "26"})
            picture.width = picture.height = SIZE
            picture.pix_fmt = "yuv420p"
            track = container.add_stream("aac", rate=_FILE_SAMPLE_RATE, layout="mono")
            track.bit_rate = 96000
            for i in range(round(spec.seconds * FRAME_RATE)):
                image = av.VideoFrame.from_ndarray(frame(spec, i / FRAME_RATE, camera), "rgb24")
                container.mux(picture.encode(image))
            container.mux(picture.encode(None))
            for sound in _resampled(audio(spec)):
                container.mux(track.encode(sound))
            container.mux(track.encode(None))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _resampled(wave: np.ndarray) -> list[av.AudioFrame]:
    """``wave`` at the file's rate, cut to whole AAC frames: the sound ends with the picture."""
    source = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    source.sample_rate = SAMPLE_RATE
    source.time_base = Fraction(1, SAMPLE_RATE)
    resampler = av.AudioResampler("fltp", "mono", _FILE_SAMPLE_RATE, frame_size=_AAC_FRAME)
    sounds = [*resampler.resample(source), *resampler.resample(None)]
    return [s for s in sounds if s.samples == _AAC_FRAME]


def main() -> None:
    """``python -m contextguard.world.files --seed 7 --index 0 --seconds 6 -o clip.mp4``."""
    parser = argparse.ArgumentParser(prog="contextguard.world.files", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="an .mp4 file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", type=int, default=0, help="which clip of the seed")
    parser.add_argument("--seconds", type=int, default=6)
    args = parser.parse_args()
    rng = np.random.default_rng([args.seed, args.index])
    spec = ambient(rng, args.seconds)
    write_clip(spec, args.output, rng)
    for kind in QUESTION_TYPES:
        print(*question(spec, kind))


if __name__ == "__main__":
    main()
