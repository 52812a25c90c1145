"""The words of the world: what can be seen, heard, asked and answered."""

from __future__ import annotations

CLASSES = ("bell", "drum", "siren", "engine", "bird", "boat", "phone", "clock")
"""Sounding objects. ``PLACES[i]`` is the place that ``CLASSES[i]`` belongs to."""
PLACES = ("church", "stage", "street", "road", "forest", "sea", "office", "wall")
SHAPES = ("star", "heart", "cross", "diamond", "moon", "ring")
"""Silent shapes."""
COLORS = ("red", "green", "blue", "yellow", "purple", "white")
DIGITS = tuple(str(i) for i in range(10))
POSES = ("left", "right")
"""The side that the top of a tilted object leans to."""

VISUAL_WORDS = CLASSES + PLACES + SHAPES + COLORS + DIGITS + POSES
"""Labels of a token map cell, in the order of the label arrays."""
AUDIO_WORDS = CLASSES + DIGITS
"""Labels of an audio token, in the order of the label arrays."""

ANSWER_WORDS = ("yes", "no", "first", "last")
_ASKED = """which sound is heard digit shown shape what color the how many are does match picture
when code place change or way turned ?"""
QUESTION_WORDS = tuple(dict.fromkeys(_ASKED.split()))


def place_of(thing: str) -> str:
    """The place that a sounding object belongs to."""
    return PLACES[CLASSES.index(thing)]
