"""From a decoded clip and a question to an answer: processor, prune block, generate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from contextguard.backbones.prune import prune
from contextguard.checkpoints import Checkpoint
from contextguard.errors import MediaError, SettingError
from contextguard.media import Clip
from contextguard.methods.base import Method
from contextguard.plan import PrunePlan

_TOKENS = ("video", "video_kept", "audio", "audio_kept", "text")


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model said about a clip, and what it saw of it.

    Attributes:
        answer: the generated text; None where only the plan was asked for.
        model: name of the checkpoint.
        method: name of the method.
        settings: of the method, the sampling and the run.
        tokens: video, video_kept, audio, audio_kept, text.
        compression: removed / (video + audio tokens), a fraction.
        seconds: ``decode`` file to model input; ``encode`` the towers; ``plan`` planning and
            gathering; ``prefill`` the decoder's pass over the prompt; ``generate`` the rest: the
            new tokens after the first, and overheads.
        plan: what became of every token.
        frames: uint8 ``[P, H, W, 3]``, the first frame of each of the plan's P temporal patches.
        warnings: one line for every fallback that was taken.
    """

    answer: str | None
    model: str
    method: str
    settings: dict[str, Any]
    tokens: dict[str, int]
    compression: float
    seconds: dict[str, float]
    plan: PrunePlan = field(repr=False)
    frames: NDArray[np.uint8] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def segments(self) -> list[list[int]]:
        """Chunks of each temporal segment."""
        starts = (*self.plan.segments, len(self.plan.patches))
        return [list(range(a, b)) for a, b in pairwise(starts)]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Chunks of each merge group, its tokens before merging and after."""
        h, w = self.plan.grid
        return [
            {
                "chunks": list(g.chunks),
                "tokens": h * w * sum(self.plan.patches[t] for t in g.chunks),
                "kept": int(g.kept.numel()),
            }
            for g in self.plan.groups
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without plan and frames."""
        return {
            "answer": self.answer,
            "model": self.model,
            "method": self.method,
            "settings": self.settings,
            "tokens": self.tokens,
            "compression": self.compression,
            "seconds": self.seconds,
            "segments": self.segments,
            "groups": self.groups,
            "warnings": list(self.warnings),
        }


def ask_clip(
    checkpoint: Checkpoint,
    clip: Clip,
    question: str,
    method: Method,
    *,
    max_new_tokens: int = 64,
    max_pixels: int | None = None,
) -> Answer:
    """Answer ``question`` about ``clip``, greedily, with ``method`` pruning the clip.

    Args:
        checkpoint: model and processor.
        clip: the decoded clip, with or without sound.
        question: plain text.
        method: decides which tokens stay.
        max_new_tokens: longest answer, in tokens.
        max_pixels: pixels a frame is scaled down to; None leaves it to the model.

    Raises:
        MediaError: sound longer than the feature extractor takes.
        SettingError: an empty question, one with placeholder tokens, or a value out of range.
    """
    return _run(checkpoint, clip, question, method, max_new_tokens, max_pixels, answer=True)


def plan_clip(
    checkpoint: Checkpoint, clip: Clip, method: Method, *, max_pixels: int | None = None
) -> Answer:
    """What ``method`` does to ``clip``: the same run as :func:`ask_clip`, up to the prefill."""
    return _run(checkpoint, clip, "?", method, 1, max_pixels, answer=False)


