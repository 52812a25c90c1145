"""The block itself: what it reports, what it leaves behind, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from typing import Any

import pytest
import tiny
import torch
import transformers
from planners import KeepAll, MergePairs, RandomKeep
from torch import nn
from transformers import DynamicCache

import contextguard.backbones.prune as prune_module
from contextguard import ContextGuard, prune
from contextguard.backbones import BACKBONES
from contextguard.errors import CallError, PlanError, SettingError, UnsupportedModelError
from contextguard.features import ClipFeatures
from contextguard.plan import PrunePlan

A = [("text", 5), ("av", 6, 4, 4, 600), ("text", 7)]
LONG_SOUND = [("text", 9), ("av", 3, 3, 5, 500), ("text", 2), ("i", 2, 3), ("text", 12)]
SILENT = [("text", 4), ("v", 5, 4, 4), ("text", 6)]


def hooks_and_attributes(model: nn.Module) -> dict[str, Any]:
    return {
        name: (
            type(module),
            sorted(set(module.__dict__) - {"rope_deltas"}),
            [len(value) for key, value in sorted(module.__dict__.items()) if "_hooks" in key],
        )
        for name, module in model.named_modules()
    }


def test_the_model_is_as_before_when_the_block_ends(model: Any) -> None:
    x = tiny.batch([A])
    before, logits = hooks_and_attributes(model), model(**x).logits
    with prune(model, RandomKeep()):
        model.generate(**x, max_new_tokens=2)
        assert hooks_and_attributes(model) != before
    assert hooks_and_attributes(model) == before
    assert torch.equal(model(**x).logits, logits)


def test_the_model_is_as_before_after_an_error_inside(model: Any) -> None:
    class Broken:
        def plan(self, clip: ClipFeatures) -> PrunePlan:
            raise RuntimeError("no plan")

    x = tiny.batch([A])
    before, logits = hooks_and_attributes(model), model(**x).logits
    with pytest.raises(RuntimeError, match="no plan"), prune(model, Broken()):
        model.generate(**x, max_new_tokens=2)
    assert hooks_and_attributes(model) == before
    assert torch.equal(model(**x).logits, logits)
    with prune(model, RandomKeep()) as run:
        assert model(**x).logits.shape[1] == logits.shape[1] - 48
    assert run.report.prefills == 1


def test_a_block_goes_on_after_a_refused_call(model: Any) -> None:
    good, bad = tiny.batch([A]), tiny.batch([A])
    del bad["use_audio_in_video"]
    with prune(model, RandomKeep()):
        expected = model.generate(**good, max_new_tokens=3, do_sample=False)
        with pytest.raises(CallError):
            model.generate(**bad, max_new_tokens=3)
        assert torch.equal(model.generate(**good, max_new_tokens=3, do_sample=False), expected)


def test_towers_run_once_a_call(model: Any) -> None:
    calls = {"visual": 0, "audio_tower": 0}

    def count(name: str) -> Any:
        return lambda *_: calls.__setitem__(name, calls[name] + 1)

    handles = [getattr(model.model, name).register_forward_hook(count(name)) for name in calls]
    try:
        with prune(model, RandomKeep()) as run:
            model.generate(**tiny.batch([A, A]), max_new_tokens=4)
    finally:
        for handle in handles:
            handle.remove()
    assert calls == {"visual": 1, "audio_tower": 1}
    assert run.report.tower_calls == calls


def test_report_counts_tokens(model: Any) -> None:
    x = tiny.batch([A, LONG_SOUND])
    with prune(model, RandomKeep(0.5, 0.5)) as run:
        assert run.plans == []
        model(**x)
        assert [[p.method for p in row] for row in run.plans] == [["random"], ["random"]]
        report = run.report.to_dict()
        seconds = report.pop("seconds")
        # 125 audio tokens, 100 of them in the two chunks of the second clip's picture.
        assert [p.unpaired_audio for row in run.plans for p in row] == [0, 25]
        assert report == {
            "prefills": 1,
            "video": 96 + 45,
            "video_kept": 48 + 22,
            "audio": 150 + 125,
            "audio_kept": 75 + 50 + 25,
            "image": 6,
            "text": int(x["attention_mask"].sum()) - 96 - 45 - 150 - 125 - 6,
            "tower_calls": {"visual": 2, "audio_tower": 1},
            "warnings": ["drawn at random"],
            "compression": (48 + 23 + 75 + 50) / (96 + 45 + 150 + 125),
        }
        assert set(seconds) == {"encode", "plan", "prefill"}
        assert all(value > 0 for value in seconds.values())
        json.dumps(run.report.to_dict())
        model(**x)
        assert run.report.prefills == 2
        assert run.report.video == 2 * (96 + 45)
        run.reset()
        assert run.report.to_dict()["video"] == 0
        assert run.plans == []
    assert "0 -> 0" in repr(run)


def test_a_batch_is_planned_once_a_sample(model: Any) -> None:
    class ByNorm:
        planned = 0

        def plan(self, clip: ClipFeatures) -> PrunePlan:
            self.planned += 1
            return ContextGuard(guide="visual").plan(clip)

    x, method = tiny.batch([A, A]), ByNorm()
    x["input_ids"][1] = x["input_ids"][0]
    with prune(model, method) as run:
        model.generate(**x, max_new_tokens=2, num_beams=3)
        assert method.planned == 2
        assert len(run.plans) == 6
        assert run.plans[0] is run.plans[2]
        assert run.plans[3] is run.plans[5]
        assert not torch.equal(run.plans[0][0].video.position, run.plans[3][0].video.position)


def test_text_alone_passes_untouched(model: Any) -> None:
    x = tiny.batch([[("text", 9)], [("text", 5)]])
    expected = model.generate(**x, max_new_tokens=4, do_sample=False)
    with prune(model, RandomKeep()) as run:
        assert torch.equal(model.generate(**x, max_new_tokens=4, do_sample=False), expected)
    assert run.plans == []
    assert run.report.prefills == 0


def refused(model: Any, x: dict[str, Any], match: str, **kwargs: Any) -> None:
    with prune(model, RandomKeep()), pytest.raises(CallError, match=match):
        model(**x, **kwargs)
    with prune(model, RandomKeep()), pytest.raises(CallError, match=match):
        model.generate(**x, **kwargs, max_new_tokens=2)


@pytest.mark.parametrize("flag", [{}, {"use_audio_in_video": False}])
def test_forgotten_use_audio_in_video(model: Any, flag: Any) -> None:
    x = tiny.batch([A])
    del x["use_audio_in_video"]
    refused(model, x, r"Pass use_audio_in_video=True", **flag)


def test_silent_video_in_a_sounding_batch(model: Any) -> None:
    refused(model, tiny.batch([A, SILENT]), "1 videos with interleaved audio and 1 without")


def test_use_audio_in_video_without_any(model: Any) -> None:
    refused(model, tiny.batch([SILENT]), "use_audio_in_video=False", use_audio_in_video=True)


def test_forward_without_attention_mask_has_no_grid_positions(model: Any) -> None:
    x = tiny.batch([A])
    del x["attention_mask"]
    with prune(model, RandomKeep()), pytest.raises(CallError, match="pass attention_mask"):
        model(**x)


def test_a_new_video_on_a_filled_cache(model: Any) -> None:
    x = tiny.batch([SILENT])
    with prune(model, RandomKeep()):
        out = model.generate(**x, max_new_tokens=2, return_dict_in_generate=True)
        again = {**x, "input_ids": torch.cat([out.sequences, x["input_ids"]], 1)}
        again["attention_mask"] = torch.ones_like(again["input_ids"])
        with pytest.raises(CallError, match="empty cache"):
            model.generate(**again, past_key_values=out.past_key_values, max_new_tokens=2)


def test_chunked_prefill(model: Any) -> None:
    with prune(model, RandomKeep()), pytest.raises(CallError, match="prefill_chunk_size=None"):
        model.generate(**tiny.batch([SILENT]), prefill_chunk_size=32, max_new_tokens=2)


def test_another_seconds_per_chunk_than_the_processors() -> None:
    model = tiny.thinker()
    model.config.seconds_per_chunk = 1
    refused(model, tiny.batch([A]), "placeholders 32V 50A 32V 50A 32V 50A, .*seconds_per_chunk")


def test_inputs_embeds_without_ids(model: Any) -> None:
    x = tiny.batch([A])
    ids = x.pop("input_ids")
    embeds = model.get_input_embeddings()(ids)
    with prune(model, RandomKeep()) as run:
        with pytest.raises(CallError, match="needs input_ids"):
            model(**x, inputs_embeds=embeds)
        model(inputs_embeds=embeds[:, :5])
    assert run.report.warnings == [
        "a call gave inputs_embeds without input_ids: nothing of it was pruned"
    ]


def test_labels_fit_only_when_nothing_is_removed(model: Any) -> None:
    x = tiny.batch([A])
    expected = model(**x, labels=x["input_ids"]).loss
    with prune(model, KeepAll()):
        assert torch.equal(model(**x, labels=x["input_ids"]).loss, expected)
    with prune(model, RandomKeep()), pytest.raises(CallError, match="labels"):
        model(**x, labels=x["input_ids"])


def test_custom_4d_mask(model: Any) -> None:
    x = tiny.batch([A])
    n = x["input_ids"].shape[1]
    positions = tiny.positions(model, x)
    x["attention_mask"] = torch.ones(n, n).tril().bool()[None, None]
    with prune(model, RandomKeep()), pytest.raises(CallError, match="2-D mask"):
        model(**x, position_ids=positions)


def test_mask_of_the_wrong_length_on_a_pruned_cache(model: Any) -> None:
    x = tiny.batch([A])
    with prune(model, RandomKeep()):
        cache = model(**x).past_key_values
        held = cache.layers[0].keys.shape[2]
        n = x["input_ids"].shape[1]
        with pytest.raises(CallError, match=f"{held + 1} columns.* give {n + 1}"):
            model.model(
                input_ids=torch.tensor([[11]]),
                past_key_values=cache,
                attention_mask=torch.ones(1, held + 1),
                position_ids=torch.full((3, 1, 1), 400),
            )


def test_padded_cache_outside_its_block(model: Any) -> None:
    x = tiny.batch([A, LONG_SOUND])
    with prune(model, RandomKeep()):
        cache = model(**x).past_key_values
        model(input_ids=torch.tensor([[11], [12]]), past_key_values=cache)
    with pytest.raises(CallError, match="outside the block"):
        model(input_ids=torch.tensor([[11], [12]]), past_key_values=cache)


def test_cropping_into_the_pruned_prompt(model: Any) -> None:
    cache = DynamicCache(config=model.config.text_config)
    with prune(model, RandomKeep()):
        model(**tiny.batch([A]), past_key_values=cache)
        with pytest.raises(CallError, match="cannot crop"):
            cache.crop(-1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda plan: None, "NoneType"),
        (lambda plan: PrunePlan(**{**vars(plan), "layer": 2}), "layer 2"),
        (lambda plan: PrunePlan(**{**vars(plan), "grid": (2, 8)}), r"another clip.*\(2, 8\)"),
    ],
)
def test_plans_that_do_not_fit(model: Any, change: Any, match: str) -> None:
    class Odd:
        def plan(self, clip: ClipFeatures) -> PrunePlan:
            plan = PrunePlan.keep_all(clip, method="odd")
            return change(plan)

    with prune(model, Odd()), pytest.raises(PlanError, match=match):
        model(**tiny.batch([A]))


def test_unsupported_classes() -> None:
    with pytest.raises(UnsupportedModelError, match=f"Linear.*{next(iter(BACKBONES))}"):
        prune(nn.Linear(1, 1), KeepAll()).__enter__()
    speech = type("Qwen2_5OmniForConditionalGeneration", (nn.Module,), {})()
    with pytest.raises(UnsupportedModelError, match=r"pass model\.thinker"):
        prune(speech, KeepAll()).__enter__()


def test_a_subclass_of_a_supported_class(model: Any) -> None:
    own = tiny.thinker()
    own.__class__ = type("MyThinker", (type(own),), {})
    with prune(own, RandomKeep()) as run:
        own(**tiny.batch([A]))
    assert run.report.video_kept == 48


@pytest.mark.parametrize("method", [MergePairs, object()])
def test_something_that_cannot_plan(model: Any, method: Any) -> None:
    with pytest.raises(SettingError, match="plan"):
        prune(model, method).__enter__()


def test_two_blocks_on_one_model(model: Any) -> None:
    with prune(model, KeepAll()):
        with pytest.raises(CallError, match="already"):
            prune(model, KeepAll()).__enter__()
        with prune(tiny.thinker(), KeepAll()):
            pass
    with prune(model, KeepAll()):
        pass


def test_a_newer_transformers_warns_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers, "__version__", "5.99.0")
    monkeypatch.setattr(prune_module, "_WARNED", set())
    found = pytest.warns(UserWarning, match=r"transformers 5\.99\.0 is newer")
    with found as caught, prune(model, KeepAll()):
        model(**tiny.batch([A]))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with prune(model, KeepAll()):
            pass


def test_importing_the_backbones_imports_no_transformers() -> None:
    code = "import contextguard.backbones, contextguard.backbones.prune as p, sys; " + (
        "print('transformers' in sys.modules, any('methods' in m for m in sys.modules "
        "if m.startswith('contextguard')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
