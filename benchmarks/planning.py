"""The cost of a ContextGuard plan against one read of the features it is made from.

A minute at 448x448 as Qwen2.5-Omni 7B sees it: 30 chunks of 2 temporal patches of 16x16 tokens
and 50 audio tokens, width 3584. The floor is ``sum`` over the same tensors: one streaming read.
"""

from __future__ import annotations

import multiprocessing
import platform
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.timing import medians_ms, wide_console
from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard
from contextguard.plan import PrunePlan

CHUNKS, PATCHES, GRID, AUDIO, WIDTH = 30, 2, 16, 50, 3584
LONG = 450
REPEATS = 15
# Scenes of the clip: one segment, 6 to 8, 15 or more; and the highest ratio aimed at.
TARGETS = {1: 3.0, 7: 4.0, 16: 5.0}
MEMORY_TARGET = 0.10
LONG_TARGET = 1.2


def make_clip(chunks: int, scenes: int, dtype: torch.dtype) -> ClipFeatures:
    """A clip of ``scenes`` equally long scenes, picture and sound alike changing between them."""
    rng = torch.Generator().manual_seed(0)
    video_noise = torch.randn(PATCHES, GRID, GRID, WIDTH, generator=rng)
    audio_noise = torch.randn(AUDIO, WIDTH, generator=rng)
    video: list[Tensor] = []
    audio: list[Tensor] = []
    scene = -1
    for t in range(chunks):
        if t * scenes // chunks != scene:
            scene = t * scenes // chunks
            look, sound = torch.randn(2, WIDTH, generator=rng)
        video.append((video_noise + look).to(dtype))
        audio.append((audio_noise + sound).to(dtype))
    return ClipFeatures(video, audio, check_finite=False)


def read_once(clip: ClipFeatures) -> None:
    """The floor: every feature is read once."""
    for x in (*clip.video, *clip.audio):
        x.sum()


def naive_scores(clip: ClipFeatures) -> None:
    """The same numbers from the obvious operators: cosines, means and every variation map."""
    for v, a in zip(clip.video, clip.audio, strict=True):
        tokens, guide = v.flatten(0, 2).float(), a.float().mean(0)
        torch.nn.functional.cosine_similarity(tokens, guide[None], dim=-1).topk(len(tokens) // 2)
        tokens.mean(0)
        frame = v.float().mean(0)
        down = (frame[1:] - frame[:-1]).norm(dim=-1)
        across = (frame[:, 1:] - frame[:, :-1]).norm(dim=-1)
        variation = torch.nn.functional.pad(down, (0, 0, 0, 1))
        variation += torch.nn.functional.pad(down, (0, 0, 1, 0))
        variation += torch.nn.functional.pad(across, (0, 1))
        variation += torch.nn.functional.pad(across, (1, 0))


def feature_bytes(clip: ClipFeatures) -> int:
    return sum(x.numel() * x.element_size() for x in (*clip.video, *clip.audio))


def _resident(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {key} in /proc/self/status")


def _memory_share(scenes: int, dtype: torch.dtype) -> float:
    """Runs alone in a fresh process: peak resident memory of planning over what it was before."""
    torch.set_num_threads(1)
    ContextGuard().plan(ClipFeatures([torch.ones(2, 4, 4, 8)], [torch.ones(2, 8)]))
    clip = make_clip(CHUNKS, scenes, dtype)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    ContextGuard().plan(clip)
    return (_resident("VmHWM") - before) / feature_bytes(clip)


def memory_share(scenes: int, dtype: torch.dtype) -> float | None:
    """Extra peak memory of planning as a share of the features; None where it cannot be read."""
    if platform.system() != "Linux":
        return None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory_share, (scenes, dtype))


def _row(table: Table, scenes: int, dtype: torch.dtype) -> None:
    method = ContextGuard()
    clip = make_clip(CHUNKS, scenes, dtype)
    plan: PrunePlan = method.plan(clip)
    ms = medians_ms({"read": lambda: read_once(clip), "plan": lambda: method.plan(clip)}, REPEATS)
    rest = medians_ms(
        {"naive": lambda: naive_scores(clip), "apply": lambda: plan.apply(clip.video)}, 3
    )
    share = memory_share(scenes, dtype)
    table.add_row(
        str(dtype).removeprefix("torch."),
        str(len(plan.segments)),
        f"{ms['read']:.1f}",
        f"{ms['plan']:.1f}",
        f"{ms['plan'] / ms['read']:.2f}x",
        f"<= {TARGETS[scenes]:.0f}x" if dtype == torch.float32 else "none",
        f"{rest['naive']:.0f} ({rest['naive'] / ms['read']:.0f}x)",
        f"{rest['apply']:.1f}",
        f"{share:.1%} (<= {MEMORY_TARGET:.0%})" if share is not None else "not measured",
    )


def main() -> None:
    """Print the table of one minute and the line of a quarter of an hour."""
    torch.set_num_threads(1)
    console = wide_console()
    table = Table(
        title=f"Planning {CHUNKS} chunks of {PATCHES}x{GRID}x{GRID} tokens, width {WIDTH}, "
        f"1 thread, median CPU ms of {REPEATS}",
        caption="read: one sum over the same features, measured in turns with plan. naive: "
        "stock operators for the scores alone, no segments or groups. memory: extra peak resident "
        "memory of planning as a share of the features.",
    )
    for column in ("dtype", "segments", "read", "plan", "plan/read", "target", "naive", "apply"):
        table.add_column(column, justify="right")
    table.add_column("memory", justify="right")
    for dtype in (torch.float32, torch.bfloat16):
        for scenes in TARGETS:
            _row(table, scenes, dtype)
    console.print(table)
    _long(console)


def _long(console: Console) -> None:
    """Seconds a chunk must not grow with the clip: same scene length, fifteen times the chunks."""
    method = ContextGuard()
    short = make_clip(CHUNKS, 7, torch.float32)
    long = make_clip(LONG, 7 * LONG // CHUNKS, torch.float32)
    ms = medians_ms({"short": lambda: method.plan(short), "long": lambda: method.plan(long)}, 5)
    per_short, per_long = ms["short"] / CHUNKS, ms["long"] / LONG
    console.print(
        f"{LONG} chunks (15 minutes, {feature_bytes(long) / 1e9:.1f} GB): {per_long:.2f} ms a "
        f"chunk, {per_long / per_short:.2f}x that of {CHUNKS} chunks (target <= {LONG_TARGET}x)"
    )


if __name__ == "__main__":
    main()
