"""What a training run is made of: ranks, checkpoints that survive a kill, learning rates."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni

RANK = int(os.environ.get("RANK", "0"))
RANKS = int(os.environ.get("WORLD_SIZE", "1"))
CHECKPOINT = "checkpoint.safetensors"


def start_ranks() -> None:
    """Join the other ranks (gloo); one thread each is fastest at this model size."""
    torch.set_num_threads(1)
    if RANKS > 1:
        dist.init_process_group("gloo")


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Mean of the gradients over all ranks, in one message."""
    if RANKS == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    flat /= RANKS
    parts = torch.split(flat, [g.numel() for g in grads])
    for grad, part in zip(grads, parts, strict=True):
        grad.copy_(part.view_as(grad))


def learning_rate(
    peak: float, step: int, steps: int, warm_up: int = 40, floor: float = 0.04
) -> float:
    """Linear warm-up, then a cosine from ``peak`` to ``floor * peak``."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1.0, (step + 1) / warm_up) * (floor + (1 - floor) * cosine)


@contextmanager
def fused_norms() -> Iterator[None]:
    """RMS norms by one fused operator inside the block; equal to rounding, several times faster."""
    norm = modeling_qwen2_5_omni.Qwen2_5OmniRMSNorm
    stock = norm.forward

    def fused(self: Any, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.variance_epsilon)

    norm.forward = fused
    try:
        yield
    finally:
        norm.forward = stock


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None, place: dict[str, Any]
) -> None:
    """Write model, optimiser and place (stage, step, ...); a kill leaves the old or the new."""
    if RANK != 0:
        return
    tensors = {f"model.{k}": v.detach().clone() for k, v in model.state_dict().items()}
    for i, slots in (optimizer.state_dict()["state"] if optimizer else {}).items():
        for name, value in slots.items():
            tensors[f"optimizer.{i}.{name}"] = torch.as_tensor(value).clone()
    path = folder / CHECKPOINT
    fresh = path.with_suffix(".part")
    save_file(tensors, fresh, metadata={"place": json.dumps(place)})
    os.replace(fresh, path)


def read_place(folder: Path) -> dict[str, Any] | None:
    """Where the run in ``folder`` stands, None if it has not begun."""
    if not (folder / CHECKPOINT).exists():
        return None
    with safe_open(folder / CHECKPOINT, "pt") as file:
        place: dict[str, Any] = json.loads(file.metadata()["place"])
    return place


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None
) -> None:
    """Restore what :func:`save_checkpoint` wrote; without an optimiser only the weights."""
    slots: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, Tensor] = {}
    with safe_open(folder / CHECKPOINT, "pt") as file:
        for key in file.keys():  # noqa: SIM118  (safe_open is no dict)
            kind, _, rest = key.partition(".")
            if kind == "model":
                weights[rest] = file.get_tensor(key)
            else:
                i, _, name = rest.partition(".")
                slots.setdefault(int(i), {})[name] = file.get_tensor(key)
    model.load_state_dict(weights)
    if optimizer is not None and slots:
        state = optimizer.state_dict()
        state["state"] = slots
        optimizer.load_state_dict(state)
