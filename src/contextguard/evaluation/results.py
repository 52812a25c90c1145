"""What scoring finds out about one clip, and the file that keeps it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contextguard.errors import SettingError

_FORMAT = "contextguard-score"
_VERSION = 1


@dataclass(frozen=True)
class QuestionResult:
    """One question about a clip.

    Attributes:
        type: question type.
        answer: the right word.
        said: the first word of the model's answer.
        kl: KL(full || pruned) of the first token, in nats.
    """

    type: str
    answer: str
    said: str
    kl: float

    @property
    def hit(self) -> bool:
        """Whether the answer is right."""
        return self.said == self.answer


@dataclass(frozen=True)
class ClipResult:
    """All questions about one clip.

    Attributes:
        clip: digest of the file and its questions: what the result is of.
        scenario, style: of the clip.
        questions: in the manifest's order.
        tokens: video, video_kept, audio, audio_kept.
        warnings: of the decoding and the plan.
    """

    clip: str
    scenario: str
    style: str
    questions: tuple[QuestionResult, ...]
    tokens: dict[str, int]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClipResult:
        """Read what :meth:`to_dict` wrote; a missing entry raises KeyError or TypeError."""
        return cls(
            clip=data["clip"],
            scenario=data["scenario"],
            style=data["style"],
            questions=tuple(QuestionResult(**q) for q in data["questions"]),
            tokens=dict(data["tokens"]),
            warnings=tuple(data["warnings"]),
        )


class ResultFile:
    """A JSONL file of finished clips: one line of settings, then a line a clip.

    A run that is killed leaves whole lines and at most one broken last one, which is dropped.

    Args:
        path: an existing file is continued, if it was written under the same settings.
        settings: everything that decides the results, JSON-ready.

    Raises:
        SettingError: a path that cannot be written, a file of something else, other settings.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path).expanduser()
        self.done: dict[str, ClipResult] = {}
        if self.path.exists() and not self.path.is_file():
            raise SettingError(f"{path}: is not a file; give another name")
        header = {"format": _FORMAT, "version": _VERSION, "settings": dict(settings)}
        try:
            text = self.path.read_bytes() if self.path.exists() else b""
            if b"\n" not in text and _line(header).startswith(text):
                self.path.write_bytes(b"")
                self._append(header)
            else:
                self._continue(text, json.loads(_line(header)))
        except OSError as error:
            raise SettingError(f"{path}: cannot be written: {error.strerror}") from error

    def add(self, result: ClipResult) -> None:
        """Write one clip's result; it is on disk when this returns.

        Raises:
            SettingError: the disk is full, or the file cannot be written any more.
        """
        try:
            self._append(result.to_dict())
        except OSError as error:
            raise SettingError(f"{self.path}: cannot be written: {error.strerror}") from error
        self.done[result.clip] = result

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(_line(line))
            file.flush()
            os.fsync(file.fileno())

    def _continue(self, text: bytes, header: dict[str, Any]) -> None:
        lines = text.split(b"\n")
        found = _json(lines[0])
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise SettingError(f"{self.path}: is not a file of results; give another name")
        if found != header:
            raise SettingError(f"{self.path}: {_difference(found, header)}; give another name")
        for number, line in enumerate(lines[1:-1], start=2):
            try:
                result = ClipResult.from_dict(_json(line))
            except (KeyError, TypeError) as error:
                raise SettingError(f"{self.path}: line {number} is damaged; delete it") from error
            self.done[result.clip] = result
        if lines[-1]:
            os.truncate(self.path, len(text) - len(lines[-1]))


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False).encode() + b"\n"


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _difference(found: dict[str, Any], header: dict[str, Any]) -> str:
    """Which setting differs, with both values."""
    old, new = found.get("settings"), header["settings"]
    if found.get("version") != _VERSION or not isinstance(old, dict):
        return f"was written by version {found.get('version')!r}, this is version {_VERSION}"
    name = next(k for k in sorted({*old, *new}) if old.get(k) != new.get(k))
    return f"holds results for {name} {old.get(name)!r}, asked is {new.get(name)!r}"
