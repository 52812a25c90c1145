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
from contextguard.thimble.training.packing import build_prefix, pack, run_packed
from contextguard.thimble.training.towers import audio_features, video_features
from contextguard.world import clip as world
from contextguard.world.collage import collage, practice_clip, practice_sound
from contextguard.world.questions import QUESTION_TYPES, question
from contextguard.world.words import (
    AUDIO_WORDS,
    CLASSES,
    COLORS,
    DIGITS,
    PLACES,
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


def align_visual(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
    """Ten collages and three clips of 2 s."""
    pictures, labels = [], []
    for _ in range(10):
        picture, label = collage(rng)
        pictures.append(np.stack([picture, picture]))
        labels.append(label)
    for _ in range(3):
        spec = world.ambient(rng, 2)
        shown = world.frames(spec, 2.0, rng, codec=True)
        for t in range(2):
            pictures.append(shown[2 * t : 2 * t + 2])
            labels.append(world.visual_labels(spec, float(t)))
    features = video_features(model.model.visual, np.stack(pictures))
    truth = torch.from_numpy(np.stack(labels))
    loss, logits = _alignment(model, features, truth, VISUAL_WORDS)
    groups = {"digit": DIGITS, "shape": SHAPES, "color": COLORS, "thing": CLASSES, "place": PLACES}
    return loss, {k: _hit_rate(logits, truth, VISUAL_WORDS, g) for k, g in groups.items()}


def align_audio(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
    """Ten practice sounds of 2 s."""
    waves, labels = zip(*(practice_sound(rng) for _ in range(10)), strict=True)
    features = audio_features(model.model.audio_tower, np.stack(waves))
    truth = torch.from_numpy(np.stack(labels))
    loss, logits = _alignment(model, features, truth, AUDIO_WORDS)
    groups = {"sound": CLASSES, "code": DIGITS}
    return loss, {k: _hit_rate(logits, truth, AUDIO_WORDS, g) for k, g in groups.items()}


def answering(
    lengths: dict[int, int], questions: int, weights: dict[str, float], hints: bool = True
) -> Step:
    """A step of answering questions about clips.

    Args:
        lengths: clips a rank for each length in seconds; a length is drawn each step.
        questions: questions a clip.
        weights: how often a type is asked, relative to 1.
        hints: also ask for the answer at the question's last word (:func:`pack`).
    """
    share = np.array([weights.get(q, 1.0) for q in QUESTION_TYPES])
    share /= share.sum()

    def step(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
        seconds = int(shared.choice(list(lengths)))
        specs = [world.ambient(rng, seconds) for _ in range(lengths[seconds])]
        kinds = [
            [str(k) for k in rng.choice(QUESTION_TYPES, questions, replace=False, p=share)]
            for _ in specs
        ]
        asked = [[question(s, k) for k in ks] for s, ks in zip(specs, kinds, strict=True)]
        shown = [world.frames(s, 2.0, rng, codec=True) for s in specs]
        waves = [world.audio(s) for s in specs]
        return _answer(model, shared, shown, waves, asked, kinds, hints)

    return step


def practising(clips: int) -> Step:
    """A step of binding colours to shapes and digits to times on crowded clips of 2 s."""

    def step(model: Any, rng: Generator, shared: Generator) -> tuple[Tensor, Metrics]:
        made = [practice_clip(rng) for _ in range(clips)]
        kinds = ["thing", *(["shape"] * len(SHAPES)), "first", "last"]
        frames, waves = [c.frames for c in made], [c.wave for c in made]
        asked = [c.questions for c in made]
        return _answer(model, shared, frames, waves, asked, [kinds] * clips, True)

    return step


def _answer(
    model: Any,
    shared: Generator,
    frames: list[NDArray[np.uint8]],
    waves: list[NDArray[np.float32]],
    asked: list[list[tuple[str, str]]],
    kinds: list[list[str]],
    hints: bool,
) -> tuple[Tensor, Metrics]:
    """Loss over the answers to all questions, and the share of right ones by kind."""
    missing = int(shared.integers(0, 4)) if shared.random() < 0.7 else 0
    with torch.no_grad():
        video = video_features(model.model.visual, np.stack(frames))
        audio = audio_features(model.model.audio_tower, np.stack(waves))
        audio = audio[:, : audio.shape[1] - missing]
    prefix = build_prefix(model, frames[0].shape[0] // 2, audio.shape[1])
    packed = pack(asked, hints)
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


_LATE = {"v_first": 2.0, "v_last": 2.0, "v_detail": 2.0, "v_silcol": 2.0}
"""Types that are learned late, and how much more often they are asked."""

STAGES = (
    Stage("align_visual", "visual", 700, 2e-3, align_visual),
    Stage("align_audio", "audio", 500, 2e-3, align_audio),
    Stage(
        "answer_2s", "decoder", 750, 1.5e-3, answering({2: 12}, 10, {}, False), 0.02, schedule=1200
    ),
    Stage("practise", "decoder", 400, 1.5e-3, practising(12), 0.02),
    Stage("answer_4s", "decoder", 300, 1.2e-3, answering({2: 10, 3: 8, 4: 7}, 10, _LATE), 0.02),
    Stage(
        "answer_any",
        "decoder",
        450,
        8e-4,
        answering({2: 10, 4: 7, 5: 5, 6: 5, 7: 4, 8: 4, 10: 3, 11: 3, 12: 3}, 10, _LATE),
        0.02,
    ),
)
"""The recipe of the shipped weights: lengths grow from 2 s to 12 s."""
