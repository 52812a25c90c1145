"""Frames and sound of a clip's specification."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from contextguard.world.places import MARGIN, ground, sensor_noise
from contextguard.world.sounds import soundtrack
from contextguard.world.spec import SIZE, ClipSpec, Item, Region, Shot
from contextguard.world.sprites import RGB, FloatArray, digit, paste, sprite

_PAPER = {"light": (245, 245, 240), "dark": (25, 25, 30)}
_INK = {"light": (10, 10, 10), "dark": (250, 240, 120)}


def frame(spec: ClipSpec, t: float, camera: Generator | None = None) -> NDArray[np.uint8]:
    """The picture at ``t`` seconds, uint8 ``[196, 196, 3]``; ``camera`` draws the sensor noise."""
    return _exposed(_picture(spec, spec.shot_at(t), t), camera)


def frames(
    spec: ClipSpec, fps: float = 2.0, camera: Generator | None = None, codec: bool = False
) -> NDArray[np.uint8]:
    """All frames at ``fps``, uint8 ``[N, 196, 196, 3]``.

    Args:
        spec: the clip.
        fps: frames a second.
        camera: draws sensor noise and codec quality.
        codec: pass most of the clips through JPEG of random quality, so that a model trained on
            arrays also reads files.
    """
    out, seen = [], None
    for i in range(round(spec.seconds * fps)):
        t = i / fps
        shot = spec.shot_at(t)
        state = (shot.start, _state(spec, shot, t))
        if state != seen:  # still stretches are painted once
            picture, seen = _picture(spec, shot, t), state
        out.append(_exposed(picture, camera))
    if codec and camera is not None and camera.random() < 0.6:
        quality = int(camera.integers(35, 95))
        out = [_jpeg(f, quality) for f in out]
    return np.stack(out)


def audio(spec: ClipSpec) -> FloatArray:
    """The sound, float32 ``[seconds * 16000]``, mono."""
    rng = np.random.default_rng(spec.sound_seed)
    codes = [(spec.code_at, spec.code)]
    return soundtrack(spec.sound.name, codes, spec.seconds, rng, spec.heard, spec.style)


def paint_sign(image: FloatArray, char: str, tone: str, font: str, x: int, y: int, n: int) -> None:
    """Paint a sign of ``n`` pixels; ``tone`` is ``light`` or ``dark``."""
    paste(image, np.ones((n, n), np.float32), np.array(_PAPER[tone], np.float32), x, y)
    paste(image, digit(char, n, font), np.array(_INK[tone], np.float32), x, y)


def paint_sprite(image: FloatArray, item: Item, x: int, y: int, style: str) -> None:
    """Paint an object or a shape."""
    drawn = sprite(item.name, item.size, item.angle, style)
    paste(image, drawn.alpha, RGB[item.color] * drawn.shade[..., None], x, y)


def _state(spec: ClipSpec, shot: Shot, t: float) -> tuple[Any, ...]:
    """What the picture depends on at ``t`` within a shot."""
    since = t - shot.start
    items = tuple(i.corner(since) if i.visible(t) else None for i in shot.items)
    return (spec.digit_at(t), items, tuple(_origin(r, since) for r in shot.regions))


def _origin(region: Region, since: float) -> tuple[int, int]:
    return (
        int(region.offset[0] + region.scroll[0] * since) % MARGIN,
        int(region.offset[1] + region.scroll[1] * since) % MARGIN,
    )


def _picture(spec: ClipSpec, shot: Shot, t: float) -> FloatArray:
    """The picture before the sensor, float32 ``[196, 196, 3]``."""
    image = np.empty((SIZE, SIZE, 3), np.float32)
    since = t - shot.start
    views = []
    for r in shot.regions:
        ox, oy = _origin(r, since)
        view = image[r.y : r.y + r.height, r.x : r.x + r.width]
        texture = ground(r.ground, r.variant, SIZE)
        view[:] = texture[oy : oy + r.height, ox : ox + r.width] + np.array(r.tint, np.float32)
        views.append((view, r))
    for item in shot.items:
        if item.visible(t):
            view, region = views[item.region]
            x, y = item.corner(since)
            _paint(view, spec, item, x - region.x, y - region.y, t)
    return image


def _paint(view: FloatArray, spec: ClipSpec, item: Item, x: int, y: int, t: float) -> None:
    if item.kind == "sign":
        paint_sign(view, spec.digit_at(t), item.color, item.name, x, y, item.size)
    elif item.kind == "lines":
        _paint_lines(view, item, x, y)
    else:
        paint_sprite(view, item, x, y, spec.style)


def _paint_lines(view: FloatArray, item: Item, x: int, y: int) -> None:
    """Greeked text: rows of word-long bars that say nothing; ``angle`` picks the lengths."""
    ink = np.array((215, 215, 210) if item.color == "dark" else (95, 95, 95), np.float32)
    rng = np.random.default_rng(item.angle)
    for row in range(item.size // 9):
        at = 0
        while at < item.size - 10:
            word = int(rng.integers(6, 22))
            bar = np.full((4, min(word, item.size - at)), 0.7, np.float32)
            paste(view, bar, ink, x + at, y + 9 * row)
            at += word + 5


def _exposed(picture: FloatArray, camera: Generator | None) -> NDArray[np.uint8]:
    if camera is not None:
        nx, ny = camera.integers(0, MARGIN, 2)
        picture = picture + sensor_noise(SIZE)[ny : ny + SIZE, nx : nx + SIZE]
    return np.clip(picture, 0, 255).astype(np.uint8)


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))
