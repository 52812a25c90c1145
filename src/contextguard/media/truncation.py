"""Telling a file that was cut short from its container's own byte counts, before decoding."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_BOXES = frozenset(
    b"ftyp styp moov moof mdat free skip wide sidx ssix mfra uuid meta udta pnot emsg prft".split()
)
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def promised_bytes(file: Path) -> int | None:
    """The size ``file`` should have by its container's own count; None where there is no count.

    ISO media (mp4, mov): the top-level boxes are walked. Matroska (mkv, webm): the size of the
    segment. AVI: the size of the first RIFF chunk. Live recordings leave these counts open.
    """
    with file.open("rb") as handle:
        head = handle.read(12)
        if head[4:8] in _BOXES:
            return _iso_end(handle, file.stat().st_size)
        if head[:4] == _EBML:
            return _matroska_end(handle)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return 8 + int.from_bytes(head[4:8], "little")
    return None


def _iso_end(handle: BinaryIO, size: int) -> int | None:
    """End of the last top-level box; None if a box is open-ended or unknown bytes follow."""
    start = 0
    while start < size:
        handle.seek(start)
        head = handle.read(16)
        if head[4:8] not in _BOXES:
            return None
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            return None
        start += length
    return start


def _matroska_end(handle: BinaryIO) -> int | None:
    handle.seek(len(_EBML))
    header = _element_size(handle)
    if header is None:
        return None
    handle.seek(header, 1)
    if handle.read(4) != _SEGMENT:
        return None
    segment = _element_size(handle)
    return None if segment is None else handle.tell() + segment


def _element_size(handle: BinaryIO) -> int | None:
    """An EBML variable-length size; None for "unknown" (all ones) and for no valid size."""
    first = handle.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + handle.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value
