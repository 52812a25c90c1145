"""Chunks against the real processor's layout code, and as a method sees them inside a call."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import by_hand
import numpy as np
import pytest
import tiny
import torch
from planners import KeepAll, RandomKeep

from contextguard import prune
from contextguard.backbones.base import VideoColumns
from contextguard.backbones.qwen2_5_omni import Qwen25Omni, cut_chunks
from contextguard.errors import CallError
from contextguard.features import ClipFeatures
from contextguard.plan import PrunePlan

TOKENS = 6
FRAME_RATES = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0]
"""At temporal patch size 2 these are 2, 1.6, 4/3, 1, 0.8, 2/3, 0.5, 0.4 and 2/7 s a patch."""


def processor_chunks(
    patches: int, audio: int, second_per_grid: float
) -> tuple[list[int], list[int], int]:
    """(F_t, L_t, unpaired) read off the processor's own chunk indices."""
    video_index = np.repeat(np.arange(patches), TOKENS) * second_per_grid * 25
    video = tiny.processor().get_chunked_index(video_index, 50)
    sound = tiny.processor().get_chunked_index(np.arange(audio), 50)
    lengths = [stop - start for start, stop in sound] + [0] * len(video)
    return (
        [(stop - start) // TOKENS for start, stop in video],
        lengths[: len(video)],
        sum(lengths[len(video) :]),
    )


def located(patches: int, audio: int, second_per_grid: float, late: int = 0) -> list[VideoColumns]:
    """What the backbone finds in the processor's ids and the model's own positions.

    ``late`` is added to the positions of the sound.
    """
    middle = tiny.layout(patches, 2, 3, audio, second_per_grid)
    ids = [11, tiny.VISION_BOS, *(tiny.IDS[c] for c in middle), tiny.VISION_EOS, 12]
    x = {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "video_grid_thw": torch.tensor([[patches, 4, 6]]),
        "video_second_per_grid": torch.tensor([second_per_grid]),
        "feature_attention_mask": torch.ones(1, 4 * audio, dtype=torch.long),
        "use_audio_in_video": True,
    }
    rows = tiny.positions(MODEL, x)
    rows = rows + late * (x["input_ids"] == tiny.AUDIO)
    [videos] = Qwen25Omni().locate(MODEL.config, x["input_ids"], rows)
    return videos


MODEL = tiny.thinker()


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_chunks_are_the_processors(fps: float) -> None:
    seen = set()
    for patches in (1, 2, 3, 4, 5, 8, 13, 30):
        for audio in (1, 49, 50, 51, 137, 400, 1000):
            [found] = located(patches, audio, 2 / fps)
            expected = processor_chunks(patches, audio, 2 / fps)
            assert (list(found.patches), list(found.audio_lengths)) == expected[:2]
            assert found.unpaired_audio == expected[2]
            assert found.grid == (2, 3)
            assert found.video.numel() == patches * TOKENS
            assert found.audio.numel() == audio - found.unpaired_audio
            seen.add((0 in found.audio_lengths, found.unpaired_audio > 0))
    assert seen == {(False, False), (True, False), (False, True)}


@pytest.mark.parametrize("fps", [0.2, 0.3, 0.5, 0.8, 0.9])
def test_split_patches_are_found_whole(fps: float) -> None:
    """Below one frame a second the processor writes audio into the middle of a patch."""
    for patches in (1, 2, 5, 9):
        [found] = located(patches, 1000, 2 / fps)
        assert found.patches == (1,) * patches
        assert found.video.numel() == patches * TOKENS
        assert sum(found.audio_lengths) + found.unpaired_audio == 1000


def test_sound_that_is_not_beside_its_picture_is_refused() -> None:
    assert located(6, 150, 1.0)
    with pytest.raises(CallError, match="placeholders 12V 50A 12V 50A 12V 50A, does not have"):
        located(6, 150, 1.0, late=50)


def test_times_the_model_rounds_away_from_the_processors() -> None:
    """At 1.3 fps patch 39 is at 60 s: 1500 for the processor, 1499 for the model's fp32."""
    assert located(39, 1600, 2 / 1.3)
    with pytest.raises(CallError, match="use another fps"):
        located(40, 1600, 2 / 1.3)


@pytest.mark.parametrize(
    ("times", "audio", "expected"),
    [
        # 4 s a patch: each is a chunk with its own 4 s of sound, the rest of the sound is left.
        ([0, 100, 200], 320, ((1, 1, 1), (100, 100, 100), 20)),
        ([0, 100, 200], 130, ((1, 1, 1), (100, 30, 0), 0)),
        # 2.4 s a patch: the sound is cut at whole chunks, never inside one.
        ([0, 60, 120, 180], 240, ((1, 1, 1, 1), (50, 50, 50, 50), 40)),
    ],
)
def test_below_one_frame_a_second_a_patch_is_a_chunk(times: Any, audio: int, expected: Any) -> None:
    assert cut_chunks(times, audio, 50) == expected


class Look(KeepAll):
    """Keeps the clips it was shown."""

    def __init__(self) -> None:
        self.clips: list[ClipFeatures] = []

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        self.clips.append(clip)
        return super().plan(clip)


@pytest.mark.parametrize("second_per_grid", [1.0, 0.5, 4 / 3, 2.0, 4.0])
@pytest.mark.parametrize("mel", [120, 640, 1500])
def test_features_are_the_rows_at_the_placeholders(
    model: Any, second_per_grid: float, mel: int
) -> None:
    items = [("text", 4), ("av", 7, 2, 3, mel), ("text", 3), ("v", 5, 3, 2), ("text", 2)]
    sounding = tiny.batch([items[:3]], second_per_grid=second_per_grid)
    silent = tiny.batch([items[2:]], second_per_grid=second_per_grid)
    look = Look()
    with prune(model, look):
        for x in (sounding, silent):
            model(**x)
            model.generate(**x, max_new_tokens=1, do_sample=False)
    for x, clips in ((sounding, look.clips[:2]), (silent, look.clips[2:])):
        embeds = tiny.embeddings(model, x)[0]
        [(video, audio)] = by_hand.media_columns(x["input_ids"][0])
        for clip in clips:
            frames = torch.cat([v.flatten(0, 2) for v in clip.video])
            assert torch.equal(frames, embeds[video])
            assert torch.equal(
                torch.cat(list(clip.audio)), embeds[audio[: len(audio) - clip.unpaired_audio]]
            )
            assert clip.grid == ((2, 3) if x is sounding else (3, 2))
    # Time cuts a silent clip where it cuts a sounding one.
    frames_at = np.arange(7) * second_per_grid * 25 // 50
    expected = tuple(len(list(g)) for _, g in groupby(frames_at))
    assert look.clips[0].patches == look.clips[1].patches == expected
    expected = tuple(len(list(g)) for _, g in groupby(frames_at[:5]))
    assert look.clips[2].patches == look.clips[3].patches == expected


def test_features_are_views_of_the_sequence(model: Any) -> None:
    look, shown = Look(), []
    hook = model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: shown.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    try:
        with prune(model, look):
            model(**tiny.batch([[("text", 4), ("av", 5, 2, 3, 400), ("text", 3)]]))
    finally:
        hook.remove()
    storage = shown[0].untyped_storage().data_ptr()
    for chunk in (*look.clips[0].video, *look.clips[0].audio):
        assert chunk.untyped_storage().data_ptr() == storage


def test_pruning_a_clip_below_one_frame_a_second_equals_by_hand(model: Any) -> None:
    x = tiny.batch([[("text", 4), ("av", 4, 2, 3, 1500), ("text", 3)]], second_per_grid=4.0)
    with prune(model, RandomKeep(0.5, 0.5)) as run:
        logits = model(**x).logits
    expected, _ = by_hand.run(model, x, run.plans[0], 0)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
