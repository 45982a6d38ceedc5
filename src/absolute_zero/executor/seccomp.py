"""The wall: a system-call filter in classic BPF, written out by hand so that it can be read in one sitting.

Promise: after `install`, the process and all it ever becomes can compute, take and give back anonymous
memory, read clocks and exit. Everything else answers EPERM, so that a stray `open` is an ordinary Python
error; calls that no honest program makes kill the process, so that swallowing the exception hides nothing.

Not promised: anything against a kernel bug reachable through the calls that are left.

The filter is a binary search over call numbers. That is not only faster per call: the kernel emulates the
filter once for every number when it is installed, and every child installs it.
"""

import ctypes
import os
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

ALLOW = 0x7FFF_0000
KILL = 0x8000_0000
EPERM, EAGAIN, ENOSYS, ETIMEDOUT = 1, 11, 38, 110


def errno_action(number: int) -> int:
    """Return the action that makes a call fail with `number`."""
    return 0x0005_0000 | number


DENY = errno_action(EPERM)


class Machine(NamedTuple):
    """What differs between processor families. `column` is the index in the tables below."""

    audit_arch: int
    column: int


MACHINES = {"x86_64": Machine(0xC000_003E, 0), "aarch64": Machine(0xC000_00B7, 1)}

# Call numbers: (x86-64, aarch64); -1 where the family has no such call.
ALLOWED = {
    "exit": (60, 93), "exit_group": (231, 94), "rt_sigreturn": (15, 139), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "sigaltstack": (131, 132), "restart_syscall": (219, 128),
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    "sched_yield": (24, 124), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, -1), "getcpu": (309, 168),
}  # fmt: skip

# No honest program makes these: the process dies, and the verdict is FORBIDDEN.
KILLED = {
    "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "bpf": (321, 280), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "seccomp": (317, 277), "modify_ldt": (154, -1), "iopl": (172, -1), "ioperm": (173, -1),
}  # fmt: skip

# Calls whose arguments decide.
ARGUED = {
    "mmap": (9, 222), "mprotect": (10, 226), "clone": (56, 220), "clone3": (435, 435), "futex": (202, 98),
}  # fmt: skip

# Other numbers the project needs by name: the canaries try them, the isolation makes them.
NAMED = {
    "read": (0, 63), "write": (1, 64), "openat": (257, 56), "socket": (41, 198), "connect": (42, 203),
    "prctl": (157, 167), "capset": (126, 91), "prlimit64": (302, 261), "getpid": (39, 172),
    "getppid": (110, 173), "tgkill": (234, 131), "setitimer": (38, 103), "memfd_create": (319, 279),
    "personality": (135, 92), "getrandom": (318, 278), "shmget": (29, 194), "linkat": (265, 37),
    "landlock_create_ruleset": (444, 444), "landlock_restrict_self": (446, 446),
}  # fmt: skip

X32_BIT = 0x4000_0000
PROT_EXEC, MAP_ANONYMOUS, CLONE_THREAD = 0x4, 0x20, 0x10000
FUTEX_WAITS, FUTEX_WAKES = (0, 9), (1, 10)  # plain and bitset: all that locks of one process need

# Every rule that can be left out in a mutation check; leaving one out opens exactly that door.
RULES = (*KILLED, *ARGUED, "default", "machine", "x32")

# Instruction codes.
_LOAD, _RETURN = 0x20, 0x06
_AND, _IF_EQUAL, _IF_GREATER_EQUAL, _IF_ANY_BIT = 0x54, 0x15, 0x35, 0x45
_NUMBER, _ARCH = 0, 4


class Instruction(NamedTuple):
    """One classic BPF instruction; jumps count the instructions to skip."""

    code: int
    if_true: int
    if_false: int
    operand: int


def machine() -> Machine | None:
    """Return the family of this processor, or None where there is no table for it."""
    uname = getattr(os, "uname", None)  # absent on Windows
    return MACHINES.get(uname().machine) if uname else None


def call_number(name: str, column: int) -> int:
    """Return the number of a call by its name; -1 where this family lacks it. Raises KeyError for an unknown name."""
    for table in (ALLOWED, KILLED, ARGUED, NAMED):
        if name in table:
            return table[name][column]
    raise KeyError(name)


def _ret(action: int) -> list[Instruction]:
    return [Instruction(_RETURN, 0, 0, action)]


def _argument(index: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, 16 + 8 * index)  # the low half; both families are little-endian


