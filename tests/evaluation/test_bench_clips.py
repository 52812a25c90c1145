"""thimble-bench: its clips are made once, kept, and fixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextguard.errors import SettingError
from contextguard.evaluation import bench
from contextguard.evaluation.bench import SETS, bench_entries, cache_folder, world_version
from contextguard.world.dataset import DatasetError
from contextguard.world.questions import question, question_types
from contextguard.world.scenarios import SCENARIOS, draw_clip


def test_the_sets_are_those_that_were_published():
    assert SETS == {"quick": (12, 990_012), "full": (100, 990_100)}


def test_clips_are_rendered_once_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench, "SETS", {"quick": (1, 990_012)})
    steps: list[tuple[int, int]] = []
    entries = bench_entries(progress=lambda *step: steps.append(step))
    assert [e.scenario for e in entries] == list(SCENARIOS)
    assert steps[-1] == (5, 5)
    place = tmp_path / "contextguard" / "thimble-bench" / f"quick-seen-{world_version()}"
    assert {e.path.parent for e in entries} == {place}
    for entry in entries:
        spec = draw_clip(entry.scenario, 990_012, 0)
        asked = [(t, *question(spec, t)) for t in question_types(spec)]
        assert [tuple(q) for q in entry.questions] == asked
    before = {e.path: e.path.stat().st_mtime_ns for e in entries}

    def again(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(bench, "render", again)
    assert {e.path: e.path.stat().st_mtime_ns for e in bench_entries()} == before
    entries[2].path.unlink()
    with pytest.raises(DatasetError, match=r"no such file.*delete '.*quick-seen-.*run again"):
        bench_entries()


def test_the_cache_lies_where_the_system_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "contextguard" / "thimble-bench"


def test_clips_of_another_world_are_not_reused(monkeypatch, tmp_path):
    before = world_version()
    assert world_version() == before
    for source in Path(bench.world.__file__).parent.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(bench.world, "__file__", str(tmp_path / "__init__.py"))
    copied = world_version()
    (tmp_path / "sprites.py").write_text("changed")
    assert len({before, copied, world_version()}) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("huge",), "set must be one of quick, full, got 'huge'"),
        (("quick", "comic"), "style must be one of seen, held_out, got 'comic'"),
        (("quick", "seen", "/dev/null"), "/dev/null: cannot be made"),
    ],
)
def test_what_cannot_be_made(arguments, message):
    with pytest.raises(SettingError, match=message):
        bench_entries(*arguments)
