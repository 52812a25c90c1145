"""What a method sees of a clip: the rows of ``inputs_embeds`` at its placeholder tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from contextguard.errors import FeatureError

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def require_finite(tensor: Tensor, modality: str, chunk: int) -> None:
    """Raise :class:`FeatureError` naming modality and chunk if ``tensor`` holds NaN or infinity.

    One read: a sum is finite unless a term is not (or the sum overflows, which the exact test
    then tells apart).
    """
    if tensor.numel() and not bool(torch.isfinite(tensor.sum(dtype=torch.float32))):
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise FeatureError(
                f"{modality} features of chunk {chunk} hold {bad} NaN or infinite values of "
                f"{tensor.numel()}; check the encoder's dtype (fp16 overflows) and its input"
            )


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """The token features of one video, one entry a chunk, in LLM width d.

    Args:
        video: T tensors ``[F_t, H, W, d]``; H, W and d are the same in every chunk, F_t >= 1.
        audio: T tensors ``[L_t, d]``; L_t = 0 for a chunk without sound.
        unpaired_audio: audio tokens of the clip that lie beside no video (sound longer than the
            picture). They belong to no chunk, are never pruned, and count as audio.
        check_finite: read the features once and refuse NaN and infinity. A caller whose next step
            reads them anyway (planning does, and checks) passes False.

    Raises:
        FeatureError: shapes, dtypes, devices or values that do not fit, named with the chunk.
    """

    video: Sequence[Tensor]
    audio: Sequence[Tensor]
    unpaired_audio: int = 0
    check_finite: bool = field(default=True, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "video", tuple(self.video))
        object.__setattr__(self, "audio", tuple(self.audio))
        if not self.video:
            raise FeatureError("a clip needs at least one video chunk, got none")
        if len(self.video) != len(self.audio):
            raise FeatureError(
                f"video has {len(self.video)} chunks and audio {len(self.audio)}; "
                "give one audio tensor a chunk, [0, d] where there is no sound"
            )
        if self.unpaired_audio < 0:
            raise FeatureError(f"unpaired_audio must be 0 or more, got {self.unpaired_audio}")
        first = self.video[0]
        if not isinstance(first, Tensor) or first.ndim != 4:
            raise FeatureError(
                f"video chunk 0 must be a tensor [F, H, W, d], got {_describe(first)}"
            )
        if first.dtype not in _DTYPES:
            raise FeatureError(f"features must be floating point, got {first.dtype}")
        for t, (v, a) in enumerate(zip(self.video, self.audio, strict=True)):
            self._check_chunk(t, v, a, first)

    def _check_chunk(self, t: int, v: Tensor, a: Tensor, first: Tensor) -> None:
        if not isinstance(v, Tensor) or v.ndim != 4 or v.shape[1:] != first.shape[1:]:
            raise FeatureError(
                f"video chunk {t} must be a tensor [F, {', '.join(map(str, first.shape[1:]))}] "
                f"like chunk 0, got {_describe(v)}"
            )
        if v.numel() == 0:
            raise FeatureError(
                f"video chunk {t} is empty: {_describe(v)}; F, H, W and d must be >= 1"
            )
        if not isinstance(a, Tensor) or a.ndim != 2 or a.shape[1] != first.shape[3]:
            raise FeatureError(
                f"audio chunk {t} must be a tensor [L, {first.shape[3]}], got {_describe(a)}"
            )
        for name, x in (("video", v), ("audio", a)):
            if x.dtype != first.dtype or x.device != first.device:
                raise FeatureError(
                    f"{name} chunk {t} is {x.dtype} on {x.device}, video chunk 0 is "
                    f"{first.dtype} on {first.device}; all features must share both"
                )
            if self.check_finite:
                require_finite(x, name, t)

    @property
    def chunks(self) -> int:
        """T, the number of chunks."""
        return len(self.video)

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W) of the token map."""
        return int(self.video[0].shape[1]), int(self.video[0].shape[2])

    @property
    def width(self) -> int:
        """d, the LLM width."""
        return int(self.video[0].shape[3])

    @property
    def device(self) -> torch.device:
        """Where the features are."""
        return self.video[0].device

    @cached_property
    def patches(self) -> tuple[int, ...]:
        """F_t, the temporal patches of each chunk."""
        return tuple(int(v.shape[0]) for v in self.video)

    @cached_property
    def audio_lengths(self) -> tuple[int, ...]:
        """L_t, the audio tokens of each chunk."""
        return tuple(int(a.shape[0]) for a in self.audio)

    def __repr__(self) -> str:
        h, w = self.grid
        return (
            f"ClipFeatures({self.chunks} chunks, {sum(self.patches)} temporal patches of {h}x{w}, "
            f"{sum(self.audio_lengths) + self.unpaired_audio} audio tokens, width {self.width}, "
            f"{self.video[0].dtype} on {self.device})"
        )


def _describe(x: object) -> str:
    return f"{tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
