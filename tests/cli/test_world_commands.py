"""``contextguard world render`` and ``stats``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contextguard.cli import run
from contextguard.world.dataset import RenderOrder, read_manifest, render
from contextguard.world.questions import question_types
from contextguard.world.scenarios import SCENARIOS, draw_clip


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "clips"
    return render(RenderOrder(("split", "event"), 5, 2, folder))


def failed(capsys, *arguments: str) -> str:
    assert run([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_render_writes_what_was_asked(capsys, tmp_path):
    out = tmp_path / "out"
    asked = ["--scenario", "slides", "--scenario", "split", "--scenario", "slides"]
    options = ["--seed", "3", "--count", "2", "--seconds", "2", "--style", "held_out"]
    assert run(["world", "render", *asked, *options, "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""  # no bar in a pipe
    assert captured.out.startswith("4 clips of slides, split (")
    assert captured.out.count("\n") == 1
    found = [(e.scenario, e.seed, e.index, e.seconds, e.style) for e in read_manifest(out)]
    assert found == [(s, 3, i, 2, "held_out") for s in ("slides", "split") for i in (0, 1)]


def test_all_is_every_scenario(capsys, tmp_path):
    out = tmp_path / "out"
    assert run(["world", "render", "--scenario", "all", "--seconds", "2", "-o", str(out)]) == 0
    assert [e.scenario for e in read_manifest(out)] == list(SCENARIOS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenario", "nope"], "scenario must be one of ambient, split, "),
        (["--scenario", "split", "--seed", "abc"], "--seed"),
        (["--scenario", "split", "--seed", "-1"], "--seed"),
        (["--scenario", "split", "--count", "0"], "--count"),
        (["--scenario", "split", "--seconds", "1"], "--seconds"),
        (["--scenario", "split", "--workers", "0"], "--workers"),
        (["--scenario", "split", "--style", "odd"], "style must be one of seen, held_out"),
        ([], "give --scenario: ambient, split, closeup, slides, event, or all"),
    ],
)
def test_bad_options_are_told_in_one_line(capsys, tmp_path, options, message):
    assert message in failed(capsys, "world", "render", *options, "-o", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_bad_folders_are_told_in_one_line(capsys, clips, tmp_path):
    render_split = ("world", "render", "--scenario", "split", "-o")
    assert "is not empty" in failed(capsys, *render_split, clips)
    assert "is a file" in failed(capsys, *render_split, clips / "manifest.jsonl")
    assert "no such folder" in failed(capsys, *render_split, tmp_path / "a" / "b")
    assert "--out" in failed(capsys, "world", "render", "--scenario", "split")
    assert "give either" in failed(capsys, "world", "stats")
    assert "give either" in failed(capsys, "world", "stats", clips, "--scenario", "split")
    assert "no such folder" in failed(capsys, "world", "stats", tmp_path / "nowhere")
    assert "no manifest.jsonl" in failed(capsys, "world", "stats", tmp_path)
    assert "Missing command" in failed(capsys, "world")


def test_stats_count_what_the_specifications_say(capsys, clips):
    assert run(["world", "stats", str(clips), "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["model"] == "thimble"
    assert list(result["scenarios"]) == ["split", "event"]
    for scenario, found in result["scenarios"].items():
        specs = [draw_clip(scenario, 5, i) for i in (0, 1)]
        seconds = [round(s.seconds) for s in specs]
        assert found["clips"] == 2
        assert found["seconds"] == {
            "mean": sum(seconds) / 2,
            "least": min(seconds),
            "most": max(seconds),
            "long_share": sum(s >= 10 for s in seconds) / 2,
        }
        assert found["cuts"] == sum(len(s.shots) - 1 for s in specs)
        assert found["mismatched_share"] == sum(s.thing != s.sound.name for s in specs) / 2
        # chunks of 2 s
        assert found["chunks"] == sum((s + 1) // 2 for s in seconds)
        assert 2 <= found["segments"] <= found["groups"] <= found["chunks"]
        assert found["merged_away_share"] == pytest.approx(1 - found["groups"] / found["chunks"])
        assert sum(found["token_shares"].values()) == pytest.approx(1)
        for kind in {k for s in specs for k in question_types(s)}:
            asked = sum(kind in question_types(s) for s in specs)
            assert found["questions"][kind] == asked


def test_stats_agree_with_inspect_on_segments_and_groups(capsys, clips, tmp_path):
    assert run(["world", "stats", str(clips), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["scenarios"]["split"]
    segments = groups = 0
    for entry in read_manifest(clips):
        if entry.scenario == "split":
            assert run(["inspect", str(entry.path), "-o", str(tmp_path / "p.png"), "--json"]) == 0
            plan = json.loads(capsys.readouterr().out)
            segments += len(plan["segments"])
            groups += len(plan["groups"])
    assert (found["segments"], found["groups"]) == (segments, groups)


def test_stats_of_scenarios_print_a_table(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["world", "stats", "--scenario", "event", "--count", "1", "--seconds", "4"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for part in ("event", "cuts a clip", "segments a clip", "sounding tokens", "av_event"):
        assert part in captured.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a process group")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_leaves_nothing(tmp_path, number, code):
    arguments = ["world", "render", "--scenario", "all", "--count", "500", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "contextguard", *arguments, "-o", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        limit = time.monotonic() + 60
        while not list(tmp_path.glob(".*/*.mp4")) and time.monotonic() < limit:
            time.sleep(0.05)
        assert list(tmp_path.glob(".*/*.mp4"))
        # Ctrl-C reaches the workers too; a request to end only the command itself.
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert out == ""
    assert err == ("error: interrupted\n" if number == signal.SIGINT else "")
    assert list(tmp_path.iterdir()) == []
