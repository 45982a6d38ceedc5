"""The zygote: a small single-threaded interpreter that forks one child per program and watches it.

Started fresh (never forked from the trainer) with a hash seed of its own. It gives up everything it does not
need before it serves, holds one descriptor, runs no text of anybody's, and reads what a child reports only
after that child is dead. It is told which walls to build and says which one failed; whether they hold is for
the canaries to show.

It is written to touch little memory between forks: page faults after the fork, not Python, are what an
execution costs.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from mmap import mmap

from absolute_zero.executor import child, isolation, protocol, region, seccomp, world
from absolute_zero.executor.mailbox import Mailbox
from absolute_zero.executor.watch import TICK, Watch

CHANNEL = 3
_usage = resource.getrusage
DEFAULT_MEMORY = 256  # MiB, as `types.Job` has it
WORTH_COMPILING = 4  # programs in a batch from which on one child compiles them all
COMPILE_SECONDS = 1.0


class Zygote:
    """Serves orders until its channel closes."""

    def __init__(self, inside: world.Components, install: Callable[[], int] | None, namespaced: bool) -> None:
        self.region = mmap(-1, region.SIZE)
        self.watch = Watch(self.region)
        self.install, self.namespaced = install, namespaced
        self.full, self.library = inside.full, inside.library
        self.runner = child.Runner(self.region, inside.sink, _syscall())
        self.fork: Callable[[], int] = ctypes.PyDLL(None).fork  # skips Python's own hooks: 0.3 ms a fork
        self.die_with_zygote: Callable[..., int] = ctypes.PyDLL(None).prctl
        self.reaped = 0.0  # processor seconds of all children so far
        self.mail = Mailbox(CHANNEL)
        self.address_space = _address_space()
        self.limit_memory(DEFAULT_MEMORY)  # inherited: a child only sets it when its job differs
        signal.signal(signal.SIGALRM, self.watch.tick)

    def serve(self) -> None:
        """Answer requests; returns when the supervisor is gone."""
        mail = self.mail
        while mail.receive():
            signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
            codes = self.compile() if len(mail.orders) >= WORTH_COMPILING else [(0, 0)] * len(mail.orders)
            for index, code in enumerate(codes):
                self.run(index, code)
            signal.setitimer(signal.ITIMER_REAL, 0)
            mail.send()

    def compile(self) -> list[tuple[int, int]]:
        """Compile the batch, and return where in `mail.codes` each program lies; (0, 0) where it does not.

        The compiler touches some hundred pages, most of what a small program costs; one child, behind the filter,
        pays for all of a batch. Only children ever load what it made.
        """
        mail = self.mail
        region.wipe(self.region)
        mail.request.lend(True)
        pid = self.fork()
        if pid == 0:
            self.shed(DEFAULT_MEMORY)
            self.runner.compile([mail.request.view[start:end] for start, end in mail.orders], self.install)
        mail.request.lend(False)
        if pid > 0:
            self.watch.begin(pid, COMPILE_SECONDS, 1)
            self.reap(pid)
        spans = region.find_codes(self.region, len(mail.orders))
        end = max((end for _, end in spans), default=0)
        mail.codes.append(memoryview(self.region)[:end])
        return spans

    def run(self, index: int, code: tuple[int, int]) -> None:
        """Answer one order. A child that ends early is charged to the input it was at; another goes on."""
        mail = self.mail
        sizes = mail.present(index, code)
        cpu_seconds, memory, _, flags, texts = protocol.JOB.unpack_from(mail.slot.view)
        mark, done = mail.open_answer(), 0
        while done < texts - 1:
            count, verdict = self.run_child(sizes, done, texts - 1 - done, cpu_seconds, memory, flags)
            done += count
            if verdict == protocol.NEEDS_FULL:
                break
        mail.close_answer(mark)

    def run_child(
        self, sizes: tuple[int, int], done: int, inputs: int, cpu_seconds: float, memory: int, flags: int
    ) -> tuple[int, int]:
        """Fork, watch, pass on what it left. Return how many inputs that settles (at least one), and how it ended."""
        region.wipe(self.region)
        pid = self.fork()
        if pid == 0:
            self.shed(memory)
            order, code = self.mail.slot.view[: sizes[0]], self.mail.slot.view[sizes[0] : sum(sizes)]
            self.runner.run(order, code, done, None if flags & protocol.BARE else self.install)
        if pid < 0:
            self.mail.report(protocol.INFRASTRUCTURE, 0.0)
            return 1, protocol.INFRASTRUCTURE
        self.watch.begin(pid, cpu_seconds, inputs)
        status, seconds = self.reap(pid)
        count, end, used, garbled = region.settle(self.region, inputs, seconds, cpu_seconds)
        self.mail.reply.append(memoryview(self.region)[region.FRAMES : end])
        if count == inputs:
            return count, protocol.VALUE
        started, left, _ = region.HEAD.unpack_from(self.region, 0)
        verdict, detail = (protocol.TOO_LARGE, b"") if garbled else self.cause(status, left)
        # A child that claims to have begun inputs it did not finish has used their time: they are not run again.
        claimed = min((max(started, self.watch.started) + 1) // 2, inputs)
        # After the first input a crash may be an earlier one's doing: what crashes alone has earned it.
        honest = not garbled and claimed <= count + 1
        if count and honest and (left == region.CONTINUE or verdict == protocol.CRASH):
            return count, protocol.VALUE
        for _ in range(count, max(claimed, count + 1)):
            self.mail.report(verdict, seconds - used, detail)
            used = seconds
        return max(claimed, count + 1), verdict

    def reap(self, pid: int) -> tuple[int, float]:
        """Wait for the child being watched. Return its status and the processor seconds it used."""
        _, status = os.waitpid(pid, 0)  # os.wait4 would import a module on every call
        self.watch.pid = 0
        if self.install is None:
            _end_group(pid)
        usage = _usage(resource.RUSAGE_CHILDREN)
        before, self.reaped = self.reaped, usage.ru_utime + usage.ru_stime
        return status, self.reaped - before

    def shed(self, memory: int) -> None:
        """Close the channel, set the limits, and die with the zygote: what a child does first."""
        os.close(CHANNEL)
        self.library.leave = self.leave_for_full
        if memory != DEFAULT_MEMORY:
            self.limit_memory(memory)
        if not self.namespaced:  # where the zygote is the init of its namespace, the kernel sees to it
            self.die_with_zygote(1, signal.SIGKILL)
        if self.install is None:
            os.setsid()

    def leave_for_full(self) -> None:
        """Leave the child, whose program reached for what only the full world has; never returns."""
        self.runner.leave(region.NEEDS_FULL)

    def limit_memory(self, megabytes: int) -> None:
        """Bound this process's address space, where the system can."""
        if sys.platform != "linux":
            return
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = self.address_space + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))

    def cause(self, status: int, left: int) -> tuple[int, bytes]:
        """Return why a child ended before its input was done: a verdict and its detail."""
        if self.watch.reason >= 0:
            return self.watch.reason, b""
        if os.WIFEXITED(status):
            if left == region.NEEDS_FULL and not self.full:
                return protocol.NEEDS_FULL, b""
            return protocol.TOO_LARGE if left == region.CONTINUE else protocol.EXITED, b""
        number = os.WTERMSIG(status)
        if number == signal.SIGSYS:
            return protocol.FORBIDDEN, b""
        if number == signal.SIGKILL:  # neither ours nor the filter's: somebody, or the machine out of memory
            return protocol.INFRASTRUCTURE, b""
        return protocol.CRASH, signal.Signals(number).name.encode()


