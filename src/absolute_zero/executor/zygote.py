"""The zygote: a small single-threaded interpreter that forks one child per program and watches it.

Started fresh (never forked from the trainer) with a hash seed of its own. It gives up everything it does not
need before it serves, holds one descriptor, runs no text of anybody's, and reads what a child reports only
after that child is dead. It is told which walls to build and says which one failed; whether they hold is for
the canaries to show.

It is written to touch little memory between forks: page faults after the fork, not Python, are what an
execution costs.
"""

import ctypes
import gc
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from mmap import mmap

from absolute_zero import values
from absolute_zero.executor import child, isolation, protocol, region, seccomp, world
from absolute_zero.executor.watch import TICK, Watch

CHANNEL = 3
_usage = resource.getrusage
DEFAULT_MEMORY = 256  # MiB, as `types.Job` has it
WORTH_COMPILING = 4  # programs in a batch from which on one child compiles them all
COMPILE_SECONDS = 1.0
_PLAIN = re.compile(r"(?:None|True|False|0|-?[1-9][0-9]{0,17}|'[ -&(-\[\]-~]*')\Z").match
"""Values whose text is canonical at a glance; all others are read and written again."""


class Zygote:
    """Serves orders until its channel closes."""

    def __init__(self, inside: world.World, install: Callable[[], int] | None, namespaced: bool) -> None:
        self.region = mmap(-1, region.SIZE)
        self.watch = Watch(self.region)
        self.install, self.namespaced = install, namespaced
        self.full, self.library = inside.full, inside.library
        self.runner = child.Runner(self.region, inside.sink, _syscall())
        self.fork: Callable[[], int] = ctypes.PyDLL(None).fork  # skips Python's own hooks: 0.3 ms a fork
        self.die_with_zygote: Callable[..., int] = ctypes.PyDLL(None).prctl
        self.reaped = 0.0  # processor seconds of all children so far
        self.address_space = _address_space()
        self.limit_memory(DEFAULT_MEMORY)  # inherited: a child only sets it when its job differs
        signal.signal(signal.SIGALRM, self.watch.tick)

    def serve(self) -> None:
        """Answer requests; returns when the supervisor is gone."""
        while True:
            try:
                orders = protocol.unpack_orders(protocol.receive(_read))
            except protocol.Broken:
                return
            prepared = [_read_inputs(order) for order in orders]
            signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
            codes = self.compile(orders) if len(orders) >= WORTH_COMPILING else [b""] * len(orders)
            work = zip(orders, prepared, codes, strict=True)
            reports = [self.run(order, inputs, code) for order, inputs, code in work]
            signal.setitimer(signal.ITIMER_REAL, 0)
            checked = [
                [_checked(report, order.output_bytes) for report in answer]
                for order, answer in zip(orders, reports, strict=True)
            ]
            protocol.send(_write_all, protocol.pack_reports(checked))

    def compile(self, orders: Sequence[protocol.Order]) -> list[bytes]:
        """Marshalled code of each program, made behind the filter by one child; empty where it made none.

        The compiler touches some hundred pages, most of what a small program costs; one child pays for all of a
        batch. Only children ever load what it made.
        """
        region.wipe(self.region)
        pid = self.fork()
        if pid == 0:
            self.shed(orders[0])
            self.runner.compile([order.program for order in orders], self.install)
        if pid > 0:
            self.watch.begin(pid, COMPILE_SECONDS, 1)
            self.reap(pid)
        return region.read_codes(self.region, len(orders))

    def run(
        self, order: protocol.Order, inputs: Sequence[child.Arguments | None], code: bytes
    ) -> list[protocol.Report]:
        """One report per input. A child that ends early is charged to the input it was at; another goes on."""
        reports: list[protocol.Report] = [(protocol.INVALID_INPUT, "", "", 0.0)] * len(inputs)
        if not self.full and None in inputs and not all(map(str.isascii, order.inputs)):
            return [(protocol.NEEDS_FULL, "", "", 0.0)] * len(inputs)  # names beyond ASCII need its Unicode tables
        waiting = [index for index, arguments in enumerate(inputs) if arguments is not None]
        while waiting:
            readable = [arguments for index in waiting if (arguments := inputs[index]) is not None]
            done = self.one_child(order, readable, code)
            for index, report in zip(waiting, done, strict=False):
                reports[index] = report
            waiting = waiting[len(done) :]
            if done[-1][0] == protocol.NEEDS_FULL:
                break
        return reports

    def one_child(
        self, order: protocol.Order, inputs: Sequence[child.Arguments], code: bytes
    ) -> list[protocol.Report]:
        """Fork, watch, read. At least one report, in the order of the inputs."""
        region.wipe(self.region)
        pid = self.fork()
        if pid == 0:
            self.shed(order)
            self.runner.run(order, inputs, code, None if order.flags & protocol.BARE else self.install)
        if pid < 0:
            return [(protocol.INFRASTRUCTURE, "", "", 0.0)] * len(inputs)
        self.watch.begin(pid, order.cpu_seconds, len(inputs))
        status, seconds = self.reap(pid)
        reports, used = region.read_frames(self.region, len(inputs), seconds)
        [left] = region.LEFT.unpack_from(self.region, region.LEFT_AT)
        verdict, detail = self.cause(status, left)
        # After the first input a crash may be an earlier one's doing: what crashes alone has earned it.
        if len(reports) == len(inputs) or (reports and (left == region.CONTINUE or verdict == protocol.CRASH)):
            return reports
        return [*reports, (verdict, "", detail, seconds - used)]

    def reap(self, pid: int) -> tuple[int, float]:
        """Wait for the child being watched; its status and the processor seconds it used."""
        _, status = os.waitpid(pid, 0)  # os.wait4 would import a module on every call
        self.watch.pid = 0
        if self.install is None:
            _end_group(pid)
        usage = _usage(resource.RUSAGE_CHILDREN)
        before, self.reaped = self.reaped, usage.ru_utime + usage.ru_stime
        return status, self.reaped - before

    def shed(self, order: protocol.Order) -> None:
        """In the child: no descriptor, limits, no life after the zygote."""
        os.close(CHANNEL)
        self.library.leave = self.leave_for_full
        if order.memory_mb != DEFAULT_MEMORY:
            self.limit_memory(order.memory_mb)
        if not self.namespaced:  # where the zygote is the init of its namespace, the kernel sees to it
            self.die_with_zygote(1, signal.SIGKILL)
        if self.install is None:
            os.setsid()

    def leave_for_full(self) -> None:
        """In the child: the program reached for what only the full world has; never returns."""
        self.runner.leave(region.NEEDS_FULL)

    def limit_memory(self, megabytes: int) -> None:
        """Bound this process's address space, where the system can."""
        if sys.platform != "linux":
            return
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = self.address_space + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))

    def cause(self, status: int, left: int) -> tuple[int, str]:
        """Why a child ended before its input was done."""
        if self.watch.reason >= 0:
            return self.watch.reason, ""
        if os.WIFEXITED(status):
            if left == region.NEEDS_FULL and not self.full:
                return protocol.NEEDS_FULL, ""
            return protocol.TOO_LARGE if left == region.CONTINUE else protocol.EXITED, ""
        number = os.WTERMSIG(status)
        if number == signal.SIGSYS:
            return protocol.FORBIDDEN, ""
        if number == signal.SIGKILL:  # neither ours nor the filter's: somebody, or the machine out of memory
            return protocol.INFRASTRUCTURE, ""
        return protocol.CRASH, signal.Signals(number).name


