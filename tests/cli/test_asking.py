"""The answer pipeline against the stock library called by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version

from contextguard.asking import ask_clip, build_inputs, plan_clip
from contextguard.checkpoints import Checkpoint
from contextguard.errors import MediaError, SettingError
from contextguard.media import load_clip
from contextguard.methods import ContextGuard, Full

QUESTION = "which sound is heard ?"


def stock_answer(checkpoint: Checkpoint, clip, tokens: int) -> tuple[str, torch.Tensor]:
    """transformers' own processor and generate, as its documentation shows them."""
    text = (
        "<|im_start|>user <|vision_bos|><|VIDEO|><|vision_eos|>"
        f"{QUESTION}<|im_end|><|im_start|>assistant"
    )
    options = {}
    if clip.audio is not None and Version(transformers.__version__) >= Version("5.23"):
        options = {
            "audio": [clip.audio],
            "audio_from_video_indices": [0],
            "load_audio_from_video": True,
        }
    elif clip.audio is not None:
        options = {"audio": [clip.audio], "use_audio_in_video": True}
    inputs = checkpoint.processor(
        text=[text],
        videos=[clip.frames],
        fps=clip.fps,
        do_sample_frames=False,
        size={"shortest_edge": 196 * 196, "longest_edge": 196 * 196},
        return_tensors="pt",
        **options,
    )
    out = checkpoint.model.generate(
        **inputs,
        use_audio_in_video=clip.audio is not None,
        max_new_tokens=tokens,
        do_sample=False,
    )
    new = out[0, inputs["input_ids"].shape[1] :]
    return checkpoint.processor.tokenizer.decode(new, skip_special_tokens=True), inputs["input_ids"]


@pytest.mark.parametrize("name", ["bunny", "mute"])
def test_full_answers_as_the_stock_library(thimble, request, name):
    clip = load_clip(request.getfixturevalue(name))
    expected, ids = stock_answer(thimble, clip, 5)
    answer = ask_clip(thimble, clip, QUESTION, Full(), max_new_tokens=5)
    assert answer.answer == expected.strip()
    video = int((ids == thimble.model.config.video_token_id).sum())
    audio = int((ids == thimble.model.config.audio_token_id).sum())
    assert answer.tokens == {
        "video": video,
        "video_kept": video,
        "audio": audio,
        "audio_kept": audio,
        "text": ids.numel() - video - audio,
    }


def test_the_plan_of_inspect_is_the_plan_of_ask(thimble, mute):
    clip = load_clip(mute)
    method = ContextGuard(rho_sem=0.3)
    asked = ask_clip(thimble, clip, QUESTION, method, max_new_tokens=2)
    planned = plan_clip(thimble, clip, method)
    assert planned.answer is None
    assert planned.plan.to_dict() == asked.plan.to_dict()
    # A still picture merges: chunks of equal frames become one.
    assert any(len(g["chunks"]) > 1 for g in asked.groups)
    assert asked.tokens["video_kept"] == asked.plan.video.kept


def test_one_frame_a_temporal_patch(thimble, bunny):
    clip = load_clip(bunny)
    answer = plan_clip(thimble, clip, Full())
    assert np.array_equal(answer.frames, clip.frames[[0, 2, 4, 6, 8]])


def test_digital_silence_is_sound(thimble, bunny):
    clip = load_clip(bunny)
    silent = replace(clip, audio=np.zeros_like(clip.audio))
    answer = plan_clip(thimble, silent, ContextGuard())
    assert answer.tokens["audio"] > 100


def test_too_much_sound_is_refused(thimble, bunny):
    clip = load_clip(bunny)
    assert thimble.sound_limit == 300
    long = replace(clip, audio=np.zeros(301 * 16_000, np.float32))
    with pytest.raises(MediaError, match=r"301\.0 s of sound.*takes 300 s.*cut the clip"):
        ask_clip(thimble, long, QUESTION, Full())


def test_only_features_change_dtype(thimble, bunny):
    half = Checkpoint("half", _Half(thimble.model), thimble.processor, is_thimble=False)
    inputs = build_inputs(half, load_clip(bunny, fps=5), QUESTION)
    assert inputs["pixel_values_videos"].dtype == torch.bfloat16
    assert inputs["input_features"].dtype == torch.bfloat16
    assert inputs["video_second_per_grid"].dtype == torch.float32
    assert float(inputs["video_second_per_grid"][0]) == pytest.approx(0.4, abs=1e-7)


class _Half:
    def __init__(self, model):
        self.config, self.device, self.dtype = model.config, model.device, torch.bfloat16


@pytest.mark.parametrize("tokens", [0, -1])
def test_max_new_tokens_must_be_positive(thimble, bunny, tokens):
    with pytest.raises(SettingError, match="max_new_tokens must be 1 or more"):
        ask_clip(thimble, load_clip(bunny), QUESTION, Full(), max_new_tokens=tokens)
