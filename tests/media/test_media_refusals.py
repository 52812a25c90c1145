"""Files that cannot be used: one clear line with the path and the way out."""

from __future__ import annotations

import os

import av
import numpy as np
import pytest
from media_files import numbered_frame, tone, write_clip

from contextguard.errors import MediaError
from contextguard.media import load_clip, probe_clip

SOUND = np.stack([tone(440, 2, 48_000)] * 2)


def refused(path, pattern: str) -> None:
    for read in (load_clip, probe_clip):
        with pytest.raises(MediaError, match=pattern) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/clip.mp4",
        "rtsp://camera/1",
        "concat:a.mp4|b.mp4",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
    ],
)
def test_urls_and_protocols(url):
    refused(url, "only local files")


def test_missing_directory_empty_and_pipe(tmp_path):
    refused(tmp_path / "no.mp4", "no such file")
    refused(tmp_path, "is a directory")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "is empty")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "not a regular file")


def test_text_renamed_to_video(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("these are my notes\n" * 50)
    refused(path, "not a readable video file")


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_playlists_that_name_other_files(tmp_path, name):
    write_clip(tmp_path / "clip.mp4")
    path = tmp_path / name
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{tmp_path / 'clip.mp4'}\n#EXT-X-ENDLIST\n"
    )
    refused(path, "playlist")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mp4", {"movflags": "faststart"}),
        ("clip.mp4", {}),
        ("clip.mov", {}),
        ("clip.mkv", {}),
        ("clip.webm", {}),
        ("clip.avi", {}),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_files_cut_short(tmp_path, name, options, share):
    path = write_clip(tmp_path / name, sound=SOUND, options=options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "cut short, .* bytes are there")
    path.write_bytes(whole)
    assert len(load_clip(path).frames) == 4


def test_fragmented_and_padded_files_are_whole(tmp_path):
    path = write_clip(
        tmp_path / "live.mp4", sound=SOUND, options={"movflags": "frag_keyframe+empty_moov"}
    )
    assert len(load_clip(path).frames) == 4
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert len(load_clip(path).frames) == 4


def test_sound_without_picture(tmp_path):
    path = write_clip(tmp_path / "sound.mp4", numbers=None, sound=SOUND)
    refused(path, "sound but no picture")


def test_cover_art_is_no_picture(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(numbered_frame(1)).reformat(format="yuvj420p")
        out.mux(cover.encode(frame))
        out.mux(cover.encode())
        sound = av.AudioFrame.from_ndarray(SOUND, format="fltp", layout="stereo")
        sound.sample_rate = 48_000
        out.mux(audio.encode(sound))
        out.mux(audio.encode())
    refused(path, "cover art")


def test_a_picture_of_which_nothing_decodes(tmp_path):
    path = write_clip(tmp_path / "clip.avi", numbers=range(96))
    data = bytearray(path.read_bytes())
    movi = data.index(b"movi")
    broken = bytearray(data)
    index = data.index(b"idx1")
    broken[movi + 12 : index] = bytes(index - movi - 12)
    path.write_bytes(broken)
    with pytest.raises(MediaError, match="can be decoded"):
        load_clip(path)


def test_damaged_sound_is_told(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", sound=SOUND)
    sizes: list[tuple[int, int]] = []
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.size:
                sizes.append((packet.pos, packet.size))
    data = bytearray(path.read_bytes())
    for position, size in sizes[20:30]:
        start = position + 8
        data[start : start + size - 8] = b"\xff" * (size - 8)
    path.write_bytes(data)
    clip = load_clip(path)
    assert len(clip.frames) == 4
    assert any("packets of the sound could not be decoded" in w for w in clip.warnings)


def test_frames_that_would_not_fit_in_memory(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.mp4")
    monkeypatch.setattr("contextguard.media.clip._MEMORY", 48 * 64 * 3 * 3)
    with pytest.raises(MediaError, match=r"memory.*sample fewer frames"):
        load_clip(path, fps=2)
    assert len(load_clip(path, fps=1).frames) == 2


def test_a_jump_in_the_time_stamps_does_not_fill_the_memory(tmp_path, monkeypatch):
    path = write_clip(
        tmp_path / "jump.ts", numbers=[1, 2], ticks=[0, 24 * 3600], codecs=("libx264", "")
    )
    monkeypatch.setattr("contextguard.media.clip._check_size", lambda *a: None)
    monkeypatch.setattr("contextguard.media.clip._MEMORY", 48 * 64 * 3 * 100)
    with pytest.raises(MediaError, match=r"jump\.ts: more than 100 frames"):
        load_clip(path)
