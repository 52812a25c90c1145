"""Sprites of the world: sounding objects, silent shapes and digit signs, drawn with PIL.

A sprite is drawn at four times its size and scaled down, so edges are smooth. ``alpha`` says where
it is, ``shade`` multiplies its colour (dark parts of an object).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contextguard.world.words import CLASSES, COLORS, DIGITS, SHAPES

FloatArray = NDArray[np.float32]

RGB: dict[str, FloatArray] = {
    name: np.array(value, np.float32)
    for name, value in zip(
        COLORS,
        [
            (215, 40, 40),
            (40, 165, 60),
            (45, 80, 220),
            (235, 205, 40),
            (150, 60, 180),
            (240, 240, 240),
        ],
        strict=True,
    )
}

SIGN_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif-Bold", "DejaVuSansMono-Bold")
_SUPERSAMPLE = 4


@dataclass(frozen=True, eq=False)
class Sprite:
    """``alpha`` and ``shade``, both float32 ``[h, w]`` in [0, 1]."""

    alpha: FloatArray
    shade: FloatArray


class _Pen:
    """Draws in unit coordinates: ``body`` marks where the sprite is, ``dark`` shades inside it."""

    def __init__(self, size: int) -> None:
        self.n = size * _SUPERSAMPLE
        self.alpha = Image.new("L", (self.n, self.n), 0)
        self.shade = Image.new("L", (self.n, self.n), 255)
        self._body, self._dark = ImageDraw.Draw(self.alpha), ImageDraw.Draw(self.shade)

    def _scale(self, points: tuple[float, ...]) -> list[float]:
        return [p * self.n for p in points]

    def box(self, *xy: float) -> None:
        self._body.rectangle(self._scale(xy), fill=255)

    def rounded(self, *xy: float, radius: float) -> None:
        self._body.rounded_rectangle(self._scale(xy), radius=radius * self.n, fill=255)

    def oval(self, *xy: float) -> None:
        self._body.ellipse(self._scale(xy), fill=255)

    def dome(self, *xy: float) -> None:
        self._body.pieslice(self._scale(xy), 180, 360, fill=255)

    def shape(self, *xy: float) -> None:
        self._body.polygon(self._scale(xy), fill=255)

    def ray(self, *xy: float, width: float) -> None:
        self._body.line(self._scale(xy), fill=255, width=int(width * self.n))

    def hole(self, *xy: float) -> None:
        self._body.ellipse(self._scale(xy), fill=0)

    def dark_box(self, *xy: float, tone: int) -> None:
        self._dark.rectangle(self._scale(xy), fill=tone)

    def dark_oval(self, *xy: float, tone: int) -> None:
        self._dark.ellipse(self._scale(xy), fill=tone)

    def dark_shape(self, *xy: float, tone: int) -> None:
        self._dark.polygon(self._scale(xy), fill=tone)

    def dark_line(self, *xy: float, tone: int, width: float) -> None:
        self._dark.line(self._scale(xy), fill=tone, width=int(width * self.n))

    def dark_rim(self, *xy: float, tone: int, width: float) -> None:
        self._dark.ellipse(self._scale(xy), outline=tone, width=int(width * self.n))


def _bell(p: _Pen) -> None:
    p.dome(0.2, 0.04, 0.8, 0.68)
    p.shape(0.2, 0.36, 0.8, 0.36, 0.96, 0.8, 0.04, 0.8)
    p.oval(0.4, 0.74, 0.6, 0.97)
    p.dark_box(0.04, 0.71, 0.96, 0.8, tone=60)


def _drum(p: _Pen) -> None:
    p.box(0.08, 0.3, 0.92, 0.86)
    p.oval(0.08, 0.1, 0.92, 0.5)
    p.dark_oval(0.13, 0.15, 0.87, 0.45, tone=125)
    for i in range(5):
        p.dark_line(0.1 + 0.16 * i, 0.5, 0.26 + 0.16 * i, 0.86, tone=40, width=0.03)


def _siren(p: _Pen) -> None:
    p.box(0.1, 0.72, 0.9, 0.96)
    p.dark_box(0.1, 0.72, 0.9, 0.96, tone=50)
    p.rounded(0.25, 0.22, 0.75, 0.76, radius=0.2)
    for ray in ((0.02, 0.33, 0.18, 0.42), (0.98, 0.33, 0.82, 0.42), (0.5, 0.0, 0.5, 0.15)):
        p.ray(*ray, width=0.07)


def _engine(p: _Pen) -> None:
    p.rounded(0.02, 0.45, 0.98, 0.76, radius=0.08)
    p.shape(0.2, 0.47, 0.32, 0.2, 0.7, 0.2, 0.82, 0.47)
    p.dark_shape(0.28, 0.45, 0.36, 0.27, 0.66, 0.27, 0.74, 0.45, tone=90)
    for x in (0.25, 0.75):
        p.oval(x - 0.13, 0.62, x + 0.13, 0.9)
        p.dark_oval(x - 0.13, 0.62, x + 0.13, 0.9, tone=20)


def _bird(p: _Pen) -> None:
    p.oval(0.15, 0.35, 0.8, 0.8)
    p.oval(0.6, 0.15, 0.92, 0.47)
    p.shape(0.9, 0.25, 1.0, 0.33, 0.9, 0.39)
    p.shape(0.2, 0.55, 0.0, 0.33, 0.05, 0.72)
    p.dark_oval(0.73, 0.23, 0.82, 0.32, tone=0)
    p.dark_oval(0.27, 0.45, 0.62, 0.68, tone=120)


def _boat(p: _Pen) -> None:
    hull = (0.03, 0.68, 0.97, 0.68, 0.8, 0.94, 0.2, 0.94)
    p.shape(*hull)
    p.shape(0.48, 0.04, 0.48, 0.62, 0.1, 0.62)
    p.shape(0.54, 0.15, 0.54, 0.62, 0.88, 0.62)
    p.dark_shape(*hull, tone=90)


def _phone(p: _Pen) -> None:
    p.rounded(0.25, 0.02, 0.75, 0.98, radius=0.1)
    p.dark_box(0.32, 0.13, 0.68, 0.55, tone=40)
    for i in range(3):
        for j in range(3):
            x, y = 0.33 + 0.13 * i, 0.62 + 0.1 * j
            p.dark_oval(x, y, x + 0.08, y + 0.07, tone=40)


def _clock(p: _Pen) -> None:
    p.oval(0.04, 0.04, 0.96, 0.96)
    p.dark_rim(0.04, 0.04, 0.96, 0.96, tone=40, width=0.08)
    p.dark_line(0.5, 0.5, 0.5, 0.2, tone=0, width=0.06)
    p.dark_line(0.5, 0.5, 0.72, 0.6, tone=0, width=0.06)


def _star(p: _Pen) -> None:
    points: list[float] = []
    for i in range(10):
        r, angle = (0.48 if i % 2 == 0 else 0.2), i * math.pi / 5
        points += [0.5 + r * math.sin(angle), 0.52 - r * math.cos(angle)]
    p.shape(*points)


def _heart(p: _Pen) -> None:
    p.oval(0.04, 0.1, 0.53, 0.57)
    p.oval(0.47, 0.1, 0.96, 0.57)
    p.shape(0.08, 0.45, 0.92, 0.45, 0.5, 0.97)


def _cross(p: _Pen) -> None:
    p.box(0.36, 0.04, 0.64, 0.96)
    p.box(0.04, 0.36, 0.96, 0.64)


def _diamond(p: _Pen) -> None:
    p.shape(0.5, 0.02, 0.86, 0.5, 0.5, 0.98, 0.14, 0.5)


def _moon(p: _Pen) -> None:
    p.oval(0.08, 0.04, 0.96, 0.96)
    p.hole(0.4, 0.0, 1.2, 0.84)


def _ring(p: _Pen) -> None:
    p.oval(0.04, 0.04, 0.96, 0.96)
    p.hole(0.3, 0.3, 0.7, 0.7)


_DRAW: dict[str, Callable[[_Pen], None]] = {
    "bell": _bell,
    "drum": _drum,
    "siren": _siren,
    "engine": _engine,
    "bird": _bird,
    "boat": _boat,
    "phone": _phone,
    "clock": _clock,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "diamond": _diamond,
    "moon": _moon,
    "ring": _ring,
}
if set(_DRAW) != {*CLASSES, *SHAPES}:
    raise RuntimeError("every class and shape of the world needs a drawing")


@lru_cache(maxsize=4096)
def sprite(name: str, size: int, angle: int = 0) -> Sprite:
    """The sprite of a class or shape, ``size`` pixels square, turned by ``angle`` degrees."""
    pen = _Pen(size)
    _DRAW[name](pen)

    def finish(image: Image.Image, fill: int) -> FloatArray:
        turned = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill)
        small = turned.resize((size, size), Image.Resampling.BOX)
        return np.asarray(np.asarray(small, np.float32) / 255, np.float32)

    return Sprite(finish(pen.alpha, 0), finish(pen.shade, 255))


@lru_cache(maxsize=4096)
def digit(char: str, size: int, font: str) -> FloatArray:
    """Alpha ``[size, size]`` of a digit centred on a sign, in a font that matplotlib ships."""
    if char not in DIGITS:
        raise ValueError(f"a sign shows one digit 0-9, got {char!r}")
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    face = ImageFont.truetype(str(path), int(size * 0.86))
    image = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = draw.textbbox((0, 0), char, font=face)
    draw.text(((size - left - right) / 2, (size - top - bottom) / 2), char, font=face, fill=255)
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


def paste(
    image: FloatArray, alpha: FloatArray, color: FloatArray, x: int, y: int
) -> tuple[slice, slice]:
    """Blend ``color`` (``[3]`` or ``[h, w, 3]``) into ``image`` ``[H, W, 3]`` in place at (x, y).

    Returns:
        The rows and columns of the image that were touched (empty when outside).
    """
    height, width = image.shape[:2]
    h, w = alpha.shape
    rows = slice(min(max(y, 0), height), max(min(y + h, height), 0))
    cols = slice(min(max(x, 0), width), max(min(x + w, width), 0))
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return slice(0, 0), slice(0, 0)
    inside = (slice(rows.start - y, rows.stop - y), slice(cols.start - x, cols.stop - x))
    a = alpha[inside][..., None]
    c = color[inside] if color.ndim == 3 else color
    image[rows, cols] = image[rows, cols] * (1 - a) + c * a
    return rows, cols
