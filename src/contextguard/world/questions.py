"""Questions about a clip, each with a one-word answer."""

from __future__ import annotations

from contextguard.world.clip import ClipSpec
from contextguard.world.words import CLASSES, COLORS, DIGITS, PLACES, SHAPES

QUESTION_TYPES = (
    "a_sound",
    "a_digit",
    "v_first",
    "v_last",
    "v_silent",
    "v_silcol",
    "v_count",
    "v_detail",
    "v_scene",
    "v_change",
    "av_match",
    "av_sync",
    "t_code",
)
"""``a_``: audio alone answers; ``v_``: the picture; ``av_``: both; ``t_``: when."""


def question(spec: ClipSpec, kind: str) -> tuple[str, str]:
    """(question, answer) of a type.

    Raises:
        ValueError: a type that is not in :data:`QUESTION_TYPES`.
    """
    shape, thing = SHAPES[spec.shape], CLASSES[spec.place]
    synced = spec.digit_last if spec.code_late else spec.digit_first
    table = {
        "a_sound": ("which sound is heard ?", CLASSES[spec.sound]),
        "a_digit": ("which digit is heard ?", DIGITS[spec.code]),
        "v_first": ("which digit is shown first ?", DIGITS[spec.digit_first]),
        "v_last": ("which digit is shown last ?", DIGITS[spec.digit_last]),
        "v_silent": ("which shape is shown ?", shape),
        "v_silcol": (f"what color is the {shape} ?", COLORS[spec.shape_color]),
        "v_count": (f"how many {shape} are shown ?", DIGITS[spec.count]),
        "v_detail": (f"what color is the {thing} ?", COLORS[spec.color]),
        "v_scene": ("which place is shown ?", PLACES[spec.place]),
        "v_change": (
            "does the digit change ?",
            "no" if spec.digit_first == spec.digit_last else "yes",
        ),
        "av_match": ("does the sound match the picture ?", "yes" if spec.matches else "no"),
        "av_sync": ("which digit is shown when the code is heard ?", DIGITS[synced]),
        "t_code": ("is the code heard first or last ?", "last" if spec.code_late else "first"),
    }
    try:
        return table[kind]
    except KeyError:
        raise ValueError(f"unknown question type {kind!r}; types: {QUESTION_TYPES}") from None
