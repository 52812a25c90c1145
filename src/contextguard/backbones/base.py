"""What a model family tells the shared machinery: its modules, and where its videos lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from contextguard.features import ClipFeatures
from contextguard.plan import PrunePlan


class Planner(Protocol):
    """Anything that plans a clip: every method of ``contextguard.methods`` does."""

    def plan(self, clip: ClipFeatures) -> PrunePlan:
        """Decide what becomes of every token of ``clip``; must not write to its features."""
        ...


@dataclass(frozen=True)
class Parts:
    """The modules the hooks sit on.

    Attributes:
        inner: module whose forward takes ``input_ids`` and calls the towers and the decoder.
        decoder: the language model; it is called with ``inputs_embeds``.
        towers: encoders by name, in the order they are reported.
    """

    inner: nn.Module
    decoder: nn.Module
    towers: Mapping[str, nn.Module]


@dataclass(frozen=True)
class PlaceholderIds:
    """Token ids of the placeholders; ``image`` is None where the family has none."""

    video: int
    audio: int
    image: int | None = None


@dataclass(frozen=True, eq=False)
class VideoColumns:
    """Where one video and its sound lie in the sequence of one sample.

    Attributes:
        grid: (H, W) of the token map.
        patches: F_t, temporal patches of each chunk.
        audio_lengths: L_t, audio tokens of each chunk.
        unpaired_audio: audio tokens after the last chunk; they have no columns here.
        video: int64 ``[sum(F_t)*H*W]`` on the CPU, columns of the video tokens in raster order.
        audio: int64 ``[sum(L_t)]`` on the CPU, columns of the chunks' audio tokens.
    """

    grid: tuple[int, int]
    patches: tuple[int, ...]
    audio_lengths: tuple[int, ...]
    unpaired_audio: int
    video: Tensor
    audio: Tensor

    def features(self, embeds: Tensor) -> ClipFeatures:
        """The clip's features out of one sample's ``embeds [S, d]``.

        Chunks whose columns lie side by side, the usual case, are views: nothing is copied.
        """
        h, w = self.grid
        video = _rows(embeds, self.video, [f * h * w for f in self.patches])
        return ClipFeatures(
            video=[v.reshape(f, h, w, -1) for v, f in zip(video, self.patches, strict=True)],
            audio=_rows(embeds, self.audio, self.audio_lengths),
            unpaired_audio=self.unpaired_audio,
            check_finite=False,
        )


class Backbone(ABC):
    """A model family. A new one is one file and one line in the registry."""

    @abstractmethod
    def parts(self, model: nn.Module) -> Parts:
        """The modules of ``model`` to hook."""

    @abstractmethod
    def placeholders(self, config: Any) -> PlaceholderIds:
        """The placeholder ids of the inner module's ``config``."""

    @abstractmethod
    def check_call(self, config: Any, ids: Tensor, kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that would silently give wrong positions.

        Args:
            config: the inner module's config.
            ids: int64 ``[B, S]`` on the CPU, holding at least one video placeholder.
            kwargs: keyword arguments of the inner module's forward.

        Raises:
            CallError: with what was found and the way out.
        """

    @abstractmethod
    def locate(self, config: Any, ids: Tensor, positions: Tensor) -> list[list[VideoColumns]]:
        """The videos of each sample, in order.

        Args:
            config: the inner module's config.
            ids: int64 ``[B, S]`` on the CPU.
            positions: ``[3, B, S]`` on the CPU, the (t, h, w) rows the decoder is called with.

        Raises:
            CallError: positions or placeholders that are not laid out as the family's are.
        """


def _rows(embeds: Tensor, columns: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Rows of ``embeds`` at ``columns``, split by ``lengths``; views where columns are adjacent."""
    first = columns.tolist() if columns.numel() else []
    out: list[Tensor] = []
    start = 0
    for n in lengths:
        if n == 0:
            out.append(embeds[:0])
        elif first[start + n - 1] - first[start] == n - 1:
            out.append(embeds[first[start] : first[start] + n])
        else:
            out.append(embeds.index_select(0, columns[start : start + n].to(embeds.device)))
        start += n
    return out
