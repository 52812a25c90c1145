"""The world: what is drawn and heard is what the specification and the labels say."""

import hashlib

import numpy as np
import pytest

from contextguard.media import load_clip
from contextguard.world import clip as world
from contextguard.world.collage import collage, practice_sound
from contextguard.world.files import write_clip
from contextguard.world.questions import QUESTION_TYPES, question
from contextguard.world.sounds import DTMF, SAMPLE_RATE
from contextguard.world.words import CLASSES, COLORS, DIGITS, PLACES, SHAPES, VISUAL_WORDS


def spec(seed: int, seconds: int = 6) -> world.ClipSpec:
    return world.ambient(np.random.default_rng([seed, 0]), seconds)


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def test_a_seed_gives_the_same_clip_and_another_seed_another():
    def make(seed: int) -> str:
        s = spec(seed)
        return digest(world.frames(s, 2.0, np.random.default_rng(1)), world.audio(s))

    assert make(1) == make(1)
    assert make(1) != make(2)


def test_sign_shows_first_digit_then_last():
    s = next(s for s in map(spec, range(50)) if s.digit_first != s.digit_last)
    assert s.digit_at(0) == s.digit_first
    assert s.digit_at(s.change_at - 0.01) == s.digit_first
    assert s.digit_at(s.change_at) == s.digit_last
    before, after = (world.frame(s, t) for t in (s.change_at - 0.125, s.change_at))
    shot = s.shot_at(s.change_at)
    if shot.start < s.change_at:
        sign = (slice(shot.sign.y, shot.sign.y + world.SIGN),
                slice(shot.sign.x, shot.sign.x + world.SIGN))  # fmt: skip
        assert np.abs(before[sign].astype(int) - after[sign]).max() > 100


@pytest.mark.parametrize("seed", range(8))
def test_code_is_the_strongest_tone_pair_while_it_sounds(seed):
    s = spec(seed)
    begin = int((s.code_at + 0.05) * SAMPLE_RATE)
    part = world.audio(s)[begin : begin + SAMPLE_RATE // 2] * np.hanning(SAMPLE_RATE // 2)
    power = np.abs(np.fft.rfft(part)) ** 2

    def at(f: float) -> float:
        return power[round(f / 2) - 2 : round(f / 2) + 3].sum()

    best = max(DTMF, key=lambda d: min(at(DTMF[d][0]), at(DTMF[d][1])))
    assert best == str(s.code)


@pytest.mark.parametrize("seed", range(8))
def test_labels_name_what_is_at_the_place(seed):
    s = spec(seed)
    labels = world.visual_labels(s, 0.0)
    shot = s.shots[0]

    def cells(word: str) -> set[int]:
        return set(np.flatnonzero(labels[:, VISUAL_WORDS.index(word)]).tolist())

    def cell_of(x: float, y: float) -> int:
        return int(y) // world.CELL * world.GRID + int(x) // world.CELL

    middle = shot.thing.size / 2
    assert cell_of(shot.thing.x + middle, shot.thing.y + middle) in cells(CLASSES[s.place])
    assert cell_of(shot.sign.x + 15, shot.sign.y + 15) in cells(str(s.digit_first))
    for p in shot.shapes:
        assert cell_of(p.x + p.size / 2, p.y + p.size / 2) in cells(SHAPES[s.shape])
    assert len(cells(PLACES[s.place])) >= 40
    others = set(DIGITS) - {str(s.digit_first)}
    assert not any(cells(d) for d in others)


def test_every_question_has_a_one_word_answer_and_unknown_types_raise():
    s = spec(3)
    for kind in QUESTION_TYPES:
        text, answer = question(s, kind)
        assert text.endswith("?")
        assert len(answer.split()) == 1
    assert question(s, "a_sound")[1] == CLASSES[s.sound]
    assert question(s, "v_detail")[1] == COLORS[s.color]
    assert question(s, "v_last")[1] == str(s.digit_at(s.seconds))
    with pytest.raises(ValueError, match="v_nothing"):
        question(s, "v_nothing")


def test_a_quarter_of_the_clips_do_not_match_and_lengths_are_obeyed():
    specs = [spec(i, 4) for i in range(400)]
    assert 0.18 < np.mean([not s.matches for s in specs]) < 0.32
    for seconds in (2, 3, 7, 12):
        s = spec(1, seconds)
        assert len(world.frames(s)) == 2 * seconds
        assert len(world.audio(s)) == seconds * SAMPLE_RATE
        assert s.code_at + 0.6 <= seconds
    with pytest.raises(ValueError, match="2 seconds"):
        spec(0, 1)


def test_practice_material_has_labels_of_the_right_shape():
    picture, labels = collage(np.random.default_rng(0))
    assert picture.shape == (196, 196, 3)
    assert labels.shape == (49, len(VISUAL_WORDS))
    wave, heard = practice_sound(np.random.default_rng(0))
    assert wave.shape == (2 * SAMPLE_RATE,)
    assert heard.shape == (50, 18)
    assert heard[:, :8].sum(1).tolist() == [1] * 50


def test_a_written_file_decodes_to_the_same_picture_and_sound(tmp_path):
    s = spec(5, 4)
    write_clip(s, tmp_path / "clip.mp4", np.random.default_rng(0))
    clip = load_clip(tmp_path / "clip.mp4", fps=2.0)
    plain = world.frames(s, 2.0)
    assert clip.frames.shape == plain.shape
    error = np.abs(clip.frames.astype(int) - plain).mean((1, 2, 3))
    assert error.max() < 12, error
    assert clip.audio is not None
    wave = world.audio(s)
    assert abs(len(clip.audio) - len(wave)) < 0.1 * SAMPLE_RATE
    n = min(len(wave), len(clip.audio))
    spectrum = [np.abs(np.fft.rfft(x[:n]))[: n // 4] for x in (wave, clip.audio)]
    assert np.corrcoef(*spectrum)[0, 1] > 0.95
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