def _checked(report: protocol.Report, output_bytes: int) -> protocol.Report:
    """A reported value is read and written again: whatever the child claims, what leaves is canonical."""
    code, value, detail, seconds = report
    if code != protocol.VALUE:
        return code, "", detail, seconds
    if len(value) > output_bytes:
        return protocol.TOO_LARGE, "", "", seconds
    if _PLAIN(value):
        return code, value, "", seconds
    try:
        return code, values.canonical(values.read(value), output_bytes), "", seconds
    except values.TooLarge:
        return protocol.TOO_LARGE, "", "", seconds
    except (values.Unreadable, values.Unwritable):
        return protocol.UNSERIALISABLE, "", "", seconds


def _read_inputs(order: protocol.Order) -> list[child.Arguments | None]:
    """The arguments of each input; None where the text is no argument list of literals."""
    read: list[child.Arguments | None] = []
    for text in order.inputs:
        try:
            read.append(values.read_arguments(text))
        except values.Unreadable:
            read.append(None)
    return read


def _read(size: int) -> bytes:
    return os.read(CHANNEL, size)


def _write_all(body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(CHANNEL, view) :]


def _end_group(pid: int) -> None:
    """At level weak a program can fork: what it left behind goes with it."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return


def _syscall() -> Callable[..., int]:
    """For canaries: a raw system call; the result, or minus the error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def syscall(number: int, *arguments: object) -> int:
        words = (ctypes.c_long(word) if isinstance(word, int) else word for word in arguments)
        returned: int = libc.syscall(ctypes.c_long(number), *words)
        return returned if returned >= 0 else -ctypes.get_errno()

    return syscall


def _address_space() -> int:
    """Bytes of address space this process takes; 0 where that cannot be read."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def _give_back_memory() -> None:
    """Pages freed during start-up: every page present is a page to copy in every fork."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # the GNU C library
        trim(0)


def _limit_resources() -> None:
    """No core file, no file of any size, an ordinary stack: for the zygote and all its children."""
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
    zygote.serve()
    os._exit(0 if padding else 1)


def _raise_walls(walls: Sequence[str]) -> int:
    """The file system goes last but one, privilege last. Returns Landlock's ABI, 0 without it."""
    if "namespaces" in walls:
        isolation.empty_root()
    isolation.no_new_privileges()
    abi = isolation.landlock() if "landlock" in walls else 0
    if walls:
        isolation.drop_capabilities()
        isolation.not_dumpable()
    isolation.die_with_parent()
    return abi
