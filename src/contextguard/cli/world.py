"""``contextguard world``: render clips of the procedural world, and say what happens in them."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contextguard.cli import options
from contextguard.cli.session import load_quietly, progress_bar
from contextguard.cli.world_score import add_commands
from contextguard.errors import SettingError

if TYPE_CHECKING:
    from contextguard.checkpoints import Checkpoint
    from contextguard.world.dataset import ClipEntry, RenderOrder

app = typer.Typer(
    rich_markup_mode="rich",
    help="Clips of the procedural world that thimble is trained and judged on.",
)

ALL = "all"
_LONG = 10
"""Seconds from which a clip counts as long."""

Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        metavar="NAME",
        help="ambient, split, closeup, slides, event, or all; may be repeated.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same clips.")]
Count = Annotated[int, typer.Option(min=1, help="Clips of each scenario.")]
Style = Annotated[
    str, typer.Option(help="seen, or held_out: drawings, fonts and sounds never trained on.")
]
Seconds = Annotated[
    int | None, typer.Option(min=2, help="Length of every clip. (default: drawn, 4 to 12)")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that render. (default: one a core)")
]


@app.command()
def render(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of the clips: new or empty.")
    ],
    scenario: Scenarios = None,
    seed: Seed = 0,
    count: Count = 1,
    style: Style = "seen",
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """Write mp4 clips and a manifest of their questions, answers and token-level truth.

    [bold]Examples[/bold]

    contextguard world render --seed 7 --count 12 --scenario split -o clips

    contextguard world render --count 100 --scenario all --style held_out -o clips
    """
    from contextguard.world.dataset import RenderOrder

    names = _names(scenario)
    order = RenderOrder(names, seed, count, out, style, seconds, workers)
    _rendered(order)
    size = sum(f.stat().st_size for f in out.iterdir())
    Console(highlight=False).print(
        f"{len(order.clips)} clips of {', '.join(names)} ({size / 1e6:.1f} MB): {escape(str(out))}",
        soft_wrap=True,
    )


@app.command()
def stats(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A folder written by contextguard world render."),
    ] = None,
    scenario: Scenarios = None,
    seed: Seed = 0,
    count: Count = 20,
    style: Style = "seen",
    seconds: Seconds = None,
    workers: Workers = None,
    model: options.Model = "thimble",
    device: options.Device = None,
    dtype: options.Dtype = None,
    as_json: options.Json = False,
) -> None:
    """What happens in clips: lengths, cuts, segments, merges, kinds of token, questions.

    Segments and merges are those of ContextGuard's default settings on the model's own features.
    Give a folder, or scenarios to render for the occasion.

    [bold]Examples[/bold]

    contextguard world stats clips

    contextguard world stats --scenario all --count 50 --json
    """
    if (folder is None) == (not scenario):
        raise SettingError("give either a folder of clips or --scenario, and not both")
    with redirect_stdout(sys.stderr):
        if folder is not None:
            found = _count(folder, model, device, dtype)
        else:
            from contextguard.world.dataset import RenderOrder

            with tempfile.TemporaryDirectory(prefix="contextguard-") as base:
                place = Path(base) / "clips"
                names = _names(scenario)
                _rendered(RenderOrder(names, seed, count, place, style, seconds, workers))
                found = _count(place, model, device, dtype)

    if as_json:
        print(json.dumps({"model": model, "scenarios": found}, allow_nan=False))
        return
    out = Console(highlight=False)
    out.print(_table(found))
    out.print(
        f"\n[dim]segments and merges: ContextGuard's defaults on {escape(model)}'s features[/]"
    )


add_commands(app)


def _names(scenario: Sequence[str] | None) -> tuple[str, ...]:
    """The scenarios asked for, each once; an unknown one is left to be refused."""
    from contextguard.world.scenarios import SCENARIOS

    if not scenario:
        raise SettingError(f"give --scenario: {', '.join(SCENARIOS)}, or {ALL}")
    return tuple(SCENARIOS) if ALL in scenario else tuple(dict.fromkeys(scenario))


def _rendered(order: RenderOrder) -> None:
    from contextguard.world.dataset import render

    # A request to end is met like Ctrl-C: nothing half-written stays.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with progress_bar("rendering") as progress:
            render(order, progress)
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class _Cut:
    """How ContextGuard's default settings cut one clip."""

    chunks: int
    segments: int
    groups: int


def _count(
    folder: Path, model: str, device: str | None, dtype: str | None
) -> dict[str, dict[str, Any]]:
    """The figures of each scenario in ``folder``."""
    from contextguard.world.dataset import read_manifest

    entries = read_manifest(folder)
    checkpoint = load_quietly(model, device, dtype)
    with progress_bar("looking") as progress:
        cuts = list(_cuts(checkpoint, entries, progress))
    scenarios = dict.fromkeys(e.scenario for e in entries)
    return {
        name: _figures([(e, c) for e, c in zip(entries, cuts, strict=True) if e.scenario == name])
        for name in scenarios
    }


