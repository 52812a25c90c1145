"""One prefill for all questions against a call for each, and the divergence by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch

from contextguard.asking import ask_clip, build_inputs
from contextguard.backbones.prune import prune
from contextguard.errors import SettingError
from contextguard.evaluation import prefill
from contextguard.evaluation.prefill import divergence, first_word, first_words
from contextguard.features import ClipFeatures
from contextguard.media import load_clip
from contextguard.methods import ContextGuard, Full, Method
from contextguard.plan import PrunePlan

QUESTIONS = (
    "which sound is heard ?",
    "which digit is shown first ?",
    "what color is the siren ?",
    "which digit is shown last ?",
    "how many are shown ?",
    "bell ?",
)
MERGING = ContextGuard(rho_sem=0.2, tau_merge=0.5)


@dataclass(frozen=True)
class Counting(Method):
    name = "counting"
    plans: list[int] = field(default_factory=list)

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        self.plans.append(clip.chunks)
        return MERGING.plan(clip)


@dataclass(frozen=True)
class Reading(Counting):
    reads_question: ClassVar[bool] = True


@pytest.mark.parametrize("method", [Full(), ContextGuard(), MERGING], ids=["full", "cg", "merging"])
@pytest.mark.parametrize("name", ["split", "bunny"])
def test_one_prefill_answers_as_separate_calls(thimble, request, method, name):
    clip = load_clip(request.getfixturevalue(name))
    together = first_words(thimble, clip, QUESTIONS, method)
    assert together.plan.video.is_identity == isinstance(method, Full)
    for question, word, log_probs in zip(
        QUESTIONS, together.words, together.log_probs, strict=True
    ):
        # The longest answer: that the first word is cut out of it is part of what is compared.
        answer = ask_clip(thimble, clip, question, method).answer
        assert word == (answer.split() or [""])[0]
        inputs = build_inputs(thimble, clip, question)
        with torch.inference_mode(), prune(thimble.model, method):
            logits = thimble.model(**inputs, use_audio_in_video=True).logits[0, -1]
        # Sums are taken in another order.
        assert torch.allclose(log_probs, logits.double().log_softmax(-1), atol=1e-4)


def test_a_clip_without_sound(thimble, split):
    clip = replace(load_clip(split), audio=None)
    together = first_words(thimble, clip, QUESTIONS[:3], ContextGuard())
    for question, word in zip(QUESTIONS, together.words, strict=False):
        assert ask_clip(thimble, clip, question, ContextGuard(), max_new_tokens=1).answer == word


def test_the_clip_is_prefilled_once_unless_the_method_reads_the_question(thimble, split):
    clip = load_clip(split)
    once, each = Counting(), Reading()
    together = first_words(thimble, clip, QUESTIONS, once)
    separate = first_words(thimble, clip, QUESTIONS, each)
    assert (len(once.plans), len(each.plans)) == (1, len(QUESTIONS))
    assert together.words == separate.words
    assert torch.allclose(together.log_probs, separate.log_probs, atol=1e-4)


def test_answers_do_not_depend_on_their_neighbours(thimble, split, monkeypatch):
    clip = load_clip(split)
    expected = first_words(thimble, clip, QUESTIONS, MERGING)
    monkeypatch.setattr(prefill, "AT_ONCE", 1)
    alone = first_words(thimble, clip, QUESTIONS[::-1], MERGING)
    assert alone.words == expected.words[::-1]
    assert torch.allclose(alone.log_probs.flip(0), expected.log_probs, atol=1e-4)


def test_the_first_word_of_an_answer():
    table = {
        "bell": "bell",
        " The bell.": "the",
        "7, I think": "7",
        "!": "",
        "": "",
        "Red\n": "red",
    }
    assert {text: first_word(text) for text in table} == table


def test_divergence_of_a_pair_by_hand():
    full = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]], dtype=torch.float64).log()
    pruned = torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]], dtype=torch.float64).log()
    # 0.5 ln 2 + 0 + 0.25 ln 0.5 and 1 ln 2.
    expected = [0.25 * math.log(2), math.log(2)]
    assert divergence(full, pruned).tolist() == pytest.approx(expected, rel=1e-12)
    assert divergence(full, full).tolist() == [0.0, 0.0]
    assert divergence(pruned[0], full[0]).item() == pytest.approx(0.25 * math.log(2), rel=1e-12)


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ((), r"split\.mp4: no question to ask"),
        (("which sound is heard ?", " "), "the question is empty"),
        (("which sound is heard ?", "a <|VIDEO|> ?"), r"holds the placeholder <\|VIDEO\|>"),
    ],
)
def test_questions_that_cannot_be_asked(thimble, split, questions, message):
    with pytest.raises(SettingError, match=message):
        first_words(thimble, load_clip(split), questions, Full())
