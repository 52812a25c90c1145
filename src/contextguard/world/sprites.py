"""Sprites of the world: sounding objects, silent shapes and digit signs.

``alpha`` says where a sprite is, ``shade`` multiplies its colour (dark parts of an object). Each
class and shape has a drawing a style, the function of its name in ``drawings_<style>.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contextguard.world import drawings_held_out, drawings_seen
from contextguard.world.pen import Drawing, Pen
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

SIGN_FONTS = {
    "seen": ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif-Bold", "DejaVuSansMono-Bold"),
    "held_out": ("STIXGeneralBol", "DejaVuSansMono-Oblique", "STIXGeneralBolIta"),
}
"""Fonts of a style's signs; matplotlib ships them."""

_DRAWINGS: dict[str, dict[str, Drawing]] = {
    style: {name: getattr(module, name) for name in (*CLASSES, *SHAPES)}
    for style, module in (("seen", drawings_seen), ("held_out", drawings_held_out))
}


@dataclass(frozen=True, eq=False)
class Sprite:
    """``alpha`` and ``shade``, both float32 ``[h, w]`` in [0, 1]."""

    alpha: FloatArray
    shade: FloatArray


@lru_cache(maxsize=4096)
def sprite(name: str, size: int, angle: int = 0, style: str = "seen") -> Sprite:
    """The sprite of a class or shape, ``size`` pixels square, turned by ``angle`` degrees.

    Raises:
        ValueError: a name or style there is no drawing of.
    """
    if style not in _DRAWINGS:
        raise ValueError(f"style must be one of {', '.join(_DRAWINGS)}, got {style!r}")
    if name not in _DRAWINGS[style]:
        raise ValueError(f"sprite must be one of {', '.join(_DRAWINGS[style])}, got {name!r}")
    pen = Pen(size)
    _DRAWINGS[style][name](pen)

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
