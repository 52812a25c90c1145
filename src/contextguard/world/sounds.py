"""Sounds of the world: one synthesiser a class, and digit codes as telephone tone pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

SAMPLE_RATE = 16000
CODE_SECONDS = 0.6
_FADE_SECONDS = 0.01
_OTHER_SPEEDS = (0.7, 0.75, 1.35, 1.45)
"""Pitch and tempo of held-out sounds: beyond most of what the classes' own ranges reach."""

DTMF: dict[str, tuple[int, int]] = {
    "1": (697, 1209),
    "2": (697, 1336),
    "3": (697, 1477),
    "4": (770, 1209),
    "5": (770, 1336),
    "6": (770, 1477),
    "7": (852, 1209),
    "8": (852, 1336),
    "9": (852, 1477),
    "0": (941, 1336),
}
"""Frequencies of the two tones of a digit, in Hz."""


def _clock_of(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _repeat(
    stroke: NDArray[np.float64], t: NDArray[np.float64], first: float, period: float
) -> NDArray[np.float64]:
    """``stroke`` at ``first``, ``first + period``, ... (seconds)."""
    out = np.zeros(len(t))
    for start in np.arange(first, t[-1], period):
        i = int(start * SAMPLE_RATE)
        n = min(len(stroke), len(t) - i)
        out[i : i + n] += stroke[:n]
    return out


def _bell(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    f, s = rng.uniform(450, 800), _clock_of(1.2)
    partials = ((1.0, 1.0, 3.0), (2.76, 0.6, 4.0), (5.4, 0.35, 7.0))
    stroke = sum(a * np.sin(2 * np.pi * f * m * s) * np.exp(-s * d) for m, a, d in partials)
    return _repeat(np.asarray(stroke), t, rng.uniform(0, 0.4), rng.uniform(0.7, 1.1))


def _drum(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    f, s = rng.uniform(60, 110), _clock_of(0.3)
    sweep = f * s + 40 * (1 - np.exp(-s * 30)) / 30
    stroke = np.sin(2 * np.pi * sweep) * np.exp(-s * 14) * 1.2
    stroke += rng.normal(0, 0.3, len(s)) * np.exp(-s * 40)
    return _repeat(stroke, t, rng.uniform(0, 0.3), rng.uniform(0.25, 0.45))


def _siren(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    f = rng.uniform(750, 950) + 300 * np.sin(
        2 * np.pi * rng.uniform(0.4, 0.9) * t + rng.uniform(0, 6)
    )
    phase = 2 * np.pi * np.cumsum(f) / SAMPLE_RATE
    return np.sin(phase) + 0.4 * np.sin(2 * phase)


def _engine(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    f = rng.uniform(55, 100) * (
        1 + 0.15 * np.sin(2 * np.pi * rng.uniform(0.2, 0.5) * t + rng.uniform(0, 6))
    )
    phase = np.cumsum(f) / SAMPLE_RATE
    saw = (phase % 1 * 2 - 1) * (0.7 + 0.3 * np.sin(np.pi * phase))
    return saw + rng.normal(0, 0.1, len(t))


def _bird(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    s = _clock_of(rng.uniform(0.08, 0.18))
    chirp = np.sin(2 * np.pi * (rng.uniform(2500, 3500) * s + rng.uniform(4000, 9000) * s * s))
    return _repeat(chirp * np.hanning(len(s)), t, rng.uniform(0, 0.3), rng.uniform(0.3, 0.6))


def _boat(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    swell = np.sin(2 * np.pi * rng.uniform(0.25, 0.5) * t + rng.uniform(0, 6))
    surf = np.convolve(rng.normal(0, 1, len(t)), np.ones(6) / 2.5, "same")
    return 0.7 * surf * (0.35 + 0.65 * np.clip(swell, 0, 1))


def _phone(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    tone = np.sin(2 * np.pi * rng.uniform(430, 450) * t) + np.sin(
        2 * np.pi * rng.uniform(470, 490) * t
    )
    trill = np.sin(2 * np.pi * 20 * t) > 0
    ring = (t + rng.uniform(0, 1)) % 1.2 < 0.8
    return 0.8 * tone * trill * ring


def _clock(t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    s, period, first = _clock_of(0.03), rng.uniform(0.4, 0.6), rng.uniform(0, 0.3)

    def tick(f: float) -> NDArray[np.float64]:
        hiss = rng.normal(0, 0.5, len(s)) * np.exp(-s * 300)
        return np.sin(2 * np.pi * f * s) * np.exp(-s * 150) * 2 + hiss

    return _repeat(tick(1700), t, first, 2 * period) + _repeat(
        tick(2200), t, first + period, 2 * period
    )


_SYNTH: dict[str, Callable[[NDArray[np.float64], Generator], NDArray[np.float64]]] = {
    "bell": _bell,
    "drum": _drum,
    "siren": _siren,
    "engine": _engine,
    "bird": _bird,
    "boat": _boat,
    "phone": _phone,
    "clock": _clock,
}


def sound(name: str, seconds: float, rng: Generator) -> FloatArray:
    """The sound of a class for ``seconds``, mono at 16 kHz, peak 1."""
    wave = _SYNTH[name](_clock_of(seconds), rng)
    return np.asarray(wave / (np.abs(wave).max() + 1e-6), np.float32)


def _played(name: str, seconds: float, speed: float, rng: Generator) -> FloatArray:
    """The sound of a class at ``speed`` times its pitch and tempo."""
    if speed == 1.0:
        return sound(name, seconds, rng)
    wave = sound(name, seconds * speed + 0.01, rng)
    at = _clock_of(seconds) * speed * SAMPLE_RATE
    return np.interp(at, np.arange(len(wave)), wave).astype(np.float32)


def soundtrack(
    name: str,
    codes: list[tuple[float, str]],
    seconds: float,
    rng: Generator,
    heard: tuple[float, float] | None = None,
    style: str = "seen",
) -> FloatArray:
    """A class's sound with digit codes over it.

    Args:
        name: the sounding class.
        codes: (start in seconds, digit) of each code; the sound is lowered under a code.
        seconds: length.
        rng: draws the sound's parameters, loudness and hiss.
        heard: (from, until) in seconds of the class's sound; None is always.
        style: ``seen``, or ``held_out``: the sound faster or slower than any in training, the
            codes softer and out of tune.

    Returns:
        float32 ``[seconds * 16000]``, within [-1, 1].
    """
    t = _clock_of(seconds)
    held_out = style == "held_out"
    speed = float(rng.choice(_OTHER_SPEEDS)) if held_out else 1.0
    background = _played(name, seconds, speed, rng) * rng.uniform(0.4, 0.8)
    if heard is not None:
        fade = np.minimum(t - heard[0], heard[1] - t) / _FADE_SECONDS
        background = background * np.clip(fade, 0, 1)
    tune, level = (1.015, 0.35) if held_out else (1.0, 0.5)
    tones = np.zeros(len(t))
    duck = np.ones(len(t))
    for start, char in codes:
        i, j = int(start * SAMPLE_RATE), int((start + CODE_SECONDS) * SAMPLE_RATE)
        low, high = (f * tune for f in DTMF[char])
        tones[i:j] = level * (np.sin(2 * np.pi * low * t[i:j]) + np.sin(2 * np.pi * high * t[i:j]))
        duck[i:j] = 0.4
    mix = background * duck + tones * rng.uniform(0.6, 0.9) + rng.normal(0, 0.003, len(t))
    return np.clip(mix * rng.uniform(0.5, 1.0), -1, 1).astype(np.float32)
