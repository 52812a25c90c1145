"""The command line. One file a command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contextguard import __version__
from contextguard.cli.ask import ask
from contextguard.cli.inspect import inspect
from contextguard.cli.world import app as world
from contextguard.errors import ContextGuardError

USER_ERROR = 2
"""Exit code of every error a user can mend."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it."""

_ABOUT = """Halve the video tokens of an audio-visual language model at inference.

[bold]Examples[/bold]

contextguard ask clip.mp4 "which sound is heard ?"

contextguard ask clip.mp4 "What happens?" --model Qwen/Qwen2.5-Omni-3B --json

contextguard inspect clip.mp4 -o plan.png
"""

app = typer.Typer(
    name="contextguard",
    help=_ABOUT,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ask)
app.command()(inspect)
app.add_typer(world, name="world")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"contextguard {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 for an error the user can mend, 130 after Ctrl-C."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """The exit code of one call; errors are one line on stderr."""
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(
            args=arguments or ["--help"], prog_name="contextguard", standalone_mode=False
        )
        sys.stdout.flush()
        if code == INTERRUPTED:  # what some releases of typer make of Ctrl-C, without a word
            return _fail("interrupted", INTERRUPTED)
        return code if isinstance(code, int) else 0
    except ContextGuardError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (head, less): no more output, and no complaint at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # Told apart by shape: typer may bring its own copy of click, torch is not imported here.
        if hasattr(error, "format_message"):
            return _fail(error.format_message())
        if type(error).__name__ == "Abort":
            return _fail("interrupted", INTERRUPTED)
        if type(error).__name__ == "OutOfMemoryError":
            return _fail("the GPU's memory is full; lower --max-pixels or --fps, or cut the clip")
        raise


def _fail(message: str, code: int = USER_ERROR) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code
