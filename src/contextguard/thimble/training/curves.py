"""Draw a run's log: ``python -m contextguard.thimble.training.curves log.csv curves.png``."""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path


def read_log(path: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """stage -> metric -> (minutes since the run began, share right) without the losses."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["metric"] != "loss":
                point = (float(row["seconds"]) / 60, float(row["value"]))
                found[row["stage"]][row["metric"]].append(point)
    return found


def draw(log: Path, picture: Path) -> None:
    """Write a PNG: towers, practice, answers; a curve a metric, time in minutes."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stages = read_log(log)
    panels = {
        "towers: words a token names": [s for s in stages if s.startswith("align")],
        "practice clips": [s for s in stages if s == "practise"],
        "questions about clips": [
            s for s in stages if not s.startswith("align") and s != "practise"
        ],
    }
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.set_prop_cycle(color=colormaps["tab20"].colors)  # type: ignore[attr-defined]
        curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for name in names:
            for metric, points in stages[name].items():
                curves[metric] += points
            start = min(points[0][0] for points in stages[name].values())
            axes.axvline(start, color="0.85", linewidth=0.8)
            axes.text(start, 1.02, f" {name}", fontsize=6, color="0.4")
        for metric, points in sorted(curves.items()):
            axes.plot(*zip(*points, strict=True), label=metric, linewidth=1)
        axes.set(title=title, xlabel="minutes", ylabel="share right", ylim=(0, 1.08))
        axes.legend(fontsize=6, loc="lower right")
    figure.savefig(picture, dpi=110)


def main() -> None:
    """Entry point; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="contextguard.thimble.training.curves", description=__doc__
    )
    parser.add_argument("log", type=Path, help="log.csv of a run")
    parser.add_argument("picture", type=Path, help="a .png file")
    args = parser.parse_args()
    draw(args.log, args.picture)


if __name__ == "__main__":
    main()
