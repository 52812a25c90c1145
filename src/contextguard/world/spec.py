"""What is in a clip, second by second. Frames, sound, answers and truth all follow from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from contextguard.world.words import place_of

SIZE = 196
"""Side of a frame in pixels."""
GRID = 7
"""Side of the token map; a cell of it is ``SIZE // GRID`` = 28 pixels."""
CELL = SIZE // GRID
SIGN = 30
"""Side of a sign in pixels."""
TOKENS_PER_SECOND = 25
"""Audio tokens a second."""
STYLES = ("seen", "held_out")
"""``held_out``: drawings, fonts and sounds that no training sees."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """A rectangle of the frame with one ground, in pixels; ``scroll`` is pixels a second."""

    x: int
    y: int
    width: int
    height: int
    ground: str
    variant: int
    offset: tuple[int, int]
    tint: tuple[float, float, float]
    scroll: Pair = (0.0, 0.0)


@dataclass(frozen=True)
class Item:
    """Something in front of a ground, cut off at its region's border.

    Attributes:
        kind: a sounding object, a silent shape, a sign (it shows the clip's digit of the moment)
            or greeked lines of text.
        name, color: class or shape and its colour; of a sign the font and ``light`` or ``dark``.
        x, y: top left corner in the frame at the start of the shot, pixels.
        size: side in pixels.
        angle: degrees, positive leans left.
        velocity: pixels a second.
        region: index into the shot's regions.
        shown: (from, until) in seconds of the clip; None is always.
    """

    kind: Literal["thing", "shape", "sign", "lines"]
    name: str
    color: str
    x: int
    y: int
    size: int
    angle: int = 0
    velocity: Pair = (0.0, 0.0)
    region: int = 0
    shown: Pair | None = None

    def corner(self, since: float) -> tuple[int, int]:
        """Top left corner ``since`` seconds after the shot began."""
        return int(self.x + self.velocity[0] * since), int(self.y + self.velocity[1] * since)

    def visible(self, t: float) -> bool:
        """Whether it is in the picture at ``t`` seconds of the clip."""
        return self.shown is None or self.shown[0] - 1e-6 <= t < self.shown[1] - 1e-6


@dataclass(frozen=True)
class Shot:
    """One arrangement from ``start`` seconds on; regions and items are drawn in their order."""

    start: float
    regions: tuple[Region, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Sound:
    """A class's sound and the seconds between which it is heard."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class ClipSpec:
    """Everything there is to know about a clip.

    Attributes:
        scenario, style: of :data:`~contextguard.world.scenarios.SCENARIOS` and :data:`STYLES`.
        seconds: length.
        shots: in order, the first at 0.
        sound: what is heard.
        digits: (from second, digit) of the sign, the first from 0.
        code, code_at: digit of the tone pair and when it begins, in seconds.
        thing, thing_color: the object in the picture.
        place: where the object stands; None on plain ground.
        pose: the side the object leans to; None when upright.
        shape, shape_color, count: the silent shapes.
        sound_seed, camera_seed: for the sound's parameters and the sensor's noise.
    """

    scenario: str
    style: str
    seconds: float
    shots: tuple[Shot, ...]
    sound: Sound
    digits: tuple[tuple[float, str], ...]
    code: str
    code_at: float
    thing: str
    thing_color: str
    place: str | None
    pose: str | None
    shape: str
    shape_color: str
    count: int
    sound_seed: int
    camera_seed: int

    @property
    def matches(self) -> bool:
        """Whether the sound belongs to the picture."""
        return self.thing == self.sound.name

    @property
    def heard(self) -> Pair | None:
        """Seconds between which the sound is heard; None if it lasts as long as the clip."""
        whole = self.sound.start <= 0 and self.sound.end >= self.seconds
        return None if whole else (self.sound.start, self.sound.end)

    @property
    def explained_ground(self) -> str:
        """The ground that the sound tells of."""
        return place_of(self.sound.name)

    def digit_at(self, t: float) -> str:
        """The digit on the sign at ``t`` seconds."""
        return max((d for d in self.digits if d[0] <= t + 1e-6), key=lambda d: d[0])[1]

    def shot_at(self, t: float) -> Shot:
        """The shot running at ``t`` seconds."""
        return max((s for s in self.shots if s.start <= t + 1e-6), key=lambda s: s.start)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
