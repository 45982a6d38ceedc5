"""The region of memory through which a child reports: written by the child, read once it is dead.

Layout: `started` (u32, inputs begun), `left` (u32, why it stopped before the end), `since` (u64, processor
nanoseconds when the current input began), then from `FRAMES` on one frame per finished input: code + 1, length
of value and of detail (u32 each), processor nanoseconds used so far (u64), value, detail. A child that compiles
leaves (u32 length, prepared program) instead, one after the other.

The reader believes a child only as far as what it left is well formed.
"""

import struct
import sys
from mmap import mmap

from absolute_zero.executor import protocol

SIZE = 8 << 20
"""Bytes of address space; pages exist only where a child wrote."""
HEAD = struct.Struct("<IIQ")
LEFT = struct.Struct("<I")
LEFT_AT = 4
FRAME = struct.Struct("<IIIQ")
FRAMES = 16
_MADV_REMOVE = 9
CONTINUE, NEEDS_FULL = 1, 2
"""Values of `left`: the next input wants a child of its own; the program reached for a module of the full world."""


def wipe(region: mmap) -> None:
    """Make it all zeros, at the cost of the pages that exist."""
    if sys.platform == "linux":
        region.madvise(_MADV_REMOVE)
    else:
        region[:] = bytes(SIZE)


def read_frames(region: mmap, expected: int, seconds: float) -> tuple[list[protocol.Report], float]:
    """What a dead child left, believed only as far as it is well formed; and the seconds it accounts for."""
    reports: list[protocol.Report] = []
    at, before = FRAMES, 0.0
    while len(reports) < expected and at + FRAME.size <= SIZE:
        code, size, detail_size, used = FRAME.unpack_from(region, at)
        if code == 0:
            break
        at += FRAME.size
        end = at + size + detail_size
        if end > SIZE or code > protocol.MEMORY + 1:
            reports.append((protocol.TOO_LARGE, "", "", seconds - before))
            break
        until = max(before, min(used / 1e9, seconds))  # the kernel's total bounds what the child claims
        try:
            value = region[at : at + size].decode()
            reports.append((code - 1, value, _one_line(region[at + size : end]), until - before))
        except UnicodeDecodeError:
            reports.append((protocol.UNSERIALISABLE, "", "", until - before))
        at, before = end, until
    return reports, before


def _one_line(detail: bytes) -> str:
    """A foreign name, made fit for a log."""
    return "".join(letter if letter.isprintable() else "?" for letter in detail[:160].decode("utf-8", "replace"))[:80]


def read_codes(region: mmap, expected: int) -> list[bytes]:
    """What the compiling child left: one (u32 length, code) after the other, believed only as bytes."""
    codes: list[bytes] = []
    at = FRAMES
    while len(codes) < expected and at + 4 <= SIZE:
        size = int.from_bytes(region[at : at + 4], "little")
        at += 4 + size
        codes.append(region[at - size : at] if at <= SIZE else b"")
    return codes + [b""] * (expected - len(codes))
