"""thimble's accuracy on fresh clips, through real mp4 files and the stock forward.

``python -m contextguard.thimble.evaluate --clips 60``: one line a question type with a 95% Wilson
interval. The figures are about thimble alone.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from contextguard.asking import build_inputs
from contextguard.backbones.prune import prune
from contextguard.checkpoints import THIMBLE, Checkpoint, load_checkpoint, silence_libraries
from contextguard.media import Clip, load_clip
from contextguard.methods import METHODS, Full, Method, method_class
from contextguard.world.clip import ClipSpec, ambient, audio, frames
from contextguard.world.files import write_clip
from contextguard.world.questions import QUESTION_TYPES, question

HELD_OUT_SEED = 20_000
"""Seeds from here on are for evaluation; training starts from small ones."""


def through_file(spec: ClipSpec, camera: np.random.Generator) -> Clip:
    """The clip, written to mp4 and decoded again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(spec, path, camera)
        return load_clip(path, fps=2.0)


def as_rendered(spec: ClipSpec, clip: Clip, camera: np.random.Generator) -> Clip:
    """``clip`` with the picture and sound no codec has touched."""
    return replace(clip, frames=frames(spec, clip.fps, camera), audio=audio(spec))


def answers(
    checkpoint: Checkpoint, clip: Clip, questions: Sequence[str], method: Method
) -> list[str]:
    """The first word of the answer to each question; the clip is prefilled once for all of them."""
    model, tokenizer = checkpoint.model, checkpoint.processor.tokenizer
    inputs = build_inputs(checkpoint, clip, questions[0])
    eos = tokenizer.convert_tokens_to_ids(tokenizer.vision_eos_token)
    end = int((inputs["input_ids"][0] == eos).nonzero()[-1]) + 1
    head = {k: inputs[k][:, :end] for k in ("input_ids", "attention_mask")}
    said = []
    with torch.inference_mode(), prune(model, method):
        out = model(**{**inputs, **head}, use_audio_in_video=clip.audio is not None, use_cache=True)
        for text in questions:
            chat = [{"role": "user", "content": text}]
            tail = checkpoint.processor.apply_chat_template(
                chat, add_generation_prompt=True, tokenize=False
            ).removeprefix("<|im_start|>user ")
            ids = tokenizer(tail, return_tensors="pt").input_ids.to(checkpoint.device)
            cache = copy.deepcopy(out.past_key_values)
            logits = model(input_ids=ids, past_key_values=cache, use_cache=True).logits[0, -1]
            said.append(tokenizer.decode([int(logits.argmax())]).strip())
    return said


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share."""
    p, d = hits / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / d
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return middle - half, middle + half


def evaluate(
    checkpoint: Checkpoint,
    clips: int,
    seed: int,
    seconds: Sequence[int],
    method: Method,
    files: bool = True,
) -> dict[str, list[bool]]:
    """Hits of every question type on ``clips`` clips, of the lengths ``seconds`` in turn."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for i in range(clips):
        rng = np.random.default_rng([HELD_OUT_SEED + seed, i])
        spec = ambient(rng, seconds[i % len(seconds)])
        clip = through_file(spec, rng)
        if not files:
            clip = as_rendered(spec, clip, rng)
        asked = [question(spec, kind) for kind in QUESTION_TYPES]
        said = answers(checkpoint, clip, [q for q, _ in asked], method)
        for kind, (_, truth), word in zip(QUESTION_TYPES, asked, said, strict=True):
            hits[kind].append(word == truth)
    return hits


def main() -> None:
    """Entry point; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="contextguard.thimble.evaluate", description=__doc__)
    parser.add_argument("--model", default=THIMBLE, help="thimble or a folder of its weights")
    parser.add_argument("--method", default=Full.name, choices=sorted(METHODS))
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, nargs="+", default=[2, 4, 5, 6, 8, 10, 12])
    parser.add_argument("--arrays", action="store_true", help="skip the codecs")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    silence_libraries()
    checkpoint = load_checkpoint(args.model, "cpu")
    method = method_class(args.method)()
    hits = evaluate(checkpoint, args.clips, args.seed, args.seconds, method, not args.arrays)
    table = {k: {"accuracy": float(np.mean(v)), "n": len(v)} for k, v in hits.items()}
    if args.json:
        print(json.dumps(table))
        return
    print(f"thimble (embedded toy model), method {method.name}, {args.clips} clips, ambient")
    for kind, hit in hits.items():
        low, high = wilson(sum(hit), len(hit))
        print(f"{kind:9s} {np.mean(hit):.3f}  [{low:.3f}, {high:.3f}]  n={len(hit)}")


if __name__ == "__main__":
    main()
