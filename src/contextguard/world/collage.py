"""Dense practice material for the towers: frames and sounds where every token has a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from contextguard.world.clip import CELL, GRID, SIGN, SIZE, audio_labels
from contextguard.world.places import MARGIN, VARIANTS, ground, sensor_noise
from contextguard.world.sounds import CODE_SECONDS, soundtrack
from contextguard.world.sprites import RGB, SIGN_FONTS, FloatArray, digit, paste, sprite
from contextguard.world.words import CLASSES, COLORS, DIGITS, PLACES, SHAPES, VISUAL_WORDS

_INDEX = {word: i for i, word in enumerate(VISUAL_WORDS)}


def collage(rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A frame whose cells hold random digits and shapes, mostly with one big object on top.

    Returns:
        uint8 ``[196, 196, 3]`` and bool ``[49, len(VISUAL_WORDS)]``.
    """
    place = str(rng.choice(PLACES))
    ox, oy = rng.integers(0, MARGIN, 2)
    texture = ground(place, int(rng.integers(VARIANTS)), SIZE)[oy : oy + SIZE, ox : ox + SIZE]
    image = texture + rng.normal(0, 10, 3).astype(np.float32)
    labels = np.zeros((GRID * GRID, len(VISUAL_WORDS)), bool)
    labels[:, _INDEX[place]] = True
    for cell in range(GRID * GRID):
        x, y = (cell % GRID) * CELL, (cell // GRID) * CELL
        kind = rng.random()
        dx, dy = (int(v) for v in rng.integers(-3, 4, 2))
        if kind < 0.4:
            _draw_sign(image, rng, x + dx - 1, y + dy - 1, labels[cell])
            labels[cell, _INDEX[place]] = False
        elif kind < 0.75:
            _draw_shape(image, rng, x + dx + 1, y + dy + 1, labels[cell])
    if rng.random() < 0.7:
        _draw_thing(image, rng, labels)
    nx, ny = rng.integers(0, MARGIN, 2)
    noisy = image + sensor_noise(SIZE)[ny : ny + SIZE, nx : nx + SIZE]
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def _draw_sign(image: FloatArray, rng: Generator, x: int, y: int, label: NDArray[np.bool_]) -> None:
    char = str(rng.choice(DIGITS))
    _paste_sign(image, char, bool(rng.integers(2)), str(rng.choice(SIGN_FONTS)), x, y)
    label[_INDEX[char]] = True


def _paste_sign(image: FloatArray, char: str, dark: bool, font: str, x: int, y: int) -> None:
    paper, ink = ((25, 25, 30), (250, 240, 120)) if dark else ((245, 245, 240), (10, 10, 10))
    paste(image, np.ones((SIGN, SIGN), np.float32), np.array(paper, np.float32), x, y)
    paste(image, digit(char, SIGN, font), np.array(ink, np.float32), x, y)


def _draw_shape(
    image: FloatArray, rng: Generator, x: int, y: int, label: NDArray[np.bool_]
) -> None:
    shape, color = str(rng.choice(SHAPES)), str(rng.choice(COLORS))
    s = sprite(shape, int(rng.integers(24, 29)), int(rng.choice((-8, 0, 8))))
    paste(image, s.alpha, RGB[color] * s.shade[..., None], x, y)
    label[[_INDEX[shape], _INDEX[color]]] = True


def _draw_thing(image: FloatArray, rng: Generator, labels: NDArray[np.bool_]) -> None:
    name, color = str(rng.choice(CLASSES)), str(rng.choice(COLORS))
    size = int(rng.integers(58, 79))
    s = sprite(name, size, int(rng.choice((-10, -5, 0, 5, 10))))
    x, y = (int(v) for v in rng.integers(-4, SIZE - size + 5, 2))
    paste(image, s.alpha, RGB[color] * s.shade[..., None], x, y)
    mask = np.zeros((SIZE, SIZE, 1), np.float32)
    paste(mask, (s.alpha > 0.5).astype(np.float32), np.ones(1, np.float32), x, y)
    share = mask[..., 0].reshape(GRID, CELL, GRID, CELL).mean((1, 3)).ravel()
    labels[share > 0.35, _INDEX[SHAPES[0]] :] = False
    labels[share > 0.2, _INDEX[name]] = True
    labels[share > 0.2, _INDEX[color]] = True


def practice_sound(rng: Generator, seconds: int = 2) -> tuple[FloatArray, NDArray[np.bool_]]:
    """A class's sound with as many digit codes as fit.

    Returns:
        float32 ``[seconds * 16000]`` and bool ``[seconds * 25, len(AUDIO_WORDS)]``.
    """
    sound = int(rng.integers(len(CLASSES)))
    codes: list[tuple[float, int]] = []
    start = float(rng.uniform(0, 0.4))
    crowded = rng.random() < 0.75
    while start < seconds - CODE_SECONDS:
        codes.append((start, int(rng.integers(10))))
        start += float(rng.uniform(0.65, 1.0)) if crowded else seconds
    wave = soundtrack(CLASSES[sound], [(s, str(d)) for s, d in codes], seconds, rng)
    return wave, audio_labels(sound, codes, seconds)


@dataclass(frozen=True, eq=False)
class PracticeClip:
    """A crowded still clip of 2 s with questions that no marginal guess answers.

    Attributes:
        frames: uint8 ``[4, 196, 196, 3]`` at 2 fps.
        wave: float32 ``[32000]``.
        questions: (question, answer): the colour of every shape and of the object, both digits.
    """

    frames: NDArray[np.uint8]
    wave: FloatArray
    questions: list[tuple[str, str]]


def practice_clip(rng: Generator) -> PracticeClip:
    """All six shapes in different colours, an object, a sign whose digit always changes.

    In a clip of the world two colours compete for an answer, so guessing among those in sight is
    half right and binding colour to shape is learned late; here guessing fails.
    """
    place, thing = str(rng.choice(PLACES)), str(rng.choice(CLASSES))
    ox, oy = rng.integers(0, MARGIN, 2)
    texture = ground(place, int(rng.integers(VARIANTS)), SIZE)[oy : oy + SIZE, ox : ox + SIZE]
    image = texture + rng.normal(0, 10, 3).astype(np.float32)
    bx, by = (int(v) for v in rng.integers(0, GRID - 2, 2))
    free = [
        (x, y)
        for y in range(GRID)
        for x in range(GRID)
        if not (bx <= x < bx + 3 and by <= y < by + 3)
    ]
    cells = [free[i] for i in rng.permutation(len(free))]
    size, thing_color = int(rng.integers(58, 79)), str(rng.choice(COLORS))
    big = sprite(thing, size, int(rng.choice((-10, -5, 0, 5, 10))))
    shift = (3 * CELL - size) // 2
    paste(
        image,
        big.alpha,
        RGB[thing_color] * big.shade[..., None],
        bx * CELL + shift,
        by * CELL + shift,
    )
    asked = [(f"what color is the {thing} ?", thing_color)]
    for shape, color in zip(SHAPES, rng.permutation(COLORS), strict=True):
        asked.append((f"what color is the {shape} ?", str(color)))
        for _ in range(int(rng.integers(1, 3))):
            x, y = cells.pop()
            s = sprite(shape, int(rng.integers(24, 29)), int(rng.choice((-8, 0, 8))))
            dx, dy = (int(v) for v in rng.integers(-2, 3, 2))
            paste(
                image,
                s.alpha,
                RGB[str(color)] * s.shade[..., None],
                x * CELL + dx + 1,
                y * CELL + dy + 1,
            )
    first, last = (str(d) for d in rng.choice(DIGITS, 2, replace=False))
    asked += [("which digit is shown first ?", first), ("which digit is shown last ?", last)]
    x, y = cells.pop()
    dark, font = bool(rng.integers(2)), str(rng.choice(SIGN_FONTS))
    shown = []
    for char in (first, last):
        signed = image.copy()
        _paste_sign(signed, char, dark, font, x * CELL - 1, y * CELL - 1)
        for _ in range(2):
            nx, ny = rng.integers(0, MARGIN, 2)
            noisy = signed + sensor_noise(SIZE)[ny : ny + SIZE, nx : nx + SIZE]
            shown.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return PracticeClip(np.stack(shown), practice_sound(rng)[0], asked)
