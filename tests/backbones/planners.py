"""Small methods that plan without looking, so that what they do to a model is easy to redo."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from contextguard.features import ClipFeatures
from contextguard.plan import MergeGroup, PrunePlan
from contextguard.token_map import TokenMap


class KeepAll:
    def plan(self, clip: ClipFeatures) -> PrunePlan:
        return PrunePlan.keep_all(clip, method="keep-all")


@dataclass
class RandomKeep:
    """Keeps a share of the tokens, drawn from the clip's token counts alone."""

    video: float = 0.5
    audio: float = 1.0
    clips: list[ClipFeatures] = field(default_factory=list)

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        self.clips.append(clip)
        plan = PrunePlan.keep_all(clip, method="random", warnings=("drawn at random",))
        g = torch.Generator().manual_seed(plan.video.length)

        def draw(n: int, share: float) -> TokenMap:
            return TokenMap.keep(n, torch.randperm(n, generator=g)[: round(n * share)].sort()[0])

        video = draw(plan.video.length, self.video)
        return PrunePlan(
            method="random",
            grid=clip.grid,
            patches=clip.patches,
            audio_lengths=clip.audio_lengths,
            unpaired_audio=clip.unpaired_audio,
            video=video,
            audio=draw(plan.audio.length, self.audio),
            groups=(),
            reason=torch.zeros(video.kept, dtype=torch.uint8),
            warnings=plan.warnings,
        )


class MergePairs:
    """Means of chunks 0 and 1, 2 and 3, ... (where F agrees) at every third token."""

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        h, w = clip.grid
        groups, t = [], 0
        while t < clip.chunks:
            pair = t + 1 < clip.chunks and clip.patches[t] == clip.patches[t + 1]
            chunks = (t, t + 1) if pair else (t,)
            groups.append(MergeGroup(chunks, torch.arange(0, clip.patches[t] * h * w, 3)))
            t += len(chunks)
        return PrunePlan.from_groups(clip, groups, method="pairs")


class MixAudio:
    """Keeps the video; audio tokens 0, 2, 4, ... become 3/4 of themselves plus 1/4 of the next."""

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        plan = PrunePlan.keep_all(clip, method="mix-audio")
        n = plan.audio.length // 2
        first = torch.arange(n) * 2
        audio = TokenMap(
            length=plan.audio.length,
            position=first,
            offsets=torch.arange(n + 1) * 2,
            sources=torch.stack([first, first + 1], dim=1).flatten(),
            weights=torch.tensor([0.75, 0.25]).repeat(n),
        )
        return PrunePlan(**{**vars(plan), "audio": audio})


class Blend:
    """Keeps every position; each video token becomes the mean of itself and the next."""

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        plan = PrunePlan.keep_all(clip, method="blend")
        n = plan.video.length
        own = torch.arange(n)
        video = TokenMap(
            length=n,
            position=own,
            offsets=torch.arange(n + 1) * 2,
            sources=torch.stack([own, (own + 1) % n], dim=1).flatten(),
            weights=torch.full((2 * n,), 0.5),
        )
        return PrunePlan(**{**vars(plan), "video": video})
