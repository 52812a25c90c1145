"""Folders of rendered clips: mp4 files and a manifest of what is asked about them and true."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contextguard.errors import ContextGuardError, SettingError
from contextguard.world.files import write_clip
from contextguard.world.questions import question, question_types
from contextguard.world.scenarios import LONGEST, SCENARIOS, draw_clip
from contextguard.world.spec import GRID, ClipSpec
from contextguard.world.truth import KINDS, token_kinds

MANIFEST = "manifest.jsonl"
"""One line a clip, enough to judge it without drawing it again."""
SCHEMA_VERSION = 1
_FACTS = ("place", "thing", "thing_color", "pose", "shape", "shape_color", "count", "code")
_BYTES_A_SECOND = 25_000
"""Upper end of what a second of a clip takes on disk; 18 to 22 thousand were measured."""


class DatasetError(ContextGuardError):
    """A folder of clips that cannot be written, or whose manifest cannot be read."""


class Question(NamedTuple):
    """A question about a clip and its one-word answer."""

    type: str
    question: str
    answer: str


@dataclass(frozen=True, eq=False)
class ClipEntry:
    """A clip of a manifest.

    Attributes:
        path: the mp4 file.
        scenario, style, seed, index: what it was drawn from, together with ``seconds``.
        seconds: length.
        facts: what is shown and heard, JSON values; ``shots`` lists each shot's start in seconds
            and whether anything moves in it.
        questions: all that have an answer in this clip.
        kinds: names of the kinds of video token.
        token_kinds: int8 ``[seconds, 7, 7]``, the kind of every video token at 2 frames a second
            (one temporal patch a second), indices into ``kinds``.
    """

    path: Path
    scenario: str
    style: str
    seed: int
    index: int
    seconds: int
    facts: dict[str, Any] = field(repr=False)
    questions: tuple[Question, ...] = field(repr=False)
    kinds: tuple[str, ...] = field(repr=False)
    token_kinds: NDArray[np.int8] = field(repr=False)


@dataclass(frozen=True)
class RenderOrder:
    """What to render.

    Args:
        scenarios: names of :data:`~contextguard.world.scenarios.SCENARIOS`, each once.
        seed: of all clips, at least 0.
        count: clips of each scenario, indices 0 to ``count - 1``.
        folder: where they go; it must be new or empty, its parent must exist.
        style: ``seen`` or ``held_out``.
        seconds: length of every clip, at least 2; None draws 4 to 12.
        workers: processes; None is one a core.

    Raises:
        SettingError: a value outside its range, or a folder that cannot be used.
    """

    scenarios: tuple[str, ...]
    seed: int
    count: int
    folder: Path
    style: str = "seen"
    seconds: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenarios", tuple(self.scenarios))
        object.__setattr__(self, "folder", Path(self.folder))
        if not self.scenarios or len(set(self.scenarios)) < len(self.scenarios):
            raise SettingError(
                f"scenarios must name each of {', '.join(SCENARIOS)} at most once and one at "
                f"least, got {self.scenarios!r}"
            )
        for name, value in (("count", self.count), ("workers", self.workers)):
            if value is not None and value < 1:
                raise SettingError(f"{name} must be at least 1, got {value}")
        for scenario in self.scenarios:
            draw_clip(scenario, self.seed, 0, self.seconds, self.style)
        _check_new(self.folder)

    @property
    def clips(self) -> tuple[tuple[str, int], ...]:
        """(scenario, index) of every clip, in the order of the manifest."""
        return tuple((name, i) for name in self.scenarios for i in range(self.count))


def render(order: RenderOrder, on_progress: Callable[[int, int], None] | None = None) -> Path:
    """Render a folder of clips in parallel; it appears whole or not at all.

    Until the last clip is written all lies in a hidden folder beside the final one, which failures
    and Ctrl-C remove. The same order gives the same bytes, however many workers there are.

    Args:
        order: what to render.
        on_progress: called with (clips written, clips in all), in this process.

    Returns:
        The folder: one ``SCENARIO-INDEX.mp4`` a clip, and :data:`MANIFEST`.

    Raises:
        SettingError: the folder is no longer new or empty.
        DatasetError: the disk has no room, the folder cannot be written, or a worker died.
    """
    _check_new(order.folder)
    folder = order.folder.resolve()
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        _check_space(order)
        part.mkdir()
        lines = _render_all(order, part, on_progress or (lambda done, total: None))
        (part / MANIFEST).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        os.replace(part, folder)
    except OSError as error:
        raise DatasetError(f"{order.folder}: {_told(error)}") from error
    except BrokenProcessPool as error:
        raise DatasetError(
            f"{order.folder}: a worker process died, for lack of memory perhaps; "
            "render with fewer workers"
        ) from error
    finally:
        with _interrupts_ignored():
            shutil.rmtree(part, ignore_errors=True)
    return folder


def read_manifest(folder: str | os.PathLike[str]) -> list[ClipEntry]:
    """The clips of a folder that :func:`render` wrote, in order.

    Raises:
        DatasetError: no manifest, an empty one, a line that is broken or of another schema
            version (named with its number), or a clip file that is missing.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    try:
        text = manifest.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = f"no {MANIFEST} in it" if folder.is_dir() else "no such folder"
        raise DatasetError(
            f"{folder}: {missing}; give a folder that contextguard world render wrote"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{manifest}: cannot be read ({error}); render it again") from error
    lines = text.splitlines()
    if not lines:
        raise DatasetError(f"{manifest}: holds no clips; render the folder again")
    entries = [_entry(folder, line, f"{manifest}, line {n}") for n, line in enumerate(lines, 1)]
    for entry in entries:
        if not entry.path.is_file():
            raise DatasetError(
                f"{entry.path}: the manifest lists this clip, but there is no such file; "
                "render the folder again"
            )
    return entries


def _render_all(
    order: RenderOrder, part: Path, on_progress: Callable[[int, int], None]
) -> list[str]:
    """Write all clips into ``part``; returns the lines of the manifest."""
    clips = order.clips
    workers = min(order.workers or _cores(), len(clips))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker)
    try:
        with _interrupts_held():
            futures: dict[Future[str], int] = {
                pool.submit(_render_one, name, order.seed, i, order.seconds, order.style, part): n
                for n, (name, i) in enumerate(clips)
            }
        lines = [""] * len(clips)
        for done, future in enumerate(as_completed(futures), 1):
            lines[futures[future]] = future.result()
            on_progress(done, len(clips))
        return lines
    finally:
        # Nobody writes any more once this returns; a second Ctrl-C must not cut it short.
        with _interrupts_ignored():
            pool.shutdown(wait=True, cancel_futures=True)


