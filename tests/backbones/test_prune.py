"""What a pruned model computes: the unpatched model's bits, or a by-hand gather's numbers."""

from __future__ import annotations

from typing import Any

import by_hand
import pytest
import tiny
import torch
from planners import Blend, KeepAll, MergePairs, MixAudio, RandomKeep
from transformers import DynamicCache

from contextguard import ContextGuard, Full, prune

NEW = 8
A = [("text", 5), ("av", 6, 4, 4, 600), ("text", 7)]
B = [("text", 9), ("av", 4, 3, 5, 400), ("text", 12)]
TWO = [("text", 4), ("av", 6, 4, 4, 560), ("text", 3), ("av", 3, 2, 4, 333), ("text", 5)]
SILENT = [("text", 4), ("v", 5, 4, 4), ("text", 6)]
LONG_SOUND = [("text", 4), ("av", 3, 3, 3, 900), ("text", 6)]
SHORT_SOUND = [("text", 4), ("av", 7, 3, 3, 250), ("text", 6)]
IMAGE = [("text", 3), ("i", 4, 4), ("text", 2), ("av", 4, 3, 4, 400), ("text", 5)]
SOUND_BESIDE = [("text", 3), ("a", 300), ("text", 2), ("av", 4, 3, 4, 400), ("text", 5)]

BATCHES = {
    "one": [A],
    "padded 2": [A, B],
    "padded 3": [A, TWO, B],
    "silent": [SILENT],
    "silent padded": [SILENT, [("text", 3), ("v", 3, 4, 4), ("v", 2, 3, 3), ("text", 4)]],
    "two videos": [TWO],
    "image": [[("text", 3), ("i", 4, 4), ("text", 5)]],
    "image and video": [IMAGE],
    "audio": [[("text", 3), ("a", 300), ("text", 5)]],
    "audio and video": [SOUND_BESIDE],
    "sound longer": [LONG_SOUND],
}
SINGLES = {
    "one": A,
    "two videos": TWO,
    "silent": SILENT,
    "image": IMAGE,
    "audio beside": SOUND_BESIDE,
    "sound longer": LONG_SOUND,
    "sound shorter": SHORT_SOUND,
}


def generate(model: Any, x: dict[str, Any], **kwargs: Any) -> torch.Tensor:
    kwargs = {"do_sample": False, "max_new_tokens": NEW, **kwargs}
    return model.generate(**x, **kwargs)[:, x["input_ids"].shape[1] :]


@pytest.mark.parametrize(
    "method",
    [Full(), KeepAll(), ContextGuard(rho_sem=1, tau_merge=1)],
    ids=["full", "own", "contextguard"],
)
@pytest.mark.parametrize("name", BATCHES)
def test_keeping_all_is_bit_identical(either: Any, name: str, method: Any) -> None:
    x = tiny.batch(BATCHES[name])
    logits, tokens = either(**x).logits, generate(either, x)
    with prune(either, method):
        assert torch.equal(either(**x).logits, logits)
        assert torch.equal(generate(either, x), tokens)


@pytest.mark.parametrize(
    "method",
    [
        RandomKeep(),
        RandomKeep(0.3, 0.5),
        MergePairs(),
        MixAudio(),
        Blend(),
        ContextGuard(tau_merge=0.2),
    ],
    ids=["half", "and audio", "merge", "mix audio", "blend", "contextguard"],
)
@pytest.mark.parametrize("name", SINGLES)
def test_any_plan_equals_a_gather_by_hand(either: Any, name: str, method: Any) -> None:
    x = tiny.batch([SINGLES[name]])
    with prune(either, method) as run:
        logits = either(**x).logits
        tokens = generate(either, x)
    expected, expected_tokens = by_hand.run(either, x, run.plans[0], NEW)
    assert logits.shape == expected.shape
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert tokens[0].tolist() == expected_tokens


def test_the_callers_embeddings_are_not_written(model: Any) -> None:
    x, shown = tiny.batch([A]), []
    hook = model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: shown.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    try:
        for method in (Blend(), MergePairs()):
            with prune(model, method):
                model(**x)
    finally:
        hook.remove()
    for embeds in shown:
        assert torch.equal(embeds, tiny.embeddings(model, x))


def test_the_by_hand_comparison_can_fail(model: Any) -> None:
    x = tiny.batch([A])
    with prune(model, RandomKeep()) as run:
        generate(model, x)
    pruned, _ = by_hand.run(model, x, run.plans[0], 0)
    whole = model(**x).logits
    assert (pruned[0, -1] - whole[0, -1]).abs().max() > 1e-2


@pytest.mark.parametrize("kwargs", [{}, {"num_beams": 3, "num_return_sequences": 2}])
@pytest.mark.parametrize("method", [RandomKeep(0.4, 0.8), MergePairs()], ids=["random", "merge"])
def test_padded_batch_equals_single_runs(either: Any, method: Any, kwargs: Any) -> None:
    x = tiny.batch([A, TWO, B])
    with prune(either, method):
        logits, tokens = either(**x).logits, generate(either, x, **kwargs)
        each = len(tokens) // 3
        kept = []
        for row, one in enumerate(tiny.split(x)):
            alone = either(**one).logits
            kept.append(alone.shape[1])
            torch.testing.assert_close(logits[row, -alone.shape[1] :], alone[0], rtol=0, atol=5e-5)
            assert torch.equal(
                tokens[each * row : each * (row + 1)], generate(either, one, **kwargs)
            )
    assert len(set(kept)) == 3


