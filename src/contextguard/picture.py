"""A plan as a picture: what was kept of each frame and why, and how the clip was cut and merged."""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from contextguard.errors import PlanError, SettingError
from contextguard.picture_tiles import (
    REASON_COLORS,
    paint_tile,
    token_states,
)
from contextguard.picture_timeline import draw_timeline, group_color, has_scores
from contextguard.plan import SEMANTIC, SPATIAL, PrunePlan

FORMATS = (".png", ".pdf", ".svg")
"""File name endings a picture can be written with."""

MAX_TILES = 24
"""Temporal patches shown; of longer clips whole chunks are taken at even distances."""

# Lengths in inches, from here on.
_WIDTH = 13.0
_MARGIN = 0.45
_GAP = 0.12
_CAPTION = 0.24
_BAR = 0.3
_HEAD = 1.2
_TIMELINE = 2.6
_TIMELINE_WITHOUT_SCORES = 1.2
_ROOMY = 2.6
_DPI = 120


def check_picture_path(path: str | os.PathLike[str]) -> Path:
    """``path`` as a file that can be written, before the work is done.

    Raises:
        SettingError: an unknown ending, a missing or unwritable folder, a directory.
    """
    file = Path(path).expanduser()
    if file.suffix.lower() not in FORMATS:
        raise SettingError(f"{path}: a picture is written as {', '.join(FORMATS)}")
    if file.is_dir():
        raise SettingError(f"{path}: is a directory; give a file name")
    if not file.parent.is_dir():
        raise SettingError(f"{path}: no such folder {str(file.parent)!r}; make it first")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise SettingError(f"{path}: permission denied; choose another place")
    return file


def draw_plan(
    plan: PrunePlan,
    frames: NDArray[np.uint8],
    out_path: str | os.PathLike[str],
    *,
    seconds_per_patch: float = 1.0,
    title: str = "",
) -> Path:
    """Draw ``plan`` over the clip's frames and write it to ``out_path``.

    Args:
        plan: what is drawn.
        frames: uint8 ``[P, height, width, 3]``, one for each of the plan's P temporal patches.
        out_path: ends in one of :data:`FORMATS`.
        seconds_per_patch: seconds of clip a temporal patch covers.
        title: goes before the counts, e.g. the file's name.

    Returns:
        The file written.

    Raises:
        PlanError: another number of frames than temporal patches.
        SettingError: a path that cannot be written.
    """
    file = check_picture_path(out_path)
    patches = sum(plan.patches)
    if len(frames) != patches:
        raise PlanError(f"the plan has {patches} temporal patches, got {len(frames)} frames")
    figure = _figure(plan, frames, seconds_per_patch, title)
    try:
        figure.savefig(file)
    except OSError as error:
        raise SettingError(f"{out_path}: cannot be written ({error.strerror or error})") from error
    return file


def _figure(plan: PrunePlan, frames: NDArray[np.uint8], seconds: float, title: str) -> Figure:
    chunks = shown_chunks(plan.patches)
    columns = _columns(plan, chunks, frames.shape[1] / frames.shape[2])
    rows = _rows(plan, chunks, columns)
    tile = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) / columns
    tall = tile * frames.shape[1] / frames.shape[2]
    row_height = _CAPTION + tall + _BAR + 0.1
    timeline = _TIMELINE if has_scores(plan) else _TIMELINE_WITHOUT_SCORES
    height = _HEAD + len(rows) * row_height + timeline
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    _draw_head(figure, plan, height, title, len(chunks))
    first = np.cumsum([0, *plan.patches])
    states = token_states(plan)
    for row, members in enumerate(rows):
        top = height - _HEAD - row * row_height - _CAPTION - tall
        x = _MARGIN
        for t, following in zip_longest(members, members[1:]):
            start = x
            for patch in range(first[t], first[t + 1]):
                box = (x / _WIDTH, top / height, tile / _WIDTH, tall / height)
                axes = figure.add_axes(box)
                image = paint_tile(frames[patch], states[patch], round(2 * _DPI * tile))
                _draw_tile(axes, image, merged_into(plan, t))
                if patch == first[t]:
                    caption = f"chunk {t}  ·  {patch * seconds:.1f} s"
                    axes.set_title(caption, loc="left", fontsize=9.5, pad=3, color="#222222")
                x += tile + _GAP
            joined = following is not None and _group_of(plan, t) == _group_of(plan, following)
            width = x - start - (0 if joined else _GAP)
            _draw_bar(figure, plan, t, (start, top - _BAR, width, _BAR - 0.06), height)
    box = (
        0.075,
        0.55 / height,
        0.89,
        (timeline - 0.55 - (0.5 if has_scores(plan) else 0.15)) / height,
    )
    draw_timeline(figure.add_axes(box), plan, seconds, first)
    return figure


