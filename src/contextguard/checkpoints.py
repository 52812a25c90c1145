"""Loading a checkpoint by name: thimble, a Hugging Face id, or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from safetensors import SafetensorError

from contextguard.errors import SettingError, UnsupportedModelError
from contextguard.thimble import WEIGHTS

THIMBLE = "thimble"
"""Name of the embedded model."""

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Data types by the name the command line uses."""

_WAY_OUT = (
    "give 'thimble', a folder with config, processor and safetensors files, or a Hugging Face id "
    "such as Qwen/Qwen2.5-Omni-3B while online or once it is in the cache"
)

_CLASSES = {
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen2_5_omni_thinker": "Qwen2_5OmniThinkerForConditionalGeneration",
}
"""``model_type`` of the config -> class that is loaded. Of the full Qwen2.5-Omni the thinker alone
is loaded: it reads the media and writes the text; the talker only speaks."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to answer.

    Attributes:
        name: the name it was asked for by.
        model: the thinker, in evaluation mode.
        processor: its processor.
        is_thimble: it is the embedded toy model, whose figures say nothing about real models.
    """

    name: str
    model: Any
    processor: Any
    is_thimble: bool

    @property
    def device(self) -> torch.device:
        """Where the inputs go."""
        device: torch.device = self.model.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Data type of the weights and of the features fed to the towers."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def sound_limit(self) -> float | None:
        """Seconds of sound the feature extractor takes before it cuts; None if it never does."""
        seconds = getattr(self.processor.feature_extractor, "chunk_length", None)
        return None if seconds is None else float(seconds)

    def frame_size(self, max_pixels: int | None = None) -> dict[str, int] | None:
        """The processor's ``size``, in pixels a frame; None leaves it the processor's own.

        Args:
            max_pixels: upper end of the range; at least one merged token.

        Raises:
            SettingError: ``max_pixels`` below one token.
        """
        video = self.processor.video_processor
        token = (video.patch_size * video.merge_size) ** 2
        fixed = getattr(self.model.config, "frame_pixels", None)
        if max_pixels is None:
            return None if fixed is None else {"shortest_edge": fixed, "longest_edge": fixed}
        if max_pixels < token:
            raise SettingError(
                f"max_pixels must be at least {token}, one token of this model, got {max_pixels}"
            )
        own = _video_defaults(self.processor).get("size") or dict(video.size)
        least = fixed if fixed is not None else own["shortest_edge"]
        return {"shortest_edge": min(least, max_pixels), "longest_edge": max_pixels}


def load_checkpoint(
    name: str, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
) -> Checkpoint:
    """Load model and processor; only safetensors weights are read.

    Args:
        name: "thimble", a Hugging Face id such as "Qwen/Qwen2.5-Omni-3B", or a folder.
        device: "cpu", "cuda", "cuda:1", ...; None spreads over the GPUs, or takes the CPU if
            there are none.
        dtype: None means bfloat16 on a GPU and float32 on the CPU.

    Raises:
        SettingError: a checkpoint that cannot be found or read, or lacks weights; an unknown device
            or dtype.
        UnsupportedModelError: a model type without a backbone.
    """
    where = _device(device)
    kind = _dtype(dtype, where)
    source = _source(name)
    config = _read(name, transformers.AutoConfig.from_pretrained, source)
    model_class = _CLASSES.get(config.model_type)
    if model_class is None:
        raise UnsupportedModelError(
            f"{name}: no backbone for model type {config.model_type!r}; "
            f"supported: {', '.join(sorted(_CLASSES))}"
        )
    processor = _read(name, transformers.AutoProcessor.from_pretrained, source)
    spread = {"device_map": "auto" if device is None else {"": where}}
    mapped = where.type == "cuda" and find_spec("accelerate") is not None
    model, info = _read(
        name,
        getattr(transformers, model_class).from_pretrained,
        source,
        dtype=kind,
        use_safetensors=True,
        output_loading_info=True,
        **(spread if mapped else {}),
    )
    missing = sorted(info["missing_keys"])
    if missing:
        raise SettingError(
            f"checkpoint {name!r} lacks {len(missing)} weights of {model_class}, the first is "
            f"{missing[0]!r}; get the complete checkpoint"
        )
    if not mapped:
        model.to(where)
    return Checkpoint(name, model.eval(), processor, is_thimble=name == THIMBLE)


def silence_libraries() -> None:
    """No progress bars and no log lines of transformers and the hub; errors still raise."""
    logging: Any = transformers.utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    hub: Any = huggingface_hub.utils
    hub.logging.set_verbosity_error()
    hub.disable_progress_bars()


def _video_defaults(processor: Any) -> dict[str, Any]:
    """The options the processor's class sets for videos; they win over the saved ones."""
    found = getattr(processor, "videos_kwargs", None)
    if found is None:
        defaults = getattr(processor.valid_processor_kwargs, "_defaults", {})
        found = defaults.get("videos_kwargs", {})
    return dict(found)


def _source(name: str) -> str:
    """What ``from_pretrained`` is given for ``name``; a name that can be neither is refused here.

    The hub is asked, for half a minute when offline, only about names that look like an id.
    """
    if name == THIMBLE:
        return str(WEIGHTS)
    folder = Path(name).expanduser()
    if folder.exists():
        if not (folder / "config.json").is_file():
            raise SettingError(
                f"checkpoint {name!r} holds no config.json; give the folder save_pretrained wrote"
            )
        return str(folder)
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise SettingError(f"checkpoint {name!r} is neither a folder nor a hub id; {_WAY_OUT}")
    return name


def _read(name: str, reader: Any, source: str, **options: Any) -> Any:
    """``reader(source)``, its failures told in one line with the way out."""
    try:
        return reader(source, **options)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        line = next((x.strip() for x in str(error).splitlines() if x.strip()), repr(error))
        raise SettingError(
            f"checkpoint {name!r} cannot be loaded: {line.rstrip('.')}; {_WAY_OUT}"
        ) from error


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
    except RuntimeError as error:
        raise SettingError(f"unknown device {device!r}; use cpu, cuda or cuda:N") from error
    if where.type == "cuda" and not torch.cuda.is_available():
        raise SettingError(f"device {str(device)!r}: torch sees no GPU here; use cpu")
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        raise SettingError(
            f"device {str(device)!r}: torch sees {torch.cuda.device_count()} GPUs, "
            f"cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        )
    return where


def _dtype(dtype: str | torch.dtype | None, where: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.bfloat16 if where.type == "cuda" else torch.float32
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in DTYPES:
        raise SettingError(f"unknown dtype {dtype!r}; dtypes: {', '.join(DTYPES)}")
    return DTYPES[dtype]
