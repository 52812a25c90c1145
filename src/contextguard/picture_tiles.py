"""Painting a plan onto frames: one RGB tile a temporal patch. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contextguard.errors import PlanError
from contextguard.plan import SEMANTIC, SPATIAL, PrunePlan

SEMANTIC_COLOR = (86, 180, 233)
SPATIAL_COLOR = (240, 165, 0)
BOTH_COLOR = (230, 60, 150)
REASON_COLORS = {SEMANTIC: SEMANTIC_COLOR, SPATIAL: SPATIAL_COLOR, SEMANTIC | SPATIAL: BOTH_COLOR}
"""Outline by reason bits; told apart by readers with any colour vision (after Okabe and Ito)."""

DROPPED = -1
"""Value of :func:`token_states` for a token that is gone."""

_SHARE_OF_GREY = 0.3
_PAPER = 225.0


def token_states(plan: PrunePlan) -> list[NDArray[np.int8]]:
    """One int8 ``[H, W]`` a temporal patch: :data:`DROPPED`, or the reason bits of a kept token."""
    h, w = plan.grid
    states = np.full(plan.video.length, DROPPED, np.int8)
    states[plan.video.position.numpy()] = plan.reason.numpy()
    return list(states.reshape(-1, h, w))


def paint_tile(
    frame: NDArray[np.uint8], states: NDArray[np.int8], width: int = 480
) -> NDArray[np.uint8]:
    """``frame`` with dropped tokens faded to pale grey and kept ones outlined by their reason.

    Args:
        frame: uint8 ``[h, w, 3]`` of any size; it is sampled to whole pixels a token.
        states: one array of :func:`token_states`.
        width: width of the tile in pixels, rounded to whole tokens.

    Raises:
        PlanError: a frame that is no RGB image.
    """
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise PlanError(f"a frame must be uint8 [height, width, 3], got {frame.shape}")
    rows, columns = states.shape
    across = max(4, width // columns)
    down = max(4, round(across * columns / rows * frame.shape[0] / frame.shape[1]))
    image = _resize(frame, rows * down, columns * across).astype(np.float32)
    cells = image.reshape(rows, down, columns, across, 3).swapaxes(1, 2)
    gone = states == DROPPED
    grey = cells[gone].mean(axis=-1, keepdims=True)
    cells[gone] = _SHARE_OF_GREY * grey + (1 - _SHARE_OF_GREY) * _PAPER
    _outline(cells, states, max(1, min(across, down) // 9))
    painted = cells.swapaxes(1, 2).reshape(image.shape)
    return np.asarray(painted.clip(0, 255), dtype=np.uint8)


def _outline(cells: NDArray[np.float32], states: NDArray[np.int8], line: int) -> None:
    """Draw, in place, a line around every region of tokens kept for the same reason.

    Args:
        cells: ``[H, W, height, width, 3]``, the pixels of each token.
        states: ``[H, W]``.
        line: thickness in pixels.
    """
    framed = np.pad(states, 1, constant_values=DROPPED)
    sides = (
        (framed[:-2, 1:-1], np.s_[:, :line]),
        (framed[2:, 1:-1], np.s_[:, -line:]),
        (framed[1:-1, :-2], np.s_[:, :, :line]),
        (framed[1:-1, 2:], np.s_[:, :, -line:]),
    )
    for reason, color in REASON_COLORS.items():
        for neighbour, strip in sides:
            here = (states == reason) & (neighbour != reason)
            region = cells[here]
            region[strip] = color
            cells[here] = region


def _resize(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Nearest pixel after averaging whole blocks, so that shrinking does not flicker."""
    block = max(1, min(frame.shape[0] // height, frame.shape[1] // width))
    if block > 1:
        h, w = frame.shape[0] // block * block, frame.shape[1] // block * block
        small = frame[:h, :w].reshape(h // block, block, w // block, block, 3)
        frame = small.mean(axis=(1, 3)).astype(np.uint8)
    y = np.arange(height) * frame.shape[0] // height
    x = np.arange(width) * frame.shape[1] // width
    resized: NDArray[np.uint8] = frame[y[:, None], x[None, :]]
    return resized
