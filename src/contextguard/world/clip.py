"""What happens in a clip: a specification drawn from a seed, and the frames and sound it makes.

One scenario so far, ``ambient``: the sound of a place with the object it belongs to.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from contextguard.world.places import MARGIN, VARIANTS, ground, sensor_noise
from contextguard.world.sounds import CODE_SECONDS, SAMPLE_RATE, soundtrack
from contextguard.world.sprites import RGB, SIGN_FONTS, FloatArray, Sprite, digit, paste, sprite
from contextguard.world.words import AUDIO_WORDS, CLASSES, COLORS, PLACES, SHAPES, VISUAL_WORDS

SIZE = 196
"""Side of a frame in pixels."""
GRID = 7
"""Side of the token map; a cell of it is ``SIZE // GRID`` = 28 pixels."""
CELL = SIZE // GRID
SIGN = 30
TOKENS_PER_SECOND = 25
"""Audio tokens a second."""

_BLOCK = 3
_VISUAL_INDEX = {word: i for i, word in enumerate(VISUAL_WORDS)}
_DIGIT_0 = _VISUAL_INDEX["0"]
_COLOR_0 = _VISUAL_INDEX[COLORS[0]]


@dataclass(frozen=True)
class Placed:
    """A sprite at a place of the frame: top left corner, size in pixels, angle in degrees."""

    x: int
    y: int
    size: int
    angle: int = 0


@dataclass(frozen=True)
class Shot:
    """One camera position, from ``start`` seconds on. Velocities are pixels a second."""

    start: float
    variant: int
    offset: tuple[int, int]
    tint: tuple[float, float, float]
    thing: Placed
    sign: Placed
    shapes: tuple[Placed, ...]
    thing_velocity: tuple[float, float]
    scroll: tuple[float, float]


@dataclass(frozen=True)
class ClipSpec:
    """Everything there is to know about a clip; frames, sound and answers follow from it."""

    scenario: str
    seconds: float
    place: int
    sound: int
    color: int
    shape: int
    shape_color: int
    count: int
    digit_first: int
    digit_last: int
    change_at: float
    code: int
    code_at: float
    font: str
    sign_dark: bool
    shots: tuple[Shot, ...]
    sound_seed: int

    @property
    def matches(self) -> bool:
        """Whether the sound belongs to the picture."""
        return self.place == self.sound

    @property
    def code_late(self) -> bool:
        """Whether the code is heard while the last sign is shown."""
        return self.code_at >= self.change_at

    def digit_at(self, t: float) -> int:
        """The digit on the sign at ``t`` seconds."""
        return self.digit_first if t < self.change_at - 1e-6 else self.digit_last

    def shot_at(self, t: float) -> Shot:
        """The shot running at ``t`` seconds."""
        return max((s for s in self.shots if s.start <= t + 1e-6), key=lambda s: s.start)


def ambient(rng: Generator, seconds: int, mismatch: float = 0.25) -> ClipSpec:
    """A place with its sounding object, a sign whose digit may change, silent shapes, one code.

    Args:
        rng: source of every choice.
        seconds: length, at least 2.
        mismatch: share of clips whose sound belongs to another place.
    """
    if seconds < 2:
        raise ValueError(f"a clip lasts at least 2 seconds, got {seconds}")
    place = int(rng.integers(len(PLACES)))
    other = int((place + rng.integers(1, len(CLASSES))) % len(CLASSES))
    first = int(rng.integers(10))
    last = first if rng.random() < 0.35 else int((first + rng.integers(1, 10)) % 10)
    change_at = seconds // 2
    late = bool(rng.integers(2))
    begin, end = (change_at, seconds) if late else (0, change_at)
    count = int(rng.integers(1, 4))
    return ClipSpec(
        scenario="ambient",
        seconds=float(seconds),
        place=place,
        sound=other if rng.random() < mismatch else place,
        color=int(rng.integers(len(COLORS))),
        shape=int(rng.integers(len(SHAPES))),
        shape_color=int(rng.integers(len(COLORS))),
        count=count,
        digit_first=first,
        digit_last=last,
        change_at=float(change_at),
        code=int(rng.integers(10)),
        code_at=float(rng.uniform(begin + 0.05, end - CODE_SECONDS - 0.1)),
        font=str(rng.choice(SIGN_FONTS)),
        sign_dark=bool(rng.integers(2)),
        shots=_shots(rng, seconds, count),
        sound_seed=int(rng.integers(2**31)),
    )


