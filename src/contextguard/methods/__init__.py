"""One file a method. :data:`METHODS` is the list the command line offers."""

from __future__ import annotations

from contextguard.errors import SettingError
from contextguard.methods.base import Method
from contextguard.methods.contextguard import ContextGuard
from contextguard.methods.full import Full

METHODS: dict[str, type[Method]] = {m.name: m for m in (ContextGuard, Full)}

__all__ = ["METHODS", "ContextGuard", "Full", "Method", "method_class"]


def method_class(name: str) -> type[Method]:
    """The method class called ``name``; an unknown name raises with the list of known ones."""
    try:
        return METHODS[name]
    except KeyError:
        raise SettingError(
            f"unknown method {name!r}; methods: {', '.join(sorted(METHODS))}"
        ) from None