def _render_one(
    scenario: str, seed: int, index: int, seconds: int | None, style: str, folder: Path
) -> str:
    """Write one clip; returns its line of the manifest. Runs in a worker."""
    spec = draw_clip(scenario, seed, index, seconds, style)
    name = f"{scenario}-{index:05d}.mp4"
    write_clip(spec, folder / name)
    return _clip_line(spec, name, seed, index)


def _clip_line(spec: ClipSpec, file: str, seed: int, index: int) -> str:
    """The line of the manifest for ``spec``, written to ``file``, without the line's end."""
    kinds = token_kinds(spec)
    line = {
        "schema_version": SCHEMA_VERSION,
        "file": file,
        "scenario": spec.scenario,
        "style": spec.style,
        "seed": seed,
        "index": index,
        "seconds": round(spec.seconds),
        "facts": _facts(spec),
        "questions": [Question(t, *question(spec, t))._asdict() for t in question_types(spec)],
        "kinds": list(KINDS),
        "token_kinds": ["".join(map(str, second.ravel().tolist())) for second in kinds],
    }
    return json.dumps(line, allow_nan=False)


def _facts(spec: ClipSpec) -> dict[str, Any]:
    return {
        **{name: getattr(spec, name) for name in _FACTS},
        "matches": spec.matches,
        "digits": [list(d) for d in spec.digits],
        "code_at": spec.code_at,
        "sound": {"name": spec.sound.name, "start": spec.sound.start, "end": spec.sound.end},
        "shots": [
            {
                "start": shot.start,
                "moves": any(any(r.scroll) for r in shot.regions)
                or any(any(i.velocity) for i in shot.items),
            }
            for shot in spec.shots
        ],
    }


