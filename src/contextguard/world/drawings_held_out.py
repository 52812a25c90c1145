"""Drawings that no training sees: other objects of the same classes, other forms of the shapes."""

from __future__ import annotations

import math

from contextguard.world.pen import Pen


def bell(p: Pen) -> None:
    """A hand bell with its handle up."""
    p.rounded(0.43, 0.02, 0.57, 0.4, radius=0.05)
    p.dark_box(0.43, 0.02, 0.57, 0.34, tone=90)
    p.shape(0.4, 0.36, 0.6, 0.36, 0.72, 0.72, 0.9, 0.86, 0.1, 0.86, 0.28, 0.72)
    p.oval(0.44, 0.82, 0.56, 0.96)
    p.dark_oval(0.44, 0.82, 0.56, 0.96, tone=50)


def drum(p: Pen) -> None:
    """A snare seen from the side, sticks crossed above it."""
    p.box(0.06, 0.46, 0.94, 0.88)
    p.dark_box(0.06, 0.46, 0.94, 0.54, tone=60)
    p.dark_box(0.06, 0.8, 0.94, 0.88, tone=60)
    p.ray(0.1, 0.08, 0.66, 0.46, width=0.07)
    p.ray(0.9, 0.08, 0.34, 0.46, width=0.07)
    for i in range(4):
        p.dark_line(0.14 + 0.24 * i, 0.54, 0.14 + 0.24 * i, 0.8, tone=50, width=0.03)


def siren(p: Pen) -> None:
    """A horn loudspeaker with sound waves."""
    p.shape(0.06, 0.38, 0.24, 0.38, 0.6, 0.12, 0.6, 0.88, 0.24, 0.62, 0.06, 0.62)
    p.dark_box(0.06, 0.38, 0.22, 0.62, tone=70)
    p.ray(0.7, 0.32, 0.86, 0.2, width=0.07)
    p.ray(0.7, 0.5, 0.94, 0.5, width=0.07)
    p.ray(0.7, 0.68, 0.86, 0.8, width=0.07)


def engine(p: Pen) -> None:
    """A lorry: a box, a cab, three wheels."""
    p.box(0.02, 0.2, 0.6, 0.74)
    p.shape(0.64, 0.36, 0.84, 0.36, 0.98, 0.54, 0.98, 0.74, 0.64, 0.74)
    p.dark_shape(0.7, 0.42, 0.82, 0.42, 0.91, 0.54, 0.7, 0.54, tone=90)
    for x in (0.16, 0.42, 0.8):
        p.oval(x - 0.1, 0.66, x + 0.1, 0.86)
        p.dark_oval(x - 0.1, 0.66, x + 0.1, 0.86, tone=20)


def bird(p: Pen) -> None:
    """A bird in flight, wing raised."""
    p.oval(0.2, 0.5, 0.78, 0.78)
    p.shape(0.3, 0.58, 0.24, 0.06, 0.66, 0.56)
    p.dark_shape(0.34, 0.52, 0.29, 0.18, 0.54, 0.52, tone=130)
    p.oval(0.66, 0.4, 0.9, 0.64)
    p.shape(0.88, 0.48, 1.0, 0.54, 0.88, 0.58)
    p.shape(0.24, 0.62, 0.0, 0.54, 0.02, 0.78)
    p.dark_oval(0.77, 0.46, 0.84, 0.53, tone=0)


def boat(p: Pen) -> None:
    """A steamer with two funnels."""
    hull = (0.02, 0.62, 0.98, 0.62, 0.86, 0.9, 0.12, 0.9)
    p.shape(*hull)
    p.box(0.2, 0.44, 0.8, 0.62)
    for x in (0.32, 0.56):
        p.box(x, 0.14, x + 0.12, 0.44)
        p.dark_box(x, 0.14, x + 0.12, 0.22, tone=30)
    p.dark_shape(*hull, tone=100)
    for i in range(4):
        x = 0.27 + 0.13 * i
        p.dark_oval(x, 0.49, x + 0.07, 0.56, tone=40)


def phone(p: Pen) -> None:
    """A desk phone with its receiver on top."""
    p.shape(0.26, 0.4, 0.74, 0.4, 0.94, 0.92, 0.06, 0.92)
    p.rounded(0.04, 0.16, 0.96, 0.32, radius=0.07)
    p.oval(0.02, 0.16, 0.28, 0.46)
    p.oval(0.72, 0.16, 0.98, 0.46)
    p.dark_oval(0.34, 0.5, 0.66, 0.82, tone=50)
    p.dark_oval(0.44, 0.6, 0.56, 0.72, tone=200)


def clock(p: Pen) -> None:
    """An alarm clock: two bells, two feet."""
    p.oval(0.12, 0.04, 0.44, 0.34)
    p.oval(0.56, 0.04, 0.88, 0.34)
    p.ray(0.26, 0.8, 0.14, 0.98, width=0.08)
    p.ray(0.74, 0.8, 0.86, 0.98, width=0.08)
    p.oval(0.1, 0.14, 0.9, 0.94)
    p.dark_rim(0.1, 0.14, 0.9, 0.94, tone=50, width=0.05)
    p.dark_line(0.5, 0.54, 0.32, 0.4, tone=0, width=0.06)
    p.dark_line(0.5, 0.54, 0.5, 0.26, tone=0, width=0.05)


def _rays(n: int, inner: float) -> list[float]:
    """Corners of a star with ``n`` points."""
    points: list[float] = []
    for i in range(2 * n):
        r, angle = (0.49 if i % 2 == 0 else inner), i * math.pi / n
        points += [0.5 + r * math.sin(angle), 0.5 - r * math.cos(angle)]
    return points


def star(p: Pen) -> None:
    """Six points."""
    p.shape(*_rays(6, 0.24))


def heart(p: Pen) -> None:
    """Slimmer, with a deeper cut."""
    p.oval(0.1, 0.04, 0.52, 0.54)
    p.oval(0.48, 0.04, 0.9, 0.54)
    p.shape(0.11, 0.36, 0.5, 0.46, 0.89, 0.36, 0.5, 0.98)


def cross(p: Pen) -> None:
    """Arms that widen outwards."""
    p.shape(0.24, 0.04, 0.76, 0.04, 0.58, 0.5, 0.76, 0.96, 0.24, 0.96, 0.42, 0.5)
    p.shape(0.04, 0.24, 0.5, 0.42, 0.96, 0.24, 0.96, 0.76, 0.5, 0.58, 0.04, 0.76)


def diamond(p: Pen) -> None:
    """A cut stone: flat on top, facets."""
    p.shape(0.26, 0.12, 0.74, 0.12, 0.96, 0.4, 0.5, 0.96, 0.04, 0.4)
    p.dark_line(0.04, 0.4, 0.96, 0.4, tone=120, width=0.05)


def moon(p: Pen) -> None:
    """A thin crescent, open to the other side of the middle."""
    p.oval(0.06, 0.06, 0.94, 0.94)
    p.hole(0.32, 0.06, 1.14, 0.88)


def ring(p: Pen) -> None:
    """Thin, and wider than high."""
    p.oval(0.02, 0.14, 0.98, 0.86)
    p.hole(0.2, 0.3, 0.8, 0.7)
