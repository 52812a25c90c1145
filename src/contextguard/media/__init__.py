"""Local video files as arrays: sampled frames and 16 kHz mono sound. PyAV and numpy only."""

from contextguard.media.clip import Clip, check_fps, load_clip
from contextguard.media.container import SAMPLING_RATE, ClipSource, probe_clip

__all__ = ["SAMPLING_RATE", "Clip", "ClipSource", "check_fps", "load_clip", "probe_clip"]
