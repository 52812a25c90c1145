"""What pruning saves in the decoder: prefill of a full and of a pruned sequence.

Two layers of the text decoder of Qwen2.5-Omni 3B at real width with random weights: the time of
a layer does not depend on what its weights say. Two chunks of 512 video and 50 audio tokens.
"""

from __future__ import annotations

import torch
from rich.table import Table
from torch import Tensor
from transformers import Qwen2_5OmniTextConfig, Qwen2_5OmniThinkerTextModel

from benchmarks.timing import medians_ms, wide_console
from contextguard.features import ClipFeatures
from contextguard.methods.contextguard import ContextGuard

CHUNKS, PATCHES, GRID, AUDIO, WIDTH = 2, 2, 16, 50, 2048
REPEATS = 3


def decoder() -> Qwen2_5OmniThinkerTextModel:
    """Two decoder layers of the 3B model: width 2048, feed-forward 11008, 16 and 2 heads."""
    torch.manual_seed(0)
    config = Qwen2_5OmniTextConfig(
        vocab_size=128,
        hidden_size=WIDTH,
        intermediate_size=11008,
        num_hidden_layers=2,
        num_attention_heads=16,
        num_key_value_heads=2,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 1000000.0,
            "mrope_section": [16, 24, 24],
        },
    )
    return Qwen2_5OmniThinkerTextModel(config).eval()


def main() -> None:
    """Print one table: tokens, times, and how the two ratios compare."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    video = [torch.randn(PATCHES, GRID, GRID, WIDTH, generator=rng) for _ in range(CHUNKS)]
    audio = [torch.randn(AUDIO, WIDTH, generator=rng) for _ in range(CHUNKS)]
    clip = ClipFeatures(video, audio, check_finite=False)
    method = ContextGuard(rho_spa=0, tau_merge=1)
    plan = method.plan(clip)
    model = decoder()
    full = torch.cat([x for v, a in zip(video, audio, strict=True) for x in (v.flatten(0, 2), a)])
    groups = plan.apply(video)
    pruned = torch.cat([x for v, a in zip(groups, audio, strict=True) for x in (v, a)])

    @torch.no_grad()
    def prefill(tokens: Tensor) -> None:
        position = torch.arange(len(tokens)).expand(3, 1, -1)
        model(inputs_embeds=tokens[None], position_ids=position, use_cache=True)

    ms = medians_ms({"full": lambda: prefill(full), "pruned": lambda: prefill(pruned)}, REPEATS)
    cost = medians_ms(
        {"plan": lambda: method.plan(clip), "apply": lambda: plan.apply(video)}, REPEATS
    )
    table = Table(
        title=f"Prefill of two decoder layers of Qwen2.5-Omni 3B, fp32, 1 thread, median of "
        f"{REPEATS}",
        caption="Semantic selection alone (rho_sem 0.5). A saving that follows the tokens has "
        "equal ratios; attention, quadratic in the tokens, can only add to it. All 36 layers cost "
        "18 times as much; planning is paid once.",
    )
    for column in ("", "full", "pruned", "full/pruned"):
        table.add_column(column, justify="right")
    table.add_row("tokens", f"{len(full)}", f"{len(pruned)}", f"{len(full) / len(pruned):.2f}x")
    table.add_row(
        "prefill CPU ms",
        f"{ms['full']:.0f}",
        f"{ms['pruned']:.0f}",
        f"{ms['full'] / ms['pruned']:.2f}x",
    )
    table.add_row("plan + apply CPU ms", "0", f"{cost['plan']:.1f} + {cost['apply']:.1f}", "")
    wide_console().print(table)


if __name__ == "__main__":
    main()
