"""The file of results: continued after a kill, refused when it is of something else."""

from __future__ import annotations

import errno
import json
import os

import pytest

from contextguard.errors import SettingError
from contextguard.evaluation.results import ClipResult, QuestionResult, ResultFile

SETTINGS = {"method": "contextguard", "rho_sem": 0.5, "weights": "ab12"}


def result(name: str) -> ClipResult:
    return ClipResult(
        clip=name,
        scenario="split",
        style="seen",
        questions=(
            QuestionResult("a_sound", "bell", "bell", 0.1 + 0.2),
            QuestionResult("v_last", "3", "", 1e-300),
        ),
        tokens={"video": 98, "video_kept": 40, "audio": 50, "audio_kept": 50},
        warnings=("a line",),
    )


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "scores.jsonl"
    written = ResultFile(file, SETTINGS)
    for name in ("one", "two"):
        written.add(result(name))
    return file


def test_results_come_back_to_the_bit(path):
    assert ResultFile(path, SETTINGS).done == {"one": result("one"), "two": result("two")}
    assert result("one").questions[0].hit
    assert not result("one").questions[1].hit


def test_a_kill_at_any_byte_loses_one_clip_at_most(path):
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        file = ResultFile(path, SETTINGS)
        complete = sum(end <= cut for end in ends)
        assert list(file.done) == ["one", "two"][: max(0, complete - 1)]
        for name in ("one", "two"):
            if name not in file.done:
                file.add(result(name))
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rho_sem": 0.3}, r"holds results for rho_sem 0\.5, asked is 0\.3; give another name"),
        ({"weights": "cd"}, "holds results for weights 'ab12', asked is 'cd'"),
        ({"guide": "audio"}, "holds results for guide None, asked is 'audio'"),
    ],
)
def test_other_settings_are_refused(path, change, message):
    before = path.read_bytes()
    with pytest.raises(SettingError, match=message):
        ResultFile(path, {**SETTINGS, **change})
    assert path.read_bytes() == before


def test_other_files_are_refused_and_left_alone(tmp_path, path):
    notes = tmp_path / "notes.txt"
    for text in ("my notes", '{"a": 1}\n', "my notes\nmore\n"):
        notes.write_text(text)
        with pytest.raises(SettingError, match="is not a file of results; give another name"):
            ResultFile(notes, SETTINGS)
        assert notes.read_text() == text
    header = json.loads(path.read_text().splitlines()[0])
    notes.write_text(json.dumps({**header, "version": 0}) + "\n")
    with pytest.raises(SettingError, match="was written by version 0, this is version 1"):
        ResultFile(notes, SETTINGS)


def test_a_damaged_line_is_named(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-9], lines[2]]) + "\n")
    with pytest.raises(SettingError, match="line 2 is damaged; delete it"):
        ResultFile(path, SETTINGS)


def test_paths_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(SettingError, match=r"scores\.jsonl: cannot be written: No such file"):
        ResultFile(tmp_path / "missing" / "scores.jsonl", SETTINGS)
    for bad in (str(tmp_path), "/dev/null"):
        with pytest.raises(SettingError, match=f"{bad}: is not a file; give another name"):
            ResultFile(bad, SETTINGS)


def test_a_full_disk_is_one_line_and_the_file_stays_readable(path, monkeypatch):
    file = ResultFile(path, SETTINGS)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SettingError, match=r"scores\.jsonl: cannot be written: No space left"):
            file.add(result("three"))
    assert set(ResultFile(path, SETTINGS).done) >= {"one", "two"}
