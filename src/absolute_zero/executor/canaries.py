"""Canaries: small programs that try what must not work, inside the sandbox that was actually built.

The level a sandbox reports is the one they prove, never the one its code attempted. Leaving out any single
rule of the filter makes one of them fail (a test does that). They are harmless where nothing stops them.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from absolute_zero.executor import protocol, seccomp
from absolute_zero.executor.protocol import BARE, CANARY


class Level(StrEnum):
    """Levels of isolation, from the lowest."""

    WEAK = "weak"
    FILTERED = "filtered"
    SEALED = "sealed"


LEVELS = tuple(level.value for level in Level)
"""Their names."""


def rank(level: str) -> int:
    """Return how well a level isolates; a word that we do not know promises nothing, and ranks below all."""
    return LEVELS.index(level) if level in LEVELS else -1


class Proof(NamedTuple):
    """What one canary showed."""

    name: str
    held: bool
    detail: str
    """What came back, in a few words."""
    wall: str
    """What it speaks for: `limits` (weak), `filter` (filtered), `second wall` (sealed)."""


class _Canary(NamedTuple):
    name: str
    wall: str
    program: str
    inputs: tuple[str, ...]
    expected: frozenset[tuple[int, str]]
    """Accepted (verdict, value or detail); an empty text accepts any."""
    flags: int = CANARY
    cpu_seconds: float = 0.5
    harmless: bool = True
    """Safe to try where no filter stops it."""


def _is(verdict: int, *texts: str) -> frozenset[tuple[int, str]]:
    return frozenset((verdict, text) for text in texts or ("",))


_ANY_ERROR = _is(protocol.ERROR)
_DIED = _is(protocol.FORBIDDEN)
_CALL = "def f(*words):\n    return syscall(*words)\n"
_LIMITS = (
    _Canary("honest program", "limits", "def f(x):\n    return x + 1", ("1",), _is(protocol.VALUE, "2")),
    _Canary("endless loop in C", "limits", "def f():\n    return any(iter(int, 1))", ("",),
            _is(protocol.TIMEOUT), cpu_seconds=0.05),
    _Canary("30 GB of memory", "limits", "def f():\n    return len(bytearray(30 << 30))", ("",), _is(protocol.MEMORY)),
    _Canary("oversized result", "limits", "def f():\n    return 'a' * 1_000_000", ("",), _is(protocol.TOO_LARGE)),
    _Canary("unknown import", "limits", "import ctypes\ndef f():\n    return 1", ("",),
            _is(protocol.ERROR, "ModuleNotFoundError")),
)  # fmt: skip
_OPEN = "def f(path, mode):\n    return open(path, mode).read(0) is None"


def _filter(number: Callable[[str], int]) -> list[_Canary]:
    """Return the canaries of the system-call filter."""
    denied = [number(name) for name in seccomp.NAMED if number(name) >= 0 and not name.startswith("landlock")]
    killed = tuple(f"{number(name)}, 0, 0, 0, 0, 0, 0" for name in seccomp.KILLED if number(name) >= 0)
    mmap, mprotect = number("mmap"), number("mprotect")
    anonymous = seccomp.MAP_ANONYMOUS | 2
    call = protocol.VALUE
    return [
        _Canary("open a file", "filter", _OPEN, ("'/etc/passwd', 'r'", "'/dev/null', 'w'"), _ANY_ERROR),
        _Canary("open a socket", "filter", _CALL, (f"{number('socket')}, 2, 1, 0",), _is(call, "-1")),
        _Canary("signal others", "filter", _CALL, (f"{number('kill')}, 0, 0",), _DIED),
        _Canary("calls that answer EPERM", "filter",
                f"def f():\n    return [n for n in {denied} if syscall(n, -1, 0, 0, 0, 0, 0) != -1]", ("",),
                _is(call, "[]"), harmless=False),
        _Canary("calls that kill", "filter", _CALL, killed, _DIED, harmless=False),
        _Canary("fork by clone", "filter", _CALL, (f"{number('clone')}, 17, 0, 0, 0, 0",), _DIED, harmless=False),
        _Canary("start a thread", "filter", _CALL, (f"{number('clone')}, {seccomp.CLONE_THREAD}, 0, 0, 0, 0",),
                _is(call, "-11")),
        _Canary("clone3", "filter", _CALL, (f"{number('clone3')}, 0, 0",), _is(call, "-38")),
        _Canary("map executable memory", "filter", _CALL, (f"{mmap}, 0, 4096, 7, {anonymous}, -1, 0",),
                _is(call, "-1")),
        _Canary("map a file", "filter", _CALL, (f"{mmap}, 0, 4096, 1, 2, -1, 0",), _is(call, "-1")),
        _Canary("make memory executable", "filter",
                f"def f():\n    page = syscall({mmap}, 0, 4096, 3, {anonymous}, -1, 0)\n"
                f"    return syscall({mprotect}, page, 4096, 5)", ("",), _is(call, "-1")),
        _Canary("lock handed over by the kernel", "filter", _CALL, (f"{number('futex')}, 0, 6, 0, 0, 0, 0",),
                _is(call, "-1")),
        _Canary("calls of the other word size", "filter", _CALL, (f"{seccomp.X32_BIT | number('getpid')}",),
                _DIED, harmless=False),
    ]  # fmt: skip


def _second(number: Callable[[str], int]) -> list[_Canary]:
    """Return the canaries that run without the filter: what still holds then."""
    loopback = "b'\\x02\\x00\\x00\\x09\\x7f\\x00\\x00\\x01' + bytes(8)"
    connect = (
        f"def f():\n    s = syscall({number('socket')}, 2, 1, 0)\n"
        f"    return s if s < 0 else syscall({number('connect')}, s, {loopback}, 16)"
    )
    bare, value = CANARY | BARE, protocol.VALUE
    return [
        _Canary("no filter: open a file", "second wall", _OPEN, ("'/etc/passwd', 'r'", "'/canary', 'w'"),
                _ANY_ERROR, bare),
        _Canary("no filter: list the root", "second wall", "import os\ndef f():\n    return os.listdir('/')", ("",),
                _ANY_ERROR | _is(value, "[]"), bare),
        _Canary("no filter: connect to this machine", "second wall", connect, ("",),
                _is(value, "-13", "-101"), bare),
        _Canary("no filter: see other processes", "second wall", _CALL, (f"{number('getppid')}",),
                _is(value, "1"), bare),
    ]  # fmt: skip


def prove(
    ask: Callable[[Sequence[protocol.Order]], Sequence[Sequence[protocol.Report]]], walls: Sequence[str]
) -> tuple[Proof, ...]:
    """Send the canaries through `ask`, those included that only make sense behind the walls asked for."""
    target = seccomp.machine()
    canaries = list(_LIMITS)
    if target is not None:
        canaries += _filter(lambda name: seccomp.call_number(name, target.column))
    if target is not None and "namespaces" in walls:
        canaries += _second(lambda name: seccomp.call_number(name, target.column))
    if "seccomp" not in walls:
        canaries = [canary for canary in canaries if canary.harmless]
    answers = ask([protocol.Order(c.program, c.inputs, c.cpu_seconds, 256, 65_536, c.flags) for c in canaries])
    return tuple(_judge(canary, reports) for canary, reports in zip(canaries, answers, strict=True))


def _judge(canary: _Canary, reports: Sequence[protocol.Report]) -> Proof:
    """Say whether every input came out as expected; the detail names the first that did not."""
    for text, (code, value, detail, _) in zip(canary.inputs, reports, strict=True):
        if not canary.expected & {(code, ""), (code, value or detail)}:
            shown = f"{text or 'f()'}: {protocol.NAMES[code]} {value or detail}".strip()
            return Proof(canary.name, False, shown, canary.wall)
    code, value, detail, _ = reports[-1]
    return Proof(canary.name, True, f"{protocol.NAMES[code]} {value or detail}".strip(), canary.wall)


def level_of(proofs: Sequence[Proof]) -> str | None:
    """Return the level that these proofs show; None where not even the limits hold."""
    walls = {proof.wall for proof in proofs}
    broken = {proof.wall for proof in proofs if not proof.held}
    if "limits" in broken or "limits" not in walls:
        return None
    if "filter" in broken or "filter" not in walls:
        return "weak"
    if "second wall" in broken or "second wall" not in walls:
        return "filtered"
    return "sealed"
