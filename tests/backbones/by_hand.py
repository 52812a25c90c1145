"""Pruning redone slowly: a gather by Python loops, a direct call of the decoder, a decode loop."""

from __future__ import annotations

from typing import Any

import tiny
import torch
from transformers import DynamicCache

from contextguard.plan import PrunePlan
from contextguard.token_map import TokenMap


def media_columns(ids: torch.Tensor) -> list[tuple[list[int], list[int]]]:
    """(video, audio) columns of each video: what stands between vision bos and vision eos."""
    out: list[tuple[list[int], list[int]]] = []
    inside = False
    for column, token in enumerate(ids.tolist()):
        if token == tiny.VISION_BOS:
            inside = True
            out.append(([], []))
        elif token == tiny.VISION_EOS:
            inside = False
        elif inside and token == tiny.VIDEO:
            out[-1][0].append(column)
        elif inside and token == tiny.AUDIO:
            out[-1][1].append(column)
    return [(v, a) for v, a in out if v]


def shortened(
    x: dict[str, Any], embeds: torch.Tensor, plans: list[PrunePlan]
) -> tuple[torch.Tensor, list[int]]:
    """The shorter ``[1, K, d]`` of one sample and the original column of each row."""
    tokens = {c: embeds[0, c] for c in range(embeds.shape[1])}
    for plan, (video, audio) in zip(plans, media_columns(x["input_ids"][0]), strict=True):
        paired = audio[: len(audio) - plan.unpaired_audio]
        for token_map, columns in ((plan.video, video), (plan.audio, paired)):
            for column in columns:
                del tokens[column]
            tokens |= _mixed(token_map, columns, embeds[0])
    kept = sorted(tokens)
    return torch.stack([tokens[c] for c in kept])[None], kept


def _mixed(
    token_map: TokenMap, columns: list[int], embeds: torch.Tensor
) -> dict[int, torch.Tensor]:
    out = {}
    for i, position in enumerate(token_map.position.tolist()):
        span = range(int(token_map.offsets[i]), int(token_map.offsets[i + 1]))
        out[columns[position]] = sum(
            float(token_map.weights[s]) * embeds[columns[int(token_map.sources[s])]] for s in span
        )
    return out


@torch.no_grad()
def run(
    model: Any, x: dict[str, Any], plans: list[PrunePlan], new: int
) -> tuple[torch.Tensor, list[int]]:
    """(prefill logits, greedy tokens) of one sample without padding."""
    embeds, kept = shortened(x, tiny.embeddings(model, x), plans)
    positions = tiny.positions(model, x)[:, :, kept]
    cache = DynamicCache(config=model.config.text_config)
    decoder = model.model.language_model
    out = decoder(inputs_embeds=embeds, position_ids=positions, past_key_values=cache)
    logits = model.lm_head(out.last_hidden_state)
    tokens: list[int] = []
    last, position = logits[:, -1], positions[:, :, -1:]
    for _ in range(new):
        token = last[:, :300].argmax(-1, keepdim=True)
        tokens.append(int(token))
        position = position + 1
        out = decoder(
            inputs_embeds=model.get_input_embeddings()(token),
            position_ids=position,
            past_key_values=cache,
        )
        last = model.lm_head(out.last_hidden_state)[:, -1]
    return logits, tokens
