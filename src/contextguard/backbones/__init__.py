"""One file a model family. :func:`backbone_for` finds the one that fits a model.

Importing this package imports neither transformers nor any family.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from contextguard.errors import UnsupportedModelError

if TYPE_CHECKING:
    from torch import nn

    from contextguard.backbones.base import Backbone

TESTED_TRANSFORMERS = "5.23.0"
"""The newest transformers release the tests ran on; a newer one works with a warning."""

BACKBONES = {
    "Qwen2_5OmniThinkerForConditionalGeneration": ("qwen2_5_omni", "Qwen25Omni"),
}
"""Model class name -> (module of this package, class in it)."""

_WAY_OUT = {
    "Qwen2_5OmniForConditionalGeneration": (
        "its speech head reads the hidden states of every original token; pass model.thinker, "
        "and generate text with it or with generation_mode='text'"
    ),
    "Qwen2_5OmniThinkerModel": "pass the Qwen2_5OmniThinkerForConditionalGeneration that holds it",
}


def backbone_for(model: nn.Module) -> Backbone:
    """The backbone of ``model``, found by the names of its class and its base classes.

    Raises:
        UnsupportedModelError: no backbone is registered for the class; lists those that are.
    """
    names = [cls.__name__ for cls in type(model).__mro__]
    for name in names:
        if name in BACKBONES:
            module, backbone = BACKBONES[name]
            found: Backbone = getattr(import_module(f"{__name__}.{module}"), backbone)()
            return found
    hint = next((f"; {_WAY_OUT[name]}" for name in names if name in _WAY_OUT), "")
    raise UnsupportedModelError(
        f"no backbone for {names[0]}{hint}; supported classes: {', '.join(sorted(BACKBONES))}"
    )
