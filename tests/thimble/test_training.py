"""Training: its fast forward is the stock forward, and a killed run ends where it would have."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import WhisperFeatureExtractor

from contextguard.asking import build_inputs
from contextguard.checkpoints import Checkpoint
from contextguard.media import Clip
from contextguard.thimble.architecture import build_model, build_processor
from contextguard.thimble.training.packing import build_prefix, pack, run_packed
from contextguard.thimble.training.state import fused_norms
from contextguard.thimble.training.towers import audio_features, log_mel, patches, video_features
from contextguard.world.questions import question
from contextguard.world.render import audio, frames
from contextguard.world.scenarios import draw_clip


@pytest.fixture(scope="module")
def model():
    return build_model(1).eval()


@pytest.fixture(scope="module")
def processor():
    return build_processor()


def stock_inputs(processor, model, spec, text):
    clip = Clip(
        frames=frames(spec),
        fps=2.0,
        audio=audio(spec),
        sampling_rate=16000,
        duration=spec.seconds,
        path=Path("clip.mp4"),
        source=None,
        frame_times=(),
    )
    return build_inputs(Checkpoint("thimble", model, processor, True), clip, text)


@pytest.mark.parametrize("seconds", [2, 5, 12])
def test_packed_fast_forward_equals_the_stock_forward(model, processor, seconds):
    spec = draw_clip("event", 0, seconds, seconds)
    asked = [question(spec, k) for k in ("v_first", "av_event", "a_sound")]
    with torch.no_grad(), fused_norms():
        video = video_features(model.model.visual, frames(spec)[None])
        sound = audio_features(model.model.audio_tower, audio(spec)[None])
        prefix = build_prefix(model, seconds, sound.shape[1])
        packed = pack([asked])
        hidden = run_packed(model, prefix, video, sound, packed)
        fast = model.lm_head(hidden[0, packed.answer_at[0]])
    for i, (text, _) in enumerate(asked):
        inputs = stock_inputs(processor, model, spec, text)
        assert torch.equal(inputs["input_ids"][0, : prefix.ids.numel()], prefix.ids)
        with torch.no_grad():
            stock = model(**inputs, use_audio_in_video=True).logits[0, -1]
        assert (stock - fast[i]).abs().max() < 1e-4


def test_patches_and_mel_equal_the_processor(model, processor):
    spec = draw_clip("split", 0, 0, 3)
    inputs = stock_inputs(processor, model, spec, "which digit is shown first ?")
    rows = patches(frames(spec)[None]).flatten(0, 1)
    assert (rows - inputs["pixel_values_videos"]).abs().max() < 1e-5
    extractor = WhisperFeatureExtractor(feature_size=128, chunk_length=30)
    stock = extractor(audio(spec), sampling_rate=16000, return_tensors="pt").input_features
    mel = log_mel(torch.from_numpy(audio(spec)[None]))
    assert (mel - stock[..., : mel.shape[-1]]).abs().max() < 1e-4


def test_norms_are_restored(model):
    norm = model.model.language_model.norm
    x = torch.randn(3, 128)
    before = type(norm).forward
    with fused_norms():
        assert type(norm).forward is not before
        fused = norm(x)
    assert type(norm).forward is before
    assert torch.allclose(norm(x), fused, atol=1e-6)


def command(folder, *extra):
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "contextguard.thimble.training", "-o", str(folder),
        "--scale", "0.006", "--save-every", "1", *extra,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole), check=True, capture_output=True, timeout=600)
    kills = 0
    for pause in (0.5, 4.0):
        process = subprocess.Popen(
            command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seen = killed / "checkpoint.safetensors"
        stamp = seen.stat().st_mtime if seen.exists() else 0.0
        while process.poll() is None and not (seen.exists() and seen.stat().st_mtime > stamp):
            time.sleep(0.05)
        time.sleep(pause)
        if process.poll() is None:
            subprocess.run(["pkill", "-9", "-f", str(killed)], check=False)
            kills += 1
        process.wait()
    assert kills >= 1
    subprocess.run(command(killed), check=True, capture_output=True, timeout=600)
    a, b = (load_file(d / "export" / "model.safetensors") for d in (whole, killed))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_another_seed_in_the_same_folder_is_refused(tmp_path):
    base = [sys.executable, "-m", "contextguard.thimble.training", "-o", str(tmp_path)]
    short = ["--scale", "0.001"]
    subprocess.run([*base, *short], check=True, capture_output=True, timeout=300)
    run = subprocess.run(
        [*base, *short, "--seed", "5"], capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode != 0
    assert "'seed': 5" in run.stderr
    assert "Traceback" not in run.stderr