def _run(
    checkpoint: Checkpoint,
    clip: Clip,
    question: str,
    method: Method,
    max_new_tokens: int,
    max_pixels: int | None,
    *,
    answer: bool,
) -> Answer:
    if max_new_tokens < 1:
        raise SettingError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    begin = time.perf_counter()
    inputs = build_inputs(checkpoint, clip, question, max_pixels)
    prepared = time.perf_counter()
    with torch.inference_mode(), prune(checkpoint.model, method) as run:
        out = checkpoint.model.generate(
            **inputs,
            use_audio_in_video=clip.audio is not None,
            max_new_tokens=max_new_tokens,
            **greedy_options(checkpoint),
        )
    total = time.perf_counter() - prepared
    report, plan = run.report, run.plans[0][0]
    seconds = {"decode": clip.decode_seconds + prepared - begin, **report.seconds}
    seconds["generate"] = max(0.0, total - sum(report.seconds.values()))
    new = out[0, inputs["input_ids"].shape[1] :]
    unknown = _unknown_words(checkpoint, question) if answer else []
    return Answer(
        answer=checkpoint.processor.decode(new, skip_special_tokens=True).strip()
        if answer
        else None,
        model=checkpoint.name,
        method=method.name,
        settings={
            **method.settings(),
            "fps": clip.fps,
            "max_pixels": max_pixels,
            "max_new_tokens": max_new_tokens if answer else None,
            "device": str(checkpoint.device),
            "dtype": str(checkpoint.dtype).removeprefix("torch."),
        },
        tokens={name: getattr(report, name) for name in _TOKENS},
        compression=report.compression,
        seconds={name: round(value, 4) for name, value in seconds.items()},
        plan=plan,
        frames=clip.frames[:: len(clip.frames) // sum(plan.patches)],
        warnings=(*clip.warnings, *unknown, *report.warnings),
    )


def build_inputs(
    checkpoint: Checkpoint, clip: Clip, question: str, max_pixels: int | None = None
) -> dict[str, torch.Tensor]:
    """The processor's tensors for one clip and question, on the model's device.

    Raises:
        MediaError: sound longer than the feature extractor takes: it would cut without a word.
        SettingError: an empty question or one with placeholder tokens.
    """
    processor = checkpoint.processor
    text = chat_text(checkpoint, question)
    limit = checkpoint.sound_limit
    if limit is not None and clip.audio_seconds > limit + 0.05:
        raise MediaError(
            f"{clip.path}: {clip.audio_seconds:.1f} s of sound, {checkpoint.name}'s feature "
            f"extractor takes {limit:g} s and would drop the rest; cut the clip"
        )
    options: dict[str, Any] = {"fps": clip.fps, "do_sample_frames": False, "return_tensors": "pt"}
    size = checkpoint.frame_size(max_pixels)
    if size is not None:
        options["size"] = size
    if clip.audio is not None:
        options.update(_sound_options(clip))
    inputs = processor(
        text=[text],
        videos=[clip.frames],
        **options,
    ).to(checkpoint.device)
    # Only the features: seconds per grid in bfloat16 would move the positions.
    for name in ("pixel_values_videos", "input_features"):
        if name in inputs:
            inputs[name] = inputs[name].to(checkpoint.dtype)
    return dict(inputs)


def chat_text(checkpoint: Checkpoint, question: str) -> str:
    """The prompt: the video, then ``question``, in the checkpoint's chat template.

    Raises:
        SettingError: an empty question or one with placeholder tokens.
    """
    processor = checkpoint.processor
    _check_question(question, processor)
    message = {
        "role": "user",
        "content": [{"type": "video"}, {"type": "text", "text": question.strip()}],
    }
    text: str = processor.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
    return text


def _sound_options(clip: Clip) -> dict[str, Any]:
    """How the processor is told that the sound belongs to the video.

    Releases before the shared omni processor have one switch for it, which later ones drop.
    """
    if hasattr(transformers.processing_utils, "OmniModalProcessorMixin"):
        return {
            "audio": [clip.audio],
            "audio_from_video_indices": [0],
            "load_audio_from_video": True,
        }
    return {"audio": [clip.audio], "use_audio_in_video": True}


def _check_question(question: str, processor: Any) -> None:
    if not question.strip():
        raise SettingError("the question is empty; ask something about the clip")
    for token in (processor.video_token, processor.audio_token, processor.image_token):
        if token in question:
            raise SettingError(f"the question holds the placeholder {token}; leave it out")


def greedy_options(checkpoint: Checkpoint) -> dict[str, Any]:
    """Greedy decoding whatever the checkpoint's sampling defaults; its end tokens if it has any."""
    config, tokenizer = checkpoint.model.generation_config, checkpoint.processor.tokenizer
    end = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    pad = config.pad_token_id if config.pad_token_id is not None else tokenizer.pad_token_id
    return {
        "do_sample": False,
        "temperature": None,
        "top_p": None,
        "top_k": None,
        "num_beams": 1,
        "eos_token_id": end,
        "pad_token_id": pad,
    }


def _unknown_words(checkpoint: Checkpoint, question: str) -> list[str]:
    tokenizer = checkpoint.processor.tokenizer
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return []
    words = question.split()
    strange = [w for w in words if unknown in tokenizer(w, add_special_tokens=False)["input_ids"]]
    if not strange:
        return []
    return [f"{checkpoint.name} does not know the words: {', '.join(strange)}"]
