"""The time line under the frames: depth scores, segments and merge groups."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextguard.plan import PrunePlan

VIDEO_COLOR = "#0072b2"
AUDIO_COLOR = "#d55e00"

_GROUP_COLORS = ("#b9dcc9", "#d9c9e6", "#f2dca8", "#bcd6ea")
_DEFAULT_THRESHOLD = 0.5


def group_color(index: int) -> str:
    """Colour of the index-th group of more than one chunk."""
    return _GROUP_COLORS[index % len(_GROUP_COLORS)]


def has_scores(plan: PrunePlan) -> bool:
    """Whether any depth score is defined: some methods have none, nor do clips under 4 chunks."""
    return any((*plan.depth_video, *plan.depth_audio))


def draw_timeline(
    axes: Any, plan: PrunePlan, seconds_per_patch: float, first_patch: NDArray[Any]
) -> None:
    """Depth scores over time (Eq. 6) with the threshold, bands for segments, bars for groups.

    Args:
        axes: where to draw.
        plan: what to draw.
        seconds_per_patch: seconds a temporal patch covers.
        first_patch: int ``[T + 1]``, first temporal patch of each chunk, and the end.
    """
    edges = first_patch * seconds_per_patch
    threshold = float(plan.settings.get("depth_threshold", _DEFAULT_THRESHOLD))
    scores = [*plan.depth_video, *plan.depth_audio] if has_scores(plan) else []
    top = max([1.6 * threshold, *scores]) * 1.3 if scores else 1.0
    floor = min([0.0, *scores])
    lane = 0.2 * (top - floor) if scores else 1.0
    _draw_segments(axes, plan, edges, top)
    _draw_groups(axes, plan, edges, floor - 0.75 * lane, lane)
    if scores:
        axes.axhline(0, color="#444444", linewidth=0.8)
        axes.axhline(threshold, color="#444444", linestyle="--", linewidth=1, zorder=2)
        axes.text(edges[-1], threshold, f" {threshold:g}", va="center", fontsize=9.5)
        _draw_scores(axes, plan, edges)
        axes.set_ylabel("depth score", fontsize=10)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(floor - 1.35 * lane, top)
    axes.set_xlabel("seconds", fontsize=10)
    axes.set_yticks([y for y in axes.get_yticks() if floor <= y <= top] if scores else [])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_segments(axes: Any, plan: PrunePlan, edges: NDArray[Any], top: float) -> None:
    starts = (*plan.segments, len(plan.patches))
    for i, (a, b) in enumerate(pairwise(starts)):
        axes.axvspan(edges[a], edges[b], ymin=0, color="#f4f4f4" if i % 2 == 0 else "#e4e4e4", lw=0)
        if i:
            axes.axvline(edges[a], color="#888888", linewidth=1)
        if len(plan.segments) <= 16:
            axes.text(
                (edges[a] + edges[b]) / 2,
                0.97 * top,
                f"segment {i}" if len(plan.segments) <= 8 else str(i),
                ha="center",
                va="top",
                fontsize=9,
                color="#555555",
            )


def _draw_groups(
    axes: Any, plan: PrunePlan, edges: NDArray[Any], middle: float, height: float
) -> None:
    """One box a group of chunks, coloured where chunks were merged."""
    colors, merged = [], 0
    for group in plan.groups:
        colors.append(group_color(merged) if len(group.chunks) > 1 else "white")
        merged += len(group.chunks) > 1
    spans = [(edges[g.chunks[0]], edges[g.chunks[-1] + 1]) for g in plan.groups]
    axes.broken_barh(
        [(a, b - a) for a, b in spans],
        (middle - 0.45 * height, 0.9 * height),
        facecolors=colors,
        edgecolors="#777777",
        linewidth=0.8,
    )
    axes.text(
        -0.008,
        middle,
        "chunks",
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=9.5,
    )
    if len(plan.patches) > 40:
        return
    for group, (a, b) in zip(plan.groups, spans, strict=True):
        first, last = group.chunks[0], group.chunks[-1]
        label = f"{first}" if first == last else f"{first}–{last}"
        if first != last and len(plan.patches) <= 16:
            label += " merged"
        axes.text((a + b) / 2, middle, label, ha="center", va="center", fontsize=9)


def _draw_scores(axes: Any, plan: PrunePlan, edges: NDArray[Any]) -> None:
    """A stem at the start of each chunk: a boundary lies before the chunk whose score is high."""
    width = float(np.diff(edges).mean())
    for scores, color, label, shift, marker in (
        (plan.depth_video, VIDEO_COLOR, "video", -0.04, "o"),
        (plan.depth_audio, AUDIO_COLOR, "audio", 0.04, "s"),
    ):
        y = np.array(scores)
        defined = y != 0
        if not defined.any():
            continue
        x = (edges[:-1] + shift * width)[defined]
        axes.vlines(x, 0, y[defined], color=color, linewidth=1.8, zorder=3)
        axes.plot(x, y[defined], marker, color=color, markersize=5, label=label, zorder=3)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        frameon=False,
        fontsize=9.5,
        title="a depth score above the dashed line opens a segment",
        title_fontsize=9.5,
        alignment="right",
    )
