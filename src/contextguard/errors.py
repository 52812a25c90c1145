"""Errors a user can mend. The command line prints them in one line and exits with code 2."""

from __future__ import annotations


class ContextGuardError(Exception):
    """Base of every error raised on purpose: the message names the value and the way out."""


class SettingError(ContextGuardError, ValueError):
    """A setting outside its legal range."""


class FeatureError(ContextGuardError, ValueError):
    """Clip features whose shape, dtype, device or values cannot be planned on."""


class PlanError(ContextGuardError, ValueError):
    """A plan that does not fit what it is applied to, or a plan file that cannot be read."""


class MediaError(ContextGuardError, ValueError):
    """A media file that is missing, broken, or holds nothing that can be used."""


class UnsupportedModelError(ContextGuardError, TypeError):
    """A model class no backbone is registered for."""


class CallError(ContextGuardError, ValueError):
    """A supported model called in a way that would silently give wrong results."""
