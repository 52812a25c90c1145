"""The stages: align each tower with the word embeddings, then teach the decoder to answer.

Stage 1, lexical alignment: per token, multi-label cross-entropy against the decoder's own (frozen,
random) word embeddings. Stage 2: towers frozen, ten questions a clip behind one shared prefix.
Every question type sits at chance for a while and then jumps; no stop rule looks at a flat start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from contextguard.thimble.architecture import TOKEN_IDS
from contextguard.thimble.training.packing import Clues, build_prefix, pack, run_packed
from contextguard.thimble.training.towers import audio_features, video_features
from contextguard.world.collage import collage, practice_clip, practice_sound
from contextguard.world.questions import question, question_types
from contextguard.world.render import audio, frames
from contextguard.world.scenarios import MISMATCH, SCENARIOS
from contextguard.world.spec import ClipSpec
from contextguard.world.truth import visual_labels
from contextguard.world.words import (
    AUDIO_WORDS,
    CLASSES,
    COLORS,
    DIGITS,
    PLACES,
    POSES,
    SHAPES,
    VISUAL_WORDS,
)

Metrics = dict[str, float]
Step = Callable[[Any, Generator, Generator], tuple[Tensor, Metrics]]
"""(model, this rank's generator, the generator all ranks share) -> loss, metrics."""


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        name: as the log calls it.
        part: what learns: ``visual``, ``audio`` or ``decoder``.
        steps: length.
        peak: largest learning rate.
        step: makes a batch and its loss.
        decay: weight decay.
        schedule: steps over which the learning rate falls; longer than ``steps`` cuts the fall.
    """

    name: str
    part: str
    steps: int
    peak: float
    step: Step
    decay: float = 0.01
    schedule: int | None = None

    def learners(self, model: Any) -> list[nn.Parameter]:
        """The parameters that learn in this stage; all others are frozen."""
        inner = model.model
        home = {"visual": inner.visual, "audio": inner.audio_tower, "decoder": inner.language_model}
        for p in model.parameters():
            p.requires_grad_(False)
        learners = list(home[self.part].parameters())
        for p in learners:
            p.requires_grad_(True)
        return learners


_SHARPNESS, _BIAS = 12.0, -3.0
"""Scale and offset from cosine similarity to logit in the lexical alignment."""


def _alignment(
    model: Any, features: Tensor, labels: Tensor, words: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Multi-label loss of features ``[..., d]`` against word embeddings, and the logits."""
    table = model.get_input_embeddings().weight.detach()[[TOKEN_IDS[w] for w in words]]
    logits = _SHARPNESS * F.normalize(features, dim=-1) @ F.normalize(table, dim=-1).T + _BIAS
    loss = F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    return loss.sum(-1).mean(), logits.detach()


def _hit_rate(
    logits: Tensor, labels: Tensor, words: tuple[str, ...], group: tuple[str, ...]
) -> float:
    """Share of tokens labelled with exactly one word of ``group`` whose best logit is that word."""
    at = [words.index(w) for w in group]
    some = labels[..., at].sum(-1) == 1
    return float(
        (logits[..., at].argmax(-1) == labels[..., at].float().argmax(-1))[some].float().mean()
    )


def draw_spec(rng: Generator, seconds: int, mismatch: float = MISMATCH) -> ClipSpec:
    """A clip of the mix: each scenario as often as the others."""
    names = tuple(SCENARIOS)
    return SCENARIOS[names[int(rng.integers(len(names)))]](rng, seconds, "seen", mismatch)


def align_visual(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
    """Ten collages and four clips of 2 s."""
    pictures, labels = [], []
    for _ in range(10):
        picture, label = collage(rng)
        pictures.append(np.stack([picture, picture]))
        labels.append(label)
    for _ in range(4):
        spec = draw_spec(rng, 2)
        shown = frames(spec, 2.0, rng, codec=True)
        for t in range(2):
            pictures.append(shown[2 * t : 2 * t + 2])
            labels.append(visual_labels(spec, float(t)))
    features = video_features(model.model.visual, np.stack(pictures))
    truth = torch.from_numpy(np.stack(labels))
    loss, logits = _alignment(model, features, truth, VISUAL_WORDS)
    groups = {
        "digit": DIGITS, "shape": SHAPES, "color": COLORS, "thing": CLASSES, "place": PLACES,
        "pose": POSES,
    }  # fmt: skip
    return loss, {k: _hit_rate(logits, truth, VISUAL_WORDS, g) for k, g in groups.items()}


def align_audio(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
    """Sixteen practice sounds of 2 s."""
    waves, labels = zip(*(practice_sound(rng) for _ in range(16)), strict=True)
    features = audio_features(model.model.audio_tower, np.stack(waves))
    truth = torch.from_numpy(np.stack(labels))
    loss, logits = _alignment(model, features, truth, AUDIO_WORDS)
    groups = {"sound": CLASSES, "code": DIGITS}
    return loss, {k: _hit_rate(logits, truth, AUDIO_WORDS, g) for k, g in groups.items()}


def answering(
    lengths: dict[int, int],
    questions: int,
    weights: dict[str, float],
    mismatch: float = MISMATCH,
    clued: bool = False,
) -> Step:
    """A step of answering questions about clips.

    Args:
        lengths: clips a rank for each length in seconds; a length is drawn each step.
        questions: questions a clip.
        weights: how often a type is asked, relative to 1.
        mismatch: share of clips whose sound belongs to another object.
        clued: give the clues to the questions whether two things are the same.
    """

    def step(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
        seconds = int(shared.choice(list(lengths)))
        specs = [draw_spec(rng, seconds, mismatch) for _ in range(lengths[seconds])]
        kinds = []
        for spec in specs:
            types = question_types(spec)
            share = np.array([weights.get(kind, 1.0) for kind in types])
            drawn = rng.choice(types, questions, replace=False, p=share / share.sum())
            kinds.append([str(kind) for kind in drawn])
        asked = [[question(s, k) for k in ks] for s, ks in zip(specs, kinds, strict=True)]
        shown = [frames(s, 2.0, rng, codec=True) for s in specs]
        clues = None
        if clued:
            clues = [[_clues(s, k) for k in ks] for s, ks in zip(specs, kinds, strict=True)]
        return _answer(model, shared, shown, [audio(s) for s in specs], asked, kinds, clues)

    return step


def _clues(spec: ClipSpec, kind: str) -> Clues:
    """What has to be compared, at words of the question, and the answer where both are known."""
    answer = question(spec, kind)[1]
    if kind == "av_match":
        return {"sound": spec.sound.name, "match": spec.thing, "picture": answer}
    if kind == "v_change":
        return {"digit": spec.digits[0][1], "change": spec.digits[-1][1], "?": answer}
    return {}


def practising(clips: int) -> Step:
    """A step of binding colours and counts to shapes, digits to times, on crowded 2 s clips."""

    def step(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
        made = [practice_clip(rng) for _ in range(clips)]
        frames_, waves = [c.frames for c in made], [c.wave for c in made]
        return _answer(
            model, shared, frames_, waves, [c.questions for c in made], [c.kinds for c in made]
        )

    return step


def _answer(
    model: Any,
    shared: Generator,
    frames: list[NDArray[np.uint8]],
    waves: list[NDArray[np.float32]],
    asked: list[list[tuple[str, str]]],
    kinds: list[list[str]],
    clues: list[list[Clues]] | None = None,
) -> tuple[Tensor, Metrics]:
    """Loss over the answers to all questions, and the share of right ones by kind."""
    missing = int(shared.integers(0, 4)) if shared.random() < 0.7 else 0
    with torch.no_grad():
        video = video_features(model.model.visual, np.stack(frames))
        audio = audio_features(model.model.audio_tower, np.stack(waves))
        audio = audio[:, : audio.shape[1] - missing]
    prefix = build_prefix(model, frames[0].shape[0] // 2, audio.shape[1])
    packed = pack(asked, True, clues)
    hidden = run_packed(model, prefix, video, audio, packed)
    scored = packed.labels >= 0
    loss = F.cross_entropy(model.lm_head(hidden[scored]), packed.labels[scored])
    with torch.no_grad():
        at = packed.answer_at[..., None].expand(-1, -1, hidden.shape[-1])
        said = model.lm_head(hidden.gather(1, at)).argmax(-1)
        right = said == torch.tensor([[TOKEN_IDS[a] for _, a in row] for row in asked])
    hits: dict[str, list[float]] = {}
    for row, marks in zip(kinds, right.tolist(), strict=True):
        for kind, mark in zip(row, marks, strict=True):
            hits.setdefault(kind, []).append(float(mark))
    return loss, {k: float(np.mean(v)) for k, v in hits.items()}


_LATE = {
    "v_first": 1.5, "v_last": 1.5, "v_detail": 1.5, "v_silcol": 1.5, "v_silent": 1.2,
    "v_count": 2.0, "v_change": 2.0, "av_sync": 2.5, "av_event": 2.0, "t_code": 1.5,
    "t_event": 1.2, "a_sound": 0.7, "a_digit": 0.7, "v_scene": 0.7,
}  # fmt: skip
"""Types that are learned late are asked more often, those learned at once less."""

_EQUAL = _LATE | {"av_match": 6.0, "v_change": 6.0, "v_pose": 2.0}
"""Whether two things are the same comes last of all."""

_SAME = {"av_match": 20.0, "v_change": 20.0}
"""Nearly always asked."""

_SHORT = {2: 12, 3: 9, 4: 7}
_ANY = {2: 12, 4: 8, 5: 6, 6: 5, 7: 5, 8: 4, 9: 4, 10: 3, 11: 3, 12: 3}

STAGES = (
    Stage("align_visual", "visual", 2000, 2e-3, align_visual),
    Stage("align_audio", "audio", 1200, 2e-3, align_audio),
    Stage("practise", "decoder", 900, 1.5e-3, practising(10), 0.02),
    Stage("answer_short", "decoder", 800, 1.5e-3, answering(_SHORT, 10, _LATE), 0.02),
    Stage(
        "answer_any",
        "decoder",
        1300,
        1.2e-3,
        answering(_ANY, 11, _LATE),
        0.02,
        schedule=2200,
    ),
    Stage("answer_equal", "decoder", 900, 1.0e-3, answering(_ANY, 11, _EQUAL, 0.5), 0.02),
    Stage("compare", "decoder", 700, 1.5e-3, answering({2: 20, 3: 14}, 4, _SAME, 0.5, True), 0.02),
    Stage("answer_all", "decoder", 500, 8e-4, answering(_ANY, 11, _EQUAL, 0.5, True), 0.02),
)
"""The recipe of the shipped weights: lengths grow from 2 s to 12 s."""
