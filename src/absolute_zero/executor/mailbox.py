"""The zygote's post: requests and replies in memory that no child inherits.

A child can read all of its zygote's memory, frames and freed heap included. If that held the other programs of a
batch and what they returned, a program could copy its siblings' answers, and in group-relative learning that pays.
So texts never become objects in the zygote: they come from the channel into mappings that a fork leaves out, the
one order at hand is copied into a slot that its child does inherit, and reports go back as the bytes they are.
"""

import os
import struct
import sys
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from absolute_zero.executor import protocol

_LENGTH = struct.Struct("<I")
_MADV_DONTNEED, _MADV_DONTFORK, _MADV_DOFORK = 4, 10, 11
_LINUX = sys.platform == "linux"


class Memory:
    """Anonymous memory that grows, with the part in use at its start."""

    def __init__(self, inherited: bool) -> None:
        self.inherited, self.used = inherited, 0
        self.allocate(1 << 20)

    def allocate(self, size: int) -> None:
        """Take a new mapping; what was in use moves along."""
        fresh = mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        view = memoryview(fresh)
        if self.used:
            view[: self.used] = self.view[: self.used]
        self.map, self.view, self.size = fresh, view, size
        if _LINUX and not self.inherited:
            fresh.madvise(_MADV_DONTFORK)

    def reserve(self, size: int) -> int:
        """Make room for `size` more bytes, and return where it starts."""
        start, self.used = self.used, self.used + size
        if self.used > self.size:
            self.used = start
            self.allocate(max(start + size, 2 * self.size))
            self.used = start + size
        return start

    def append(self, part: memoryview) -> int:
        """Copy bytes in, and return where they start."""
        start = self.reserve(len(part))
        self.view[start : self.used] = part
        return start

    def clear(self) -> None:
        """Forget it all: the pages go back to the kernel."""
        if self.used:
            if _LINUX:
                self.map.madvise(_MADV_DONTNEED)
            else:
                self.view[: self.used] = bytes(self.used)
            self.used = 0

    def lend(self, inherited: bool) -> None:
        """Let the next fork inherit this memory, or no longer."""
        if _LINUX:
            self.map.madvise(_MADV_DOFORK if inherited else _MADV_DONTFORK)


class Mailbox:
    """One request at a time, and the reply to it."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.request, self.reply, self.codes = Memory(False), Memory(False), Memory(False)
        self.slot = Memory(True)
        self.orders: list[tuple[int, int]] = []

    def receive(self) -> bool:
        """Take in the next request and find its orders. Return False when the supervisor is gone."""
        for memory in (self.request, self.reply, self.codes):
            memory.clear()
        head = self.request.reserve(_LENGTH.size)
        if not self.fill(head, _LENGTH.size):
            return False
        (size,) = _LENGTH.unpack_from(self.request.view, head)
        start = self.request.reserve(size)
        if not self.fill(start, size):
            return False
        self.orders.clear()
        offset, end = start, start + size
        while offset < end:
            (length,) = _LENGTH.unpack_from(self.request.view, offset)
            self.orders.append((offset + _LENGTH.size, offset + _LENGTH.size + length))
            offset += _LENGTH.size + length
        self.reply.reserve(_LENGTH.size)
        return True

    def fill(self, start: int, size: int) -> bool:
        """Read exactly `size` bytes from the channel into the request. Return False when the supervisor is gone."""
        while size:
            count = os.readv(self.channel, [self.request.view[start : start + size]])
            if not count:
                return False
            start, size = start + count, size - count
        return True

    def present(self, index: int, code: tuple[int, int]) -> tuple[int, int]:
        """Put an order, and its prepared code if any, where the next child looks for them. Return their lengths."""
        start, end = self.orders[index]
        self.slot.clear()
        self.slot.append(self.request.view[start:end])
        self.slot.append(self.codes.view[code[0] : code[1]])
        return end - start, code[1] - code[0]

    def open_answer(self) -> int:
        """Begin the answer to an order, and return the mark that `close_answer` takes."""
        return self.reply.reserve(_LENGTH.size)

    def close_answer(self, mark: int) -> None:
        """End an answer: write down its length."""
        _LENGTH.pack_into(self.reply.view, mark, self.reply.used - mark - _LENGTH.size)

    def report(self, code: int, seconds: float, detail: bytes = b"") -> None:
        """Add a frame of the zygote's own: what became of an input that its child did not finish."""
        head = protocol.FRAME.pack(code + 1, 0, len(detail), max(int(seconds * 1e9), 0))
        self.reply.append(memoryview(head + detail))

    def send(self) -> None:
        """Send the reply. Raises OSError when the supervisor is gone."""
        _LENGTH.pack_into(self.reply.view, 0, self.reply.used - _LENGTH.size)
        view = self.reply.view[: self.reply.used]
        while view:
            view = view[os.write(self.channel, view) :]
