"""Features without the decoder are the features a method is given in a full run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch

from contextguard.asking import ask_clip
from contextguard.backbones.prune import prune
from contextguard.errors import CallError
from contextguard.evaluation.features import clip_features
from contextguard.features import ClipFeatures
from contextguard.media import load_clip
from contextguard.methods import ContextGuard, Full, Method
from contextguard.plan import PrunePlan


@dataclass(frozen=True)
class Recording(Method):
    name = "recording"
    seen: list[ClipFeatures] = field(default_factory=list)

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        copies = [[x.clone() for x in part] for part in (clip.video, clip.audio)]
        self.seen.append(ClipFeatures(*copies, unpaired_audio=clip.unpaired_audio))
        return PrunePlan.keep_all(clip, method=self.name)


def hooks(model: torch.nn.Module) -> int:
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules())


@pytest.mark.parametrize("sound", [True, False])
def test_features_are_those_of_a_full_run(thimble, bunny, sound):
    clip = load_clip(bunny)
    clip = clip if sound else replace(clip, audio=None)
    method = Recording()
    ask_clip(thimble, clip, "which sound is heard ?", method, max_new_tokens=1)
    [seen] = method.seen
    found = clip_features(thimble, clip)
    assert found.unpaired_audio == seen.unpaired_audio
    for mine, theirs in ((found.video, seen.video), (found.audio, seen.audio)):
        assert len(mine) == len(theirs) == 3
        for a, b in zip(mine, theirs, strict=True):
            assert a.shape == b.shape
            assert not a.requires_grad
            assert not a.is_inference()
            assert torch.allclose(a, b, atol=1e-5)


def test_the_decoder_does_not_run_and_nothing_stays_behind(thimble, split):
    clip = load_clip(split)
    before = ask_clip(thimble, clip, "which sound is heard ?", Full()).answer
    calls = []
    layer = thimble.model.model.language_model.layers[0]
    handle = layer.register_forward_hook(lambda *_: calls.append(1))
    found = clip_features(thimble, clip)
    handle.remove()
    assert calls == []
    assert hooks(thimble.model) == 0
    plan = ContextGuard().plan(found)
    answer = ask_clip(thimble, clip, "which sound is heard ?", ContextGuard())
    assert answer.plan.to_dict() == plan.to_dict()
    assert ask_clip(thimble, clip, "which sound is heard ?", Full()).answer == before


def test_an_error_in_the_towers_is_not_swallowed(thimble, split, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("tower is broken")

    monkeypatch.setattr(thimble.model.model.visual, "forward", broken)
    with pytest.raises(RuntimeError, match="tower is broken"):
        clip_features(thimble, load_clip(split))
    assert hooks(thimble.model) == 0


def test_inside_a_block_it_is_refused(thimble, split):
    clip = load_clip(split)
    with prune(thimble.model, Full()), pytest.raises(CallError, match="already in a prune block"):
        clip_features(thimble, clip)
