"""Hooks that shorten the decoder's input; the same for every family.

The inner model fills ``inputs_embeds`` with the towers' features and calls the decoder. Between
the two, a pre-hook on the decoder plans every clip and hands over the kept rows with the position
ids they had. The inner model, ``generate`` and the caller still count original tokens: the cache
answers with the logical length (:mod:`~contextguard.backbones.cache`) and masks of later calls are
translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from contextguard.backbones.base import Backbone, Planner, VideoColumns
from contextguard.backbones.cache import (
    CacheState,
    Scope,
    physical_length,
    physical_mask,
    state_of,
    tag,
    translate,
)
from contextguard.backbones.gather import Gather, changed_tokens, check_plan, keep_columns
from contextguard.backbones.report import PruneReport, now, timed
from contextguard.errors import CallError
from contextguard.plan import PrunePlan


class PruneHooks:
    """The state of one ``prune`` block.

    Attributes:
        plans: of the last prefill with video, by row of the decoder's batch and video.
        report: sums over the block.
    """

    def __init__(self, backbone: Backbone, model: nn.Module, method: Planner) -> None:
        self.backbone, self.method = backbone, method
        self.model, self.parts = model, backbone.parts(model)
        self.config: Any = self.parts.inner.config
        self.scope = Scope()
        self.plans: list[list[PrunePlan]] = []
        self.report = PruneReport(tower_calls=dict.fromkeys(self.parts.towers, 0))
        self._ids: Tensor | None = None
        self._labelled = False
        self._pending: CacheState | None = None
        self._prefill_start: float | None = None
        self._tower_start: dict[str, float] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks in place for the length of a block, whatever ends it."""
        with ExitStack() as stack:

            def on(module: nn.Module, before: Any, after: Any = None) -> None:
                handle = module.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(handle.remove)
                if after is not None:
                    stack.callback(module.register_forward_hook(after, with_kwargs=True).remove)

            stack.callback(self._close)
            on(self.model, self._before_model)
            on(self.parts.inner, self._before_inner)
            on(self.parts.decoder, self._before_decoder, self._after_decoder)
            for name, tower in self.parts.towers.items():
                on(tower, self._before_tower(name), self._after_tower(name))
            yield

    def _close(self) -> None:
        self.scope.open = False
        self._ids = self._pending = None

    def _before_model(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._labelled = kwargs.get("labels") is not None

    def _before_inner(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._pending = self._prefill_start = self._ids = None
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is None:
            self._without_ids(kwargs)
        elif ids.shape[1] > 1:
            on_cpu = ids.detach().cpu()
            if bool((on_cpu == self.backbone.placeholders(self.config).video).any()):
                self.backbone.check_call(self.config, on_cpu, kwargs)
                self._ids = on_cpu

    def _without_ids(self, kwargs: Any) -> None:
        encoded = kwargs.get("mm_encoder_outputs") or {}
        if kwargs.get("pixel_values_videos") is not None or encoded.get("video") is not None:
            raise CallError(
                "a call with video needs input_ids: with inputs_embeds alone the placeholders "
                "cannot be found"
            )
        self.report.warn("a call gave inputs_embeds without input_ids: nothing of it was pruned")

    def _before_tower(self, name: str) -> Any:
        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._tower_start[name] = now(_device(module))

        return before

    def _after_tower(self, name: str) -> Any:
        def after(module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            self.report.seconds["encode"] += now(_device(module)) - self._tower_start[name]
            self.report.tower_calls[name] += 1

        return after

    def _before_decoder(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        embeds = kwargs.get("inputs_embeds")
        if embeds is None:
            raise CallError(
                "the decoder was called without the keyword inputs_embeds; inside a prune block "
                "call the model, not its decoder"
            )
        batch, length = embeds.shape[:2]
        ids, self._ids = self._ids, None
        if ids is not None:
            with timed(self.report, "plan", embeds.device):
                kwargs = self._prune(ids, kwargs)
            self.report.prefills += 1
            self._prefill_start = now(embeds.device)
            return args, kwargs
        cache = kwargs.get("past_key_values")
        state = state_of(cache)
        if state is not None:
            state.scope = self.scope
            mask = kwargs.get("attention_mask")
            kwargs["attention_mask"] = translate(cache, mask, batch, length, embeds.device)
        return args, kwargs

    def _after_decoder(self, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        if self._prefill_start is not None:
            seconds = now(out.last_hidden_state.device) - self._prefill_start
            self.report.seconds["prefill"] += seconds
            self._prefill_start = None
        pending, self._pending = self._pending, None
        if pending is not None and out.past_key_values is not None:
            tag(out.past_key_values, pending)

    def _prune(self, ids: Tensor, kwargs: dict[str, Any]) -> dict[str, Any]:
        embeds: Tensor = kwargs["inputs_embeds"]
        batch, length = embeds.shape[:2]
        cache, mask = kwargs.get("past_key_values"), kwargs.get("attention_mask")
        positions = _positions(kwargs, batch, length)
        places = self.backbone.locate(self.config, ids, positions.cpu())
        real = _real_columns(mask, physical_length(cache), length, batch)
        self.plans = self._plan(ids, embeds, places)
        keep = torch.ones(batch, length, dtype=torch.bool)
        for row, plans in enumerate(self.plans):
            for plan, place in zip(plans, places[row], strict=True):
                keep_columns(keep[row], plan, place)
        self._count(ids, real, keep)
        changed = [changed_tokens(embeds[b], self.plans[b], places[b]) for b in range(batch)]
        if bool(keep.all()):
            if any(c is not None for c in changed):
                # The caller's tensor may be a leaf, or be read again: never written in place.
                kwargs["inputs_embeds"] = _replaced(embeds.clone(), changed, None)
            state = state_of(cache)
            if state is not None:
                kwargs["attention_mask"] = translate(cache, mask, batch, length, embeds.device)
            return kwargs
        if self._labelled:
            raise CallError(
                "labels have one entry for every original token, but the plan removes some; "
                "compute the loss from the logits instead, or train without pruning"
            )
        if isinstance(mask, Tensor) and mask.ndim != 2:
            raise CallError(
                f"a custom attention_mask of shape {tuple(mask.shape)} cannot be pruned; give the "
                "2-D mask [batch, tokens]"
            )
        gather = Gather.of(keep, real)
        past = physical_mask(cache, mask if isinstance(mask, Tensor) else None, batch, real.device)
        state = CacheState(
            real=torch.cat([past, gather.real], dim=1).to(embeds.device),
            logical=(int(cache.get_seq_length()) if cache is not None else 0) + length,
            scope=self.scope,
        )
        kwargs["inputs_embeds"] = _replaced(gather.take(embeds), changed, gather)
        # Only the three rotary rows: gaps in the text row would be read as packed sequences.
        kwargs["position_ids"] = gather.take_positions(positions)
        kwargs["attention_mask"] = state.real if state.padded else None
        self._pending = state
        return kwargs

    def _plan(
        self, ids: Tensor, embeds: Tensor, places: Sequence[Sequence[VideoColumns]]
    ) -> list[list[PrunePlan]]:
        """One list a row. Copies of a row share its plans: beams swap their caches."""
        out: list[list[PrunePlan]] = []
        with torch.no_grad():
            for row, videos in enumerate(places):
                here = embeds[row].detach()
                if row and torch.equal(ids[row], ids[row - 1]) and _same(here, embeds[row - 1]):
                    out.append(out[-1])
                    continue
                out.append([check_plan(self.method.plan(v.features(here)), v) for v in videos])
                for plan in out[-1]:
                    for line in plan.warnings:
                        self.report.warn(line)
        return out

    def _count(self, ids: Tensor, real: Tensor, keep: Tensor) -> None:
        kinds, report = self.backbone.placeholders(self.config), self.report
        video, audio = real & (ids == kinds.video), real & (ids == kinds.audio)
        images = 0 if kinds.image is None else int((real & (ids == kinds.image)).sum())
        report.video += int(video.sum())
        report.audio += int(audio.sum())
        report.video_kept += int((video & keep).sum())
        report.audio_kept += int((audio & keep).sum())
        report.image += images
        report.text += int((real & ~video & ~audio).sum()) - images


def _device(module: nn.Module) -> torch.device:
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _positions(kwargs: dict[str, Any], batch: int, length: int) -> Tensor:
    """The rows (t, h, w) ``[3, B, S]`` the decoder would use."""
    positions = kwargs.get("position_ids")
    if positions is None:
        cache = kwargs.get("past_key_values")
        past = int(cache.get_seq_length()) if cache is not None else 0
        positions = torch.arange(past, past + length, device=kwargs["inputs_embeds"].device)
        return positions.expand(3, batch, length)
    if positions.ndim == 2:
        positions = positions[None]
    rows: Tensor = positions[-3:].expand(3, batch, length)
    return rows


def _real_columns(mask: Any, past: int, length: int, batch: int) -> Tensor:
    """Bool ``[B, S]`` on the CPU: the new columns that are no padding.

    For a static cache ``generate`` has made 4-D masks already; there the last query sees every
    real column.
    """
    if isinstance(mask, dict):
        mask = mask.get("full_attention", next(iter(mask.values()), None))
    if mask is None:
        return torch.ones(batch, length, dtype=torch.bool)
    if not isinstance(mask, Tensor) or mask.ndim not in (2, 4):
        raise CallError(
            f"an attention mask of type {type(mask).__name__} cannot be pruned; use the attention "
            "implementation 'sdpa', 'eager' or 'flash_attention_2', and a 2-D attention_mask"
        )
    if mask.ndim == 2:
        return mask[:, -length:].cpu().bool()
    last = mask[:, 0, -1, past : past + length].cpu()
    seen = last if last.dtype == torch.bool else last >= 0
    return seen.expand(batch, length)


def _replaced(
    embeds: Tensor, changed: Sequence[tuple[Tensor, Tensor] | None], gather: Gather | None
) -> Tensor:
    """``embeds`` with the changed tokens written over; ``gather`` tells where columns went."""
    for row, change in enumerate(changed):
        if change is not None:
            columns, values = change
            slots = columns if gather is None else gather.slots(row, columns)
            embeds[row, slots.to(embeds.device)] = values.to(embeds.dtype)
    return embeds


def _same(x: Tensor, y: Tensor) -> bool:
    """Whether two ``[S, d]`` agree, token by token, to rounding.

    Not bit by bit: a tower that encodes copies in one batch may round them differently.
    """
    tolerance = torch.finfo(x.dtype).eps ** 0.5
    gap = torch.linalg.vector_norm(x - y, dim=1, dtype=torch.float32)
    size = torch.linalg.vector_norm(x, dim=1, dtype=torch.float32)
    return bool((gap <= tolerance * size).all())
