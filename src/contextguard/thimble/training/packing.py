"""Many questions behind one clip: the clip is encoded once, its questions cannot see each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from contextguard.thimble.architecture import SPECIAL_TOKENS, TOKEN_IDS
from contextguard.world.spec import GRID, TOKENS_PER_SECOND

SLOT = 14
"""Tokens of the longest question with its prompt tail and answer."""
_TAIL = ("<|im_end|>", "<|im_start|>", "assistant")
_IGNORED = -100


def question_tokens(text: str) -> list[int]:
    """Token ids of a question and of what stands before the answer."""
    return [TOKEN_IDS[w] for w in (*text.split(), *_TAIL)]


@dataclass(frozen=True, eq=False)
class Prefix:
    """The tokens before the question, for clips of one length.

    Attributes:
        ids: int64 ``[n]``.
        video, audio: columns of the placeholders.
        positions: TMRoPE rows ``[3, n]``.
        next_position: position of the first question token.
    """

    ids: Tensor
    video: Tensor
    audio: Tensor
    positions: Tensor
    next_position: int


def build_prefix(model: Any, seconds: int, audio_tokens: int) -> Prefix:
    """Lay out a clip of ``seconds`` as the processor does: 2-second chunks, video before audio."""
    token = {k: TOKEN_IDS[v] for k, v in SPECIAL_TOKENS.items()}
    body: list[int] = []
    audio_left = audio_tokens
    for start in range(0, seconds, 2):
        body += [token["video_token"]] * (GRID * GRID * min(2, seconds - start))
        take = min(2 * TOKENS_PER_SECOND, audio_left)
        body += [token["audio_token"]] * take
        audio_left -= take
    head = [
        TOKEN_IDS["<|im_start|>"],
        TOKEN_IDS["user"],
        token["vision_bos_token"],
        token["audio_bos_token"],
    ]
    ids = torch.tensor([*head, *body, token["audio_eos_token"], token["vision_eos_token"]])
    probe = torch.cat([ids, torch.tensor(question_tokens("?"))])[None]
    side = 2 * GRID
    positions, _ = model.model.get_rope_index(
        probe,
        video_grid_thw=torch.tensor([[seconds, side, side]]),
        attention_mask=torch.ones_like(probe),
        use_audio_in_video=True,
        audio_seqlens=torch.tensor([audio_tokens * 4]),
        second_per_grids=torch.tensor([1.0]),
    )
    n = ids.numel()
    return Prefix(
        ids=ids,
        video=(ids == token["video_token"]).nonzero().squeeze(1),
        audio=(ids == token["audio_token"]).nonzero().squeeze(1),
        positions=positions[:, 0, :n],
        next_position=int(positions[0, 0, n]),
    )


@lru_cache(maxsize=64)
def block_mask(prefix: int, questions: int) -> Tensor:
    """Bool ``[1, 1, n, n]``: causal in the prefix; a question sees the prefix and itself."""
    n = prefix + questions * SLOT
    owner = torch.cat([torch.full((prefix,), -1), torch.arange(questions).repeat_interleave(SLOT)])
    same = (owner[:, None] == owner[None, :]) | (owner[None, :] == -1)
    return (same & torch.ones(n, n, dtype=torch.bool).tril())[None, None]


@dataclass(frozen=True, eq=False)
class Packed:
    """Question tokens ``[B, K*SLOT]``, their labels, and the column that predicts each answer."""

    ids: Tensor
    labels: Tensor
    answer_at: Tensor


Clues = dict[str, str]
"""What to know at a word of the question before it can be answered."""


def pack(
    questions: list[list[tuple[str, str]]],
    hints: bool = False,
    clues: list[list[Clues]] | None = None,
) -> Packed:
    """Pack K (question, answer) pairs a clip; every clip has the same K.

    Args:
        questions: of each clip.
        hints: also ask for the answer at the question's last word. One attention step from "star"
            to the star's colour is found soon; from there the place of the answer only copies,
            where both steps at once sit at chance for long.
        clues: of each question; None is none. Whether two things are the same is learned late or
            never from the answer alone: at one word ask for the one, at another for the other.
    """
    b, k = len(questions), len(questions[0])
    ids = torch.zeros(b, k * SLOT, dtype=torch.int64)
    labels = torch.full_like(ids, _IGNORED)
    answer_at = torch.zeros(b, k, dtype=torch.int64)
    for i, row in enumerate(questions):
        for j, (text, answer) in enumerate(row):
            tokens = question_tokens(text)
            last = j * SLOT + len(tokens) - 1
            ids[i, j * SLOT : last + 1] = torch.tensor(tokens)
            ids[i, last + 1] = labels[i, last] = TOKEN_IDS[answer]
            labels[i, last + 1] = TOKEN_IDS["<|im_end|>"]
            if hints:
                labels[i, last - len(_TAIL) - 1] = TOKEN_IDS[answer]
            for word, known in (clues[i][j] if clues else {}).items():
                labels[i, j * SLOT + text.split().index(word)] = TOKEN_IDS[known]
            answer_at[i, j] = last
    return Packed(ids, labels, answer_at)


def run_packed(model: Any, prefix: Prefix, video: Tensor, audio: Tensor, packed: Packed) -> Tensor:
    """Hidden states ``[B, K*SLOT, d]`` of packed questions behind clip features ``[B, n, d]``."""
    b = video.shape[0]
    n, k = prefix.ids.numel(), packed.answer_at.shape[1]
    embed = model.get_input_embeddings()
    x = embed(prefix.ids)[None].repeat(b, 1, 1)
    x[:, prefix.video] = video
    x[:, prefix.audio] = audio
    x = torch.cat([x, embed(packed.ids)], 1)
    asked = (prefix.next_position + torch.arange(SLOT)).repeat(k).expand(3, -1)
    positions = torch.cat([prefix.positions, asked], 1)[:, None].expand(3, b, -1)
    mask = block_mask(n, k).expand(b, 1, -1, -1)
    out = model.model.language_model(
        inputs_embeds=x, attention_mask=mask, position_ids=positions, use_cache=False
    )
    return torch.as_tensor(out.last_hidden_state[:, n:])
