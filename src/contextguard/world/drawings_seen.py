"""The drawings that thimble is trained on: one a class and shape, named after it."""

from __future__ import annotations

import math

from contextguard.world.pen import Pen


def bell(p: Pen) -> None:
    """A church bell with its clapper."""
    p.dome(0.2, 0.04, 0.8, 0.68)
    p.shape(0.2, 0.36, 0.8, 0.36, 0.96, 0.8, 0.04, 0.8)
    p.oval(0.4, 0.74, 0.6, 0.97)
    p.dark_box(0.04, 0.71, 0.96, 0.8, tone=60)


def drum(p: Pen) -> None:
    """A drum from above, laced."""
    p.box(0.08, 0.3, 0.92, 0.86)
    p.oval(0.08, 0.1, 0.92, 0.5)
    p.dark_oval(0.13, 0.15, 0.87, 0.45, tone=125)
    for i in range(5):
        p.dark_line(0.1 + 0.16 * i, 0.5, 0.26 + 0.16 * i, 0.86, tone=40, width=0.03)


def siren(p: Pen) -> None:
    """A flashing light on its base."""
    p.box(0.1, 0.72, 0.9, 0.96)
    p.dark_box(0.1, 0.72, 0.9, 0.96, tone=50)
    p.rounded(0.25, 0.22, 0.75, 0.76, radius=0.2)
    for ray in ((0.02, 0.33, 0.18, 0.42), (0.98, 0.33, 0.82, 0.42), (0.5, 0.0, 0.5, 0.15)):
        p.ray(*ray, width=0.07)


def engine(p: Pen) -> None:
    """A car."""
    p.rounded(0.02, 0.45, 0.98, 0.76, radius=0.08)
    p.shape(0.2, 0.47, 0.32, 0.2, 0.7, 0.2, 0.82, 0.47)
    p.dark_shape(0.28, 0.45, 0.36, 0.27, 0.66, 0.27, 0.74, 0.45, tone=90)
    for x in (0.25, 0.75):
        p.oval(x - 0.13, 0.62, x + 0.13, 0.9)
        p.dark_oval(x - 0.13, 0.62, x + 0.13, 0.9, tone=20)


def bird(p: Pen) -> None:
    """A bird that sits."""
    p.oval(0.15, 0.35, 0.8, 0.8)
    p.oval(0.6, 0.15, 0.92, 0.47)
    p.shape(0.9, 0.25, 1.0, 0.33, 0.9, 0.39)
    p.shape(0.2, 0.55, 0.0, 0.33, 0.05, 0.72)
    p.dark_oval(0.73, 0.23, 0.82, 0.32, tone=0)
    p.dark_oval(0.27, 0.45, 0.62, 0.68, tone=120)


def boat(p: Pen) -> None:
    """A sailing boat."""
    hull = (0.03, 0.68, 0.97, 0.68, 0.8, 0.94, 0.2, 0.94)
    p.shape(*hull)
    p.shape(0.48, 0.04, 0.48, 0.62, 0.1, 0.62)
    p.shape(0.54, 0.15, 0.54, 0.62, 0.88, 0.62)
    p.dark_shape(*hull, tone=90)


def phone(p: Pen) -> None:
    """A mobile phone with keys."""
    p.rounded(0.25, 0.02, 0.75, 0.98, radius=0.1)
    p.dark_box(0.32, 0.13, 0.68, 0.55, tone=40)
    for i in range(3):
        for j in range(3):
            x, y = 0.33 + 0.13 * i, 0.62 + 0.1 * j
            p.dark_oval(x, y, x + 0.08, y + 0.07, tone=40)


def clock(p: Pen) -> None:
    """A wall clock."""
    p.oval(0.04, 0.04, 0.96, 0.96)
    p.dark_rim(0.04, 0.04, 0.96, 0.96, tone=40, width=0.08)
    p.dark_line(0.5, 0.5, 0.5, 0.2, tone=0, width=0.06)
    p.dark_line(0.5, 0.5, 0.72, 0.6, tone=0, width=0.06)


def star(p: Pen) -> None:
    """Five points."""
    points: list[float] = []
    for i in range(10):
        r, angle = (0.48 if i % 2 == 0 else 0.2), i * math.pi / 5
        points += [0.5 + r * math.sin(angle), 0.52 - r * math.cos(angle)]
    p.shape(*points)


def heart(p: Pen) -> None:
    """Round and full."""
    p.oval(0.04, 0.1, 0.53, 0.57)
    p.oval(0.47, 0.1, 0.96, 0.57)
    p.shape(0.08, 0.45, 0.92, 0.45, 0.5, 0.97)


def cross(p: Pen) -> None:
    """Two even bars."""
    p.box(0.36, 0.04, 0.64, 0.96)
    p.box(0.04, 0.36, 0.96, 0.64)


def diamond(p: Pen) -> None:
    """A narrow rhomb."""
    p.shape(0.5, 0.02, 0.86, 0.5, 0.5, 0.98, 0.14, 0.5)


def moon(p: Pen) -> None:
    """A crescent."""
    p.oval(0.08, 0.04, 0.96, 0.96)
    p.hole(0.4, 0.0, 1.2, 0.84)


def ring(p: Pen) -> None:
    """Thick and round."""
    p.oval(0.04, 0.04, 0.96, 0.96)
    p.hole(0.3, 0.3, 0.7, 0.7)
