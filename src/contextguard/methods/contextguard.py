"""ContextGuard: keep the video tokens that audio cannot explain, merge chunks that are alike.

The paper, arXiv 2605.11605. What it leaves open is marked "ours" where it is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from contextguard.errors import FeatureError, SettingError
from contextguard.features import ClipFeatures
from contextguard.methods.base import Method
from contextguard.plan import SEMANTIC, SPATIAL, MergeGroup, PrunePlan
from contextguard.selection import (
    RULES,
    semantic_count,
    semantic_selection,
    spatial_selection,
    variation_maps,
)
from contextguard.similarity import audio_means, scan_video
from contextguard.temporal import (
    adjacent_similarity,
    depth_scores,
    merge_groups,
    segment_starts,
)

Guide = Callable[[list[Tensor]], Tensor]
POLICIES = ("visual", "keep_all", "error")
_RANGES = {
    "rho_sem": (0.0, 1.0),
    "rho_spa": (0.0, 1.0),
    "tau_merge": (-1.0, 1.0),
    "depth_threshold": (0.0, 4.0),
}


@dataclass(frozen=True)
class ContextGuard(Method):
    """Audio-guided token selection and depth-score-based merging (Sec. 2.2, 2.3).

    Args:
        rho_sem: share of a chunk's video tokens kept by the semantic selection, in [0, 1].
        rho_spa: share of the map locations kept by the spatial selection, in [0, 1]; not 0
            together with ``rho_sem``.
        tau_merge: chunks of a segment merge while their similarity is above it, in [-1, 1];
            1 merges nothing.
        depth_threshold: a depth score above it opens a segment, in [0, 4].
        guide: what the tokens of a chunk are compared with: "audio", its mean audio embedding;
            "visual", its own mean visual embedding; or an audio-to-video predictor, any callable
            that takes the T audio tensors ``[L_t, d]`` and returns ``[T, d]`` (Eq. 3, mean over the
            queries taken). It is called if any chunk has audio; rows of silent chunks are ignored.
        on_missing_audio: ours: what to do with a chunk without audio tokens. "visual" compares it
            with its own mean visual embedding, "keep_all" keeps all its tokens (they may still
            merge), "error" raises. Without effect for the guide "visual", which needs no audio.
        rule: which scores the semantic selection keeps: "low", "high" or "random" (Table 4).
        seed: of the rule "random".

    Raises:
        SettingError: a value outside its range, named with the range.
    """

    name: ClassVar[str] = "contextguard"

    rho_sem: float = 0.5
    rho_spa: float = 0.1
    tau_merge: float = 0.98
    depth_threshold: float = 0.5
    guide: str | Guide = "audio"
    on_missing_audio: str = "visual"
    rule: str = "low"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise SettingError(f"{name} must be a number in [{low:g}, {high:g}], got {value!r}")
        if self.rho_sem == 0 and self.rho_spa == 0:
            raise SettingError("rho_sem and rho_spa are both 0, which keeps nothing: raise one")
        if not callable(self.guide) and self.guide not in ("audio", "visual"):
            raise SettingError(f"guide must be 'audio', 'visual' or a callable, got {self.guide!r}")
        for name, legal in (("on_missing_audio", POLICIES), ("rule", RULES)):
            if getattr(self, name) not in legal:
                raise SettingError(
                    f"{name} must be one of {', '.join(legal)}, got {getattr(self, name)!r}"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise SettingError(f"seed must be an integer of 0 or more, got {self.seed!r}")

    def settings(self) -> dict[str, Any]:
        """The settings, JSON-ready; a predictor is recorded by its name."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["guide"] = _guide_name(self.guide)
        return out

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        """Select and merge the video tokens of ``clip``; its features are read once.

        The first chunk of each segment is read once more for its spatial selection.

        Raises:
            FeatureError: NaN or infinity in the features or the prediction, named with the chunk;
                a chunk without audio if ``on_missing_audio`` is "error".
            SettingError: a predictor that returned something other than ``[T, d]``.
        """
        silent = [length == 0 for length in clip.audio_lengths]
        heard = [not s for s in silent]
        warnings = [*self._missing_audio(silent), *_uneven_patches(clip.patches)]
        means = audio_means(clip.audio)
        own_mean = [s or self.guide == "visual" for s in silent]
        scan = scan_video(clip.video, self._guide_vectors(clip, means, heard), own_mean)

        similarity = adjacent_similarity(scan.means)
        depth_video = depth_scores(similarity)
        depth_audio = depth_scores(adjacent_similarity(means, heard))
        keep_silent = self.on_missing_audio == "keep_all" and self.guide != "visual"
        labels = [clip.patches, [int(s) for s in silent]] if keep_silent else [clip.patches]
        starts = segment_starts((depth_video, depth_audio), self.depth_threshold, *labels)
        segments = [range(a, b) for a, b in zip(starts, (*starts[1:], clip.chunks), strict=True)]
        whole = [keep_silent and silent[s[0]] for s in segments]

        groups: list[MergeGroup] = []
        reasons: list[Tensor] = []
        for segment, bits in zip(
            segments, self._segment_reasons(clip, scan.scores, segments, whole), strict=True
        ):
            kept = bits.nonzero().flatten()
            for chunks in merge_groups(segment, similarity, self.tau_merge):
                groups.append(MergeGroup(chunks, kept))
                reasons.append(bits[kept])
        return PrunePlan.from_groups(
            clip,
            groups,
            method=self.name,
            reasons=reasons,
            settings=self.settings(),
            segments=starts,
            depth_video=tuple(depth_video.tolist()),
            depth_audio=tuple(depth_audio.tolist()),
            warnings=tuple(warnings),
        )

    def _segment_reasons(
        self,
        clip: ClipFeatures,
        scores: Sequence[Tensor],
        segments: Sequence[range],
        whole: Sequence[bool],
    ) -> list[Tensor]:
        """The index set all chunks of a segment share, as uint8 ``[M]`` of reason bits (Eq. 5)."""
        generator = torch.Generator().manual_seed(self.seed)
        firsts = [s[0] for s, keep in zip(segments, whole, strict=True) if not keep]
        spatial = iter(self._spatial(clip, firsts))
        out = []
        for segment, keep in zip(segments, whole, strict=True):
            tokens = scores[segment[0]].numel()
            if keep:
                out.append(torch.full((tokens,), SEMANTIC, dtype=torch.uint8))
                continue
            shared = torch.stack([scores[t] for t in segment]).mean(0)
            count = semantic_count(tokens, self.rho_sem)
            semantic = semantic_selection(shared, count, self.rule, generator)
            detail = next(spatial).flatten().repeat(clip.patches[segment[0]])
            out.append(semantic.byte() * SEMANTIC | detail.byte() * SPATIAL)
        return out

    def _spatial(self, clip: ClipFeatures, chunks: Sequence[int]) -> Tensor:
        """Bool ``[len(chunks), H, W]``: the locations the spatial selection keeps."""
        if self.rho_spa == 0 or not chunks:
            return torch.zeros(len(chunks), *clip.grid, dtype=torch.bool)
        return spatial_selection(variation_maps([clip.video[t] for t in chunks]), self.rho_spa)

    def _guide_vectors(self, clip: ClipFeatures, means: Tensor, heard: Sequence[bool]) -> Tensor:
        """fp32 ``[T, d]``: what audio says of each chunk's picture; rows without audio unused."""
        if not callable(self.guide) or not any(heard):
            return means
        predicted = self.guide(list(clip.audio))
        shape = (clip.chunks, clip.width)
        if not isinstance(predicted, Tensor) or tuple(predicted.shape) != shape:
            found = tuple(predicted.shape) if isinstance(predicted, Tensor) else type(predicted)
            raise SettingError(
                f"guide {_guide_name(self.guide)} must return a tensor {shape}, got {found}"
            )
        predicted = predicted.detach().to(clip.device, torch.float32)
        finite = torch.isfinite(predicted).all(1).tolist()
        for t, ok in enumerate(finite):
            if heard[t] and not ok:
                raise FeatureError(
                    f"guide {_guide_name(self.guide)} returned NaN or infinity for chunk {t}; "
                    "check its weights and dtype"
                )
        return predicted

    def _missing_audio(self, silent: Sequence[bool]) -> list[str]:
        """The warning about chunks without audio, or the error the policy asks for."""
        if self.guide == "visual" or not any(silent):
            return []
        if self.on_missing_audio == "error":
            raise FeatureError(
                f"chunk {list(silent).index(True)} has no audio tokens ({sum(silent)} of "
                f"{len(silent)} chunks); set on_missing_audio to 'visual' or 'keep_all'"
            )
        done = (
            "compared with their own mean visual embedding"
            if self.on_missing_audio == "visual"
            else "kept whole"
        )
        return [
            f"{sum(silent)} of {len(silent)} chunks have no audio tokens: {done} "
            f"(on_missing_audio={self.on_missing_audio!r})"
        ]


def _uneven_patches(patches: Sequence[int]) -> list[str]:
    """A warning if the number of temporal patches varies, a shorter last chunk aside."""
    inner = patches[:-1] if patches[-1] < patches[0] else patches
    if len(patches) < 3 or len(set(inner)) == 1:
        return []
    return [
        f"chunks hold between {min(inner)} and {max(inner)} temporal patches: only neighbours of "
        "equal size can merge, so merging is limited (another frame rate may avoid it)"
    ]


def _guide_name(guide: str | Guide) -> str:
    if isinstance(guide, str):
        return guide
    for name in (getattr(guide, "name", None), getattr(guide, "__name__", None)):
        if isinstance(name, str):
            return name
    return type(guide).__name__
