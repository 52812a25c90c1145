"""Finding, reading and refusing checkpoints; nothing here asks the network."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from contextguard.checkpoints import load_checkpoint
from contextguard.errors import SettingError, UnsupportedModelError
from contextguard.thimble import WEIGHTS


@pytest.fixture
def folder(tmp_path):
    """A copy of thimble to break."""
    return shutil.copytree(WEIGHTS, tmp_path / "copy")


def test_thimble_by_name_and_by_folder(thimble, folder):
    assert thimble.is_thimble
    assert thimble.dtype == torch.float32
    assert not thimble.model.training
    again = load_checkpoint(str(folder), "cpu")
    assert not again.is_thimble
    assert again.frame_size() == {"shortest_edge": 196 * 196, "longest_edge": 196 * 196}
    assert _same(again.model, thimble.model)


def test_of_the_full_model_the_thinker_is_loaded(thimble, folder, tmp_path):
    from transformers import Qwen2_5OmniForConditionalGeneration
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniConfig

    config = Qwen2_5OmniConfig(
        thinker_config=thimble.model.config.to_dict(), enable_audio_output=False
    )
    full = Qwen2_5OmniForConditionalGeneration(config)
    full.thinker.load_state_dict(thimble.model.state_dict())
    whole = tmp_path / "whole"
    full.save_pretrained(whole)
    thimble.processor.save_pretrained(whole)
    weights = load_file(whole / "model.safetensors")
    assert all(key.startswith("thinker.") for key in weights)
    weights["talker.model.norm.weight"] = torch.ones(3)
    save_file(weights, whole / "model.safetensors", metadata={"format": "pt"})
    loaded = load_checkpoint(str(whole), "cpu")
    assert type(loaded.model).__name__ == "Qwen2_5OmniThinkerForConditionalGeneration"
    assert _same(loaded.model, thimble.model)


def _same(model, other) -> bool:
    left, right = model.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_dtype_by_name(folder):
    assert load_checkpoint(str(folder), "cpu", "bfloat16").dtype == torch.bfloat16


def test_unknown_hub_ids_say_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SettingError, match=r"'nobody/nothing' cannot be loaded: .*give 'thimble'"):
        load_checkpoint("nobody/nothing", "cpu")


@pytest.mark.parametrize("name", ["thimbel", "./no/such", "/no/such/folder"])
def test_names_that_are_neither_folder_nor_id(name):
    with pytest.raises(SettingError, match="neither a folder nor a hub id"):
        load_checkpoint(name, "cpu")


def test_a_folder_without_config(tmp_path):
    for name in (str(tmp_path), ""):
        with pytest.raises(SettingError, match=r"holds no config\.json"):
            load_checkpoint(name, "cpu")


def test_other_models_are_refused_with_the_list(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UnsupportedModelError, match="'bert'; supported: qwen2_5_omni"):
        load_checkpoint(str(tmp_path), "cpu")


def test_pickled_weights_are_not_read(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(SettingError, match=r"model\.safetensors"):
        load_checkpoint(str(folder), "cpu")


def test_incomplete_and_damaged_weights(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    removed = next(k for k in weights if k.endswith("layers.3.mlp.up_proj.weight"))
    del weights[removed]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(SettingError, match=r"lacks 1 weights.*layers\.3\.mlp\.up_proj"):
        load_checkpoint(str(folder), "cpu")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SettingError, match="cannot be loaded"):
        load_checkpoint(str(folder), "cpu")


def test_pixel_range_of_a_real_checkpoint(thimble):
    from types import SimpleNamespace

    from contextguard.checkpoints import Checkpoint

    real = Checkpoint("real", SimpleNamespace(config=object()), thimble.processor, False)
    assert real.frame_size() is None
    # Qwen2.5-Omni's processor: 128 to 768 tokens of 28x28 pixels
    assert real.frame_size(300 * 784) == {"shortest_edge": 128 * 784, "longest_edge": 300 * 784}
    assert real.frame_size(50 * 784) == {"shortest_edge": 50 * 784, "longest_edge": 50 * 784}
    with pytest.raises(SettingError, match="at least 784"):
        real.frame_size(783)
