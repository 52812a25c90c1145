"""Rendered folders: the manifest says what the files hold, and failures leave nothing behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from contextguard.errors import SettingError
from contextguard.media import load_clip
from contextguard.world import dataset
from contextguard.world.dataset import MANIFEST, DatasetError, RenderOrder, read_manifest, render
from contextguard.world.files import write_clip
from contextguard.world.questions import question, question_types
from contextguard.world.render import audio, frames
from contextguard.world.scenarios import draw_clip

SCENARIOS = ("ambient", "event")
SEED, COUNT, SECONDS = 41, 2, 4


def order(folder: Path, **changes) -> RenderOrder:
    given = {"seed": SEED, "count": COUNT, "seconds": SECONDS, "workers": 2, **changes}
    return RenderOrder(given.pop("scenarios", SCENARIOS), folder=folder, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    seen = []
    out = tmp_path_factory.mktemp("world") / "clips"
    assert render(order(out), lambda done, total: seen.append((done, total))) == out
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return out


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def files(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir()}


def nothing_left(folder: Path) -> bool:
    return list(folder.iterdir()) == []


def test_the_same_order_gives_the_same_bytes_with_any_number_of_workers(folder, tmp_path):
    again = files(render(order(tmp_path / "again", workers=1)))
    assert sorted(again) == sorted(
        [*(f"{s}-{i:05d}.mp4" for s in SCENARIOS for i in range(COUNT)), MANIFEST]
    )
    assert again == files(folder)
    assert [f.name for f in tmp_path.iterdir()] == ["again"]


def test_an_empty_folder_is_filled_and_another_seed_gives_other_clips(folder, tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    render(order(out, seed=SEED + 1, scenarios=("ambient",), count=1))
    other, known = files(out), files(folder)
    assert other["ambient-00000.mp4"] != known["ambient-00000.mp4"]


def test_questions_of_the_manifest_are_those_of_the_clip(folder):
    entries = read_manifest(folder)
    assert [(e.scenario, e.index) for e in entries] == [(s, i) for s in SCENARIOS for i in (0, 1)]
    for e in entries:
        spec = draw_clip(e.scenario, SEED, e.index, SECONDS)
        assert [q.type for q in e.questions] == list(question_types(spec))
        assert [(q.question, q.answer) for q in e.questions] == [
            question(spec, q.type) for q in e.questions
        ]
        assert (e.seed, e.style, e.seconds) == (SEED, "seen", SECONDS)
        assert e.facts["matches"] == (e.facts["thing"] == e.facts["sound"]["name"])
        assert [s["start"] for s in e.facts["shots"]] == [s.start for s in spec.shots]
    assert any(q.type == "av_event" for q in entries[-1].questions)


def test_token_kinds_are_where_things_are(folder):
    for line, e in zip(
        (folder / MANIFEST).read_text().splitlines(), read_manifest(folder), strict=True
    ):
        assert e.token_kinds.shape == (SECONDS, 7, 7)
        assert e.token_kinds.dtype == np.int8
        rows = json.loads(line)["token_kinds"]
        assert [len(row) for row in rows] == [49] * SECONDS
        spec = draw_clip(e.scenario, SEED, e.index, SECONDS)
        for second in range(SECONDS):
            shot = spec.shot_at(second)
            [sign] = [i for i in shot.items if i.kind == "sign"]
            # the cell under the middle of the sign, in raster order
            x, y = (int(v + sign.size / 2) // 28 for v in sign.corner(second - shot.start))
            assert e.kinds[int(rows[second][7 * y + x])] == "text"
            assert e.kinds[e.token_kinds[second, y, x]] == "text"


def test_files_hold_the_frames_and_the_sound(folder):
    for e in read_manifest(folder):
        clip = load_clip(e.path, fps=2.0)
        spec = draw_clip(e.scenario, SEED, e.index, SECONDS)
        plain = frames(spec, 2.0)
        assert clip.frames.shape == plain.shape == (2 * SECONDS, 196, 196, 3)
        assert clip.duration == pytest.approx(SECONDS, abs=0.02)
        error = ((clip.frames.astype(float) - plain) ** 2).mean((1, 2, 3))
        assert (10 * np.log10(255**2 / error)).min() > 22
        assert clip.audio is not None
        wave = audio(spec)
        assert abs(len(clip.audio) - len(wave)) < 0.1 * 16000
        n = min(len(wave), len(clip.audio))
        # The codec shifts phases: the strength of each frequency is what has to stay.
        spectra = [np.abs(np.fft.rfft(x[:n]))[: n // 4] for x in (wave, clip.audio)]
        assert np.corrcoef(*spectra)[0, 1] > 0.95


def test_reading_does_not_draw_again(folder, monkeypatch):
    for name in ("draw_clip", "question", "question_types", "token_kinds"):
        monkeypatch.setattr(dataset, name, lambda *a: pytest.fail("drawn again"))
    assert len(read_manifest(folder)) == 4


def changed(line: str, **changes) -> str:
    return json.dumps({**json.loads(line), **changes})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: line[: len(line) // 2], "line 2: not JSON"),
        (lambda line: "[1, 2]", "line 2: schema version None, this release reads 1"),
        (lambda line: changed(line, schema_version=9), "line 2: schema version 9"),
        (lambda line: line.replace('"questions"', '"asked"'), "line 2: no 'questions'"),
        (lambda line: changed(line, file="../x.mp4"), "name in the folder, got '../x.mp4'"),
        (lambda line: changed(line, questions=[{"type": "a_sound"}]), "line 2: no 'question'"),
        (lambda line: changed(line, token_kinds=["0" * 49]), "must hold 4 strings of 49 digits"),
        (lambda line: changed(line, token_kinds=["9" * 49] * 4), "holds 9, but there are 5 kinds"),
        (lambda line: changed(line, seconds="four"), "line 2: .*four"),
    ],
)
def test_a_broken_line_is_named_with_its_number(copy, damage, message):
    lines = (copy / MANIFEST).read_text().splitlines()
    lines[1] = damage(lines[1])
    (copy / MANIFEST).write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match=message) as caught:
        read_manifest(copy)
    assert "\n" not in str(caught.value)
    assert "render the folder again" in str(caught.value)


def test_what_is_missing_is_named(copy, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        read_manifest(tmp_path / "nowhere")
    (copy / "event-00001.mp4").unlink()
    with pytest.raises(DatasetError, match=r"event-00001\.mp4: the manifest lists this clip"):
        read_manifest(copy)
    (copy / MANIFEST).write_text("")
    with pytest.raises(DatasetError, match="holds no clips"):
        read_manifest(copy)
    (copy / MANIFEST).unlink()
    with pytest.raises(DatasetError, match=r"no manifest\.jsonl in it"):
        read_manifest(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenarios": ("nope",)}, "scenario must be one of ambient, .*'nope'"),
        ({"scenarios": ()}, "scenarios must name"),
        ({"scenarios": ("event", "event")}, "at most once"),
        ({"style": "odd"}, "style must be one of seen, held_out, got 'odd'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"seconds": 1}, "seconds must be at least 2, got 1"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ],
)
def test_bad_orders_are_refused(tmp_path, changes, message):
    with pytest.raises(SettingError, match=message):
        order(tmp_path / "new", **changes)


def test_folders_in_use_are_refused(folder, tmp_path):
    before = files(folder)
    with pytest.raises(SettingError, match="is not empty"):
        order(folder)
    with pytest.raises(SettingError, match="is a file"):
        order(folder / MANIFEST)
    with pytest.raises(SettingError, match="no such folder"):
        order(tmp_path / "a" / "b")
    late = order(tmp_path / "late")
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "other").touch()
    with pytest.raises(SettingError, match="is not empty"):
        render(late)
    assert files(folder) == before


def test_room_is_checked_before_the_start(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    monkeypatch.setattr(dataset, "_render_all", lambda *a: pytest.fail("started"))
    with pytest.raises(DatasetError, match=r"4 clips need up to 0\.4 MB and the disk has 0\.0 MB"):
        render(order(tmp_path / "new"))
    assert nothing_left(tmp_path)


def test_the_estimate_is_more_than_what_is_written(folder):
    written = sum(len(data) for data in files(folder).values())
    estimate = len(SCENARIOS) * COUNT * SECONDS * dataset._BYTES_A_SECOND
    assert written < estimate < 2 * written


def full_disk(scenario, seed, index, seconds, style, folder):
    """In a worker: one clip gets half onto the disk, then the disk is full."""
    if index == 1:
        (folder / "half.mp4").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return "{}"


def dying(*arguments):
    """In a worker: killed, as for lack of memory."""
    os._exit(9)


@pytest.mark.parametrize(
    ("worker", "message"), [(full_disk, "the disk is full"), (dying, "worker process died")]
)
def test_a_failing_worker_leaves_nothing(tmp_path, monkeypatch, worker, message):
    monkeypatch.setattr(dataset, "_render_one", worker)
    with pytest.raises(DatasetError, match=message) as caught:
        render(order(tmp_path / "new"))
    assert "\n" not in str(caught.value)
    assert nothing_left(tmp_path)


def test_a_disk_full_at_the_manifest_leaves_nothing(tmp_path, monkeypatch):
    def write(path, *arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(DatasetError, match="the disk is full"):
        render(order(tmp_path / "new", count=1, seconds=2))
    assert nothing_left(tmp_path)


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(done: int, total: int) -> None:
        assert [f.suffix for f in tmp_path.iterdir()] == [".part"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(order(tmp_path / "new", count=20), interrupt)
    assert nothing_left(tmp_path)


def test_a_clip_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    spec = draw_clip("ambient", SEED, 0, 2)
    write_clip(spec, tmp_path / "clip.mp4")
    whole = (tmp_path / "clip.mp4").read_bytes()
    real = Path.write_bytes

    def half(path: Path, data: bytes) -> int:
        real(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)
    for name in ("clip.mp4", "new.mp4"):
        with pytest.raises(OSError, match="No space"):
            write_clip(spec, tmp_path / name)
    assert files(tmp_path) == {"clip.mp4": whole}


def test_workers_load_no_torch():
    code = "import sys, contextguard.world.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
