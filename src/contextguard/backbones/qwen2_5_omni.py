"""Qwen2.5-Omni (the thinker): 2 s chunks, video before audio, TMRoPE positions.

A video's tokens are ordered (t, h, w); temporal patch t sits at position id
``int(t * second_per_grid * position_id_per_seconds)`` after the video's first, its audio tokens at
0, 1, 2, ... after the same first id. Chunk k holds the ids from ``k * n`` up to ``(k + 1) * n``,
``n = int(position_id_per_seconds * seconds_per_chunk)``: the processor interleaves by this rule,
and so does ``get_rope_index``. Grid and times are therefore read off the decoder's own position
rows, which are the same under ``forward`` and ``generate``, and checked against the placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from contextguard.backbones.base import Backbone, Parts, PlaceholderIds, VideoColumns
from contextguard.errors import CallError


class Qwen25Omni(Backbone):
    """``Qwen2_5OmniThinkerForConditionalGeneration``."""

    def parts(self, model: nn.Module) -> Parts:
        """Towers and decoder sit on ``thinker.model``; in older releases on the thinker itself."""
        module: Any = model
        nested = hasattr(module.model, "language_model")
        inner = module.model if nested else module
        decoder = inner.language_model if nested else module.model
        return Parts(
            inner=inner,
            decoder=decoder,
            towers={"visual": inner.visual, "audio_tower": inner.audio_tower},
        )

    def placeholders(self, config: Any) -> PlaceholderIds:
        """The ``<|VIDEO|>``, ``<|AUDIO|>`` and ``<|IMAGE|>`` ids."""
        return PlaceholderIds(config.video_token_id, config.audio_token_id, config.image_token_id)

    def check_call(self, config: Any, ids: Tensor, kwargs: Mapping[str, Any]) -> None:
        """Refuse a ``use_audio_in_video`` that does not fit every video of the call."""
        flagged = bool(kwargs.get("use_audio_in_video"))
        rows, columns = _video_starts(config, ids)
        sounding = (columns > 0) & (ids[rows, columns - 1] == config.audio_start_token_id)
        silent = ~sounding
        if bool(sounding.any()) and bool(silent.any()):
            raise CallError(
                f"the call mixes {int(sounding.sum())} videos with interleaved audio and "
                f"{int(silent.sum())} without; the model has one use_audio_in_video for all of "
                "them and would give one kind 1-D positions. Batch the silent videos separately, "
                "with use_audio_in_video=False"
            )
        if bool(sounding.any()) and not flagged:
            raise CallError(
                "the input interleaves audio and video tokens, but the call has "
                f"use_audio_in_video={kwargs.get('use_audio_in_video')!r}: all positions would be "
                "1-D. Pass use_audio_in_video=True to the model's forward or generate (the "
                "processor does not)"
            )
        if bool(silent.any()) and flagged:
            raise CallError(
                "the call has use_audio_in_video=True, but no video of it is interleaved with "
                "audio: their positions would be 1-D. Pass use_audio_in_video=False"
            )

    def locate(self, config: Any, ids: Tensor, positions: Tensor) -> list[list[VideoColumns]]:
        """The videos of each sample, cut into 2 s chunks; see the module's text for the rule."""
        per_chunk = int(config.position_id_per_seconds * config.seconds_per_chunk)
        rows, starts = _video_starts(config, ids)
        out: list[list[VideoColumns]] = [[] for _ in range(ids.shape[0])]
        for b in range(ids.shape[0]):
            bounds = [*starts[rows == b].tolist(), ids.shape[1]]
            for i, (start, stop) in enumerate(pairwise(bounds)):
                where = f"video {i} of sample {b}"
                video, audio = _columns(config, ids[b], start, stop, where)
                found = _token_map(positions[:, b, video], positions[:, b, audio])
                if found is None:
                    raise _misplaced(video, audio, where)
                h, w, times = found
                patches, lengths, unpaired = cut_chunks(times, audio.numel(), per_chunk)
                out[b].append(
                    VideoColumns(
                        grid=(h, w),
                        patches=patches,
                        audio_lengths=lengths,
                        unpaired_audio=unpaired,
                        video=video,
                        audio=audio[: audio.numel() - unpaired],
                    )
                )
        return out


