from __future__ import annotations

from typing import Any

import pytest
import torch

from contextguard.errors import FeatureError
from contextguard.features import ClipFeatures, require_finite

D = 4


def parts() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    video = [torch.ones(2, 3, 5, D), torch.ones(1, 3, 5, D)]
    return video, [torch.ones(7, D), torch.ones(0, D)]


def test_what_a_clip_says_of_itself() -> None:
    clip = ClipFeatures(*parts(), unpaired_audio=3)
    assert (clip.chunks, clip.grid, clip.width) == (2, (3, 5), D)
    assert (clip.patches, clip.audio_lengths) == ((2, 1), (7, 0))
    assert repr(clip) == (
        "ClipFeatures(2 chunks, 3 temporal patches of 3x5, 10 audio tokens, width 4, "
        "torch.float32 on cpu)"
    )


@pytest.mark.parametrize(
    ("which", "chunk", "wrong", "message"),
    [
        ("video", 0, torch.ones(3, 5, D), r"video chunk 0 .*\(3, 5, 4\)"),
        ("video", 1, torch.ones(2, 5, 3, D), r"video chunk 1 .*\[F, 3, 5, 4\].*\(2, 5, 3, 4\)"),
        ("video", 1, torch.ones(0, 3, 5, D), "video chunk 1 is empty"),
        ("video", 0, torch.ones(2, 3, 5, D, dtype=torch.int64), "floating point, got torch.int64"),
        ("video", 1, torch.ones(2, 3, 5, D).half(), "video chunk 1 is torch.float16"),
        ("video", 1, [[1.0]], "video chunk 1 .* got list"),
        ("audio", 0, torch.ones(7, D + 1), r"audio chunk 0 .*\[L, 4\].*\(7, 5\)"),
        ("audio", 1, torch.ones(D), r"audio chunk 1 .*\(4,\)"),
        ("audio", 1, torch.ones(2, D).bfloat16(), "audio chunk 1 is torch.bfloat16"),
        ("audio", 1, None, "audio chunk 1 .* got NoneType"),
    ],
)
def test_what_does_not_fit_is_named(which: str, chunk: int, wrong: Any, message: str) -> None:
    video, audio = parts()
    (video if which == "video" else audio)[chunk] = wrong
    with pytest.raises(FeatureError, match=message):
        ClipFeatures(video, audio)


def test_counts_that_do_not_fit() -> None:
    video, audio = parts()
    with pytest.raises(FeatureError, match="at least one video chunk"):
        ClipFeatures([], [])
    with pytest.raises(FeatureError, match="2 chunks and audio 1"):
        ClipFeatures(video, audio[:1])
    with pytest.raises(FeatureError, match="got -1"):
        ClipFeatures(video, audio, unpaired_audio=-1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("which", "chunk"), [("video", 1), ("audio", 0)])
def test_not_finite_is_named(which: str, chunk: int, value: float) -> None:
    video, audio = parts()
    (video if which == "video" else audio)[chunk].view(-1)[5] = value
    with pytest.raises(FeatureError, match=f"{which} features of chunk {chunk} hold 1 NaN"):
        ClipFeatures(video, audio)
    assert ClipFeatures(video, audio, check_finite=False).chunks == 2


def test_a_sum_that_overflows_is_not_nan() -> None:
    big = torch.full((4, D), 3e38)
    require_finite(big, "video", 0)
    big[2, 1] = float("inf")
    with pytest.raises(FeatureError, match="chunk 0 hold 1 NaN or infinite values of 16"):
        require_finite(big, "video", 0)
