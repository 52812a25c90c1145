"""Scores against ask_clip question by question, and sums against hand counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from contextguard.asking import ask_clip, build_inputs
from contextguard.backbones.prune import prune
from contextguard.checkpoints import Checkpoint
from contextguard.errors import MediaError, SettingError
from contextguard.evaluation import score as scoring
from contextguard.evaluation.prefill import first_words
from contextguard.evaluation.results import ClipResult, QuestionResult
from contextguard.evaluation.score import clip_digest, fingerprint, score
from contextguard.evaluation.summary import Scores
from contextguard.media import load_clip
from contextguard.methods import ContextGuard, Full

METHOD = ContextGuard(rho_sem=0.3)


@pytest.fixture
def entries(make_entry, split, slides):
    """Right answers, wrong ones, and a type only one of the clips has."""
    return [
        make_entry(
            split,
            scenario="ambient",
            questions=[
                ("a_sound", "which sound is heard ?", "siren"),
                ("v_last", "which digit is shown last ?", "3"),
                ("v_detail", "what color is the siren ?", "yellow"),
            ],
        ),
        make_entry(
            slides,
            scenario="split",
            style="held_out",
            questions=[
                ("a_sound", "which sound is heard ?", "bell"),
                ("v_last", "which digit is shown last ?", "0"),
            ],
        ),
    ]


def test_hits_and_divergence_are_those_of_separate_calls(thimble, entries):
    scores = score(thimble, entries, METHOD)
    for entry, result in zip(entries, scores.clips, strict=True):
        clip = load_clip(entry.path)
        for (kind, text, answer), found in zip(entry.questions, result.questions, strict=True):
            said = ask_clip(thimble, clip, text, METHOD, max_new_tokens=1).answer
            assert (found.type, found.said, found.hit) == (kind, said, said == answer)
            p, q = (next_token(thimble, clip, text, m) for m in (Full(), METHOD))
            kl = sum(a * (a / b).log() for a, b in zip(p, q, strict=True))
            assert found.kl == pytest.approx(float(kl), rel=1e-3, abs=1e-5)
        plan = ask_clip(thimble, clip, "bell ?", METHOD, max_new_tokens=1).tokens
        assert result.tokens == {k: plan[k] for k in result.tokens}
    # The prompt's divergence is not all rounding, or the comparison above would show nothing.
    assert max(q.kl for clip in scores.clips for q in clip.questions) > 0.01


def next_token(checkpoint, clip, question, method):
    inputs = build_inputs(checkpoint, clip, question)
    with torch.inference_mode(), prune(checkpoint.model, method):
        out = checkpoint.model(**inputs, use_audio_in_video=True)
    return out.logits[0, -1].double().softmax(-1)


def test_the_full_model_does_not_diverge_from_itself(thimble, entries, monkeypatch):
    scores = score(thimble, entries, Full())
    assert [q.kl for clip in scores.clips for q in clip.questions] == [0.0] * 5
    assert scores.tokens["video"] == scores.tokens["video_kept"]


def test_the_full_model_is_asked_once_for_several_methods(thimble, entries, monkeypatch):
    asked = []

    def counting(checkpoint, clip, questions, method, **inputs):
        asked.append(method.name)
        return first_words(checkpoint, clip, questions, method, **inputs)

    alone = score(thimble, entries, METHOD)
    monkeypatch.setattr(scoring, "first_words", counting)
    full: dict[str, torch.Tensor] = {}
    score(thimble, entries, Full(), full=full)
    again = score(thimble, entries, METHOD, full=full)
    assert asked == ["full", "full", "contextguard", "contextguard"]
    assert again.clips == alone.clips


def test_a_run_that_was_killed_goes_on(thimble, entries, tmp_path, monkeypatch):
    save = tmp_path / "scores.jsonl"
    whole = score(thimble, entries, METHOD, save=save)
    lines = save.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    save.write_bytes(lines[0] + lines[1] + lines[2][:40])

    seen = []

    def counting(checkpoint, clip, questions, method, **inputs):
        seen.append(clip.path.name)
        return first_words(checkpoint, clip, questions, method, **inputs)

    monkeypatch.setattr(scoring, "first_words", counting)
    steps: list[tuple[int, int]] = []
    again = score(thimble, entries, METHOD, save=save, progress=lambda *step: steps.append(step))
    assert set(seen) == {entries[1].path.name}
    assert steps == [(1, 2), (2, 2)]
    assert again.to_dict() == whole.to_dict()
    assert save.read_bytes() == b"".join(lines)
    with pytest.raises(SettingError, match=r"holds results for rho_sem 0\.3, asked is 0\.5"):
        score(thimble, entries, ContextGuard(), save=save)


def test_a_clip_is_asked_again_when_file_or_questions_change(make_entry, split, slides, entries):
    same = make_entry(split, scenario="ambient", questions=list(entries[0].questions))
    assert clip_digest(same) == clip_digest(entries[0])
    fewer = make_entry(split, scenario="ambient", questions=list(entries[0].questions)[:2])
    other = make_entry(slides, scenario="ambient", questions=list(entries[0].questions))
    assert len({clip_digest(e) for e in (same, fewer, other)}) == 3


def test_the_fingerprint_tells_weights_apart(thimble):
    before = fingerprint(thimble.model)
    weight = thimble.model.model.language_model.norm.weight
    with torch.no_grad():
        weight[0] += 1
        changed = fingerprint(thimble.model)
        weight[0] -= 1
    assert changed != before
    assert fingerprint(thimble.model) == before


@pytest.mark.parametrize("problem", ["none", "missing", "load_and_save"])
def test_what_cannot_be_scored(thimble, make_entry, split, tmp_path, problem):
    if problem == "none":
        with pytest.raises(SettingError, match="there are no clips to score"):
            score(thimble, [], Full())
    elif problem == "missing":
        gone = make_entry(tmp_path / "gone.mp4", questions=[("a_sound", "bell ?", "yes")])
        with pytest.raises(MediaError, match=r"gone\.mp4: No such file.*the manifest lists it"):
            score(thimble, [gone], Full())
    else:
        entry = make_entry(split, questions=[("a_sound", "bell ?", "yes")])
        with pytest.raises(SettingError, match="leave it out where load gives the clips"):
            score(thimble, [entry], Full(), save=tmp_path / "a", load=lambda e: load_clip(e.path))


def test_clips_can_come_from_elsewhere(thimble, make_entry, split, slides):
    entry = make_entry(split, questions=[("a_sound", "which sound is heard ?", "drum")])
    assert score(thimble, [entry], Full()).overall.accuracy == 0.0
    assert score(thimble, [entry], Full(), load=lambda e: load_clip(slides)).overall.accuracy == 1.0


def clip(name: str, scenario: str, style: str, *questions: tuple[str, bool, float]) -> ClipResult:
    return ClipResult(
        clip=name,
        scenario=scenario,
        style=style,
        questions=tuple(
            QuestionResult(kind, "yes", "yes" if hit else "no", kl) for kind, hit, kl in questions
        ),
        tokens={"video": 100, "video_kept": 40, "audio": 50, "audio_kept": 50},
        warnings=("a warning",) if name == "b" else (),
    )


HAND = Scores(
    model="toy",
    method="contextguard",
    settings={"rho_sem": 0.5},
    clips=(
        clip("a", "split", "seen", ("v_first", True, 0.0), ("a_sound", True, 1.0)),
        clip("b", "ambient", "seen", ("v_first", False, 3.0), ("a_sound", True, 0.0)),
        clip("c", "split", "held_out", ("v_first", True, 2.0), ("av_new", False, 0.0)),
    ),
)


def test_sums_by_hand():
    table = HAND.to_dict(["a note"])
    assert table["accuracy"] == pytest.approx(4 / 6)
    assert (table["n"], table["clips"]) == (6, 3)
    # The world's order; a type it does not know comes last.
    assert list(table["by_type"]) == ["a_sound", "v_first", "av_new"]
    assert table["by_type"] == {
        "a_sound": {"accuracy": 1.0, "n": 2},
        "v_first": {"accuracy": pytest.approx(2 / 3), "n": 3},
        "av_new": {"accuracy": 0.0, "n": 1},
    }
    assert list(table["by_scenario"]) == ["ambient", "split"]
    assert table["by_scenario"]["split"] == {"accuracy": 0.75, "n": 4}
    assert table["by_style"]["held_out"] == {"accuracy": 0.5, "n": 2}
    assert table["by_scenario_and_type"]["ambient"] == {
        "a_sound": {"accuracy": 1.0, "n": 1},
        "v_first": {"accuracy": 0.0, "n": 1},
    }
    assert table["kl"]["overall"] == pytest.approx(1.0)
    assert table["kl"]["by_type"] == {
        "a_sound": 0.5,
        "v_first": pytest.approx(5 / 3),
        "av_new": 0.0,
    }
    assert table["intervals"]["kl"]["by_scenario"]["ambient"] is None
    low, high = table["intervals"]["kl"]["overall"]
    assert 0.5 <= low < 1.0 < high <= 1.5
    # Wilson at 4 of 6.
    assert table["intervals"]["accuracy"]["overall"] == pytest.approx([0.3000, 0.9032], abs=1e-4)
    assert table["tokens"] == {"video": 300, "video_kept": 120, "audio": 150, "audio_kept": 150}
    assert table["warnings"] == ["a note", "1 of 3 clips: a warning"]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_the_order_of_clips_does_not_matter_to_accuracy():
    turned = replace(HAND, clips=HAND.clips[::-1])
    assert turned.to_dict()["by_type"] == HAND.to_dict()["by_type"]


def test_a_checkpoint_of_another_name_and_the_same_weights_continues(thimble, entries, tmp_path):
    save = tmp_path / "scores.jsonl"
    first = score(thimble, entries[:1], Full(), save=save)
    moved = Checkpoint("elsewhere", thimble.model, thimble.processor, is_thimble=False)
    assert score(moved, entries[:1], Full(), save=save).clips == first.clips