def _shots(rng: Generator, seconds: int, count: int) -> tuple[Shot, ...]:
    """A shot at 0 and cuts on whole seconds, at least 2 s apart; half of the shots stand still."""
    cuts = [0]
    while cuts[-1] + 4 <= seconds and rng.random() < 0.6:
        cuts.append(int(rng.integers(cuts[-1] + 2, seconds - 1)))
    return tuple(_shot(rng, start, count) for start in cuts)


def _shot(rng: Generator, start: int, count: int) -> Shot:
    bx, by = (int(v) for v in rng.integers(0, GRID - _BLOCK + 1, 2))
    free = [
        (x, y)
        for y in range(GRID)
        for x in range(GRID)
        if not (bx <= x < bx + _BLOCK and by <= y < by + _BLOCK)
    ]
    cells = [free[i] for i in rng.permutation(len(free))[: count + 1]]

    def in_cell(cell: tuple[int, int], size: int, angle: int, slack: int) -> Placed:
        dx, dy = (int(v) for v in rng.integers(-slack, slack + 1, 2))
        edge = SIZE - size
        x = min(max(cell[0] * CELL + (CELL - size) // 2 + dx, 0), edge)
        y = min(max(cell[1] * CELL + (CELL - size) // 2 + dy, 0), edge)
        return Placed(x, y, size, angle)

    size = int(rng.integers(58, 79))
    middle = _BLOCK * CELL // 2 - size // 2
    thing = Placed(
        bx * CELL + middle + int(rng.integers(-3, 4)),
        by * CELL + middle + int(rng.integers(-3, 4)),
        size,
        int(rng.choice((-10, -5, 0, 5, 10))),
    )
    moving = bool(rng.random() < 0.5)
    return Shot(
        start=float(start),
        variant=int(rng.integers(VARIANTS)),
        offset=(int(rng.integers(MARGIN)), int(rng.integers(MARGIN))),
        tint=tuple(float(v) for v in rng.normal(0, 10, 3)),  # type: ignore[arg-type]
        thing=thing,
        sign=in_cell(cells[0], SIGN, 0, 3),
        shapes=tuple(
            in_cell(c, int(rng.integers(24, 29)), int(rng.choice((-8, 0, 8))), 3) for c in cells[1:]
        ),
        thing_velocity=tuple(float(v) for v in rng.uniform(-2, 2, 2) * moving),  # type: ignore[arg-type]
        scroll=tuple(float(v) for v in rng.uniform(-6, 6, 2) * moving),  # type: ignore[arg-type]
    )


def frame(spec: ClipSpec, t: float, camera: Generator | None = None) -> NDArray[np.uint8]:
    """The picture at ``t`` seconds, uint8 ``[196, 196, 3]``; ``camera`` draws the sensor noise."""
    shot = spec.shot_at(t)
    since = t - shot.start
    ox = int(shot.offset[0] + shot.scroll[0] * since) % MARGIN
    oy = int(shot.offset[1] + shot.scroll[1] * since) % MARGIN
    texture = ground(PLACES[spec.place], shot.variant, SIZE)
    image = texture[oy : oy + SIZE, ox : ox + SIZE] + np.array(shot.tint, np.float32)
    for alpha, color, x, y in _things(spec, shot, since, t):
        paste(image, alpha, color, x, y)
    if camera is not None:
        nx, ny = camera.integers(0, MARGIN, 2)
        image = image + sensor_noise(SIZE)[ny : ny + SIZE, nx : nx + SIZE]
    return np.clip(image, 0, 255).astype(np.uint8)


def _things(
    spec: ClipSpec, shot: Shot, since: float, t: float
) -> list[tuple[FloatArray, FloatArray, int, int]]:
    """(alpha, colour, x, y) of everything in front of the ground, back to front."""
    out = []
    x, y = _thing_corner(shot, since)
    out.append(
        (
            *_painted(sprite(CLASSES[spec.place], shot.thing.size, shot.thing.angle), spec.color),
            x,
            y,
        )
    )
    for s in shot.shapes:
        out.append(
            (*_painted(sprite(SHAPES[spec.shape], s.size, s.angle), spec.shape_color), s.x, s.y)
        )
    paper, ink = (
        ((25, 25, 30), (250, 240, 120)) if spec.sign_dark else ((245, 245, 240), (10, 10, 10))
    )
    plate = np.ones((SIGN, SIGN), np.float32)
    out.append((plate, np.array(paper, np.float32), shot.sign.x, shot.sign.y))
    glyph = digit(str(spec.digit_at(t)), SIGN, spec.font)
    out.append((glyph, np.array(ink, np.float32), shot.sign.x, shot.sign.y))
    return out


def _thing_corner(shot: Shot, since: float) -> tuple[int, int]:
    vx, vy = shot.thing_velocity
    return int(shot.thing.x + vx * since), int(shot.thing.y + vy * since)


def _painted(image: Sprite, color: int) -> tuple[FloatArray, FloatArray]:
    return image.alpha, RGB[COLORS[color]] * image.shade[..., None]


def frames(
    spec: ClipSpec, fps: float = 2.0, camera: Generator | None = None, codec: bool = False
) -> NDArray[np.uint8]:
    """All frames at ``fps``, uint8 ``[N, 196, 196, 3]``.

    Args:
        spec: the clip.
        fps: frames a second.
        camera: draws sensor noise and codec quality.
        codec: pass half of the clips through JPEG of random quality, so that a model trained on
            arrays also reads files.
    """
    out = [frame(spec, i / fps, camera) for i in range(round(spec.seconds * fps))]
    if codec and camera is not None and camera.random() < 0.6:
        quality = int(camera.integers(35, 95))
        out = [_jpeg(f, quality) for f in out]
    return np.stack(out)


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def audio(spec: ClipSpec) -> FloatArray:
    """The sound, float32 ``[seconds * 16000]``, mono."""
    rng = np.random.default_rng(spec.sound_seed)
    codes = [(spec.code_at, str(spec.code))]
    return soundtrack(CLASSES[spec.sound], codes, spec.seconds, rng)


def _coverage(corner: tuple[int, int], alpha: FloatArray) -> NDArray[np.float32]:
    """Share of each token map cell that a sprite covers, ``[49]``."""
    mask = np.zeros((SIZE, SIZE, 1), np.float32)
    paste(mask, (alpha > 0.5).astype(np.float32), np.ones(1, np.float32), *corner)
    cells = mask[..., 0].reshape(GRID, CELL, GRID, CELL).mean((1, 3))
    return np.asarray(cells.ravel(), np.float32)


def visual_labels(spec: ClipSpec, t: float) -> NDArray[np.bool_]:
    """What each token map cell shows at ``t``: bool ``[49, len(VISUAL_WORDS)]``."""
    shot = spec.shot_at(t)
    labels = np.zeros((GRID * GRID, len(VISUAL_WORDS)), bool)
    thing = sprite(CLASSES[spec.place], shot.thing.size, shot.thing.angle)
    on_thing = _coverage(_thing_corner(shot, t - shot.start), thing.alpha) > 0.2
    on_sign = _coverage((shot.sign.x, shot.sign.y), np.ones((SIGN, SIGN), np.float32)) > 0.4
    labels[:, _VISUAL_INDEX[PLACES[spec.place]]] = ~on_sign
    labels[on_thing, _VISUAL_INDEX[CLASSES[spec.place]]] = True
    labels[on_thing, _COLOR_0 + spec.color] = True
    for s in shot.shapes:
        on_shape = _coverage((s.x, s.y), sprite(SHAPES[spec.shape], s.size, s.angle).alpha) > 0.15
        labels[on_shape, _VISUAL_INDEX[SHAPES[spec.shape]]] = True
        labels[on_shape, _COLOR_0 + spec.shape_color] = True
    labels[on_sign, _DIGIT_0 + spec.digit_at(t)] = True
    return labels


def audio_labels(sound: int, codes: list[tuple[float, int]], seconds: float) -> NDArray[np.bool_]:
    """What each audio token holds: bool ``[seconds * 25, len(AUDIO_WORDS)]``."""
    n = round(seconds * TOKENS_PER_SECOND)
    middle = (np.arange(n) + 0.5) / TOKENS_PER_SECOND
    labels = np.zeros((n, len(AUDIO_WORDS)), bool)
    labels[:, sound] = True
    for start, char in codes:
        labels[(middle > start) & (middle < start + CODE_SECONDS), len(CLASSES) + char] = True
    return labels


def audio_samples(seconds: float) -> int:
    """Samples of a clip's sound."""
    return round(seconds * SAMPLE_RATE)
