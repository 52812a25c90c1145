"""What the picture says about a plan made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contextguard.errors import PlanError, SettingError
from contextguard.features import ClipFeatures
from contextguard.picture import check_picture_path, draw_plan, merged_into, shown_chunks
from contextguard.picture_tiles import (
    BOTH_COLOR,
    DROPPED,
    SEMANTIC_COLOR,
    SPATIAL_COLOR,
    paint_tile,
    token_states,
)
from contextguard.plan import MergeGroup, PrunePlan

H, W, F = 3, 4, 2


def plan_by_hand() -> PrunePlan:
    """Chunks 0 and 1 merged into tokens 0, 5, 23; chunk 2 keeps 7 alone."""
    clip = ClipFeatures([torch.ones(F, H, W, 8)] * 3, [torch.ones(5, 8)] * 3)
    groups = [MergeGroup((0, 1), torch.tensor([0, 5, 23])), MergeGroup((2,), torch.tensor([7]))]
    reasons = [torch.tensor([1, 2, 3]), torch.tensor([1])]
    return PrunePlan.from_groups(
        clip,
        groups,
        method="by hand",
        reasons=reasons,
        segments=(0, 2),
        depth_video=(0.0, 0.2, 0.0),
        depth_audio=(0.0, -0.1, 0.9),
    )


def test_states_say_which_token_of_which_patch_is_kept():
    states = token_states(plan_by_hand())
    expected = np.full((6, H, W), DROPPED)
    expected[0, 0, 0] = 1  # token 0 of chunk 0: patch 0, first row
    expected[0, 1, 1] = 2  # token 5 = 1 * W + 1
    expected[1, 2, 3] = 3  # token 23: last of the second patch
    expected[4, 1, 3] = 1  # token 7 of chunk 2
    assert np.array_equal(np.stack(states), expected)


def test_tiles_fade_what_is_dropped_and_frame_what_is_kept():
    frame = np.zeros((H * 40, W * 40, 3), np.uint8)
    frame[:] = (10, 120, 30)
    states = np.full((H, W), DROPPED, np.int8)
    states[0, 0], states[1, 2], states[2, 3], states[2, 0] = 1, 2, 3, 0
    image = paint_tile(frame, states, width=W * 40)
    assert image.shape == (H * 40, W * 40, 3)

    def cell(i: int, j: int) -> np.ndarray:
        return image[i * 40 : (i + 1) * 40, j * 40 : (j + 1) * 40]

    for (i, j), color in {
        (0, 0): SEMANTIC_COLOR,
        (1, 2): SPATIAL_COLOR,
        (2, 3): BOTH_COLOR,
    }.items():
        assert (cell(i, j)[20, 20] == (10, 120, 30)).all()
        for edge in (cell(i, j)[0], cell(i, j)[-1], cell(i, j)[:, 0], cell(i, j)[:, -1]):
            assert (edge == color).all()
    assert (cell(2, 0) == (10, 120, 30)).all()
    faded = cell(1, 0)
    assert np.ptp(faded, axis=2).max() == 0
    assert faded.min() > 150


def test_a_region_has_one_outline():
    states = np.full((4, 4), DROPPED, np.int8)
    states[1:3, 1:3] = 1
    image = paint_tile(np.zeros((160, 160, 3), np.uint8), states, width=160)
    line = (image == SEMANTIC_COLOR).all(axis=2)
    assert line[40, 40:120].all()
    assert line[119, 40:120].all()
    assert line[40:120, 40].all()
    assert line[40:120, 119].all()
    assert not line[50:110, 50:110].any()
    assert not line[:40].any()
    assert not line[120:].any()


def test_merged_chunks_know_where_they_went():
    plan = plan_by_hand()
    assert [merged_into(plan, t) for t in range(3)] == [None, 0, None]


@pytest.mark.parametrize(
    ("patches", "expected"),
    [
        ((2,) * 12, list(range(12))),
        ((2,) * 23, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        ((30, 30), [0, 1]),
        ((1,), [0]),
    ],
)
def test_long_clips_show_chunks_at_even_distances(patches, expected):
    assert shown_chunks(patches) == expected


@pytest.mark.parametrize("name", ["plan.png", "plan.pdf", "plan.svg"])
def test_a_picture_is_written(tmp_path, name):
    frames = np.full((6, 30, 40, 3), 90, np.uint8)
    path = draw_plan(plan_by_hand(), frames, tmp_path / name, title="clip.mp4")
    magic = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert path.read_bytes().startswith(magic[name[-3:]])


def test_the_text_of_a_picture_is_the_plan(tmp_path, monkeypatch):
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    frames = np.full((6, 30, 40, 3), 90, np.uint8)
    text = draw_plan(plan_by_hand(), frames, tmp_path / "plan.svg", title="clip.mp4").read_text()
    for part in (
        "clip.mp4:  by hand keeps 4 of 72 video tokens (6%)",
        "15 of 15 audio tokens kept",
        "compression 78% of video + audio",
        "3 chunks in 2 segments",
        "1 chunk merged away",
        "sound does not explain it",
        "merged into",
        "3 tokens, mean of chunks 0–1",
        "1 of 24 tokens",
        "depth score",
        "segment 1",
    ):
        assert part in text, part


def test_frames_must_fit_the_plan(tmp_path):
    with pytest.raises(PlanError, match="6 temporal patches, got 5 frames"):
        draw_plan(plan_by_hand(), np.zeros((5, 30, 40, 3), np.uint8), tmp_path / "plan.png")


def test_paths_that_cannot_be_written(tmp_path):
    for path, message in (
        (tmp_path / "plan.gif", r"written as \.png"),
        (tmp_path / "none" / "plan.png", "no such folder"),
        (tmp_path, r"written as"),
    ):
        with pytest.raises(SettingError, match=message):
            check_picture_path(path)
    assert check_picture_path(tmp_path / "plan.PNG") == tmp_path / "plan.PNG"
