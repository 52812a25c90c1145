"""A clip's features without the decoder: what a method sees, at the cost of the towers alone."""

from __future__ import annotations

from typing import NoReturn

import torch

from contextguard.asking import build_inputs
from contextguard.backbones import backbone_for
from contextguard.backbones.prune import prune
from contextguard.checkpoints import Checkpoint
from contextguard.errors import CallError
from contextguard.features import ClipFeatures
from contextguard.media import Clip

FPS = 2.0
"""Frames a second the world is judged at: a temporal patch a second, as its truth counts."""


class _CapturedError(Exception):
    """Carries the features out of the forward pass, before the decoder runs."""

    def __init__(self, clip: ClipFeatures) -> None:
        self.clip = clip


class _Capture:
    def plan(self, clip: ClipFeatures) -> NoReturn:
        raise _CapturedError(clip)


def clip_features(
    checkpoint: Checkpoint, clip: Clip, *, max_pixels: int | None = None
) -> ClipFeatures:
    """What a method is given of ``clip`` in a full run; the decoder does not run.

    Args:
        checkpoint: model and processor.
        clip: the decoded clip; it is the only video of the prompt.
        max_pixels: as for :func:`~contextguard.asking.ask_clip`.

    Returns:
        Features on the model's device, in its dtype, detached; the chunks are views of one tensor.

    Raises:
        MediaError: sound longer than the feature extractor takes.
        SettingError: ``max_pixels`` out of range.
        CallError: the model is in a ``prune`` block.
    """
    inputs = build_inputs(checkpoint, clip, "?", max_pixels)
    inner = backbone_for(checkpoint.model).parts(checkpoint.model).inner
    try:
        # Not inference mode: its tensors could not be used in training a predictor afterwards.
        with torch.no_grad(), prune(checkpoint.model, _Capture()):
            inner(**inputs, use_audio_in_video=clip.audio is not None)
    except _CapturedError as captured:
        return captured.clip
    raise CallError(f"{clip.path}: the model met no video in the prompt")
