"""thimble's configuration, tokenizer and processor, built from transformers' own classes."""

from __future__ import annotations

import math
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig

from contextguard.world.words import ANSWER_WORDS, AUDIO_WORDS, QUESTION_WORDS, VISUAL_WORDS

WIDTH = 128
"""d, the width of the decoder."""
FRAME_PIXELS = 196
"""Side of a frame: 14 x 14 patches, a 7 x 7 token map."""

SPECIAL_TOKENS = {
    "pad_token": "<|endoftext|>",
    "unk_token": "<|unknown|>",
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
_PLAIN = ("pad_token", "unk_token", "bos_token", "eos_token")

WORDS = tuple(
    dict.fromkeys(
        ("user", "assistant", *VISUAL_WORDS, *AUDIO_WORDS, *ANSWER_WORDS, *QUESTION_WORDS)
    )
)
TOKEN_IDS = {word: i for i, word in enumerate((*SPECIAL_TOKENS.values(), *WORDS))}
"""Token id of every word and special token."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }} "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<|vision_bos|><|VIDEO|><|vision_eos|>"
    "{% elif part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% elif part['type'] == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


def build_config() -> Qwen2_5OmniThinkerConfig:
    """The configuration: 6 decoder layers of width 128, two-layer towers, 2-second chunks.

    ``mrope_section`` differs from the real proportions because at head size 32 those leave the
    width axis without usable frequencies. ``frame_pixels`` is an entry of ours: the processor's
    class has a pixel range of its own that wins over its saved one, so callers pass this size.
    """
    ids = {name: TOKEN_IDS[token] for name, token in SPECIAL_TOKENS.items()}
    config = Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": 128,
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 192,
            "d_model": 96,
            "max_source_positions": 1500,
            "n_window": 50,
            "output_dim": WIDTH,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 96,
            "num_heads": 4,
            "intermediate_size": 224,
            "out_hidden_size": WIDTH,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [0, 1],
        },
        text_config={
            "vocab_size": len(TOKEN_IDS),
            "hidden_size": WIDTH,
            "intermediate_size": 320,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 8192,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [8, 4, 4],
            },
            "tie_word_embeddings": True,
            "use_sliding_window": False,
        },
        audio_token_index=ids["audio_token"],
        image_token_index=ids["image_token"],
        video_token_index=ids["video_token"],
        audio_start_token_id=ids["audio_bos_token"],
        audio_end_token_id=ids["audio_eos_token"],
        vision_start_token_id=ids["vision_bos_token"],
        vision_end_token_id=ids["vision_eos_token"],
        user_token_id=TOKEN_IDS["user"],
        pad_token_id=ids["pad_token"],
        tie_word_embeddings=True,
        position_id_per_seconds=25,
        seconds_per_chunk=2,
        frame_pixels=FRAME_PIXELS * FRAME_PIXELS,
    )
    config._attn_implementation = "sdpa"
    return config


def build_model(seed: int = 0) -> Any:
    """An untrained thimble; word embeddings are scaled to unit norm for the lexical alignment."""
    torch.manual_seed(seed)
    model = Qwen2_5OmniThinkerForConditionalGeneration(build_config())
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_(0, 1 / math.sqrt(WIDTH))
    model.tie_weights()
    model.generation_config.eos_token_id = TOKEN_IDS[SPECIAL_TOKENS["eos_token"]]
    model.generation_config.pad_token_id = TOKEN_IDS[SPECIAL_TOKENS["pad_token"]]
    return model


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer of the world's words, lower-cased; other words are unknown."""
    backend = Tokenizer(models.WordLevel(vocab=TOKEN_IDS, unk_token=SPECIAL_TOKENS["unk_token"]))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace("colour", "color")]
    )
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        extra_special_tokens={k: v for k, v in SPECIAL_TOKENS.items() if k not in _PLAIN},
        **{k: SPECIAL_TOKENS[k] for k in _PLAIN},
    )


def build_processor() -> Any:
    """The stock Qwen2.5-Omni processor around thimble's tokenizer, one frame size for all clips."""
    pixels = FRAME_PIXELS * FRAME_PIXELS
    size = {"shortest_edge": pixels, "longest_edge": pixels}
    return Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(size=size),
        video_processor=Qwen2VLVideoProcessor(size=size),
        feature_extractor=WhisperFeatureExtractor(feature_size=128, chunk_length=300),
        tokenizer=build_tokenizer(),
        chat_template=CHAT_TEMPLATE,
    )
