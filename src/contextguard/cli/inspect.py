"""``contextguard inspect``: a picture of what is kept of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contextguard.cli import options
from contextguard.cli.session import Request, carry_out

if TYPE_CHECKING:
    from contextguard.asking import Answer
    from contextguard.checkpoints import Checkpoint
    from contextguard.media import Clip as Decoded
    from contextguard.methods.base import Method


def inspect(
    clip: options.Clip,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture: .png, .pdf or .svg.")],
    model: options.Model = "thimble",
    method: options.MethodName = "contextguard",
    rho_sem: options.RhoSem = None,
    rho_spa: options.RhoSpa = None,
    tau_merge: options.TauMerge = None,
    guide: options.Guide = None,
    fps: options.Fps = 2.0,
    max_pixels: options.MaxPixels = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    as_json: options.Json = False,
) -> None:
    """Draw what is kept of a clip, why, and how it is cut and merged.

    [bold]Examples[/bold]

    contextguard inspect clip.mp4 -o plan.png

    contextguard inspect clip.mp4 -o plan.svg --rho-sem 0.3 --tau-merge 0.9
    """

    def work(checkpoint: Checkpoint, loaded: Decoded, chosen: Method) -> Answer:
        from contextguard.asking import plan_clip

        return plan_clip(checkpoint, loaded, chosen, max_pixels=max_pixels)

    settings = {"rho_sem": rho_sem, "rho_spa": rho_spa, "tau_merge": tau_merge, "guide": guide}
    carry_out(Request(clip, model, method, settings, fps, device, dtype, out, as_json), work)
