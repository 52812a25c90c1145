"""Questions about a clip, each with a one-word answer."""

from __future__ import annotations

from contextguard.world.spec import ClipSpec
from contextguard.world.words import DIGITS

QUESTION_TYPES = (
    "a_sound",
    "a_digit",
    "v_first",
    "v_last",
    "v_silent",
    "v_silcol",
    "v_count",
    "v_detail",
    "v_pose",
    "v_scene",
    "v_change",
    "av_match",
    "av_sync",
    "av_event",
    "t_code",
    "t_event",
)
"""``a_``: audio alone answers; ``v_``: the picture; ``av_``: both; ``t_``: when."""


def question_types(spec: ClipSpec) -> tuple[str, ...]:
    """The types that have an answer in this clip."""
    missing = set()
    if spec.place is None:
        missing.add("v_scene")
    if spec.pose is None:
        missing.add("v_pose")
    if spec.heard is None:
        missing |= {"av_event", "t_event"}
    return tuple(kind for kind in QUESTION_TYPES if kind not in missing)


def question(spec: ClipSpec, kind: str) -> tuple[str, str]:
    """(question, answer) of a type.

    Raises:
        ValueError: a type that is not in :func:`question_types` of the clip.
    """
    if kind not in question_types(spec):
        raise ValueError(f"this clip has no question {kind!r}; types: {question_types(spec)}")
    shown = [d for _, d in spec.digits]
    first_half = {True: "first", False: "last"}
    table = {
        "a_sound": ("which sound is heard ?", spec.sound.name),
        "a_digit": ("which digit is heard ?", spec.code),
        "v_first": ("which digit is shown first ?", shown[0]),
        "v_last": ("which digit is shown last ?", shown[-1]),
        "v_silent": ("which shape is shown ?", spec.shape),
        "v_silcol": (f"what color is the {spec.shape} ?", spec.shape_color),
        "v_count": (f"how many {spec.shape} are shown ?", DIGITS[spec.count]),
        "v_detail": (f"what color is the {spec.thing} ?", spec.thing_color),
        "v_pose": (f"which way is the {spec.thing} turned ?", str(spec.pose)),
        "v_scene": ("which place is shown ?", str(spec.place)),
        "v_change": ("does the digit change ?", "yes" if len(set(shown)) > 1 else "no"),
        "av_match": ("does the sound match the picture ?", "yes" if spec.matches else "no"),
        "av_sync": ("which digit is shown when the code is heard ?", spec.digit_at(spec.code_at)),
        "av_event": (
            f"which digit is shown when the {spec.sound.name} is heard ?",
            spec.digit_at(spec.sound.start),
        ),
        "t_code": (
            "is the code heard first or last ?",
            first_half[spec.code_at < spec.seconds / 2],
        ),
        "t_event": (
            f"is the {spec.sound.name} heard first or last ?",
            first_half[(spec.sound.start + spec.sound.end) / 2 < spec.seconds / 2],
        ),
    }
    return table[kind]
