"""Watching a child: processor time decides, wall time is a backstop.

On a busy machine a second of processor time can take many seconds of wall time, and a limit on those would punish
correct programs.
"""

import contextlib
import os
import signal
import sys
import time
from mmap import mmap

from absolute_zero.executor import protocol
from absolute_zero.executor.region import HEAD

TICK = 0.02  # seconds between looks at a running child
STILL, IDLE = 2.0, 0.005  # a child that in this many seconds used less than this share of a core is blocked
READING = 1_000_000_000  # processor nanoseconds for reading one input
_clock, _wall = time.clock_gettime_ns, time.monotonic_ns  # the real ones, before the world is furnished


class Watch:
    """The child being watched: how long its current input may still run, and why it was killed."""

    def __init__(self, region: mmap) -> None:
        self.region, self.pid = region, 0

    def begin(self, pid: int, cpu_seconds: float, inputs: int) -> None:
        """Watch a new child."""
        self.limit, self.phases, self.reason = int(cpu_seconds * 1e9), 2 * inputs, -1
        self.patience = int(protocol.patience(cpu_seconds) * 1e9)
        self.started = self.since = self.seen = self.window_cpu = self.ticks = 0
        self.window_wall = now = _wall()
        self.deadline = now + self.patience
        self.pid = pid

    def tick(self, *_: object) -> None:
        """Look at the child; called by the interval timer. Processor time decides, wall time is a backstop."""
        if not self.pid:
            return
        now = _wall()
        try:
            used = _clock(~self.pid << 3 | 2)  # the kernel's name for the CPU clock of a process
        except OSError:  # gone, or a system without such clocks: then wall time has to do
            used = 0 if sys.platform == "linux" else now - self.window_wall
        started, _, since = HEAD.unpack_from(self.region, 0)
        if self.started < started <= self.phases:  # a new phase; what the child says of its start is bounded
            if started > self.started + 1 or started % 2:
                self.deadline = now + self.patience
            self.started, self.since = started, min(max(since, self.seen), used)
        self.seen = used
        # Reading an input is our own doing: a small limit on the program must not end it.
        limit = max(self.limit, READING) if self.started % 2 else self.limit
        if used - self.since > limit:
            self.kill(protocol.TIMEOUT)
        elif now > self.deadline:
            self.kill(protocol.BLOCKED)
        elif now - self.window_wall > STILL * 1e9 and sys.platform == "linux":
            # Too few looks in that time: it was the machine that stood still, not the child.
            if used - self.window_cpu < IDLE * (now - self.window_wall) and self.ticks > STILL / TICK / 2:
                self.kill(protocol.BLOCKED)
            self.window_wall, self.window_cpu, self.ticks = now, used, 0
        self.ticks += 1

    def kill(self, reason: int) -> None:
        """Kill the child; the reason becomes the verdict of the input it was at."""
        self.reason = reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
