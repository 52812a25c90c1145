"""An answer for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contextguard.checkpoints import THIMBLE

if TYPE_CHECKING:
    from contextguard.asking import Answer

TOY = (
    "thimble is the embedded toy model: its answers and figures show the mechanics of pruning "
    "and say nothing about real models"
)


def print_json(answer: Answer) -> None:
    """One JSON object on stdout, in one line."""
    print(json.dumps(answer.to_dict(), allow_nan=False))


def print_answer(answer: Answer, picture: Path | None) -> None:
    """The answer, what was kept, how the clip was cut, and the time; warnings go to stderr."""
    out = Console(highlight=False)
    if answer.answer is not None:
        out.print(f"[bold]{escape(answer.answer) or '(no text)'}[/bold]\n")
    out.print(_tokens(answer))
    out.print(f"compression {answer.compression:.1%} of video + audio, method {answer.method}")
    out.print(f"segments    {' | '.join(_span(s) for s in answer.segments)}")
    merged = [_span(g["chunks"]) for g in answer.groups if len(g["chunks"]) > 1]
    out.print(f"merged      {', '.join(merged) if merged else 'no chunks'}")
    times = ", ".join(f"{name} {value:.2f}" for name, value in answer.seconds.items())
    out.print(f"seconds     {times}")
    if picture is not None:
        out.print(f"picture     {escape(str(picture))}", soft_wrap=True)
    if answer.model == THIMBLE:
        out.print(f"\n[dim]{TOY}[/dim]")
    err = Console(stderr=True, highlight=False)
    for line in answer.warnings:
        err.print(f"[yellow]warning:[/yellow] {escape(line)}", soft_wrap=True)


def _tokens(answer: Answer) -> Table:
    table = Table(title=f"tokens in {answer.model}'s decoder", title_justify="left")
    table.add_column("")
    for name in ("before", "after", "kept"):
        table.add_column(name, justify="right")
    count = answer.tokens
    rows = [
        ("video", count["video"], count["video_kept"]),
        ("audio", count["audio"], count["audio_kept"]),
        ("text", count["text"], count["text"]),
    ]
    rows.append(("all", sum(r[1] for r in rows), sum(r[2] for r in rows)))
    for name, before, after in rows:
        share = f"{after / before:.0%}" if before else "-"
        table.add_row(name, str(before), str(after), share, end_section=name == "text")
    return table


def _span(chunks: list[int]) -> str:
    return f"{chunks[0]}" if len(chunks) == 1 else f"{chunks[0]}–{chunks[-1]}"
