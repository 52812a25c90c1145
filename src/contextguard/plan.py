"""A plan: which tokens stay, which merge, and why. Methods make it, everything else reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from contextguard.errors import PlanError
from contextguard.features import ClipFeatures
from contextguard.token_map import TokenMap

SCHEMA_VERSION = 1

SEMANTIC = 1
"""Bit of :attr:`PrunePlan.reason`: kept because audio does not explain it (Eq. 4)."""
SPATIAL = 2
"""Bit of :attr:`PrunePlan.reason`: kept by the spatial sample (App. B.2)."""


@dataclass(frozen=True, eq=False)
class MergeGroup:
    """Consecutive chunks that become one set of tokens.

    Attributes:
        chunks: indices of the chunks, ascending; the tokens take the place of the first.
        kept: int64 ``[n]``, sorted indices into the F*H*W tokens of each of these chunks.
    """

    chunks: tuple[int, ...]
    kept: Tensor


@dataclass(frozen=True)
class PlanStats:
    """Token counts of a plan; ``compression`` = removed / (video + audio tokens), a fraction."""

    video_tokens: int
    video_kept: int
    audio_tokens: int
    audio_kept: int

    @property
    def compression(self) -> float:
        """Share of the video and audio tokens that went, a fraction."""
        total = self.video_tokens + self.audio_tokens
        return (total - self.video_kept - self.audio_kept) / total


@dataclass(frozen=True, eq=False)
class PrunePlan:
    """What becomes of every video and audio token of one clip.

    Attributes:
        method: name of the method that made the plan.
        settings: its settings, JSON-ready.
        grid: (H, W) of the token map.
        patches: F_t of each chunk; the video tokens of the clip are numbered through all chunks in
            raster order (chunk, f, h, w).
        audio_lengths: L_t of each chunk; audio tokens are numbered through all chunks.
        unpaired_audio: audio tokens beside no video: untouched, counted as audio, in no map.
        video, audio: the :class:`TokenMap` of each modality. They are what is applied.
        groups: the merge groups the video map was built from, in order.
        reason: uint8 ``[video.kept]``, the bits :data:`SEMANTIC` and :data:`SPATIAL`; 0 where a
            method gives no reason.
        segments: index of the first chunk of each temporal segment.
        depth_video, depth_audio: depth score (Eq. 6) of each chunk, 0 where undefined.
        warnings: one line for every fallback that was taken.
        layer: decoder layer before which the plan takes effect; 0 = before the decoder.
    """

    method: str
    grid: tuple[int, int]
    patches: tuple[int, ...]
    audio_lengths: tuple[int, ...]
    video: TokenMap
    audio: TokenMap
    groups: tuple[MergeGroup, ...]
    reason: Tensor
    settings: dict[str, Any] = field(default_factory=dict)
    unpaired_audio: int = 0
    segments: tuple[int, ...] = (0,)
    depth_video: tuple[float, ...] = ()
    depth_audio: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    layer: int = 0

    def __post_init__(self) -> None:
        h, w = self.grid
        for name, token_map, length in (
            ("video", self.video, h * w * sum(self.patches)),
            ("audio", self.audio, sum(self.audio_lengths)),
        ):
            if token_map.length != length:
                raise PlanError(
                    f"the {name} map covers {token_map.length} tokens, the clip has {length}"
                )
        if self.reason.shape != (self.video.kept,):
            raise PlanError(
                f"reason has shape {tuple(self.reason.shape)}, expected ({self.video.kept},)"
            )

    @classmethod
    def from_groups(
        cls,
        clip: ClipFeatures,
        groups: Sequence[MergeGroup],
        *,
        method: str,
        reasons: Sequence[Tensor] | None = None,
        **fields: Any,
    ) -> PrunePlan:
        """A plan whose groups become the mean of their chunks; audio stays whole.

        Args:
            clip: what is planned; only its shapes are read.
            groups: in order, every chunk in exactly one; the chunks of a group share F.
            method: name of the method.
            reasons: one uint8 ``[n]`` a group, aligned with ``group.kept``.
            **fields: the remaining fields of the plan.
        """
        h, w = clip.grid
        offsets = _offsets([f * h * w for f in clip.patches])
        if sorted(t for g in groups for t in g.chunks) != list(range(clip.chunks)):
            raise PlanError("the groups must hold every chunk of the clip exactly once")
        blocks = [(g.kept, [offsets[t] for t in g.chunks]) for g in groups]
        video = TokenMap.means(offsets[-1], blocks)
        reason = (
            torch.cat([r.to("cpu", torch.uint8) for r in reasons])
            if reasons is not None
            else torch.zeros(video.kept, dtype=torch.uint8)
        )
        return cls(
            method=method,
            grid=clip.grid,
            patches=clip.patches,
            audio_lengths=clip.audio_lengths,
            unpaired_audio=clip.unpaired_audio,
            video=video,
            audio=TokenMap.identity(sum(clip.audio_lengths)),
            groups=tuple(MergeGroup(g.chunks, g.kept.cpu()) for g in groups),
            reason=reason,
            **fields,
        )

    @classmethod
    def keep_all(cls, clip: ClipFeatures, *, method: str, **fields: Any) -> PrunePlan:
        """The plan that changes nothing."""
        h, w = clip.grid
        groups = [MergeGroup((t,), torch.arange(f * h * w)) for t, f in enumerate(clip.patches)]
        return cls.from_groups(clip, groups, method=method, **fields)

    @cached_property
    def stats(self) -> PlanStats:
        """Token counts and compression of the clip."""
        return PlanStats(
            video_tokens=self.video.length,
            video_kept=self.video.kept,
            audio_tokens=self.audio.length + self.unpaired_audio,
            audio_kept=self.audio.kept + self.unpaired_audio,
        )

    def apply(self, video: Sequence[Tensor]) -> list[Tensor]:
        """The kept video tokens, one ``[n, d]`` a group, merged groups averaged in fp32.

        Args:
            video: the chunks ``[F_t, H, W, d]`` (or ``[F_t*H*W, d]``) the plan was made for.

        Raises:
            PlanError: chunks of another number or size.
        """
        h, w = self.grid
        flat = [v.reshape(-1, v.shape[-1]) for v in video]
        if [v.shape[0] for v in flat] != [f * h * w for f in self.patches]:
            raise PlanError(
                f"the plan was made for chunks of {[f * h * w for f in self.patches]} tokens, "
                f"got {[v.shape[0] for v in flat]}"
            )
        tokens = self.video.apply(flat)
        return list(torch.split(tokens, [int(g.kept.numel()) for g in self.groups]))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` gives the same plan back."""
        return {
            "schema_version": SCHEMA_VERSION,
            "method": self.method,
            "settings": self.settings,
            "grid": list(self.grid),
            "patches": list(self.patches),
            "audio_lengths": list(self.audio_lengths),
            "unpaired_audio": self.unpaired_audio,
            "video": self.video.to_dict(),
            "audio": self.audio.to_dict(),
            "groups": [{"chunks": list(g.chunks), "kept": g.kept.tolist()} for g in self.groups],
            "reason": self.reason.tolist(),
            "segments": list(self.segments),
            "depth_video": list(self.depth_video),
            "depth_audio": list(self.depth_audio),
            "warnings": list(self.warnings),
            "layer": self.layer,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PrunePlan:
        """Read what :meth:`to_dict` wrote; another schema version or a missing key raises."""
        if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version") if isinstance(data, dict) else type(data).__name__
            raise PlanError(f"plan schema version {found!r}; this release reads {SCHEMA_VERSION}")
        try:
            return cls(
                method=data["method"],
                settings=data["settings"],
                grid=(data["grid"][0], data["grid"][1]),
                patches=tuple(data["patches"]),
                audio_lengths=tuple(data["audio_lengths"]),
                unpaired_audio=data["unpaired_audio"],
                video=TokenMap.from_dict(data["video"]),
                audio=TokenMap.from_dict(data["audio"]),
                groups=tuple(
                    MergeGroup(tuple(g["chunks"]), torch.tensor(g["kept"], dtype=torch.int64))
                    for g in data["groups"]
                ),
                reason=torch.tensor(data["reason"], dtype=torch.uint8),
                segments=tuple(data["segments"]),
                depth_video=tuple(data["depth_video"]),
                depth_audio=tuple(data["depth_audio"]),
                warnings=tuple(data["warnings"]),
                layer=data["layer"],
            )
        except (KeyError, TypeError, IndexError) as error:
            raise PlanError(f"not a plan: missing or malformed entry ({error!r})") from error

    def __repr__(self) -> str:
        s = self.stats
        return (
            f"PrunePlan({self.method}: video {s.video_tokens} -> {s.video_kept}, "
            f"audio {s.audio_tokens} -> {s.audio_kept}, compression {s.compression:.1%}, "
            f"{len(self.patches)} chunks in {len(self.segments)} segments and "
            f"{len(self.groups)} groups"
            + (f", {len(self.warnings)} warnings)" if self.warnings else ")")
        )


def _offsets(lengths: Sequence[int]) -> list[int]:
    out = [0]
    for n in lengths:
        out.append(out[-1] + n)
    return out
