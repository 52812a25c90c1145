"""The commands, run inside this process."""

from __future__ import annotations

import json
import os

import pytest

from contextguard.cli import run


def failed(capsys, *arguments: str) -> str:
    assert run([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def asked(capsys, *arguments: str) -> dict:
    assert run([*(str(a) for a in arguments), "--json", "--max-new-tokens", "2"]) == 0
    return json.loads(capsys.readouterr().out)


def test_ask_reports_what_was_kept(capsys, bunny):
    result = asked(capsys, "ask", bunny, "what is shown ?")
    # 5 temporal patches of 5x9 tokens; 5.0 s of sound at 25 tokens a second, to a rounded end
    assert result["tokens"]["video"] == 5 * 45
    assert 124 <= result["tokens"]["audio"] == result["tokens"]["audio_kept"] <= 127
    kept, tokens = result["tokens"]["video_kept"], result["tokens"]
    assert 0.5 * 225 <= kept < 0.7 * 225
    assert result["compression"] == pytest.approx((225 - kept) / (225 + tokens["audio"]))
    assert [t for s in result["segments"] for t in s] == [0, 1, 2]
    assert [t for g in result["groups"] for t in g["chunks"]] == [0, 1, 2]
    assert sum(g["tokens"] for g in result["groups"]) == 225
    assert sum(g["kept"] for g in result["groups"]) == kept
    assert set(result["seconds"]) == {"decode", "encode", "plan", "prefill", "generate"}
    assert all(value >= 0 for value in result["seconds"].values())
    assert result["model"] == "thimble"
    assert result["settings"]["rho_sem"] == 0.5
    assert result["settings"]["fps"] == 2


def test_settings_reach_the_method(capsys, bunny):
    few = asked(capsys, "ask", bunny, "what ?", "--rho-sem", "0.2", "--rho-spa", "0")
    # ceil(0.2 * 90) twice and ceil(0.2 * 45), unless chunks merged
    assert few["tokens"]["video_kept"] == 18 + 18 + 9
    assert few["settings"]["rho_spa"] == 0
    visual = asked(capsys, "ask", bunny, "what ?", "--guide", "visual", "--tau-merge", "-1")
    assert visual["settings"]["guide"] == "visual"
    assert [g["chunks"] for g in visual["groups"]] == visual["segments"]


def test_sampling_settings_change_the_input(capsys, bunny):
    assert asked(capsys, "ask", bunny, "what ?", "--fps", "1")["tokens"]["video"] == 2 * 45
    small = asked(capsys, "ask", bunny, "what ?", "--max-pixels", str(28 * 28 * 8))
    assert small["tokens"]["video"] <= 5 * 8
    assert small["settings"]["max_pixels"] == 28 * 28 * 8


def test_full_keeps_everything(capsys, bunny):
    result = asked(capsys, "ask", bunny, "what ?", "--method", "full")
    assert result["tokens"]["video_kept"] == result["tokens"]["video"]
    assert result["compression"] == 0


def test_a_clip_without_sound_says_so(capsys, mute):
    result = asked(capsys, "ask", mute, "what is shown ?")
    assert result["tokens"]["audio"] == 0
    assert any("no audio tokens" in line for line in result["warnings"])


def test_people_get_a_table_and_the_toy_note(capsys, bunny, tmp_path):
    picture = tmp_path / "kept.png"
    arguments = ["ask", str(bunny), "what zebra ?", "--max-new-tokens", "1"]
    assert run([*arguments, "--picture", str(picture)]) == 0
    captured = capsys.readouterr()
    for part in ("video", "225", "compression", "segments", "merged", "seconds", "toy model"):
        assert part in captured.out
    assert "warning: thimble does not know the words: zebra" in captured.err
    assert picture.stat().st_size > 10_000


def test_inspect_draws(capsys, mute, tmp_path):
    picture = tmp_path / "plan.svg"
    assert run(["inspect", str(mute), "-o", str(picture), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["answer"] is None
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "nope"], "unknown method 'nope'; methods: contextguard, full"),
        (["--guide", "smell"], "guide must be 'audio', 'visual'"),
        (["--rho-sem", "1.5"], "rho_sem must be a number in [0, 1], got 1.5"),
        (["--tau-merge", "-2"], "tau_merge must be a number in [-1, 1], got -2"),
        (["--rho-sem", "half"], "--rho-sem"),
        (["--method", "full", "--rho-sem", "0.5"], "method 'full' has no setting --rho-sem"),
        (["--fps", "0"], "fps must be in (0, 240], got 0"),
        (["--max-new-tokens", "0"], "--max-new-tokens"),
        (["--max-pixels", "100"], "max_pixels must be at least 784"),
        (["--device", "cuda:99"], "device 'cuda:99'"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--dtype", "int3"], "unknown dtype 'int3'; dtypes: float32"),
        (["--model", "thimbel"], "neither a folder nor a hub id; give 'thimble'"),
        (["--picture", "plan.txt"], "a picture is written as .png"),
        (["--picture", "no/such/folder/plan.png"], "no such folder 'no/such/folder'"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_options_are_told_in_one_line(capsys, bunny, options, message):
    assert message in failed(capsys, "ask", bunny, "what ?", *options)


def test_bad_questions(capsys, bunny):
    assert "question is empty" in failed(capsys, "ask", bunny, "  ")
    assert "placeholder <|VIDEO|>" in failed(capsys, "ask", bunny, "what <|VIDEO|> ?")
    assert "QUESTION" in failed(capsys, "ask", bunny)
    assert "No such command" in failed(capsys, "answer")


def test_the_picture_path_is_checked_before_the_work(capsys, bunny, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "contextguard.checkpoints.load_checkpoint", lambda *a: pytest.fail("loaded first")
    )
    assert "is a directory" in failed(
        capsys, "inspect", bunny, "-o", str(_made(tmp_path / "folder.png"))
    )
    if os.geteuid() != 0:
        closed = _made(tmp_path / "closed")
        closed.chmod(0o500)
        assert "permission denied" in failed(capsys, "inspect", bunny, "-o", closed / "plan.png")


def _made(folder):
    folder.mkdir()
    return folder


def test_interrupt_is_130_and_bugs_are_not_hidden(capsys, bunny, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("contextguard.media.probe_clip", interrupt)
    assert run(["ask", str(bunny), "what ?"]) == 130

    def bug(path):
        raise ZeroDivisionError

    monkeypatch.setattr("contextguard.media.probe_clip", bug)
    with pytest.raises(ZeroDivisionError):
        run(["ask", str(bunny), "what ?"])
