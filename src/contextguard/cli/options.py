"""Options the commands share, and what is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from contextguard.methods.base import Method

_METHOD = "Method"
_INPUT = "Input"
_RUN = "Run"

Clip = Annotated[
    Path, typer.Argument(metavar="CLIP", help="A local video file: mp4, mkv, webm, mov, avi.")
]
Model = Annotated[
    str,
    typer.Option(help="thimble (embedded toy model), a Hugging Face id, or a folder."),
]
MethodName = Annotated[
    str,
    typer.Option("--method", help="contextguard, or full (no pruning).", rich_help_panel=_METHOD),
]
RhoSem = Annotated[
    float | None,
    typer.Option(
        help="Share of a chunk's tokens kept because sound does not explain them. (default: 0.5)",
        rich_help_panel=_METHOD,
    ),
]
RhoSpa = Annotated[
    float | None,
    typer.Option(
        help="Share of the map kept as a spatial sample. (default: 0.1)", rich_help_panel=_METHOD
    ),
]
TauMerge = Annotated[
    float | None,
    typer.Option(
        help="Chunks more alike than this merge; 1 merges none. (default: 0.98)",
        rich_help_panel=_METHOD,
    ),
]
Guide = Annotated[
    str | None,
    typer.Option(
        help="What tokens are compared with: audio or visual. (default: audio)",
        rich_help_panel=_METHOD,
    ),
]
Fps = Annotated[
    float, typer.Option(help="Frames a second sampled from the clip.", rich_help_panel=_INPUT)
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Pixels a frame is scaled down to. (default: the model's)",
        rich_help_panel=_INPUT,
    ),
]
MaxNewTokens = Annotated[
    int, typer.Option(min=1, help="Longest answer, in tokens.", rich_help_panel=_RUN)
]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:1. (default: GPU if there is one)", rich_help_panel=_RUN),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16 or float16. (default: bfloat16 on a GPU)", rich_help_panel=_RUN
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else.")
]


def build_method(name: str, given: Mapping[str, Any]) -> Method:
    """The method called ``name`` with the settings that were given; the rest are its defaults.

    Raises:
        SettingError: an unknown method, a setting it does not have, or a value out of range.
    """
    from contextguard.errors import SettingError
    from contextguard.methods import method_class

    settings = {key: value for key, value in given.items() if value is not None}
    chosen = method_class(name)
    known: list[str] = [f.name for f in fields(chosen)] if is_dataclass(chosen) else []
    foreign = sorted(set(settings).difference(known))
    if foreign:
        names = ", ".join("--" + key.replace("_", "-") for key in foreign)
        raise SettingError(f"method {name!r} has no setting {names}; leave it out")
    return chosen(**settings)
