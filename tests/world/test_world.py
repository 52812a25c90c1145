"""The world: what is drawn and heard is what the specification, the answers and the truth say."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from contextguard.errors import SettingError
from contextguard.world.collage import collage, practice_clip, practice_sound
from contextguard.world.questions import QUESTION_TYPES, question, question_types
from contextguard.world.render import audio, frame, frames
from contextguard.world.scenarios import SCENARIOS, draw_clip
from contextguard.world.sounds import DTMF, SAMPLE_RATE
from contextguard.world.spec import CELL, GRID, SIGN
from contextguard.world.truth import KINDS, token_kinds, visual_labels
from contextguard.world.words import CLASSES, PLACES, VISUAL_WORDS

EACH = pytest.mark.parametrize("scenario", SCENARIOS)
HALVES = {"first": 0, "last": 1}


def digest(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def specs(scenario, count, seconds=None, seed=3):
    return [draw_clip(scenario, seed, i, seconds) for i in range(count)]


@EACH
def test_the_same_arguments_give_the_same_clip_and_others_another(scenario):
    def make(seed, style="seen"):
        s = draw_clip(scenario, seed, 0, 5, style)
        return digest(frames(s, 2.0, np.random.default_rng(s.camera_seed)), audio(s))

    assert make(1) == make(1)
    assert len({make(1), make(2), make(1, "held_out")}) == 3


def test_arguments_outside_their_range_name_the_legal_values():
    for arguments, named in (
        (("nowhere", 0, 0), "ambient, split, closeup, slides, event"),
        (("split", -1, 0), "-1"),
        (("split", 0, -2), "-2"),
        (("split", 0, 0, 1), "at least 2"),
        (("split", 0, 0, 4, "odd"), "seen, held_out"),
    ):
        with pytest.raises(SettingError, match=named):
            draw_clip(*arguments)


@EACH
@pytest.mark.parametrize("seconds", [2, 3, 7, 12])
def test_lengths_are_obeyed(scenario, seconds):
    s = draw_clip(scenario, 1, 1, seconds)
    assert len(frames(s)) == 2 * seconds
    assert len(audio(s)) == seconds * SAMPLE_RATE
    assert s.code_at + 0.6 <= seconds
    assert token_kinds(s).shape == (seconds, 7, 7)


@EACH
def test_half_of_the_clips_are_long_and_a_quarter_do_not_match(scenario):
    drawn = specs(scenario, 400)
    lengths = Counter(s.seconds for s in drawn)
    assert set(lengths) == set(range(4, 13))
    assert 0.42 < sum(n for s, n in lengths.items() if s >= 10) / 400 < 0.58
    assert 0.18 < np.mean([not s.matches for s in drawn]) < 0.32


def test_frames_painted_once_for_still_stretches_equal_single_frames():
    for scenario in SCENARIOS:
        s = draw_clip(scenario, 8, 0, 6)
        assert np.array_equal(frames(s, 4.0), np.stack([frame(s, i / 4) for i in range(24)]))


@EACH
def test_signs_show_the_answers(scenario):
    """Read the sign with a template of each digit, at the place the specification gives."""
    from contextguard.world.sprites import digit

    for s in specs(scenario, 6):
        for word, t in (("v_first", 0.0), ("v_last", s.seconds - 0.5)):
            shot = s.shot_at(t)
            sign = next(i for i in shot.items if i.kind == "sign")
            patch = frame(s, t)[sign.y : sign.y + SIGN, sign.x : sign.x + SIGN].mean(-1)
            patch = np.abs(patch - patch[0, 0])
            best = max(
                "0123456789",
                key=lambda d: np.corrcoef(digit(d, SIGN, sign.name).ravel(), patch.ravel())[0, 1],
            )
            assert best == question(s, word)[1]


@EACH
def test_code_is_the_strongest_tone_pair_while_it_sounds_and_comes_in_its_half(scenario):
    for s in specs(scenario, 6):
        begin = int((s.code_at + 0.05) * SAMPLE_RATE)
        part = audio(s)[begin : begin + SAMPLE_RATE // 2] * np.hanning(SAMPLE_RATE // 2)
        power = np.abs(np.fft.rfft(part)) ** 2

        def at(f, power=power):
            return power[round(f / 2) - 2 : round(f / 2) + 3].sum()

        assert max(DTMF, key=lambda d: min(at(DTMF[d][0]), at(DTMF[d][1]))) == s.code
        half = HALVES[question(s, "t_code")[1]]
        assert half * s.seconds / 2 <= s.code_at
        assert s.code_at + 0.6 <= (half + 1) * s.seconds / 2
        assert {s.digit_at(t) for t in (s.code_at, s.code_at + 0.6)} == {question(s, "av_sync")[1]}


def test_an_event_is_heard_only_in_its_interval_and_its_digit_is_shown_then():
    for s in specs("event", 12):
        wave = audio(s) / np.abs(audio(s)).max()
        t = np.arange(len(wave)) / SAMPLE_RATE
        outside = (t < s.sound.start) | (t > s.sound.end)
        outside &= (t < s.code_at) | (t > s.code_at + 0.6)
        inside = (t > s.sound.start) & (t < s.sound.end)
        inside &= (t < s.code_at) | (t > s.code_at + 0.6)
        assert np.sqrt((wave[outside] ** 2).mean()) < 0.03
        if inside.any():
            assert np.sqrt((wave[inside] ** 2).mean()) > 0.04
        assert {s.digit_at(x) for x in np.arange(s.sound.start, s.sound.end)} == {
            question(s, "av_event")[1]
        }
        half = HALVES[question(s, "t_event")[1]]
        assert half * s.seconds / 2 <= s.sound.start < s.sound.end <= (half + 1) * s.seconds / 2


@EACH
def test_labels_and_kinds_name_what_is_at_the_place(scenario):
    for s in specs(scenario, 8):
        labels, kinds = visual_labels(s, 0.0), token_kinds(s)[0].ravel()
        for item in s.shots[0].items:
            if item.kind == "lines" or not item.visible(0.0):
                continue
            x = min(max(item.x + item.size / 2, 0), 195)
            y = min(max(item.y + item.size / 2, 0), 195)
            cell = int(y) // CELL * GRID + int(x) // CELL
            named = {VISUAL_WORDS[i] for i in np.flatnonzero(labels[cell])}
            expected, kind = {
                "thing": (s.thing, "sounding" if s.matches else "silent"),
                "shape": (s.shape, "silent"),
                "sign": (s.digits[0][1], "text"),
            }[item.kind]
            if item.name == "ring" or item.name == "moon":  # hollow in the middle of small cells
                continue
            assert expected in named
            assert KINDS[kinds[cell]] == kind


def test_each_scenario_is_what_it_is_named_for():
    share = {
        name: np.mean(
            [[(token_kinds(s) == k).mean() for k in range(5)] for s in specs(name, 80)], 0
        )
        for name in SCENARIOS
    }
    explained, _, _, sounding, background = range(5)
    for name in ("ambient", "event"):
        assert share[name][explained] > 0.5
    for name in ("split", "closeup", "slides"):
        assert share[name][background] > 0.5
    assert share["slides"][explained] < share["split"][explained]
    assert share["closeup"][explained] == 0
    assert share["closeup"][sounding] > 2 * share["ambient"][sounding]


@EACH
def test_every_question_has_a_one_word_answer_and_others_raise(scenario):
    s = draw_clip(scenario, 3, 0)
    types = question_types(s)
    assert len(types) >= 13
    for kind in QUESTION_TYPES:
        if kind in types:
            text, answer = question(s, kind)
            assert text.endswith(" ?")
            assert len(answer.split()) == 1
        else:
            with pytest.raises(ValueError, match=kind):
                question(s, kind)
    assert ("v_pose" in types) == (scenario == "closeup")
    assert ("v_scene" in types) == (scenario != "closeup")
    assert ("t_event" in types) == (scenario == "event")
    if scenario != "closeup":
        assert question(s, "v_scene")[1] == PLACES[CLASSES.index(s.thing)]


def test_answers_are_balanced():
    """No answer of a type is so frequent that guessing it would pass for knowing."""
    answers = {kind: Counter() for kind in QUESTION_TYPES}
    for name in SCENARIOS:
        for s in specs(name, 200):
            for kind in question_types(s):
                answers[kind][question(s, kind)[1]] += 1
    for kind, counts in answers.items():
        top, total = counts.most_common(1)[0][1], sum(counts.values())
        fair = {"v_change": 0.75, "av_match": 0.78}.get(kind, 1.6 / len(counts))
        assert top / total < fair, (kind, counts)


def test_practice_material_has_labels_of_the_right_shape():
    picture, labels = collage(np.random.default_rng(0))
    assert picture.shape == (196, 196, 3)
    assert labels.shape == (49, len(VISUAL_WORDS))
    wave, heard = practice_sound(np.random.default_rng(0))
    assert wave.shape == (2 * SAMPLE_RATE,)
    assert heard.shape == (50, 18)
    assert set(heard[:, :8].sum(1).tolist()) <= {0, 1}
    clip = practice_clip(np.random.default_rng(0))
    assert clip.frames.shape == (4, 196, 196, 3)
    assert clip.wave.shape == (2 * SAMPLE_RATE,)
    assert len(clip.kinds) == len(clip.questions)
    colors = [
        a for (_, a), kind in zip(clip.questions, clip.kinds, strict=True) if kind == "silcol"
    ]
    assert len(set(colors)) == 6
