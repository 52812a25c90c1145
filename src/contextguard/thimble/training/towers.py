"""The towers on batches of equal clips: the stock forward without its loops, for training only.

The weights are used where they stand in the stock modules; a test holds the results against the
stock forward.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_PATCH, _MERGE, _TEMPORAL = 14, 2, 2
_MEL_WINDOW = 100
"""Mel frames of one attention window of the audio tower: 2 * n_window."""


def patches(frames: NDArray[np.uint8]) -> Tensor:
    """Frames ``[B, N, S, S, 3]`` as the processor's rows ``[B * N/2, patches, 3*2*14*14]``."""
    b, n, size = frames.shape[:3]
    g = size // (_PATCH * _MERGE)
    x = (torch.from_numpy(frames).float() / 255 - torch.tensor(_MEAN)) / torch.tensor(_STD)
    x = x.view(b, n // _TEMPORAL, _TEMPORAL, g, _MERGE, _PATCH, g, _MERGE, _PATCH, 3)
    x = x.permute(0, 1, 3, 6, 4, 7, 9, 2, 5, 8)
    return x.reshape(b * (n // _TEMPORAL), g * g * _MERGE**2, -1)


@lru_cache(maxsize=4)
def _axial_rope(g: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """cos and sin ``[patches, head_dim]`` of a map of g x g merged tokens, in the rows' order."""
    i = torch.arange(g * _MERGE).view(g, _MERGE)
    h = i[:, None, :, None].expand(g, g, _MERGE, _MERGE).flatten()
    w = i[None, :, None, :].expand(g, g, _MERGE, _MERGE).flatten()
    half = head_dim // 2
    frequency = 1.0 / 10000 ** (torch.arange(0, half, 2).float() / half)
    angle = torch.cat([h[:, None] * frequency, w[:, None] * frequency], -1)
    angle = torch.cat([angle, angle], -1)
    return angle.cos(), angle.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def video_features(visual: Any, frames: NDArray[np.uint8]) -> Tensor:
    """``visual`` on frames ``[B, N, S, S, 3]``: merged tokens ``[B, N/2 * g * g, d]``.

    Every block must attend to whole temporal patches (``fullatt_block_indexes`` names all).
    """
    x = patches(frames)
    g = round((x.shape[1] // _MERGE**2) ** 0.5)
    weight = visual.patch_embed.proj.weight
    x = F.linear(x, weight.view(weight.shape[0], -1))
    heads = visual.blocks[0].attn.num_heads
    cos, sin = _axial_rope(g, x.shape[-1] // heads)
    for block in visual.blocks:
        a = block.attn
        y = block.norm1(x)
        q, k, v = (f(y).view(*y.shape[:2], heads, -1).transpose(1, 2) for f in (a.q, a.k, a.v))
        y = F.scaled_dot_product_attention(_rotate(q, cos, sin), _rotate(k, cos, sin), v)
        x = x + a.proj(y.transpose(1, 2).reshape(x.shape))
        x = x + block.mlp(block.norm2(x))
    return torch.as_tensor(visual.merger(x)).view(len(frames), -1, visual.config.out_hidden_size)


@lru_cache(maxsize=1)
def _mel_filters() -> Tensor:
    return torch.tensor(WhisperFeatureExtractor(feature_size=128).mel_filters, dtype=torch.float32)


def log_mel(waves: Tensor) -> Tensor:
    """Log mel of waves ``[B, n]`` at 16 kHz as the Whisper extractor gives it: ``[B, 128, n/160]``.

    The extractor pads with silence to its window, so the last frames see zeros, not a reflection.
    """
    padded = F.pad(waves, (0, 400))
    spectrum = torch.stft(padded, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = spectrum[..., : waves.shape[1] // 160].abs() ** 2
    mel = torch.clamp(_mel_filters().T @ power, min=1e-10).log10()
    return (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


def audio_features(tower: Any, waves: NDArray[np.float32]) -> Tensor:
    """``tower`` on waves ``[B, seconds * 16000]``: tokens ``[B, seconds * 25, d]``."""
    mel = log_mel(torch.from_numpy(waves))
    b, bins, length = mel.shape
    if length % _MEL_WINDOW:
        raise ValueError(f"clips must last whole seconds, got {length / 100} s")
    x = mel.view(b, bins, -1, _MEL_WINDOW).transpose(1, 2).reshape(-1, bins, _MEL_WINDOW)
    x = F.gelu(tower.conv2(F.gelu(tower.conv1(x)))).transpose(1, 2)
    x = x + tower.positional_embedding.positional_embedding[: x.shape[1]]
    for layer in tower.layers:
        a = layer.self_attn
        y = layer.self_attn_layer_norm(x)
        q, k, v = (
            f(y).view(*y.shape[:2], a.num_heads, -1).transpose(1, 2)
            for f in (a.q_proj, a.k_proj, a.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + a.out_proj(y.transpose(1, 2).reshape(x.shape))
        x = x + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(x))))
    x = (x[:, 0::2] + x[:, 1::2]) / 2
    return torch.as_tensor(tower.proj(tower.ln_post(x))).view(b, -1, tower.proj.out_features)
