"""What the scenarios draw alike: who appears, where it stands, when signs and codes come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from numpy.random import Generator

from contextguard.world.places import MARGIN, VARIANTS
from contextguard.world.sounds import CODE_SECONDS
from contextguard.world.spec import CELL, GRID, SIGN, SIZE, ClipSpec, Item, Region, Shot, Sound
from contextguard.world.sprites import SIGN_FONTS
from contextguard.world.truth import pose_of
from contextguard.world.words import CLASSES, COLORS, DIGITS, SHAPES, place_of

Cell = tuple[int, int]
"""(column, row) of the token map."""
Digits = tuple[tuple[float, str], ...]
_SPARE = 0.05
"""Seconds a code keeps from a sign's change."""


@dataclass(frozen=True)
class Cast:
    """Who appears in a clip."""

    thing: str
    thing_color: str
    shape: str
    shape_color: str
    count: int
    sound: str
    code: str
    font: str
    tone: str


def draw_cast(rng: Generator, style: str, mismatch: float) -> Cast:
    """Everyone by equal chance; with chance ``mismatch`` the sound is another object's."""
    thing = int(rng.integers(len(CLASSES)))
    other = int((thing + rng.integers(1, len(CLASSES))) % len(CLASSES))
    return Cast(
        thing=CLASSES[thing],
        thing_color=str(rng.choice(COLORS)),
        shape=str(rng.choice(SHAPES)),
        shape_color=str(rng.choice(COLORS)),
        count=int(rng.integers(1, 4)),
        sound=CLASSES[other if rng.random() < mismatch else thing],
        code=str(rng.choice(DIGITS)),
        font=SIGN_FONTS[style][int(rng.integers(12)) % len(SIGN_FONTS[style])],
        tone=("light", "dark")[int(rng.integers(2))],
    )


def draw_digits(rng: Generator, changes: Iterable[int]) -> Digits:
    """A digit from 0 on and another one at each of the seconds ``changes``."""
    digit = int(rng.integers(10))
    out = [(0.0, DIGITS[digit])]
    for second in changes:
        digit = int((digit + rng.integers(1, 10)) % 10)
        out.append((float(second), DIGITS[digit]))
    return tuple(out)


