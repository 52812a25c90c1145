"""Sound against what was written: frequency, length, level, place in time."""

from __future__ import annotations

import numpy as np
import pytest
from media_files import main_frequency, tone

from contextguard.errors import MediaError
from contextguard.media import load_clip, probe_clip


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "webm"])
def test_every_container_gives_the_tone(make_clip, suffix):
    sound = np.stack([tone(880, 2, 48_000)] * 2)
    clip = load_clip(make_clip(f"clip.{suffix}", sound=sound))
    assert clip.sampling_rate == 16_000
    assert clip.audio.dtype == np.float32
    assert clip.audio.ndim == 1
    assert clip.audio_seconds == pytest.approx(2, abs=0.06)
    assert main_frequency(clip.audio) == pytest.approx(880, abs=2)
    middle = clip.audio[8000:24000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("layout", "channels", "rate"),
    [("mono", 1, 44_100), ("mono", 1, 8_000), ("stereo", 2, 22_050), ("5.1", 6, 48_000)],
)
def test_layouts_and_rates_become_the_mean_of_their_channels(make_clip, layout, channels, rate):
    sound = np.zeros((channels, rate * 2), np.float32)
    sound[0] = tone(500, 2, rate)
    clip = load_clip(make_clip(sound=sound, layout=layout, rate=rate))
    assert main_frequency(clip.audio) == pytest.approx(500, abs=2)
    level = np.sqrt((clip.audio[8000:24000] ** 2).mean())
    assert level == pytest.approx(0.4 / np.sqrt(2) / channels, rel=0.1)
    assert clip.source.audio_channels == channels
    assert clip.source.audio_rate == rate


def onset(track: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(track) > 0.1)[0]) / 16_000


def test_sound_that_starts_late_is_padded(make_clip):
    clip = load_clip(
        make_clip("late.mkv", sound=np.stack([tone(700, 1, 48_000)] * 2), sound_start=0.5)
    )
    assert onset(clip.audio) == pytest.approx(0.5, abs=0.04)


def test_sound_before_the_picture_is_cut(make_clip):
    click = np.zeros((2, 96_000), np.float32)
    click[:, 60_000:] = tone(700, 36_000 / 48_000, 48_000)
    ticks = [24 + i for i in range(24)]
    clip = load_clip(make_clip("early.mkv", numbers=range(24), ticks=ticks, sound=click))
    # the tone starts at 1.25 s, the picture at 1 s
    assert onset(clip.audio) == pytest.approx(0.25, abs=0.04)


def test_a_hole_in_the_sound_becomes_silence(make_clip):
    sound = np.stack([tone(700, 2, 48_000)] * 2)
    path = make_clip("hole.mkv", sound=sound, pause=0.5, codecs=("libx264", "pcm_f32le"))
    clip = load_clip(path)
    # 1 s of tone, half a second of nothing, 1 s of tone
    assert clip.audio_seconds == pytest.approx(2.5, abs=0.01)
    assert np.abs(clip.audio[16_200:23_800]).max() < 1e-3
    assert onset(clip.audio[16_200:]) == pytest.approx(1.5 - 16_200 / 16_000, abs=0.01)


def test_a_silent_track_is_sound_and_no_track_is_none(make_clip):
    silent = load_clip(make_clip("silent.mp4", sound=np.zeros((2, 96_000), np.float32)))
    assert silent.audio is not None
    assert np.abs(silent.audio).max() < 1e-3
    assert silent.audio_seconds == pytest.approx(2, abs=0.06)
    mute = load_clip(make_clip("mute.mp4"))
    assert mute.audio is None
    assert mute.audio_seconds == 0
    assert mute.source.audio_codec is None


def test_sound_longer_than_the_front_end_is_refused_not_cut(make_clip):
    path = make_clip(sound=np.stack([tone(880, 4, 48_000)] * 2))
    with pytest.raises(MediaError, match=r"4\.0 s of sound.*takes 3 s.*cut the clip"):
        load_clip(path, max_sound_seconds=3)
    assert load_clip(path, max_sound_seconds=4.1).audio_seconds == pytest.approx(4, abs=0.06)


def test_probe_reads_the_header(make_clip):
    source = probe_clip(make_clip(sound=np.stack([tone(880, 2, 44_100)] * 2), rate=44_100))
    assert (source.video_codec, source.width, source.height) == ("h264", 64, 48)
    assert source.frame_rate == pytest.approx(24)
    assert source.duration == pytest.approx(2, abs=0.05)
    assert (source.audio_codec, source.audio_channels) == ("aac", 2)
