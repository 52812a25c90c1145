"""Many questions about one clip for one prefill: the prompt up to the question is the same."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from contextguard.asking import build_inputs, chat_text, greedy_options
from contextguard.backbones import backbone_for
from contextguard.backbones.prune import PruneRun, prune
from contextguard.checkpoints import Checkpoint
from contextguard.errors import CallError, SettingError
from contextguard.media import Clip
from contextguard.methods.base import Method
from contextguard.plan import PrunePlan

AT_ONCE = 8
"""Questions answered side by side; each holds a copy of the clip's cache."""
LONGEST_WORD = 8
"""Tokens after which a word that has not ended is taken as it is."""


@dataclass(frozen=True, eq=False)
class FirstWords:
    """What a model says first to each of Q questions about a clip.

    Attributes:
        words: first word of each greedy answer, lower case, without punctuation; "" if the answer
            holds none.
        log_probs: float64 ``[Q, vocabulary]`` on the CPU, natural logarithms of the next-token
            distribution after each prompt.
        plan: what became of the clip's tokens; of the last question where a method reads it.
    """

    words: tuple[str, ...]
    log_probs: Tensor
    plan: PrunePlan


def first_words(
    checkpoint: Checkpoint,
    clip: Clip,
    questions: Sequence[str],
    method: Method,
    *,
    inputs: Mapping[str, Tensor] | None = None,
) -> FirstWords:
    """The first word and the first token's distribution for every question about ``clip``.

    The clip goes through towers, plan and decoder once; every question continues on a copy of that
    cache. A method that reads the question gets a prefill for each.

    Args:
        checkpoint: model and processor.
        clip: the decoded clip.
        questions: plain text.
        method: what prunes the clip.
        inputs: what :func:`~contextguard.asking.build_inputs` gave for the clip and the first
            question, so that several methods share it; None builds it.

    Raises:
        SettingError: no question, an empty one, or one with placeholder tokens.
        MediaError: sound longer than the feature extractor takes.
    """
    if not questions:
        raise SettingError(f"{clip.path}: no question to ask")
    with torch.inference_mode(), prune(checkpoint.model, method) as run:
        if method.reads_question:
            said = [_alone(checkpoint, clip, question) for question in questions]
        else:
            given = inputs or build_inputs(checkpoint, clip, questions[0])
            said = _together(checkpoint, given, questions, clip.audio is not None)
        return FirstWords(
            words=tuple(word for word, _ in said),
            log_probs=torch.stack([log_probs for _, log_probs in said]),
            plan=_plan(run),
        )


def divergence(full: Tensor, pruned: Tensor) -> Tensor:
    """KL(full || pruned) in nats.

    Args:
        full, pruned: log-probabilities ``[..., vocabulary]``.

    Returns:
        ``[...]``, at least 0.
    """
    gap = torch.where(full > -torch.inf, full - pruned, 0.0)
    return (full.exp() * gap).sum(-1).clamp(min=0)


def first_word(text: str) -> str:
    """The first word of an answer, lower case: "The bell." gives "the"."""
    found = re.search(r"\w+", text.lower())
    return found[0] if found else ""


def _plan(run: PruneRun) -> PrunePlan:
    return run.plans[0][0]


def _alone(checkpoint: Checkpoint, clip: Clip, question: str) -> tuple[str, Tensor]:
    inputs = build_inputs(checkpoint, clip, question)
    out = checkpoint.model(**inputs, use_audio_in_video=clip.audio is not None, use_cache=True)
    return _answers(checkpoint, out.logits[:, -1], out.past_key_values)[0]


def _together(
    checkpoint: Checkpoint, inputs: Mapping[str, Tensor], questions: Sequence[str], sound: bool
) -> list[tuple[str, Tensor]]:
    tails = [_after_video(checkpoint, question) for question in questions]
    prefix = _prefill(checkpoint, inputs, tails[0], sound)
    said: dict[int, tuple[str, Tensor]] = {}
    for rows in _of_one_length(tails):
        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(rows))
        ids = torch.stack([tails[i] for i in rows]).to(checkpoint.device)
        logits = checkpoint.model(input_ids=ids, past_key_values=cache, use_cache=True).logits
        said.update(zip(rows, _answers(checkpoint, logits[:, -1], cache), strict=True))
    return [said[i] for i in range(len(questions))]


def _after_video(checkpoint: Checkpoint, question: str) -> Tensor:
    """Token ids ``[n]`` of the prompt behind the video's end token."""
    tokenizer = checkpoint.processor.tokenizer
    tail = chat_text(checkpoint, question).partition(tokenizer.vision_eos_token)[2]
    ids: Tensor = tokenizer(tail, add_special_tokens=False, return_tensors="pt").input_ids[0]
    return ids


def _prefill(
    checkpoint: Checkpoint, inputs: Mapping[str, Tensor], tail: Tensor, sound: bool
) -> Any:
    """The cache of the prompt up to and with the video's end token.

    The inner model is called: it makes no logits, which for a long prompt fill the memory.
    """
    tokenizer, ids = checkpoint.processor.tokenizer, inputs["input_ids"]
    end = int((ids[0] == tokenizer.convert_tokens_to_ids(tokenizer.vision_eos_token)).nonzero()[0])
    if not torch.equal(ids[0, end + 1 :].cpu(), tail):
        raise CallError(
            f"{checkpoint.name}'s tokenizer reads the question differently behind the video than "
            "alone; ask its questions one by one with contextguard.asking.ask_clip"
        )
    head = {name: inputs[name][:, : end + 1] for name in ("input_ids", "attention_mask")}
    inner = backbone_for(checkpoint.model).parts(checkpoint.model).inner
    out = inner(**{**inputs, **head}, use_audio_in_video=sound, use_cache=True)
    return out.past_key_values


def _of_one_length(tails: Sequence[Tensor]) -> Iterable[list[int]]:
    """Indices of tails of equal length, at most :data:`AT_ONCE` together: no padding is needed."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, tail in enumerate(tails):
        by_length[tail.numel()].append(i)
    for rows in by_length.values():
        for start in range(0, len(rows), AT_ONCE):
            yield rows[start : start + AT_ONCE]


def _answers(checkpoint: Checkpoint, logits: Tensor, cache: Any) -> list[tuple[str, Tensor]]:
    """(first word, float64 log-probabilities) of each row.

    Args:
        checkpoint: what speaks.
        logits: ``[rows, vocabulary]`` after the prompt.
        cache: of the prompt; it grows.
    """
    log_probs = logits.double().log_softmax(-1).cpu()
    ends = greedy_options(checkpoint)["eos_token_id"]
    end = torch.tensor([ends] if isinstance(ends, int) else list(ends or [])).to(logits.device)
    said = logits.argmax(-1, keepdim=True)
    while True:
        texts = [checkpoint.processor.decode(row, skip_special_tokens=True) for row in said]
        ended = torch.isin(said[:, -1:], end)
        whole = torch.tensor([len(text.split()) > 1 for text in texts], device=ended.device)
        if said.shape[1] == LONGEST_WORD or bool((ended[:, 0] | whole).all()):
            return [(first_word(t), p) for t, p in zip(texts, log_probs, strict=True)]
        step = checkpoint.model(input_ids=said[:, -1:], past_key_values=cache, use_cache=True)
        token = step.logits[:, -1].argmax(-1, keepdim=True)
        # Nothing follows an end token but itself.
        said = torch.cat([said, torch.where(ended, said[:, -1:], token)], dim=1)
