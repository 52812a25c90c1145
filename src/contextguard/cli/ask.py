"""``contextguard ask``: a question about a clip."""

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


def ask(
    clip: options.Clip,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="Plain text.")],
    model: options.Model = "thimble",
    method: options.MethodName = "contextguard",
    rho_sem: options.RhoSem = None,
    rho_spa: options.RhoSpa = None,
    tau_merge: options.TauMerge = None,
    guide: options.Guide = None,
    fps: options.Fps = 2.0,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxNewTokens = 64,
    device: options.Device = None,
    dtype: options.Dtype = None,
    as_json: options.Json = False,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw what was kept: .png, .pdf or .svg.")
    ] = None,
) -> None:
    """Ask about a clip, with its video tokens pruned.

    [bold]Examples[/bold]

    contextguard ask clip.mp4 "which sound is heard ?"

    contextguard ask clip.mp4 "what color is the bell ?" --method full

    contextguard ask clip.mp4 "What happens?" --model Qwen/Qwen2.5-Omni-3B --json

    contextguard ask clip.mp4 "how many are shown ?" --rho-sem 0.3 --picture kept.png
    """

    def work(checkpoint: Checkpoint, loaded: Decoded, chosen: Method) -> Answer:
        from contextguard.asking import ask_clip

        return ask_clip(
            checkpoint,
            loaded,
            question,
            chosen,
            max_new_tokens=max_new_tokens,
            max_pixels=max_pixels,
        )

    settings = {"rho_sem": rho_sem, "rho_spa": rho_spa, "tau_merge": tau_merge, "guide": guide}
    carry_out(Request(clip, model, method, settings, fps, device, dtype, picture, as_json), work)