def cut_chunks(
    times: Sequence[int], audio: int, per_chunk: int
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Temporal patches and audio tokens of each chunk, by the processor's time rule.

    Below one frame a second a temporal patch is longer than a chunk and the processor splits it;
    ours: a patch stays whole, is a chunk of its own, and takes the audio up to the next patch.

    Args:
        times: position id of each temporal patch, from 0, ascending.
        audio: audio tokens of the clip; token i has position id i.
        per_chunk: position ids in a chunk.

    Returns:
        (F_t of each chunk, L_t of each chunk, audio tokens after the last chunk).
    """
    windows = [(k, len(list(group))) for k, group in groupby(t // per_chunk for t in times)]
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0
    last = max(windows[-1][0] + 1, int(times[-1] + step) // per_chunk)
    ends = [min(audio, k * per_chunk) for k in [*(k for k, _ in windows[1:]), last]]
    lengths = tuple(end - start for start, end in pairwise([0, *ends]))
    return tuple(f for _, f in windows), lengths, audio - ends[-1]


def _video_starts(config: Any, ids: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, columns) of the first token of each video: no media token stands before it."""
    media = (ids == config.video_token_id) | (ids == config.audio_token_id)
    first = ids == config.video_token_id
    first[:, 1:] &= ~media[:, :-1]
    rows, columns = first.nonzero(as_tuple=True)
    return rows, columns


def _columns(config: Any, ids: Tensor, start: int, stop: int, where: str) -> tuple[Tensor, Tensor]:
    """Columns of the video and audio tokens of the video whose first token is at ``start``."""
    video = (ids[start:stop] == config.video_token_id).nonzero().flatten() + start
    audio = video[:0]
    end = int(video[-1]) + 1
    opening = int(ids[start - 1]) if start else None
    if opening == config.audio_start_token_id:
        closing = (ids[start:stop] == config.audio_end_token_id).nonzero()
        end = start + int(closing[0]) if closing.numel() else stop
        audio = (ids[start:end] == config.audio_token_id).nonzero().flatten() + start
    elif opening != config.vision_start_token_id:
        raise CallError(
            f"{where} starts after token id {opening}, expected vision start "
            f"({config.vision_start_token_id}) or audio start ({config.audio_start_token_id}); if "
            "this is a piece of a chunked prefill, call generate with prefill_chunk_size=None"
        )
    if end - start != video.numel() + audio.numel():
        raise CallError(
            f"{where} lies in columns {start} to {end - 1} but only {video.numel()} of them are "
            f"video and {audio.numel()} audio placeholders; use the text the processor returns"
        )
    return video, audio


def _token_map(video: Tensor, audio: Tensor) -> tuple[int, int, list[int]] | None:
    """(H, W, position id of each temporal patch) of a video, None if it has not its positions.

    A video whose positions are 1-D has as many heights as tokens, so this cannot mistake one; nor
    one whose placeholders are interleaved otherwise than ``get_rope_index`` took them to be.

    Args:
        video: positions ``[3, V]`` of its video tokens.
        audio: positions ``[3, A]`` of its audio tokens.
    """
    first = video[:, :1].long()
    t, h, w = (video.long() - first).unbind()
    height, width = int(h.max()) + 1, int(w.max()) + 1
    if height < 1 or width < 1 or video.shape[1] % (height * width):
        return None
    cells = (video.shape[1] // (height * width), height, width)
    times = t.view(cells)[:, 0, 0]
    fits = (
        torch.equal(t.view(cells), times[:, None, None].expand(cells))
        and torch.equal(h.view(cells), torch.arange(height)[:, None].expand(cells))
        and torch.equal(w.view(cells), torch.arange(width).expand(cells))
        and torch.equal(audio.long() - first, torch.arange(audio.shape[1]).expand(audio.shape))
        and bool((times.diff() >= 0).all())
    )
    return (height, width, times.tolist()) if fits else None


def _misplaced(video: Tensor, audio: Tensor, where: str) -> CallError:
    """The error for a video whose positions do not fit its columns."""
    kinds = torch.zeros(int(torch.cat([video, audio]).max()) + 1, dtype=torch.bool)
    kinds[audio] = True
    runs = [(len(list(g)), "A" if k else "V") for k, g in groupby(kinds[video[0] :].tolist())]
    found = " ".join(f"{n}{kind}" for n, kind in runs[:6]) + (" ..." if len(runs) > 6 else "")
    return CallError(
        f"{where}, placeholders {found}, does not have the (t, h, w) positions of its tokens. "
        "Positions are 1-D if forward gets no attention_mask, if a video comes on top of a filled "
        "cache, or if a chunked prefill cuts it: pass attention_mask, start from an empty cache, "
        "use prefill_chunk_size=None. They are misplaced if seconds_per_chunk and "
        "position_id_per_seconds of the processor are not the model config's, if "
        "video_second_per_grid is not the processor's, or at odd frame rates where the model's "
        "fp32 times round differently from the processor's: use another fps"
    )
