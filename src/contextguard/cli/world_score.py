"""``contextguard world score``, ``truth`` and ``bench``: judge methods on clips of the world."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from contextguard.cli import options
from contextguard.cli.session import load_quietly, progress_bar

if TYPE_CHECKING:
    from contextguard.evaluation.summary import Scores
    from contextguard.world.dataset import ClipEntry

_METHOD = "Method"

Folders = Annotated[
    list[Path],
    typer.Argument(metavar="DIR", help="Folders written by contextguard world render."),
]
MethodName = Annotated[
    str,
    typer.Option("--method", help="full (no pruning), or contextguard.", rich_help_panel=_METHOD),
]
Rule = Annotated[
    str | None,
    typer.Option(
        help="Which scores the semantic selection keeps: low, high or random. (default: low)",
        rich_help_panel=_METHOD,
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        help="Keep each clip's results in this JSONL file; clips it holds are not asked again."
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Put the commands into the group ``contextguard world``."""
    app.command()(score)
    app.command()(truth)
    app.command()(bench)


@dataclass(frozen=True)
class _Options:
    """What the scoring commands are given about model, method and output."""

    model: str
    method: str
    method_settings: dict[str, Any]
    device: str | None
    dtype: str | None
    save: Path | None
    as_json: bool


def score(
    folders: Folders,
    model: options.Model = "thimble",
    method: MethodName = "full",
    rho_sem: options.RhoSem = None,
    rho_spa: options.RhoSpa = None,
    tau_merge: options.TauMerge = None,
    guide: options.Guide = None,
    rule: Rule = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    save: Save = None,
    as_json: options.Json = False,
) -> None:
    """Accuracy and first-token KL against the full model, on rendered clips.

    [bold]Examples[/bold]

    contextguard world score clips

    contextguard world score clips/split clips/slides --method contextguard --save scores.jsonl

    contextguard world score clips --method contextguard --guide visual --json
    """
    settings = _settings(rho_sem, rho_spa, tau_merge, guide, rule)
    given = _Options(model, method, settings, device, dtype, save, as_json)
    _score(given, lambda: _entries(folders))


def bench(
    which: Annotated[
        str, typer.Option("--set", help="quick (12 clips a scenario) or full (100).")
    ] = "quick",
    style: Annotated[
        str, typer.Option(help="seen, or held_out: drawings, fonts and sounds never trained on.")
    ] = "seen",
    clips: Annotated[
        Path | None,
        typer.Option(help="Where the clips are kept. (default: the user's cache folder)"),
    ] = None,
    model: options.Model = "thimble",
    method: MethodName = "full",
    rho_sem: options.RhoSem = None,
    rho_spa: options.RhoSpa = None,
    tau_merge: options.TauMerge = None,
    guide: options.Guide = None,
    rule: Rule = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    save: Save = None,
    as_json: options.Json = False,
) -> None:
    """thimble-bench: fixed clips of every scenario, rendered once, then scored.

    [bold]Examples[/bold]

    contextguard world bench

    contextguard world bench --set full --method contextguard --save full.jsonl

    contextguard world bench --style held_out --json
    """
    settings = _settings(rho_sem, rho_spa, tau_merge, guide, rule)
    given = _Options(model, method, settings, device, dtype, save, as_json)

    def entries() -> list[ClipEntry]:
        from contextguard.evaluation.bench import bench_entries

        with progress_bar("rendering") as progress:
            return bench_entries(which, style, clips, progress=progress)

    _score(given, entries)


def truth(
    folders: Folders,
    model: options.Model = "thimble",
    rho_sem: options.RhoSem = None,
    rho_spa: options.RhoSpa = None,
    tau_merge: options.TauMerge = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    as_json: options.Json = False,
) -> None:
    """Which kinds of token are kept, for four ways to select; no language model runs.

    [bold]Examples[/bold]

    contextguard world truth clips

    contextguard world truth clips/ambient clips/split --rho-sem 0.3 --json
    """
    with redirect_stdout(sys.stderr):
        entries = _entries(folders)

        from contextguard.evaluation.truth_shares import truth_methods, truth_shares

        given = _settings(rho_sem, rho_spa, tau_merge, None, None)
        methods = truth_methods({k: v for k, v in given.items() if v is not None})
        checkpoint = load_quietly(model, device, dtype)
        with progress_bar("looking") as progress:
            shares = truth_shares(checkpoint, entries, methods, progress=progress)

    from contextguard.cli.output import TOY
    from contextguard.evaluation.tables import print_shares

    if as_json:
        table = {
            "shares": {
                scenario: {name: found.to_dict() for name, found in rows.items()}
                for scenario, rows in shares.items()
            },
            "methods": {name: chosen.settings() for name, chosen in methods.items()},
            "model": checkpoint.name,
            "warnings": [TOY] if checkpoint.is_thimble else [],
        }
        print(json.dumps(table, allow_nan=False))
        return
    out = Console(highlight=False)
    print_shares(shares, out)
    if checkpoint.is_thimble:
        out.print(f"\n[dim]{TOY}[/dim]")


def _settings(
    rho_sem: float | None,
    rho_spa: float | None,
    tau_merge: float | None,
    guide: str | None,
    rule: str | None,
) -> dict[str, Any]:
    return {
        "rho_sem": rho_sem,
        "rho_spa": rho_spa,
        "tau_merge": tau_merge,
        "guide": guide,
        "rule": rule,
    }


def _entries(folders: list[Path]) -> list[ClipEntry]:
    from contextguard.world.dataset import read_manifest

    return [entry for folder in folders for entry in read_manifest(folder)]


def _score(given: _Options, entries: Callable[[], list[ClipEntry]]) -> None:
    """Score the entries and print; whatever a library prints goes to stderr."""
    with redirect_stdout(sys.stderr):
        method = options.build_method(given.method, given.method_settings)
        found = entries()
        checkpoint = load_quietly(given.model, given.device, given.dtype)

        from contextguard.evaluation.score import score as score_clips

        with progress_bar("scoring") as progress:
            scores = score_clips(checkpoint, found, method, save=given.save, progress=progress)
    _print(scores, checkpoint.is_thimble, given.as_json)


def _print(scores: Scores, toy: bool, as_json: bool) -> None:
    from contextguard.cli.output import TOY

    if as_json:
        print(json.dumps(scores.to_dict([TOY] if toy else []), allow_nan=False))
        return
    from contextguard.evaluation.tables import print_scores

    out = Console(highlight=False)
    print_scores(scores, out, Console(stderr=True, highlight=False))
    if toy:
        out.print(f"\n[dim]{TOY}[/dim]")
