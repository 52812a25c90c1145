"""Dense practice material for the towers and the decoder: every token has a label or a question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from contextguard.world.places import MARGIN, NEUTRAL, VARIANTS, ground, sensor_noise
from contextguard.world.render import paint_sign, paint_sprite
from contextguard.world.sounds import CODE_SECONDS, soundtrack
from contextguard.world.spec import CELL, GRID, SIGN, SIZE, Item
from contextguard.world.sprites import SIGN_FONTS, FloatArray, sprite
from contextguard.world.truth import VISUAL_INDEX, audio_labels, coverage, mark_pose
from contextguard.world.words import CLASSES, COLORS, DIGITS, PLACES, SHAPES, VISUAL_WORDS

Bools = NDArray[np.bool_]
_TRAINED = "seen"


def _canvas(rng: Generator) -> tuple[FloatArray, str]:
    """An empty frame, most often of a place, and the name of its ground."""
    name = str(rng.choice(PLACES)) if rng.random() < 0.7 else str(rng.choice(NEUTRAL))
    ox, oy = rng.integers(0, MARGIN, 2)
    texture = ground(name, int(rng.integers(VARIANTS)), SIZE)[oy : oy + SIZE, ox : ox + SIZE]
    return texture + rng.normal(0, 10, 3).astype(np.float32), name


def _shoot(rng: Generator, image: FloatArray) -> NDArray[np.uint8]:
    nx, ny = rng.integers(0, MARGIN, 2)
    noisy = image + sensor_noise(SIZE)[ny : ny + SIZE, nx : nx + SIZE]
    return np.asarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _small_shape(rng: Generator, name: str, color: str) -> Item:
    return Item("shape", name, color, 0, 0, int(rng.integers(24, 29)), int(rng.choice((-8, 0, 8))))


def collage(rng: Generator) -> tuple[NDArray[np.uint8], Bools]:
    """A frame whose cells hold random digits and shapes, mostly with one big object on top.

    Returns:
        uint8 ``[196, 196, 3]`` and bool ``[49, len(VISUAL_WORDS)]``.
    """
    image, name = _canvas(rng)
    labels = np.zeros((GRID * GRID, len(VISUAL_WORDS)), bool)
    if name in PLACES:
        labels[:, VISUAL_INDEX[name]] = True
    for cell in range(GRID * GRID):
        x, y = (cell % GRID) * CELL, (cell // GRID) * CELL
        kind = rng.random()
        dx, dy = (int(v) for v in rng.integers(-3, 4, 2))
        if kind < 0.4:
            char, tone = str(rng.choice(DIGITS)), ("light", "dark")[int(rng.integers(2))]
            font = str(rng.choice(SIGN_FONTS[_TRAINED]))
            paint_sign(image, char, tone, font, x + dx - 1, y + dy - 1, SIGN)
            labels[cell] = False
            labels[cell, VISUAL_INDEX[char]] = True
        elif kind < 0.75:
            shape = _small_shape(rng, str(rng.choice(SHAPES)), str(rng.choice(COLORS)))
            paint_sprite(image, shape, x + dx + 1, y + dy + 1, _TRAINED)
            labels[cell, [VISUAL_INDEX[shape.name], VISUAL_INDEX[shape.color]]] = True
    if rng.random() < 0.7:
        _cover(image, rng, labels)
    return _shoot(rng, image), labels


def _cover(image: FloatArray, rng: Generator, labels: Bools) -> None:
    """A big object over the cells, of inset size or, nearly half of the time, of close-up size."""
    close = rng.random() < 0.45
    size = int(rng.integers(110, 161) if close else rng.integers(54, 79))
    lean = int(rng.integers(24, 37)) * (1 if rng.random() < 0.5 else -1)
    angle = lean if close else int(rng.choice((-10, -5, 0, 5, 10)))
    item = Item("thing", str(rng.choice(CLASSES)), str(rng.choice(COLORS)), 0, 0, size, angle)
    x, y = (int(v) for v in rng.integers(-size // 6, SIZE - size + size // 6, 2))
    paint_sprite(image, item, x, y, _TRAINED)
    share = coverage(sprite(item.name, size, angle, _TRAINED).alpha, x, y)
    labels[share > 0.35, VISUAL_INDEX[SHAPES[0]] :] = False
    labels[share > 0.2, VISUAL_INDEX[item.name]] = True
    labels[share > 0.2, VISUAL_INDEX[item.color]] = True
    mark_pose(labels, share > 0.2, item)


def practice_sound(rng: Generator, seconds: int = 2) -> tuple[FloatArray, Bools]:
    """A class's sound, sometimes for a while only, with one or as many codes as fit.

    Returns:
        float32 ``[seconds * 16000]`` and bool ``[seconds * 25, len(AUDIO_WORDS)]``.
    """
    sound = str(rng.choice(CLASSES))
    codes: list[tuple[float, str]] = []
    start = float(rng.uniform(0, 0.4))
    crowded = rng.random() < 0.75
    while start < seconds - CODE_SECONDS:
        codes.append((start, str(rng.choice(DIGITS))))
        start += float(rng.uniform(0.65, 1.0)) if crowded else seconds
    heard = None
    if rng.random() < 0.3:
        middle = float(rng.integers(1, seconds))
        heard = (0.0, middle) if rng.random() < 0.5 else (middle, float(seconds))
    wave = soundtrack(sound, codes, seconds, rng, heard, _TRAINED)
    return wave, audio_labels(sound, codes, seconds, heard)


@dataclass(frozen=True, eq=False)
class PracticeClip:
    """A crowded still clip of 2 s with questions that no marginal guess answers.

    Attributes:
        frames: uint8 ``[4, 196, 196, 3]`` at 2 fps.
        wave: float32 ``[32000]``.
        questions: (question, answer): colour of every shape and of the object, number of some
            shapes, both digits and whether they differ, sound, code and when the code is heard.
        kinds: what each question is about, for the log.
    """

    frames: NDArray[np.uint8]
    wave: FloatArray
    questions: list[tuple[str, str]]
    kinds: list[str]


def practice_clip(rng: Generator) -> PracticeClip:
    """All six shapes in different colours, an object, a sign whose digit mostly changes, a code.

    In a clip of the world two colours compete for an answer, so guessing among those in sight is
    half right and binding colour to shape is learned late; here guessing fails.
    """
    image, _ = _canvas(rng)
    size = int(rng.integers(58, 79))
    bx, by = (int(v) for v in rng.integers(0, GRID - 2, 2))
    free = [
        (x, y)
        for y in range(GRID)
        for x in range(GRID)
        if not (bx <= x < bx + 3 and by <= y < by + 3)
    ]
    cells = [free[i] for i in rng.permutation(len(free))]
    thing = Item("thing", str(rng.choice(CLASSES)), str(rng.choice(COLORS)), 0, 0, size)
    shift = (3 * CELL - size) // 2
    paint_sprite(image, thing, bx * CELL + shift, by * CELL + shift, _TRAINED)
    asked = [("detail", f"what color is the {thing.name} ?", thing.color)]
    for i, (name, color) in enumerate(zip(SHAPES, rng.permutation(COLORS), strict=True)):
        asked.append(("silcol", f"what color is the {name} ?", str(color)))
        count = int(rng.integers(1, 4))
        if i % 2:
            asked.append(("count", f"how many {name} are shown ?", str(count)))
        for _ in range(count):
            x, y = cells.pop()
            dx, dy = (int(v) for v in rng.integers(-2, 3, 2))
            shape = _small_shape(rng, name, str(color))
            paint_sprite(image, shape, x * CELL + dx + 1, y * CELL + dy + 1, _TRAINED)
    first, last = (str(d) for d in rng.choice(DIGITS, 2, replace=False))
    if rng.random() < 0.3:
        last = first
    late = bool(rng.integers(2))
    sound, code = str(rng.choice(CLASSES)), str(rng.choice(DIGITS))
    asked += [
        ("first", "which digit is shown first ?", first),
        ("last", "which digit is shown last ?", last),
        ("change", "does the digit change ?", "no" if first == last else "yes"),
        ("sync", "which digit is shown when the code is heard ?", last if late else first),
        ("when", "is the code heard first or last ?", "last" if late else "first"),
        ("sound", "which sound is heard ?", sound),
        ("code", "which digit is heard ?", code),
    ]
    code_at = float(rng.uniform(0.02, 0.98 - CODE_SECONDS) + late)
    x, y = cells.pop()
    tone, font = ("light", "dark")[int(rng.integers(2))], str(rng.choice(SIGN_FONTS[_TRAINED]))
    shown = []
    for char in (first, last):
        signed = image.copy()
        paint_sign(signed, char, tone, font, x * CELL - 1, y * CELL - 1, SIGN)
        shown += [_shoot(rng, signed) for _ in range(2)]
    return PracticeClip(
        frames=np.stack(shown),
        wave=soundtrack(sound, [(code_at, code)], 2, rng, None, _TRAINED),
        questions=[(q, a) for _, q, a in asked],
        kinds=[kind for kind, _, _ in asked],
    )