def one_change(rng: Generator, seconds: int, still: float = 0.35) -> tuple[int, ...]:
    """The second of a sign's change, in the middle third; none with chance ``still``."""
    edge = max(1, seconds // 3)
    second = int(rng.integers(edge, seconds - edge + 1))
    return () if rng.random() < still else (second,)


def draw_cuts(rng: Generator, seconds: int, more: float = 0.6) -> tuple[int, ...]:
    """Starts of the shots: 0 and whole seconds at least 2 s apart."""
    cuts = [0]
    while cuts[-1] + 4 <= seconds and rng.random() < more:
        cuts.append(int(rng.integers(cuts[-1] + 2, seconds - 1)))
    return tuple(cuts)


def draw_code_at(rng: Generator, seconds: int, digits: Digits) -> float:
    """When the code begins: within one half of the clip, while one digit is shown."""
    middle = seconds / 2
    low, high = (middle, float(seconds)) if rng.random() < 0.5 else (0.0, middle)
    ends = [*(start for start, _ in digits[1:]), float(seconds)]
    windows = []
    for (start, _), end in zip(digits, ends, strict=True):
        first = max(low, start) + _SPARE
        last = min(high, end) - CODE_SECONDS - 2 * _SPARE
        if last > first:
            windows.append((first, last))
    first, last = windows[int(rng.integers(len(windows)))]
    return float(rng.uniform(first, last))


def draw_region(
    rng: Generator,
    grounds: tuple[str, ...],
    box: tuple[int, int, int, int] = (0, 0, SIZE, SIZE),
    moving: bool = False,
) -> Region:
    """A ground of ``grounds`` in ``box`` = (x, y, width, height), scrolling if ``moving``."""
    return Region(
        *box,
        ground=str(rng.choice(grounds)),
        variant=int(rng.integers(VARIANTS)),
        offset=(int(rng.integers(MARGIN)), int(rng.integers(MARGIN))),
        tint=tuple(float(v) for v in rng.normal(0, 10, 3)),  # type: ignore[arg-type]
        scroll=tuple(float(v) for v in rng.uniform(-6, 6, 2) * moving),  # type: ignore[arg-type]
    )


def draw_object_box(rng: Generator) -> tuple[int, int, int, int]:
    """(x, y, width, height) in pixels of 3x3 cells that the object has to itself."""
    side = 3
    column, row = (int(v) for v in rng.integers(0, GRID - side + 1, 2))
    return column * CELL, row * CELL, side * CELL, side * CELL


def free_cells(rng: Generator, *boxes: tuple[int, int, int, int]) -> list[Cell]:
    """Cells that no box (x, y, width, height in pixels) touches, in random order."""
    free = [
        (column, row)
        for row in range(GRID)
        for column in range(GRID)
        if not any(
            x < (column + 1) * CELL and column * CELL < x + w
            and y < (row + 1) * CELL and row * CELL < y + h
            for x, y, w, h in boxes
        )
    ]  # fmt: skip
    return [free[i] for i in rng.permutation(len(free))]


def in_cell(rng: Generator, cell: Cell, item: Item, slack: int = 3) -> Item:
    """``item`` in the middle of a cell, up to ``slack`` pixels off."""
    dx, dy = (int(v) for v in rng.integers(-slack, slack + 1, 2))
    edge = SIZE - item.size
    x = min(max(cell[0] * CELL + (CELL - item.size) // 2 + dx, 0), edge)
    y = min(max(cell[1] * CELL + (CELL - item.size) // 2 + dy, 0), edge)
    return replace(item, x=x, y=y)


def sign_and_shapes(rng: Generator, cast: Cast, cells: list[Cell]) -> tuple[Item, ...]:
    """The silent shapes and the sign, each in one of ``cells`` (taken from its end)."""
    out = []
    for _ in range(cast.count):
        size, angle = int(rng.integers(24, 29)), int(rng.choice((-8, 0, 8)))
        shape = Item("shape", cast.shape, cast.shape_color, 0, 0, size, angle)
        out.append(in_cell(rng, cells.pop(), shape))
    out.append(in_cell(rng, cells.pop(), Item("sign", cast.font, cast.tone, 0, 0, SIGN)))
    return tuple(out)


def thing_in(
    rng: Generator,
    cast: Cast,
    box: tuple[int, int, int, int],
    size: int,
    region: int,
    moving: bool = False,
) -> Item:
    """The object in the middle of ``box`` = (x, y, width, height), slowly moving or still."""
    x, y, w, h = box
    dx, dy = (int(v) for v in rng.integers(-3, 4, 2))
    return Item(
        "thing",
        cast.thing,
        cast.thing_color,
        x + (w - size) // 2 + dx,
        y + (h - size) // 2 + dy,
        size,
        int(rng.choice((-10, -5, 0, 5, 10))),
        tuple(float(v) for v in rng.uniform(-2, 2, 2) * moving),  # type: ignore[arg-type]
        region,
    )


def finish(
    rng: Generator,
    scenario: str,
    style: str,
    seconds: int,
    cast: Cast,
    shots: tuple[Shot, ...],
    digits: Digits,
    heard: tuple[float, float] | None = None,
) -> ClipSpec:
    """The specification; when the code comes is drawn here."""
    start, end = heard or (0.0, float(seconds))
    thing = next(i for s in shots for i in s.items if i.kind == "thing")
    place = place_of(cast.thing)
    return ClipSpec(
        scenario=scenario,
        style=style,
        seconds=float(seconds),
        shots=shots,
        sound=Sound(cast.sound, start, end),
        digits=digits,
        code=cast.code,
        code_at=draw_code_at(rng, seconds, digits),
        thing=cast.thing,
        thing_color=cast.thing_color,
        place=place if any(r.ground == place for r in shots[0].regions) else None,
        pose=pose_of(thing.angle),
        shape=cast.shape,
        shape_color=cast.shape_color,
        count=cast.count,
        sound_seed=int(rng.integers(2**31)),
        camera_seed=int(rng.integers(2**31)),
    )
