"""What every command does: check everything cheap first, then load, then run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from contextguard.asking import Answer
    from contextguard.checkpoints import Checkpoint
    from contextguard.media import Clip
    from contextguard.methods.base import Method


@dataclass(frozen=True)
class Request:
    """A command's options, as given.

    Attributes:
        clip: the video file.
        model: name of the checkpoint.
        method: name of the method.
        method_settings: its settings; None where not given.
        fps: frames a second.
        device, dtype: None for the default.
        picture: where to draw the plan, or None.
        as_json: print JSON.
    """

    clip: Path
    model: str
    method: str
    method_settings: dict[str, Any]
    fps: float
    device: str | None
    dtype: str | None
    picture: Path | None
    as_json: bool


def carry_out(request: Request, work: Callable[[Checkpoint, Clip, Method], Answer]) -> None:
    """Check the request, load model and clip, do ``work``, draw the picture, print the result.

    Whatever a library prints goes to stderr, so that stdout holds the result alone.
    """
    with redirect_stdout(sys.stderr):
        answer = _work(request, work)

    from contextguard.cli.output import print_answer, print_json

    if request.as_json:
        print_json(answer)
    else:
        print_answer(answer, request.picture)


def _work(request: Request, work: Callable[[Checkpoint, Clip, Method], Answer]) -> Answer:
    from contextguard.media import check_fps, load_clip, probe_clip

    check_fps(request.fps)
    if request.picture is not None:
        from contextguard.picture import check_picture_path

        check_picture_path(request.picture)
    probe_clip(request.clip)
    with step("preparing"):
        from contextguard.cli.options import build_method

        method = build_method(request.method, request.method_settings)
    checkpoint = load_quietly(request.model, request.device, request.dtype)
    with step(f"decoding {request.clip.name}"):
        clip = load_clip(request.clip, request.fps, max_sound_seconds=checkpoint.sound_limit)
    with step("running the model"):
        answer = work(checkpoint, clip, method)
    if request.picture is not None:
        from contextguard.picture import draw_plan

        with step("drawing"):
            draw_plan(
                answer.plan,
                answer.frames,
                request.picture,
                seconds_per_patch=2 / clip.fps,
                title=request.clip.name,
            )
    return answer


def load_quietly(model: str, device: str | None, dtype: str | None) -> Checkpoint:
    """The checkpoint, without what its libraries have to say."""
    with step("preparing"):
        from contextguard.checkpoints import load_checkpoint, silence_libraries

        silence_libraries()
        # Libraries' deprecation notes are not for users of a command; ours are.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"contextguard(\.|$)")
    with step(f"loading {model}"):
        return load_checkpoint(model, device, dtype)


def step(what: str) -> Any:
    """A spinner on a terminal, nothing in a pipe."""
    console = Console(stderr=True)
    return console.status(what + " ...") if console.is_terminal else nullcontext()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, nothing in a pipe; call it with (done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        task = p.add_task(what, total=None, visible=False)
        yield lambda done, total: p.update(task, completed=done, total=total, visible=True)