def _write_all(body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(CHANNEL, view) :]


def _end_group(pid: int) -> None:
    """Kill what a program left behind: at level weak it can fork."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return


def _syscall() -> Callable[..., int]:
    """Return a raw system call, for canaries. It gives the result, or minus the error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def syscall(number: int, *arguments: object) -> int:
        words = (ctypes.c_long(word) if isinstance(word, int) else word for word in arguments)
        returned: int = libc.syscall(ctypes.c_long(number), *words)
        return returned if returned >= 0 else -ctypes.get_errno()

    return syscall


def _address_space() -> int:
    """Return the bytes of address space that this process takes; 1 GiB where that cannot be read."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def _give_back_memory() -> None:
    """Give back the pages freed during start-up: every page present is a page to copy in every fork."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # the GNU C library
        trim(0)


def _limit_resources() -> None:
    """Allow no core file, no file of any size, an ordinary stack: for the zygote and all its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = 8 << 20 if hard == resource.RLIM_INFINITY else min(hard, 8 << 20)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))


def _into_namespaces() -> None:
    """Enter the namespaces. What stays outside only waits: it is the zygote's parent and its reaper."""
    isolation.enter_namespaces()
    pid = os.fork()
    if pid:
        os.close(CHANNEL)
        isolation.die_with_parent()
        os.waitpid(pid, 0)
        os._exit(0)


def main(seed: int, channel: int, full: bool, walls: Sequence[str], without: Sequence[str]) -> None:
    """Build the walls asked for, say so (or which one failed), serve, and exit."""
    os.dup2(channel, CHANNEL)
    linux = sys.platform == "linux"
    building = "interpreter"
    try:
        padding = world.shift_addresses(seed)  # to be held as long as the zygote lives
        if "namespaces" in walls:
            building = "namespaces"
            _into_namespaces()
        if linux:
            isolation.die_with_parent()
        building = "interpreter"
        isolation.close_other_descriptors(CHANNEL)
        world.preload(full)
        inside = world.furnish(seed, full)
        _limit_resources()
        install = None
        if "seccomp" in walls:
            building = "seccomp"
            target = seccomp.machine()
            if target is None:
                raise OSError(seccomp.ENOSYS, "no table of system calls for this processor")
            install = seccomp.installer(seccomp.program(target, without))
        zygote = Zygote(inside, install, "namespaces" in walls)
        child.rehearse(zygote.runner)
        abi = _raise_walls(walls) if linux else 0
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        protocol.send(_write_all, protocol.pack_fields([b"failed", building.encode(), reason.encode()]))
        os._exit(1)
    gc.set_threshold(20_000, 20, 20)  # compiling a program must not set it off; a leaking program still does
    gc.collect()
    gc.freeze()
    _give_back_memory()
    protocol.send(_write_all, protocol.pack_fields([b"ready", str(abi).encode()]))
    with contextlib.suppress(OSError):  # the supervisor may go away in the middle of a reply
        zygote.serve()
    os._exit(0 if padding else 1)


def _raise_walls(walls: Sequence[str]) -> int:
    """Raise the walls: the file system goes last but one, privilege last. Return Landlock's ABI, 0 without it."""
    if "namespaces" in walls:
        isolation.empty_root()
    isolation.no_new_privileges()
    abi = isolation.landlock() if "landlock" in walls else 0
    if walls:
        isolation.drop_capabilities()
        isolation.not_dumpable()
    isolation.die_with_parent()
    return abi
