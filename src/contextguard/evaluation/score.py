"""A method's answers to the world's questions, beside the full model's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from contextguard.asking import build_inputs
from contextguard.checkpoints import Checkpoint
from contextguard.errors import MediaError, SettingError
from contextguard.evaluation.features import FPS
from contextguard.evaluation.prefill import FirstWords, divergence, first_words
from contextguard.evaluation.results import ClipResult, QuestionResult, ResultFile
from contextguard.evaluation.summary import Scores
from contextguard.media import Clip, load_clip
from contextguard.methods import Full, Method

if TYPE_CHECKING:
    from contextguard.world.dataset import ClipEntry

_SAMPLED = 16


def score(
    checkpoint: Checkpoint,
    entries: Sequence[ClipEntry],
    method: Method,
    *,
    save: Path | None = None,
    full: MutableMapping[str, Tensor] | None = None,
    load: Callable[[ClipEntry], Clip] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Ask every question about every clip with ``method``, and the full model for comparison.

    Args:
        checkpoint: model and processor.
        entries: the clips, of one or several manifests.
        method: what prunes them.
        save: JSONL file that each finished clip is appended to; clips it already holds are not
            asked again.
        full: the full model's log-probabilities by clip, read and filled; hand the same mapping to
            calls that score several methods with one checkpoint, and it is asked once.
        load: gives the clip of an entry; None decodes its file. Not together with ``save``, which
            could not tell results of files from others.
        progress: called with (clips finished, clips in all).

    Raises:
        SettingError: no clips; ``save`` cannot be written, belongs to other settings, or comes
            with ``load``.
        MediaError: a clip that is missing or cannot be decoded.
    """
    if not entries:
        raise SettingError("there are no clips to score")
    if save is not None and load is not None:
        raise SettingError("save keeps results of files: leave it out where load gives the clips")
    settings = run_settings(checkpoint, method)
    file = ResultFile(save, {"method": method.name, **settings}) if save is not None else None
    known = file.done if file is not None else {}
    results = []
    for i, entry in enumerate(entries):
        digest = clip_digest(entry)
        found = known.get(digest)
        if found is None:
            clip = _decoded(checkpoint, entry) if load is None else load(entry)
            found = _score_clip(checkpoint, entry, digest, clip, method, full)
            if file is not None:
                file.add(found)
        results.append(found)
        if progress is not None:
            progress(i + 1, len(entries))
    return Scores(checkpoint.name, method.name, settings, tuple(results))


def run_settings(checkpoint: Checkpoint, method: Method) -> dict[str, Any]:
    """Everything but the clips that decides a result, JSON-ready."""
    return {
        **method.settings(),
        "fps": FPS,
        "device": checkpoint.device.type,
        "dtype": str(checkpoint.dtype).removeprefix("torch."),
        "weights": fingerprint(checkpoint.model),
    }


def fingerprint(model: torch.nn.Module) -> str:
    """16 hexadecimal digits that change with the weights: a few values of each are hashed.

    A checkpoint that is still in training keeps its name, so the name cannot tell.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.detach().flatten()
        sample = flat[:: max(1, flat.numel() // _SAMPLED)]
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def clip_digest(entry: ClipEntry) -> str:
    """What a result is of: the bytes of the file and the questions asked about it.

    Raises:
        MediaError: the file is missing or cannot be read.
    """
    try:
        digest = hashlib.sha256(Path(entry.path).read_bytes())
    except OSError as error:
        raise MediaError(
            f"{entry.path}: {error.strerror}, but the manifest lists it; render the folder again"
        ) from error
    digest.update(json.dumps([list(q) for q in entry.questions]).encode())
    return digest.hexdigest()[:32]


def _decoded(checkpoint: Checkpoint, entry: ClipEntry) -> Clip:
    return load_clip(entry.path, FPS, max_sound_seconds=checkpoint.sound_limit)


def _score_clip(
    checkpoint: Checkpoint,
    entry: ClipEntry,
    digest: str,
    clip: Clip,
    method: Method,
    full: MutableMapping[str, Tensor] | None,
) -> ClipResult:
    asked = [text for _, text, _ in entry.questions]
    if not asked:
        raise SettingError(f"{entry.path}: the manifest holds no question about it")
    # Most of a clip's time on a small model goes here: built once for both.
    inputs = build_inputs(checkpoint, clip, asked[0])

    def ask(chosen: Method) -> FirstWords:
        return first_words(checkpoint, clip, asked, chosen, inputs=inputs)

    said = ask(method)
    whole = full.get(digest) if full is not None else None
    if whole is None:
        whole = said.log_probs if isinstance(method, Full) else ask(Full()).log_probs
        if full is not None:
            full[digest] = whole
    kl = divergence(whole, said.log_probs)
    tokens = asdict(said.plan.stats)
    return ClipResult(
        clip=digest,
        scenario=entry.scenario,
        style=entry.style,
        questions=tuple(
            QuestionResult(kind, answer, word, gap)
            for (kind, _, answer), word, gap in zip(
                entry.questions, said.words, kl.tolist(), strict=True
            )
        ),
        tokens={
            "video": tokens["video_tokens"],
            "video_kept": tokens["video_kept"],
            "audio": tokens["audio_tokens"],
            "audio_kept": tokens["audio_kept"],
        },
        warnings=(*clip.warnings, *said.plan.warnings),
    )