def _argued(name: str) -> list[Instruction]:
    """Return the block that decides one call by its arguments."""
    if name == "mmap":  # anonymous memory only, never executable
        return [
            _argument(2), Instruction(_IF_ANY_BIT, 2, 0, PROT_EXEC),
            _argument(3), Instruction(_IF_ANY_BIT, 1, 0, MAP_ANONYMOUS),
            *_ret(DENY), *_ret(ALLOW),
        ]  # fmt: skip
    if name == "mprotect":
        return [_argument(2), Instruction(_IF_ANY_BIT, 0, 1, PROT_EXEC), *_ret(DENY), *_ret(ALLOW)]
    if name == "clone":  # a thread is an ordinary failure; a process is not
        return [
            _argument(0), Instruction(_IF_ANY_BIT, 0, 1, CLONE_THREAD),
            *_ret(errno_action(EAGAIN)), *_ret(KILL),
        ]  # fmt: skip
    if name == "futex":  # a wait with a time limit is over at once: nobody dozes through a time limit of ours
        tests = [
            *(Instruction(_IF_EQUAL, 7 - index, 0, command) for index, command in enumerate(FUTEX_WAKES)),
            *(Instruction(_IF_EQUAL, 2 - index, 0, command) for index, command in enumerate(FUTEX_WAITS)),
        ]
        limited = [_argument(3), Instruction(_IF_EQUAL, 1, 0, 0), *_ret(errno_action(ETIMEDOUT))]
        return [_argument(1), Instruction(_AND, 0, 0, 0x7F), *tests, *_ret(DENY), *limited, *_ret(ALLOW)]
    return _ret(errno_action(ENOSYS))  # clone3: its flags lie in memory; the C library falls back to clone


def _search(segments: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Return a binary search over `(first number, block)`; the number is in the accumulator."""
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _search(segments[:middle]), _search(segments[middle:])
    # A conditional jump reaches 255 instructions; the table is well below that.
    return [Instruction(_IF_GREATER_EQUAL, len(below), 0, segments[middle][0]), *below, *above]


def program(target: Machine, without: Iterable[str] = ()) -> list[Instruction]:
    """Return the filter for one processor family.

    `without` leaves rules out (see `RULES`): a door left open on purpose, so that a test can see a canary
    notice it. Raises KeyError for a name that is not a rule.
    """
    dropped = set(without)
    if unknown := dropped - set(RULES):
        raise KeyError(f"no such filter rule: {sorted(unknown)}")
    default = _ret(ALLOW if "default" in dropped else DENY)
    blocks: dict[int, list[Instruction]] = {}
    for table, action in ((ALLOWED, ALLOW), (KILLED, KILL), (ARGUED, None)):
        for name, numbers in table.items():
            block = _argued(name) if action is None else _ret(action)
            blocks[numbers[target.column]] = _ret(ALLOW) if name in dropped else block
    blocks.pop(-1, None)
    segments: list[tuple[int, list[Instruction]]] = [(0, default)]
    for number in sorted(blocks):
        if segments[-1][0] == number:
            segments.pop()
        segments += [(number, blocks[number]), (number + 1, default)]
    x32 = [Instruction(_IF_GREATER_EQUAL, 0, 1, X32_BIT), *_ret(KILL)]
    return [
        Instruction(_LOAD, 0, 0, _ARCH),
        Instruction(_IF_EQUAL, 1, 0, target.audit_arch),
        *_ret(ALLOW if "machine" in dropped else KILL),
        Instruction(_LOAD, 0, 0, _NUMBER),
        *([] if "x32" in dropped else x32),
        *_search(_merged(segments)),
    ]


def _merged(segments: list[tuple[int, list[Instruction]]]) -> list[tuple[int, list[Instruction]]]:
    """Merge neighbours that decide alike."""
    kept = segments[:1]
    for segment in segments[1:]:
        if segment[1] != kept[-1][1]:
            kept.append(segment)
    return kept


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def installer(instructions: list[Instruction]) -> Callable[[], int]:
    """Return a function that puts the filter on the calling process, and returns 0 when it holds.

    All is laid out beforehand: the function is called in a fresh child, where every page touched costs.
    It needs no privilege, only that no-new-privs is set.
    """
    target = machine()
    assert target is not None, "no filter on this processor family"
    packed = b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)
    code = ctypes.create_string_buffer(packed, len(packed))
    prog = _Program(len(instructions), ctypes.addressof(code))
    call = ctypes.PyDLL(None).syscall
    arguments = (
        ctypes.c_long(KILLED["seccomp"][target.column]), ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.byref(prog),
    )  # fmt: skip
    keep = (code, prog)

    def install() -> int:
        return call(*arguments) if keep else -1

    return install