def _start_worker() -> None:
    """Ctrl-C is the parent's business; a parent that was killed takes its workers along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _entry(folder: Path, line: str, where: str) -> ClipEntry:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{where}: not JSON ({error}); render the folder again") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{where}: schema version {version!r}, this release reads {SCHEMA_VERSION}; "
            "render the folder again"
        )
    try:
        kinds = tuple(str(name) for name in data["kinds"])
        return ClipEntry(
            path=folder / _file_name(data["file"]),
            scenario=_word(data["scenario"]),
            style=_word(data["style"]),
            seed=int(data["seed"]),
            index=int(data["index"]),
            seconds=int(data["seconds"]),
            facts=dict(data["facts"]),
            questions=tuple(
                Question(_word(q["type"]), _word(q["question"]), _word(q["answer"]))
                for q in data["questions"]
            ),
            kinds=kinds,
            token_kinds=_token_kinds(data["token_kinds"], int(data["seconds"]), len(kinds)),
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{where}: {what}; render the folder again") from error


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _file_name(value: object) -> str:
    name = _word(value)
    if Path(name).name != name:
        raise ValueError(f"file must be a name in the folder, got {name!r}")
    return name


def _token_kinds(rows: Any, seconds: int, kinds: int) -> NDArray[np.int8]:
    tokens = GRID * GRID
    if len(rows) != seconds or any(len(_word(row)) != tokens for row in rows):
        raise ValueError(f"token_kinds must hold {seconds} strings of {tokens} digits")
    out = np.array([[int(char) for char in row] for row in rows], np.int8)
    if out.max() >= kinds:
        raise ValueError(f"token_kinds holds {out.max()}, but there are {kinds} kinds")
    return out.reshape(seconds, GRID, GRID)


def _check_new(folder: Path) -> None:
    try:
        if folder.is_dir():
            if os.path.ismount(folder) or any(folder.iterdir()):
                what = "a mount point" if os.path.ismount(folder) else "not empty"
                raise SettingError(f"output folder {str(folder)!r} is {what}; give a new one")
        elif folder.exists():
            raise SettingError(f"output {str(folder)!r} is a file; give a new folder")
        elif not folder.parent.is_dir():
            raise SettingError(
                f"no such folder {str(folder.parent)!r} to make {folder.name!r} in; create it first"
            )
    except OSError as error:
        raise SettingError(f"output folder {str(folder)!r}: {_told(error)}") from error


def _check_space(order: RenderOrder) -> None:
    needed = len(order.clips) * (order.seconds or LONGEST) * _BYTES_A_SECOND
    free = shutil.disk_usage(order.folder.resolve().parent).free
    if free < needed:
        raise DatasetError(
            f"{order.folder}: {len(order.clips)} clips need up to {needed / 1e6:.1f} MB and the "
            f"disk has {free / 1e6:.1f} MB free; make room, or render fewer or shorter clips"
        )


def _told(error: OSError) -> str:
    """What went wrong and the way out, in one line."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full, nothing was kept; make room or choose another place"
    reason = (error.strerror or str(error)).lower()
    return f"{reason}; give a new folder in a place that can be written"


def _cores() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the end; processes started inside never see it, not even while starting,
    when they would answer with a traceback (a terminal sends it to the whole group).
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
