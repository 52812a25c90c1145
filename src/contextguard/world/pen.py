"""A pen for sprites in unit coordinates, drawn at four times their size and scaled down."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

_SUPERSAMPLE = 4


class Pen:
    """Draws in unit coordinates: ``body`` marks where the sprite is, ``dark`` shades inside it."""

    def __init__(self, size: int) -> None:
        self.n = size * _SUPERSAMPLE
        self.alpha = Image.new("L", (self.n, self.n), 0)
        self.shade = Image.new("L", (self.n, self.n), 255)
        self._body, self._dark = ImageDraw.Draw(self.alpha), ImageDraw.Draw(self.shade)

    def _scale(self, points: tuple[float, ...]) -> list[float]:
        return [p * self.n for p in points]

    def box(self, *xy: float) -> None:
        """A filled rectangle: left, top, right, bottom."""
        self._body.rectangle(self._scale(xy), fill=255)

    def rounded(self, *xy: float, radius: float) -> None:
        """A filled rectangle with round corners."""
        self._body.rounded_rectangle(self._scale(xy), radius=radius * self.n, fill=255)

    def oval(self, *xy: float) -> None:
        """A filled ellipse in a box."""
        self._body.ellipse(self._scale(xy), fill=255)

    def dome(self, *xy: float) -> None:
        """The upper half of an ellipse."""
        self._body.pieslice(self._scale(xy), 180, 360, fill=255)

    def shape(self, *xy: float) -> None:
        """A filled polygon: x, y, x, y, ..."""
        self._body.polygon(self._scale(xy), fill=255)

    def ray(self, *xy: float, width: float) -> None:
        """A line: x, y, x, y."""
        self._body.line(self._scale(xy), fill=255, width=int(width * self.n))

    def hole(self, *xy: float) -> None:
        """Nothing in an ellipse."""
        self._body.ellipse(self._scale(xy), fill=0)

    def dark_box(self, *xy: float, tone: int) -> None:
        """A rectangle of a grey tone, 0 to 255."""
        self._dark.rectangle(self._scale(xy), fill=tone)

    def dark_oval(self, *xy: float, tone: int) -> None:
        """An ellipse of a grey tone."""
        self._dark.ellipse(self._scale(xy), fill=tone)

    def dark_shape(self, *xy: float, tone: int) -> None:
        """A polygon of a grey tone."""
        self._dark.polygon(self._scale(xy), fill=tone)

    def dark_line(self, *xy: float, tone: int, width: float) -> None:
        """A line of a grey tone."""
        self._dark.line(self._scale(xy), fill=tone, width=int(width * self.n))

    def dark_rim(self, *xy: float, tone: int, width: float) -> None:
        """The outline of an ellipse in a grey tone."""
        self._dark.ellipse(self._scale(xy), outline=tone, width=int(width * self.n))


Drawing = Callable[[Pen], None]
