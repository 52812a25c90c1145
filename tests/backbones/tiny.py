"""Tiny random Qwen2.5-Omni thinkers, and batches laid out by the real processor's code."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import (
    _get_feat_extract_output_lengths,
)

IMAGE, VIDEO, AUDIO, VISION_BOS, VISION_EOS, AUDIO_BOS, AUDIO_EOS, PAD = (*range(301, 308), 0)
WIDTH = 64


def thinker_config() -> Qwen2_5OmniThinkerConfig:
    return Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "d_model": 32,
            "output_dim": WIDTH,
            "n_window": 100,
            "initializer_range": 0.3,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
            "initializer_range": 0.3,
        },
        text_config={
            "vocab_size": 320,
            "hidden_size": WIDTH,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 3, 3],
            },
            "max_position_embeddings": 4096,
            "pad_token_id": PAD,
            "initializer_range": 0.3,
        },
        audio_token_index=AUDIO,
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        audio_start_token_id=AUDIO_BOS,
        audio_end_token_id=AUDIO_EOS,
        vision_start_token_id=VISION_BOS,
        vision_end_token_id=VISION_EOS,
        pad_token_id=PAD,
    )


def thinker(attention: str = "sdpa") -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The same random weights every time."""
    torch.manual_seed(0)
    model = Qwen2_5OmniThinkerForConditionalGeneration(thinker_config()).eval()
    model.set_attn_implementation(attention)
    model.generation_config.pad_token_id = PAD
    model.generation_config.eos_token_id = None
    # Random weights would now and then generate a placeholder, which no model of its kind does.
    model.generation_config.suppress_tokens = list(range(300, 320))
    return model


def processor() -> Qwen2_5OmniProcessor:
    """The real processor's layout code, with one character a token and no tokenizer."""
    made = object.__new__(Qwen2_5OmniProcessor)
    made.video_processor = SimpleNamespace(merge_size=2, temporal_patch_size=2)
    made.video_token, made.audio_token = "V", "A"
    made.audio_bos_token, made.audio_eos_token = "<", ">"
    return made


def layout(patches: int, h: int, w: int, audio: int, second_per_grid: float) -> str:
    """What the processor puts between vision bos and eos for a video with ``audio`` tokens."""
    return processor().replace_video_with_audio_token(
        {
            "video_grid_thw": np.array([[patches, 2 * h, 2 * w]]),
            "video_second_per_grid": [second_per_grid],
        },
        0,
        {"num_audio_tokens": np.array([audio])},
        0,
        position_id_per_seconds=25,
        seconds_per_chunk=2.0,
    )


IDS = {"V": VIDEO, "A": AUDIO, "<": AUDIO_BOS, ">": AUDIO_EOS}

Item = tuple[Any, ...]


def batch(
    samples: Sequence[Sequence[Item]],
    seed: int = 0,
    side: str = "left",
    second_per_grid: float = 1.0,
) -> dict[str, Any]:
    """Model inputs of samples made of items.

    Items: ("text", n), ("av", patches, h, w, mel frames), ("v", patches, h, w), ("a", mel frames),
    ("i", h, w), with h and w in merged tokens.
    """
    g = torch.Generator().manual_seed(seed)
    rows, videos, grids, images, image_grids, mels = [], [], [], [], [], []
    for items in samples:
        ids: list[int] = []
        for kind, *size in items:
            if kind == "text":
                ids += torch.randint(10, 300, (size[0],), generator=g).tolist()
            elif kind in ("av", "v"):
                t, h, w = size[:3]
                middle = "V" * (t * h * w)
                if kind == "av":
                    middle = layout(t, h, w, audio_tokens(size[3]), second_per_grid)
                    mels.append(torch.randn(16, size[3], generator=g))
                ids += [VISION_BOS, *(IDS[c] for c in middle), VISION_EOS]
                grids.append([t, 2 * h, 2 * w])
                videos.append(torch.randn(4 * t * h * w, 3 * 2 * 14 * 14, generator=g))
            elif kind == "a":
                ids += [AUDIO_BOS, *[AUDIO] * audio_tokens(size[0]), AUDIO_EOS]
                mels.append(torch.randn(16, size[0], generator=g))
            else:
                h, w = size
                ids += [VISION_BOS, *[IMAGE] * (h * w), VISION_EOS]
                image_grids.append([1, 2 * h, 2 * w])
                images.append(torch.randn(4 * h * w, 3 * 2 * 14 * 14, generator=g))
        rows.append(ids)
    length = max(map(len, rows))
    input_ids = torch.full((len(rows), length), PAD)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(rows):
        where = slice(length - len(ids), length) if side == "left" else slice(0, len(ids))
        input_ids[row, where] = torch.tensor(ids)
        mask[row, where] = 1
    out: dict[str, Any] = {"input_ids": input_ids, "attention_mask": mask}
    if videos:
        out["pixel_values_videos"] = torch.cat(videos)
        out["video_grid_thw"] = torch.tensor(grids)
        out["video_second_per_grid"] = torch.tensor([second_per_grid] * len(grids))
    if images:
        out["pixel_values"] = torch.cat(images)
        out["image_grid_thw"] = torch.tensor(image_grids)
    if mels:
        longest = max(m.shape[1] for m in mels)
        out["input_features"] = torch.zeros(len(mels), 16, longest)
        out["feature_attention_mask"] = torch.zeros(len(mels), longest, dtype=torch.long)
        for i, mel in enumerate(mels):
            out["input_features"][i, :, : mel.shape[1]] = mel
            out["feature_attention_mask"][i, : mel.shape[1]] = 1
    if any(item[0] == "av" for items in samples for item in items):
        out["use_audio_in_video"] = True
    return out


