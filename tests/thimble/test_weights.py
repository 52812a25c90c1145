"""The shipped weights: load offline, answer the world's questions, also when pruned."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from contextguard import ContextGuard, Full
from contextguard.asking import ask_clip
from contextguard.checkpoints import load_checkpoint
from contextguard.thimble import WEIGHTS
from contextguard.thimble.architecture import TOKEN_IDS, build_config
from contextguard.thimble.evaluate import answers, evaluate, through_file, wilson
from contextguard.world.clip import ambient
from contextguard.world.questions import QUESTION_TYPES, question

BARRED = ("a_sound", "a_digit", "v_first", "v_last", "v_scene", "v_detail")
"""Types that must reach 0.95."""


@pytest.fixture(scope="module")
def checkpoint():
    torch.set_num_threads(1)
    return load_checkpoint("thimble", "cpu")


@pytest.fixture(scope="module")
def clip():
    rng = np.random.default_rng([99_000, 1])
    spec = ambient(rng, 6)
    return spec, through_file(spec, rng)


def test_loads_with_stock_classes_and_without_the_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(WEIGHTS)
    processor = AutoProcessor.from_pretrained(WEIGHTS)
    assert sum(p.numel() for p in model.parameters()) < 2_400_000
    assert processor.tokenizer.get_vocab() == TOKEN_IDS
    assert model.config.text_config.to_dict() == build_config().text_config.to_dict() | {
        "dtype": "float32"
    }
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) < 11e6


def test_reads_and_writes_its_words(checkpoint):
    tokenizer = checkpoint.processor.tokenizer
    ids = tokenizer("What colour is the Bell?").input_ids
    assert tokenizer.decode(ids) == "what color is the bell ?"


@pytest.mark.parametrize("method", [Full(), ContextGuard()], ids=lambda m: m.name)
def test_one_prefill_answers_like_separate_calls(checkpoint, clip, method):
    spec, decoded = clip
    asked = [question(spec, k)[0] for k in QUESTION_TYPES]
    together = answers(checkpoint, decoded, asked, method)
    for text, word in list(zip(asked, together, strict=True))[::4]:
        assert ask_clip(checkpoint, decoded, text, method, max_new_tokens=1).answer == word


def test_answers_stop_after_one_word(checkpoint, clip):
    spec, decoded = clip
    text, truth = question(spec, "a_sound")
    assert ask_clip(checkpoint, decoded, text, Full()).answer == truth


def test_some_fresh_clips_through_files(checkpoint):
    hits = evaluate(checkpoint, 6, 500, (2, 5, 8), Full())
    assert np.mean([hit for kind in BARRED for hit in hits[kind]]) > 0.85


@pytest.mark.slow
def test_bars_on_fresh_clips_through_files(checkpoint):
    hits = evaluate(checkpoint, 80, 700, (2, 4, 5, 6, 8, 10, 12), Full())
    shares = {k: (sum(v), len(v)) for k, v in hits.items()}
    print(json.dumps({k: h / n for k, (h, n) in shares.items()}))
    for kind in BARRED:
        assert wilson(*shares[kind])[1] > 0.95, (kind, shares[kind])
        assert shares[kind][0] / shares[kind][1] >= 0.92, (kind, shares[kind])


def test_wilson_interval_against_a_published_table():
    # Newcombe 1998, Table I, method 3 (Wilson score without continuity correction).
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
