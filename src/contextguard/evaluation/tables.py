"""Scores and token shares for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contextguard.evaluation.summary import Cell, Scores
from contextguard.evaluation.truth_shares import KindShares, share
from contextguard.world.truth import KINDS


def print_scores(scores: Scores, out: Console, err: Console) -> None:
    """Accuracy and divergence by type, scenario and style, and types within scenarios."""
    out.print(
        f"[bold]{escape(scores.model)}[/bold], method {escape(scores.method)}: "
        f"{len(scores.clips)} clips, {scores.overall.n} questions"
    )
    out.print(_score_table(scores))
    if len(scores.by_scenario) > 1:
        out.print(_type_table(scores))
    tokens = scores.tokens
    out.print(
        f"video tokens {tokens['video']} -> {tokens['video_kept']} "
        f"({tokens['video_kept'] / tokens['video']:.1%}), "
        f"audio tokens {tokens['audio']} -> {tokens['audio_kept']}"
    )
    out.print("95% intervals: Wilson for accuracy, bootstrap over clips for KL(full || pruned)")
    for line in scores.warnings:
        err.print(f"[yellow]warning:[/yellow] {escape(line)}", soft_wrap=True)


def _score_table(scores: Scores) -> Table:
    table = Table()
    table.add_column("")
    for name in ("n", "accuracy", "95%", "KL, nats", "95%"):
        table.add_column(name, justify="right")
    blocks = (scores.by_type, scores.by_scenario, scores.by_style, {"all": scores.overall})
    for block in blocks:
        for i, (name, cell) in enumerate(block.items()):
            table.add_row(name, *_figures(cell), end_section=i == len(block) - 1)
    return table


def _figures(cell: Cell) -> tuple[str, ...]:
    low, high = cell.interval
    kl = "-" if cell.kl_interval is None else "{:.3f} - {:.3f}".format(*cell.kl_interval)
    return str(cell.n), f"{cell.accuracy:.3f}", f"{low:.3f} - {high:.3f}", f"{cell.kl:.3f}", kl


def _type_table(scores: Scores) -> Table:
    """Accuracy by type and scenario, with the number of questions."""
    table = Table(title="accuracy (questions)", title_justify="left")
    table.add_column("")
    for name in scores.by_scenario:
        table.add_column(name, justify="right")
    for kind in scores.by_type:
        cells = [scores.by_scenario_and_type[name].get(kind) for name in scores.by_scenario]
        table.add_row(kind, *("-" if c is None else f"{c.accuracy:.3f} ({c.n})" for c in cells))
    return table


def print_shares(shares: Mapping[str, Mapping[str, KindShares]], out: Console) -> None:
    """Share of each kind of token that each method keeps, scenario by scenario."""
    methods = list(dict.fromkeys(name for rows in shares.values() for name in rows))
    table = Table(title="share of the video tokens kept, by what they show", title_justify="left")
    for name in ("scenario", "token shows"):
        table.add_column(name)
    for name in ("tokens", *methods):
        table.add_column(name, justify="right")
    for scenario, found in shares.items():
        first = next(iter(found.values()))
        rows = [(kind, [found[m].counts[kind] for m in methods]) for kind in KINDS]
        rows.append(("sequence", [found[m].sequence for m in methods]))
        labels = [scenario, f"{first.clips} clips", *[""] * len(rows)]
        for label, (kind, pairs) in zip(labels, rows, strict=False):
            total = str(pairs[0][1])
            table.add_row(label, kind, total, *map(_percent, pairs), end_section=kind == "sequence")
    out.print(table)
    out.print(
        "kept: a token that stays, or is averaged into one that stays (which may blur it)\n"
        "sequence: tokens left of all video tokens, an averaged one counted once"
    )


def _percent(pair: tuple[int, int]) -> str:
    value = share(pair)
    return "-" if value is None else f"{value:.0%}"