def _cuts(
    checkpoint: Checkpoint, entries: Sequence[ClipEntry], progress: Callable[[int, int], None]
) -> Iterator[_Cut]:
    from contextguard.evaluation.features import FPS, clip_features
    from contextguard.media import load_clip
    from contextguard.methods import ContextGuard

    for done, entry in enumerate(entries, 1):
        clip = load_clip(entry.path, FPS, max_sound_seconds=checkpoint.sound_limit)
        plan = ContextGuard().plan(clip_features(checkpoint, clip))
        yield _Cut(len(plan.patches), len(plan.segments), len(plan.groups))
        progress(done, len(entries))


def _figures(clips: Sequence[tuple[ClipEntry, _Cut]]) -> dict[str, Any]:
    """Sums and shares over the clips of one scenario, JSON-ready."""
    entries, cuts = [e for e, _ in clips], [c for _, c in clips]
    seconds = [e.seconds for e in entries]
    shots = [shot for e in entries for shot in e.facts["shots"]]
    chunks = sum(c.chunks for c in cuts)
    kinds: Counter[str] = Counter()
    for e in entries:
        kinds.update({name: int((e.token_kinds == i).sum()) for i, name in enumerate(e.kinds)})
    tokens = sum(kinds.values())
    return {
        "clips": len(entries),
        "seconds": {
            "mean": sum(seconds) / len(seconds),
            "least": min(seconds),
            "most": max(seconds),
            "long_share": sum(s >= _LONG for s in seconds) / len(seconds),
        },
        "cuts": len(shots) - len(entries),
        "clips_with_cuts": sum(len(e.facts["shots"]) > 1 for e in entries),
        "still_shots_share": sum(not shot["moves"] for shot in shots) / len(shots),
        "mismatched_share": sum(not e.facts["matches"] for e in entries) / len(entries),
        "chunks": chunks,
        "segments": sum(c.segments for c in cuts),
        "clips_with_segments": sum(c.segments > 1 for c in cuts),
        "groups": sum(c.groups for c in cuts),
        "clips_with_merges": sum(c.groups < c.chunks for c in cuts),
        "merged_away_share": 1 - sum(c.groups for c in cuts) / chunks,
        "token_shares": {name: count / tokens for name, count in kinds.items()},
        "questions": dict(Counter(q.type for e in entries for q in e.questions)),
    }


def _table(found: dict[str, dict[str, Any]]) -> Table:
    """One column a scenario."""
    table = Table()
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    columns = list(found.values())

    def row(label: str, value: Callable[[dict[str, Any]], str], end: bool = False) -> None:
        table.add_row(label, *(value(c) for c in columns), end_section=end)

    row("clips", lambda c: str(c["clips"]))
    row("seconds, mean", lambda c: f"{c['seconds']['mean']:.1f}")
    row("shortest-longest", lambda c: f"{c['seconds']['least']}-{c['seconds']['most']}")
    row(f"{_LONG} s or longer", lambda c: f"{c['seconds']['long_share']:.0%}")
    row("sound mismatched", lambda c: f"{c['mismatched_share']:.0%}", end=True)
    row("cuts a clip", lambda c: f"{c['cuts'] / c['clips']:.2f}")
    row("clips with cuts", lambda c: f"{c['clips_with_cuts'] / c['clips']:.0%}")
    row("shots standing still", lambda c: f"{c['still_shots_share']:.0%}", end=True)
    row("chunks a clip", lambda c: f"{c['chunks'] / c['clips']:.2f}")
    row("segments a clip", lambda c: f"{c['segments'] / c['clips']:.2f}")
    row("clips in 2+ segments", lambda c: f"{c['clips_with_segments'] / c['clips']:.0%}")
    row("merge groups a clip", lambda c: f"{c['groups'] / c['clips']:.2f}")
    row("clips with merges", lambda c: f"{c['clips_with_merges'] / c['clips']:.0%}")
    row("chunks merged away", lambda c: f"{c['merged_away_share']:.0%}", end=True)
    for kind in dict.fromkeys(k for c in columns for k in c["token_shares"]):
        row(f"{kind} tokens", lambda c, k=kind: f"{c['token_shares'].get(k, 0):.1%}")  # type: ignore[misc]
    table.add_section()
    for kind in dict.fromkeys(k for c in columns for k in c["questions"]):
        row(kind, lambda c, k=kind: str(c["questions"].get(k, 0)))  # type: ignore[misc]
    return table