def shown_chunks(patches: tuple[int, ...], limit: int = MAX_TILES) -> list[int]:
    """Chunks whose tiles fit into ``limit``: all of them, or some at even distances."""
    if sum(patches) <= limit:
        return list(range(len(patches)))
    count = max(2, min(len(patches), limit // max(patches)))
    return sorted({round(i) for i in np.linspace(0, len(patches) - 1, count)})


def _columns(plan: PrunePlan, chunks: list[int], ratio: float) -> int:
    """Tiles in a row: whole chunks, about six landscape or nine portrait tiles."""
    per_chunk = max(plan.patches[t] for t in chunks)
    wanted = 6 if ratio < 1 else 9
    total = sum(plan.patches[t] for t in chunks)
    return max(total, 4) if total <= wanted else max(per_chunk, wanted // per_chunk * per_chunk)


def _rows(plan: PrunePlan, chunks: list[int], columns: int) -> list[list[int]]:
    """Chunks filled into rows of at most ``columns`` tiles."""
    rows: list[list[int]] = [[]]
    filled = 0
    for t in chunks:
        if rows[-1] and filled + plan.patches[t] > columns:
            rows.append([])
            filled = 0
        rows[-1].append(t)
        filled += plan.patches[t]
    return rows


def _draw_head(figure: Figure, plan: PrunePlan, height: float, title: str, shown: int) -> None:
    s = plan.stats
    headline = (
        f"{plan.method} keeps {s.video_kept} of {s.video_tokens} video tokens "
        f"({s.video_kept / s.video_tokens:.0%})"
    )
    sound = (
        f"{s.audio_kept} of {s.audio_tokens} audio tokens kept" if s.audio_tokens else "no sound"
    )
    merged = sum(len(g.chunks) - 1 for g in plan.groups)
    detail = [
        sound,
        f"compression {s.compression:.0%} of video + audio",
        f"{_count(len(plan.patches), 'chunk')} in {_count(len(plan.segments), 'segment')}",
    ]
    if merged:
        detail.append(f"{_count(merged, 'chunk')} merged away")
    if shown < len(plan.patches):
        detail.append(f"{_count(shown, 'chunk')} shown, evenly spaced")
    x = _MARGIN / _WIDTH
    figure.text(x, 1 - 0.36 / height, f"{title}:  {headline}" if title else headline, fontsize=15)
    figure.text(x, 1 - 0.64 / height, "  ·  ".join(detail), fontsize=10.5, color="#444444")
    handles = _legend_handles(plan)
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(x - 0.005, 1 - 0.72 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=10,
        handlelength=1.4,
        handleheight=1.1,
        columnspacing=1.6,
    )


def _legend_handles(plan: PrunePlan) -> list[Any]:
    reasons = set(plan.reason.tolist())
    by_sound = plan.settings.get("guide") != "visual" and any(plan.audio_lengths)
    labels = {
        SEMANTIC: "kept: sound does not explain it"
        if by_sound
        else "kept: unlike the mean picture",
        SPATIAL: "kept: richest detail of its region",
        SEMANTIC | SPATIAL: "kept: both",
    }
    handles = [
        Patch(facecolor="white", edgecolor=_hex(REASON_COLORS[bits]), linewidth=2.2, label=label)
        for bits, label in labels.items()
        if bits in reasons
    ]
    if plan.video.kept < plan.video.length:
        handles.append(Patch(facecolor="#d5d5d5", edgecolor="#d5d5d5", label="dropped (faded)"))
    if any(len(g.chunks) > 1 for g in plan.groups):
        handles.append(Patch(facecolor=group_color(0), label="chunks merged into one (bar)"))
    return handles or [Patch(facecolor="white", edgecolor="#999999", label="kept: everything")]


def _draw_tile(axes: Any, image: NDArray[np.uint8], into: int | None) -> None:
    axes.imshow(image, aspect="auto", interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor("#999999")
        spine.set_linewidth(0.6)
    if into is not None:
        axes.text(
            0.5,
            0.5,
            f"merged into\nchunk {into}",
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=11,
            color="#333333",
            bbox={"facecolor": "white", "edgecolor": "#999999", "alpha": 0.9, "pad": 4},
        )


def merged_into(plan: PrunePlan, chunk: int) -> int | None:
    """The chunk that holds the tokens of ``chunk``'s group, if it is another one."""
    first = plan.groups[_group_of(plan, chunk)].chunks[0]
    return first if first != chunk else None


def _group_of(plan: PrunePlan, chunk: int) -> int:
    return next(i for i, g in enumerate(plan.groups) if chunk in g.chunks)


def _draw_bar(
    figure: Figure,
    plan: PrunePlan,
    chunk: int,
    box: tuple[float, float, float, float],
    height: float,
) -> None:
    """The strip below a chunk's tiles: how many tokens it keeps, or the group it is part of."""
    h, w = plan.grid
    index = _group_of(plan, chunk)
    group = plan.groups[index]
    kept = int(group.kept.numel())
    color = group_color(sum(len(g.chunks) > 1 for g in plan.groups[:index]))
    if len(group.chunks) == 1:
        color, text = "none", f"{kept} of {plan.patches[chunk] * h * w} tokens"
    elif group.chunks[0] == chunk:
        text = f"{kept} tokens"
        if box[2] > _ROOMY:
            text += f", mean of chunks {group.chunks[0]}–{group.chunks[-1]}"
    else:
        text = "0 tokens"
    x, y, width, tall = box
    figure.add_artist(
        Rectangle(
            (x / _WIDTH, y / height),
            width / _WIDTH,
            tall / height,
            transform=figure.transFigure,
            facecolor=color,
            edgecolor="none",
        )
    )
    figure.text(
        (x if color == "none" else x + width / 2) / _WIDTH,
        (y + tall / 2) / height,
        text,
        ha="left" if color == "none" else "center",
        va="center",
        fontsize=9.5,
        color="#222222",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _hex(color: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{c:02x}" for c in color)
