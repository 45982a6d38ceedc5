"""The region of memory through which a child reports: written by the child, read once it is dead.

Layout: `started` (u32, phases begun: an input is read, then run), `left` (u32, why it stopped before the end),
`since` (u64, processor nanoseconds when the current phase began), then from `FRAMES` on one frame per finished
input: code + 1, length of value and of detail (u32 each), processor nanoseconds it took (u64), value, detail. A
child that compiles leaves (u32 length, prepared order) instead, one after the other.

The reader believes a child only as far as what it left is well formed.
"""

import struct
import sys
from mmap import mmap

from absolute_zero.executor.protocol import FRAME, MEMORY, TIMEOUT

SIZE = 8 << 20
"""Bytes of address space; pages exist only where a child wrote."""
HEAD = struct.Struct("<IIQ")
LEFT = struct.Struct("<I")
LEFT_AT = 4
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


def settle(region: mmap, expected: int, seconds: float, limit: float) -> tuple[int, int, float, bool]:
    """Walk what a dead child left, without reading it.

    Returns how many frames are well formed, where they end, the seconds they account for, and whether something
    else follows them. The kernel's total bounds the times claimed; an input that took over its limit between two
    looks at it has timed out.
    """
    offset, count, left, bound = FRAMES, 0, int(seconds * 1e9), int(limit * 1e9)
    while count < expected and offset + FRAME.size <= SIZE:
        code, size, detail_size, used = FRAME.unpack_from(region, offset)
        end = offset + FRAME.size + size + detail_size
        if code == 0 or code > MEMORY + 1 or end > SIZE:
            return count, offset, seconds - left / 1e9, code != 0
        used = min(used, left)
        FRAME.pack_into(region, offset, code if used <= bound else TIMEOUT + 1, size, detail_size, used)
        offset, count, left = end, count + 1, left - used
    return count, offset, seconds - left / 1e9, False


def find_codes(region: mmap, expected: int) -> list[tuple[int, int]]:
    """Return where the programs lie that a compiling child left: (start, end) of each, (0, 0) for a missing one."""
    spans: list[tuple[int, int]] = []
    offset = FRAMES
    while len(spans) < expected and offset + 4 <= SIZE:
        (size,) = LEFT.unpack_from(region, offset)
        offset += 4 + size
        spans.append((offset - size, offset) if offset <= SIZE else (0, 0))
    return spans + [(0, 0)] * (expected - len(spans))