def split(x: dict[str, Any]) -> list[dict[str, Any]]:
    """The samples of a batch, each as a batch of one without padding."""
    out = []
    video = patch = sound = 0
    for row in range(x["input_ids"].shape[0]):
        real = x["attention_mask"][row].bool()
        ids = x["input_ids"][row][real]
        tokens = int((ids == VIDEO).sum())
        one: dict[str, Any] = {
            "input_ids": ids[None],
            "attention_mask": torch.ones_like(ids)[None],
            "use_audio_in_video": x.get("use_audio_in_video", False),
        }
        used = 0
        while 4 * tokens > int(x["video_grid_thw"][video : video + used].prod(-1).sum()):
            used += 1
        one["video_grid_thw"] = x["video_grid_thw"][video : video + used]
        one["video_second_per_grid"] = x["video_second_per_grid"][video : video + used]
        one["pixel_values_videos"] = x["pixel_values_videos"][patch : patch + 4 * tokens]
        audios = int((ids == AUDIO_BOS).sum())
        if audios:
            one["input_features"] = x["input_features"][sound : sound + audios]
            one["feature_attention_mask"] = x["feature_attention_mask"][sound : sound + audios]
        video, patch, sound = video + used, patch + 4 * tokens, sound + audios
        out.append(one)
    return out


def audio_tokens(mel_frames: int) -> int:
    return int(_get_feat_extract_output_lengths(mel_frames))


def embeddings(model: Any, x: dict[str, Any]) -> torch.Tensor:
    """``inputs_embeds`` with the towers' features in place, without the model's own forward."""
    out = model.get_input_embeddings()(x["input_ids"])
    for key, token, features in (
        ("pixel_values", IMAGE, lambda: torch.cat(_vision(model, x, "image"))),
        ("pixel_values_videos", VIDEO, lambda: torch.cat(_vision(model, x, "video"))),
        ("input_features", AUDIO, lambda: _audio(model, x)),
    ):
        if key in x:
            out = out.masked_scatter((x["input_ids"] == token)[..., None], features())
    return out


def positions(model: Any, x: dict[str, Any]) -> torch.Tensor:
    """The model's own TMRoPE rows ``[3, B, S]``."""
    lengths = x["feature_attention_mask"].sum(1) if "feature_attention_mask" in x else None
    rows, _ = model.get_rope_index(
        x["input_ids"],
        x.get("image_grid_thw"),
        x.get("video_grid_thw"),
        x["attention_mask"],
        x.get("use_audio_in_video", False),
        lengths,
        x.get("video_second_per_grid"),
    )
    return rows


def _vision(model: Any, x: dict[str, Any], kind: str) -> Any:
    pixels = x["pixel_values" if kind == "image" else "pixel_values_videos"]
    return getattr(model, f"get_{kind}_features")(pixels, x[f"{kind}_grid_thw"]).pooler_output


def _audio(model: Any, x: dict[str, Any]) -> torch.Tensor:
    features = model.get_audio_features(x["input_features"], x["feature_attention_mask"])
    return features.last_hidden_state
