"""What every token holds, known because the world drew it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contextguard.world.places import NEUTRAL
from contextguard.world.sounds import CODE_SECONDS
from contextguard.world.spec import CELL, GRID, SIZE, TOKENS_PER_SECOND, ClipSpec, Item, Shot
from contextguard.world.sprites import FloatArray, paste, sprite
from contextguard.world.words import AUDIO_WORDS, CLASSES, POSES, VISUAL_WORDS

KINDS = ("explained", "text", "silent", "sounding", "background")
"""Kinds of video token.

``explained``: ground of the place that the sound tells of; ``text``: a sign; ``silent``: a silent
shape, or an object that is not the one heard; ``sounding``: the object heard; ``background``: any
other ground, greeked lines included. What covers a cell in front decides.
"""

VISUAL_INDEX = {word: i for i, word in enumerate(VISUAL_WORDS)}
_ENOUGH = {"thing": 0.2, "shape": 0.15, "sign": 0.4}
"""Share of a cell that something must cover to be what the token shows."""


def coverage(alpha: FloatArray, x: int, y: int) -> FloatArray:
    """Share of each token map cell that a sprite at (x, y) covers, ``[49]``."""
    mask = np.zeros((SIZE, SIZE, 1), np.float32)
    paste(mask, (alpha > 0.5).astype(np.float32), np.ones(1, np.float32), x, y)
    cells = mask[..., 0].reshape(GRID, CELL, GRID, CELL).mean((1, 3))
    return np.asarray(cells.ravel(), np.float32)


def _covered(spec: ClipSpec, shot: Shot, item: Item, t: float) -> NDArray[np.bool_]:
    """Cells ``[49]`` that show ``item`` at ``t``."""
    if item.kind == "sign":
        alpha = np.ones((item.size, item.size), np.float32)
    else:
        alpha = sprite(item.name, item.size, item.angle, spec.style).alpha
    region = shot.regions[item.region]
    x, y = item.corner(t - shot.start)
    top, left = max(region.y - y, 0), max(region.x - x, 0)
    bottom = min(region.y + region.height - y, item.size)
    right = min(region.x + region.width - x, item.size)
    return coverage(alpha[top:bottom, left:right], x + left, y + top) > _ENOUGH[item.kind]


def _grounds(shot: Shot) -> NDArray[np.int_]:
    """Index of the region that covers most of each cell, ``[49]``."""
    owner = np.zeros((SIZE, SIZE), int)
    for i, r in enumerate(shot.regions):
        owner[r.y : r.y + r.height, r.x : r.x + r.width] = i
    cells = owner.reshape(GRID, CELL, GRID, CELL).transpose(0, 2, 1, 3).reshape(GRID * GRID, -1)
    counts = np.stack([(cells == i).sum(1) for i in range(len(shot.regions))])
    return np.asarray(counts.argmax(0))


def token_kinds(spec: ClipSpec) -> NDArray[np.int8]:
    """Kind of every video token: int8 ``[seconds, 7, 7]``, indices into :data:`KINDS`.

    One entry a temporal patch: two frames at 2 frames a second, as they are at its first frame
    (cuts, signs and events fall on whole seconds).
    """
    return np.stack([_kinds_at(spec, float(t)) for t in range(round(spec.seconds))])


def _kinds_at(spec: ClipSpec, t: float) -> NDArray[np.int8]:
    shot = spec.shot_at(t)
    at = {kind: i for i, kind in enumerate(KINDS)}
    by_region = [
        at["explained"] if r.ground == spec.explained_ground else at["background"]
        for r in shot.regions
    ]
    kinds = np.array(by_region, np.int8)[_grounds(shot)]
    for item in shot.items:
        if item.kind == "lines" or not item.visible(t):
            continue
        if item.kind == "thing":
            kind = "sounding" if item.name == spec.sound.name else "silent"
        else:
            kind = "text" if item.kind == "sign" else "silent"
        kinds[_covered(spec, shot, item, t)] = at[kind]
    return kinds.reshape(GRID, GRID)


def visual_labels(spec: ClipSpec, t: float) -> NDArray[np.bool_]:
    """What each token map cell shows at ``t``: bool ``[49, len(VISUAL_WORDS)]``."""
    shot = spec.shot_at(t)
    labels = np.zeros((GRID * GRID, len(VISUAL_WORDS)), bool)
    owners = _grounds(shot)
    for i, region in enumerate(shot.regions):
        if region.ground not in NEUTRAL:
            labels[owners == i, VISUAL_INDEX[region.ground]] = True
    for item in shot.items:
        if item.kind == "lines" or not item.visible(t):
            continue
        cells = _covered(spec, shot, item, t)
        if item.kind == "sign":
            labels[cells] = False
            labels[cells, VISUAL_INDEX[spec.digit_at(t)]] = True
        else:
            labels[cells, VISUAL_INDEX[item.name]] = True
            labels[cells, VISUAL_INDEX[item.color]] = True
            mark_pose(labels, cells, item)
    return labels


def mark_pose(labels: NDArray[np.bool_], cells: NDArray[np.bool_], item: Item) -> None:
    """Label the cells of an object that leans to a side."""
    pose = pose_of(item.angle)
    if item.kind == "thing" and pose is not None:
        labels[cells, VISUAL_INDEX[pose]] = True


def pose_of(angle: int) -> str | None:
    """The side an object leans to, None below 15 degrees."""
    return None if abs(angle) < 15 else POSES[0] if angle > 0 else POSES[1]


def audio_labels(
    sound: str, codes: list[tuple[float, str]], seconds: float, heard: tuple[float, float] | None
) -> NDArray[np.bool_]:
    """What each audio token holds: bool ``[seconds * 25, len(AUDIO_WORDS)]``."""
    n = round(seconds * TOKENS_PER_SECOND)
    middle = (np.arange(n) + 0.5) / TOKENS_PER_SECOND
    labels = np.zeros((n, len(AUDIO_WORDS)), bool)
    start, end = heard or (0.0, seconds)
    labels[(middle >= start) & (middle < end), CLASSES.index(sound)] = True
    for begin, char in codes:
        here = (middle > begin) & (middle < begin + CODE_SECONDS)
        labels[here, len(CLASSES) + int(char)] = True
    return labels
