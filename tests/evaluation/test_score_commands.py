"""The commands ``world score``, ``world truth`` and ``world bench``, run inside this process."""

from __future__ import annotations

import json

import pytest

from contextguard.cli import run
from contextguard.evaluation import bench
from contextguard.evaluation.features import clip_features
from contextguard.evaluation.score import score
from contextguard.evaluation.truth_shares import kept_by_kind
from contextguard.media import load_clip
from contextguard.methods import ContextGuard
from contextguard.world.dataset import RenderOrder, read_manifest, render
from contextguard.world.truth import KINDS


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A clip of ``split`` and one of ``ambient``, 4 s each, in folders of their own."""
    base = tmp_path_factory.mktemp("rendered")
    for name, style in (("split", "held_out"), ("ambient", "seen")):
        render(RenderOrder((name,), 5, 1, base / name, style=style, seconds=4, workers=1))
    return [base / "split", base / "ambient"]


def output(capsys, *arguments: object) -> str:
    assert run([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def failed(capsys, *arguments: object) -> str:
    assert run([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_score_prints_the_json_that_was_agreed(capsys, thimble, folders, tmp_path):
    save = tmp_path / "scores.jsonl"
    arguments = ["world", "score", *folders, "--method", "contextguard", "--rho-sem", "0.3"]
    table = json.loads(output(capsys, *arguments, "--save", save, "--json"))
    assert set(table) >= {"accuracy", "by_type", "by_scenario", "by_style", "kl", "intervals"}
    assert list(table["by_scenario"]) == ["ambient", "split"]
    assert set(table["by_style"]) == {"seen", "held_out"}
    for group in ("by_type", "by_scenario", "by_style"):
        cells = table[group].values()
        assert all(set(cell) == {"accuracy", "n"} for cell in cells)
        assert sum(cell["n"] for cell in cells) == table["n"]
        hits = sum(cell["n"] * cell["accuracy"] for cell in cells)
        assert hits / table["n"] == pytest.approx(table["accuracy"])
    entries = [entry for folder in folders for entry in read_manifest(folder)]
    assert table["n"] == sum(len(e.questions) for e in entries)
    expected = score(thimble, entries, ContextGuard(rho_sem=0.3))
    assert table["accuracy"] == expected.overall.accuracy
    assert table["kl"]["overall"] == pytest.approx(expected.overall.kl, rel=1e-6)
    assert table["warnings"][0].startswith("thimble is the embedded toy model")
    # Resumed from the file: not a digit changes.
    assert json.loads(output(capsys, *arguments, "--save", save, "--json")) == table


def test_score_for_people(capsys, folders):
    text = output(capsys, "world", "score", *folders)
    assert "thimble, method full: 2 clips" in text
    assert "embedded toy model" in text
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert {"a_sound", "v_last", "ambient", "split", "seen", "held_out", "all"} <= set(rows)
    assert rows["all"].count("0.000") == 3


def test_truth_counts_every_token_of_every_clip(capsys, thimble, folders):
    table = json.loads(output(capsys, "world", "truth", *folders, "--rho-sem", "0.3", "--json"))
    assert list(table["shares"]) == ["ambient", "split"]
    for folder in folders:
        [entry] = read_manifest(folder)
        shares = table["shares"][entry.scenario]
        assert list(shares) == ["audio", "visual", "random", "high"]
        plan = ContextGuard(rho_sem=0.3).plan(clip_features(thimble, load_clip(entry.path)))
        for kind, (kept, total) in kept_by_kind(plan, entry.token_kinds).items():
            assert (shares["audio"][kind]["kept"], shares["audio"][kind]["total"]) == (kept, total)
        for found in shares.values():
            assert sum(found[kind]["total"] for kind in KINDS) == 4 * 49
            assert found["sequence"]["kept"] <= sum(found[kind]["kept"] for kind in KINDS)
    text = output(capsys, "world", "truth", *folders)
    assert all(kind in text for kind in KINDS)
    assert "embedded toy model" in text


def test_bench_scores_its_own_clips(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "SETS", {"quick": (1, 3)})
    arguments = ["world", "bench", "--style", "held_out", "--clips", tmp_path / "b", "--json"]
    table = json.loads(output(capsys, *arguments))
    assert list(table["by_style"]) == ["held_out"]
    assert len(table["by_scenario"]) == table["clips"] == 5
    assert {e.style for e in read_manifest(next((tmp_path / "b").iterdir()))} == {"held_out"}


def test_bad_input_is_one_line(capsys, folders, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in ("score", "truth"):
        line = failed(capsys, "world", command, folders[0], tmp_path / "nowhere")
        assert "nowhere: no such folder" in line
        assert "no manifest.jsonl in it" in failed(capsys, "world", command, empty)
    line = failed(capsys, "world", "score", folders[0], "--method", "best")
    assert "unknown method 'best'; methods: contextguard, full" in line
    line = failed(capsys, "world", "score", folders[0], "--rho-sem", "0.3")
    assert "method 'full' has no setting --rho-sem; leave it out" in line
    line = failed(capsys, "world", "score", folders[0], "--save", empty)
    assert "is not a file; give another name" in line
    line = failed(capsys, "world", "truth", folders[0], "--rho-sem", "2")
    assert "rho_sem must be a number in [0, 1], got 2.0" in line
    assert "set must be one of quick, full" in failed(capsys, "world", "bench", "--set", "huge")


def test_a_save_file_of_other_settings_is_refused(capsys, folders, tmp_path):
    save = tmp_path / "scores.jsonl"
    output(capsys, "world", "score", folders[0], "--save", save, "--json")
    arguments = ["world", "score", folders[0], "--save", save, "--method", "contextguard"]
    line = failed(capsys, *arguments)
    assert "scores.jsonl: holds results for " in line
    assert "give another name" in line
