"""thimble: the embedded model, Qwen2.5-Omni's own classes at toy size, trained on the world.

It makes every command run offline through the code real checkpoints use. It measures the
mechanics of pruning and says nothing about the accuracy of Qwen2.5-Omni.
"""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped checkpoint, readable by ``from_pretrained``."""
