"""Train thimble with two processes, ``--standalone`` so that torchrun finds a free port itself.

``torchrun --standalone --nproc-per-node 2 -m contextguard.thimble.training -o runs/thimble``

Every batch follows from (seed, stage, step, rank), and the state is written whole every few steps:
a run that was killed goes on where it stood and ends with the same weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from contextguard.thimble.architecture import build_model, build_processor
from contextguard.thimble.training.stages import STAGES, Metrics, Stage
from contextguard.thimble.training.state import (
    RANK,
    RANKS,
    average_gradients,
    fused_norms,
    learning_rate,
    load_checkpoint,
    read_place,
    save_checkpoint,
    start_ranks,
)

LOG = "log.csv"


def train(folder: Path, seed: int, scale: float, save_every: int) -> Any:
    """Run all stages, resuming from ``folder``; ``scale`` shortens every stage (for tests)."""
    stages = [replace(s, steps=max(1, round(s.steps * scale))) for s in STAGES]
    settings = {"seed": seed, "scale": scale, "ranks": RANKS}
    place = read_place(folder)
    if place is not None and place["settings"] != settings:
        sys.exit(
            f"error: {folder} holds a run with {place['settings']}, not {settings}; "
            "give the same settings or another folder"
        )
    model = build_model(seed)
    model.train()
    at_stage, at_step, spent = (
        (place["stage"], place["step"], place["seconds"]) if place else (0, 0, 0.0)
    )
    if place is not None and at_step == 0:
        load_checkpoint(folder, model, None)
    for index in range(at_stage, len(stages)):
        spent = run_stage(folder, model, stages, index, at_step, spent, settings, save_every)
        at_step = 0
    return model


def run_stage(
    folder: Path,
    model: Any,
    stages: list[Stage],
    index: int,
    first: int,
    spent: float,
    settings: dict[str, Any],
    save_every: int,
) -> float:
    """Run one stage from step ``first``; returns the seconds spent on the whole run so far."""
    stage = stages[index]
    learners = stage.learners(model)
    optimizer = torch.optim.AdamW(
        learners, lr=stage.peak, betas=(0.9, 0.98), weight_decay=stage.decay
    )
    if first:
        load_checkpoint(folder, model, optimizer)
    recent: dict[str, list[float]] = defaultdict(list)
    began = time.monotonic() - spent
    for step in range(first, stage.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(stage.peak, step, stage.schedule or stage.steps)
        rng = np.random.default_rng([settings["seed"], index, step, RANK])
        shared = np.random.default_rng([settings["seed"], index, step])
        loss, metrics = stage.step(model, rng, shared)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(learners)
        nn.utils.clip_grad_norm_(learners, 1.0)
        optimizer.step()
        for name, value in {"loss": loss.item(), **metrics}.items():
            recent[name].append(value)
        done = step + 1
        if done % 25 == 0 or done == stage.steps:
            spent = time.monotonic() - began
            write_log(
                folder, stage, done, spent, {k: float(np.nanmean(v)) for k, v in recent.items()}
            )
            recent.clear()
        if done == stage.steps:
            save_checkpoint(
                folder,
                model,
                None,
                {"stage": index + 1, "step": 0, "seconds": spent, "settings": settings},
            )
        elif done % save_every == 0:
            save_checkpoint(
                folder,
                model,
                optimizer,
                {
                    "stage": index,
                    "step": done,
                    "seconds": time.monotonic() - began,
                    "settings": settings,
                },
            )
    return spent


def write_log(folder: Path, stage: Stage, step: int, seconds: float, metrics: Metrics) -> None:
    """One line on the terminal, one row a metric in ``log.csv`` (first rank only)."""
    if RANK != 0:
        return
    path = folder / LOG
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        rows = csv.writer(file)
        if fresh:
            rows.writerow(["stage", "step", "seconds", "metric", "value"])
        for name, value in metrics.items():
            rows.writerow([stage.name, step, f"{seconds:.0f}", name, f"{value:.4f}"])
    line = " ".join(f"{k} {v:.2f}" for k, v in sorted(metrics.items()))
    print(f"{stage.name} {step}/{stage.steps} {seconds:.0f}s {line}", flush=True)


def main() -> None:
    """Entry point; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="contextguard.thimble.training", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="share of every stage's steps")
    parser.add_argument("--save-every", type=int, default=50, help="steps between checkpoints")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    start_ranks()
    with fused_norms():
        model = train(args.output, args.seed, args.scale, args.save_every)
    if RANK == 0:
        export = args.output / "export"
        model.eval()
        model.save_pretrained(export)
        build_processor().save_pretrained(export)
        print(json.dumps({"exported": str(export)}))


if __name__ == "__main__":
    main()
