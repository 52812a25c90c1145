"""The method read off the paper line by line: numpy float64, plain loops, no speed.

Sections 2.2, 2.3 and App. B.2, B.3 of the paper (arXiv 2605.11605). It also tells how close each
decision was: single precision may fall either way where two values agree to five digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

MARGIN = 1e-5

Array = np.ndarray


@dataclass
class LiteralGroup:
    chunks: list[int]
    kept: list[int]
    semantic: list[bool]
    spatial: list[bool]


@dataclass
class LiteralPlan:
    groups: list[LiteralGroup] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)
    depth_video: list[float] = field(default_factory=list)
    depth_audio: list[float] = field(default_factory=list)
    near_ties: list[str] = field(default_factory=list)


def cosine(x: Array, y: Array) -> float:
    length = math.sqrt(float(sum(v * v for v in x))) * math.sqrt(float(sum(v * v for v in y)))
    if length == 0.0:
        return 0.0
    return max(-1.0, min(1.0, float(sum(a * b for a, b in zip(x, y, strict=True))) / length))


def mean_row(rows: Array) -> Array:
    total = np.zeros(rows.shape[1])
    for row in rows:
        total = total + row
    return total / rows.shape[0]


def adjacent(means: Sequence[Array | None]) -> dict[int, float]:
    """s_t for every t >= 1 that has it."""
    out = {}
    for t in range(1, len(means)):
        here, before = means[t], means[t - 1]
        if here is not None and before is not None:
            out[t] = cosine(here, before)
    return out


def depth(similarity: dict[int, float], chunks: int) -> list[float]:
    """Eq. 6."""
    out = []
    for t in range(chunks):
        before = [s for i, s in similarity.items() if i < t]
        after = [s for i, s in similarity.items() if i > t]
        if t in similarity and before and after:
            out.append(max(before) + max(after) - 2 * similarity[t])
        else:
            out.append(0.0)
    return out


def semantic_set(scores: list[float], ratio: float, rule: str, near: list[str]) -> set[int]:
    count = math.ceil(ratio * len(scores) - 1e-9)
    sign = 1 if rule == "low" else -1
    order = sorted(range(len(scores)), key=lambda j: (sign * scores[j], j))
    if 0 < count < len(scores):
        inside, outside = scores[order[count - 1]], scores[order[count]]
        if abs(inside - outside) < MARGIN and not inside == outside == 0.0:
            near.append("semantic boundary")
    return set(order[:count])


def variation(chunk: Array) -> list[list[float]]:
    patches, height, width, _ = chunk.shape
    frame = sum(chunk[f] for f in range(patches)) / patches
    out = [[0.0] * width for _ in range(height)]
    for i in range(height):
        for j in range(width):
            for k, m in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if 0 <= k < height and 0 <= m < width:
                    out[i][j] += math.sqrt(float(((frame[i, j] - frame[k, m]) ** 2).sum()))
    return out


def spatial_set(chunk: Array, ratio: float, near: list[str]) -> set[int]:
    patches, height, width, _ = chunk.shape
    if ratio == 0:
        return set()
    target = math.floor(ratio * height * width + 1e-9)
    g = max(1, math.floor(math.sqrt(target)))
    step_h, step_w = max(1, height // g), max(1, width // g)
    value = variation(chunk)
    locations = []
    for top in range(0, height, step_h):
        for left in range(0, width, step_w):
            cell = [
                (i, j)
                for i in range(top, min(top + step_h, height))
                for j in range(left, min(left + step_w, width))
            ]
            best = cell[0]
            for i, j in cell:
                if value[i][j] > value[best[0]][best[1]]:
                    best = (i, j)
            top_value = value[best[0]][best[1]]
            for i, j in cell:
                close = top_value - value[i][j] < MARGIN * top_value
                if (i, j) != best and close and top_value > 0:
                    near.append("spatial arg-max")
            locations.append(best[0] * width + best[1])
    return {f * height * width + at for f in range(patches) for at in locations}


def plan(
    video: Sequence[Array],
    audio: Sequence[Array],
    *,
    rho_sem: float = 0.5,
    rho_spa: float = 0.1,
    tau_merge: float = 0.98,
    depth_threshold: float = 0.5,
    guide: str | Callable[[Sequence[Array]], Array] = "audio",
    on_missing_audio: str = "visual",
    rule: str = "low",
) -> LiteralPlan:
    """The whole method, for chunks ``[F, H, W, d]`` and ``[L, d]`` in float64."""
    out = LiteralPlan()
    chunks = len(video)
    silent = [a.shape[0] == 0 for a in audio]
    tokens = [v.reshape(-1, v.shape[-1]) for v in video]
    video_mean = [mean_row(v) for v in tokens]
    audio_mean = [None if s else mean_row(a) for a, s in zip(audio, silent, strict=True)]
    called = guide(audio) if callable(guide) else None

    for t in range(chunks):
        if guide == "visual" or silent[t]:
            prediction = video_mean[t]
        elif called is not None:
            prediction = called[t]
        else:
            prediction = audio_mean[t]
        out.scores.append([cosine(x, prediction) for x in tokens[t]])

    s_video = adjacent(video_mean)
    s_audio = adjacent(audio_mean)
    out.depth_video = depth(s_video, chunks)
    out.depth_audio = depth(s_audio, chunks)
    for d in (*out.depth_video, *out.depth_audio):
        if d != 0.0 and abs(d - depth_threshold) < MARGIN:
            out.near_ties.append("depth threshold")

    keep_silent = on_missing_audio == "keep_all" and guide != "visual"
    segments: list[list[int]] = []
    for t in range(chunks):
        opens = (
            t == 0
            or out.depth_video[t] > depth_threshold
            or out.depth_audio[t] > depth_threshold
            or video[t].shape[0] != video[t - 1].shape[0]
            or (keep_silent and silent[t] != silent[t - 1])
        )
        if opens:
            segments.append([t])
        else:
            segments[-1].append(t)
    out.segments = [s[0] for s in segments]

    for segment in segments:
        count = tokens[segment[0]].shape[0]
        if keep_silent and silent[segment[0]]:
            semantic, spatial = set(range(count)), set()
        else:
            shared = [sum(out.scores[t][j] for t in segment) / len(segment) for j in range(count)]
            semantic = semantic_set(shared, rho_sem, rule, out.near_ties)
            spatial = spatial_set(video[segment[0]], rho_spa, out.near_ties)
        kept = sorted(semantic | spatial)
        runs: list[list[int]] = [[segment[0]]]
        for t in segment[1:]:
            if tau_merge < 1 and abs(s_video[t] - tau_merge) < MARGIN:
                out.near_ties.append("merge threshold")
            if s_video[t] > tau_merge:
                runs[-1].append(t)
            else:
                runs.append([t])
        for run in runs:
            out.groups.append(
                LiteralGroup(run, kept, [j in semantic for j in kept], [j in spatial for j in kept])
            )
    return out


def merged(video: Sequence[Array], group: LiteralGroup) -> Array:
    """The tokens a group becomes: the mean over its chunks at every shared index."""
    total = sum(video[t].reshape(-1, video[t].shape[-1])[group.kept] for t in group.chunks)
    return total / len(group.chunks)