def equal_lengths() -> dict[str, Any]:
    """Two prompts of one length, so that only pruning makes padding."""
    gap = tiny.batch([A])["input_ids"].shape[1] - tiny.batch([B])["input_ids"].shape[1]
    x = tiny.batch([A, [("text", 9 + gap), *B[1:]]])
    assert x["attention_mask"].all()
    return x


def test_padding_made_by_pruning_is_masked_while_decoding(either: Any) -> None:
    x = equal_lengths()
    with prune(either, RandomKeep()):
        tokens = generate(either, x)
        out = either(**x, use_cache=True)
        manual = []
        for _ in range(NEW):
            manual.append(out.logits[:, -1, :300].argmax(-1, keepdim=True))
            out = either(input_ids=manual[-1], past_key_values=out.past_key_values)
        for row, one in enumerate(tiny.split(x)):
            assert torch.equal(tokens[row], generate(either, one)[0])
    assert torch.equal(torch.cat(manual, 1), tokens)


def test_right_padded_forward_equals_left_padded(either: Any) -> None:
    left, right = (tiny.batch([A, TWO, B], side=side) for side in ("left", "right"))
    with prune(either, RandomKeep()) as run:
        a, b = either(**left).logits, either(**right).logits
    for row, plans in enumerate(run.plans):
        removed = sum(p.video.length - p.video.kept for p in plans)
        n = int(left["attention_mask"][row].sum()) - removed
        torch.testing.assert_close(a[row, -n:], b[row, :n], rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("samples", "kwargs"),
    [
        ([A], {"use_cache": False}),
        ([A, B], {"use_cache": False}),
        ([A], {"cache_implementation": "static"}),
        ([A, B], {"cache_implementation": "static"}),
        ([A], {"prompt_lookup_num_tokens": 3}),
    ],
)
def test_other_ways_to_decode_give_the_same_tokens(model: Any, samples: Any, kwargs: Any) -> None:
    x = tiny.batch(samples)
    with prune(model, RandomKeep()):
        assert torch.equal(generate(model, x, **kwargs)[:, :NEW], generate(model, x))


def test_sampling_with_one_token_left_is_greedy(model: Any) -> None:
    x = tiny.batch([A, B])
    with prune(model, MergePairs()):
        sampled = generate(model, x, do_sample=True, top_k=1, num_return_sequences=2)
        assert torch.equal(sampled, generate(model, x).repeat_interleave(2, dim=0))


@pytest.mark.parametrize("method", [KeepAll(), RandomKeep(0.5, 0.5), MergePairs()])
@pytest.mark.parametrize("samples", [[A], [A, TWO, B]], ids=["one", "padded"])
def test_second_turn_on_the_returned_cache_equals_one_shot(
    either: Any, samples: Any, method: Any
) -> None:
    x = tiny.batch(samples)
    with prune(either, method):
        first = either.generate(
            **x, max_new_tokens=5, do_sample=False, return_dict_in_generate=True
        )
        asked = torch.randint(10, 300, (len(samples), 6))
        ids = torch.cat([first.sequences, asked], 1)
        new = ids.shape[1] - x["input_ids"].shape[1]
        mask = torch.cat([x["attention_mask"], torch.ones(len(samples), new, dtype=torch.long)], 1)
        cache = first.past_key_values
        assert cache.get_seq_length() == first.sequences.shape[1] - 1
        again = {"input_ids": ids, "attention_mask": mask}
        second = generate(either, again, past_key_values=cache)
        assert torch.equal(second, generate(either, {**x, **again}))


def test_the_cache_holds_only_what_is_kept(model: Any) -> None:
    x = tiny.batch([A])
    cache = DynamicCache(config=model.config.text_config)
    with prune(model, RandomKeep(0.5, 0.5)) as run:
        model(**x, past_key_values=cache)
    plan = run.plans[0][0]
    removed = plan.video.length - plan.video.kept + plan.audio.length - plan.audio.kept
    assert removed == 48 + 75
    assert cache.layers[0].keys.shape[2] == x["input_ids"].shape[1] - removed
    assert cache.get_seq_length() == x["input_ids"].shape[1]


def test_a_pruned_cache_can_be_reset_cropped_and_used_again(model: Any) -> None:
    x = tiny.batch([A])
    cache = DynamicCache(config=model.config.text_config)
    with prune(model, RandomKeep()):
        alone = generate(model, x)
        model(**x, past_key_values=cache)
        length = cache.get_seq_length()
        model(input_ids=torch.tensor([[11, 12, 13]]), past_key_values=cache)
        cache.crop(-2)
        assert cache.get_seq_length() == length + 1
    cache.reset()
    assert cache.get_seq_length() == 0
    with prune(model, RandomKeep()):
        fresh = DynamicCache(config=model.config.text_config)
        assert torch.equal(generate(model, x, past_key_values=fresh), alone)


def test_gradient_reaches_the_kept_video_tokens_only(model: Any) -> None:
    x = tiny.batch([A])
    with torch.enable_grad():
        embeds = tiny.embeddings(model, x).detach().requires_grad_()
        handle = model.model.language_model.register_forward_pre_hook(
            lambda module, args, kwargs: (args, {**kwargs, "inputs_embeds": embeds}),
            with_kwargs=True,
        )
        try:
            with prune(model, MergePairs()) as run:
                model(**x, use_cache=False).logits[0, -1].logsumexp(0).backward()
        finally:
            handle.remove()
    reached = embeds.grad[0].abs().sum(-1) > 0
    video = (x["input_ids"][0] == tiny.VIDEO).nonzero().flatten()
    used = torch.zeros(video.numel(), dtype=torch.bool)
    used[run.plans[0][0].video.sources] = True
    assert torch.equal(reached[video], used)
    assert reached.sum() == x["input_ids"].shape[1] - int((~used).sum())
