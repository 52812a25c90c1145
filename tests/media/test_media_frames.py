"""Which frames are sampled, told from what is drawn in them."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest
from media_files import NATIVE, numbered_frame, read_number

from contextguard.errors import SettingError
from contextguard.media import load_clip


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "webm"])
def test_every_container_gives_the_frame_on_screen(make_clip, suffix):
    clip = load_clip(make_clip(f"clip.{suffix}"), fps=2)
    # 2 s at 24 fps: frame i / 2 s is number 12 i
    assert [read_number(f) for f in clip.frames] == [0, 12, 24, 36]
    assert clip.frames.dtype == np.uint8
    assert clip.frames.shape == (4, 48, 64, 3)
    assert clip.duration == pytest.approx(2.0, abs=0.05)
    assert clip.warnings == ()
    assert clip.frame_times == pytest.approx((0, 0.5, 1, 1.5), abs=0.001)


@pytest.mark.parametrize("fps", [1, 1.5, 2.5, 3, 5, 23.976, 24, 30])
def test_rates_follow_the_last_frame_rule(make_clip, fps):
    clip = load_clip(make_clip(), fps=fps)
    exact = Fraction(fps).limit_denominator(1001)
    count = int(2 * exact) // 2 * 2
    expected = [int(Fraction(i) / exact * NATIVE) for i in range(count)]
    assert [read_number(f) for f in clip.frames] == expected


def test_variable_frame_rate_holds_the_old_frame(make_clip):
    ticks = [0, 100, 130, 700, 710, 1450, 1500, 1990]
    path = make_clip(
        "vfr.mkv", numbers=[1, 2, 3, 4, 5, 6, 7, 8], ticks=ticks, clock=1000, codecs=("mpeg4", "")
    )
    clip = load_clip(path, fps=4)
    expected = [bisect_right(ticks, i * 250) for i in range(len(clip.frames))]
    assert [read_number(f) for f in clip.frames] == expected
    assert len(clip.frames) in (6, 8)


def test_time_counts_from_the_first_frame(make_clip):
    ticks = [NATIVE * 5 + i for i in range(NATIVE * 2)]
    clip = load_clip(make_clip("late.mkv", ticks=ticks), fps=2)
    assert [read_number(f) for f in clip.frames] == [0, 12, 24, 36]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(1, [0, 0]), (6, [0, 5]), (13, [0, 12]), (36, [0, 12]), (47, [0, 12])],
)
def test_the_number_of_frames_is_even_and_at_least_two(make_clip, frames, expected):
    clip = load_clip(make_clip(numbers=range(frames)), fps=2)
    assert [read_number(f) for f in clip.frames] == expected
    # fewer than two sampled frames of picture, 24 native frames, is told
    assert any("repeated" in w for w in clip.warnings) == (frames < 24)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotated_clips_are_turned_upright(make_clip, rotation, turns):
    clip = load_clip(make_clip("turned.mp4", rotation=rotation), fps=2)
    expected = np.stack([np.rot90(numbered_frame(n), turns) for n in (0, 12, 24, 36)])
    assert clip.frames.shape == expected.shape
    assert np.abs(clip.frames.astype(int) - expected).mean() < 12


def test_only_sampled_frames_are_held(make_clip, monkeypatch):
    from contextguard.media.frames import FrameSampler

    converted = []
    original = FrameSampler._convert
    monkeypatch.setattr(
        FrameSampler,
        "_convert",
        lambda self, frame: converted.append(frame.time) or original(self, frame),
    )
    clip = load_clip(make_clip(numbers=range(240)), fps=0.4)
    assert len(clip.frames) == 4
    assert len(converted) == 4


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 1000, "2"])
def test_rates_out_of_range_are_refused(make_clip, fps):
    with pytest.raises(SettingError, match="fps must be"):
        load_clip(make_clip(), fps=fps)
