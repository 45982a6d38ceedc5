"""The shape of one hostile case, and the words its expectations are written in.

A case's number names a row, which is one attack; a letter marks one of several programs for the same row. Programs may
hold three tokens that the test fills in: `@FOLDER@` (a temporary folder that must stay empty), `@PORT@` (a port on
127.0.0.1 that must see no connection) and `@SECRET@` (the name of an environment variable of the parent).
"""

import platform
import sys
from dataclasses import dataclass
from textwrap import dedent

from absolute_zero.types import Verdict

Verdicts = frozenset[Verdict]


def any_of(*verdicts: Verdict) -> Verdicts:
    return frozenset(verdicts)


OK = any_of(Verdict.VALUE)
ERROR = any_of(Verdict.ERROR)
TIMEOUT = any_of(Verdict.TIMEOUT)
MEMORY = any_of(Verdict.MEMORY)
FORBIDDEN = any_of(Verdict.FORBIDDEN)
CRASH = any_of(Verdict.CRASH)
EXITED = any_of(Verdict.EXITED)
BLOCKED = any_of(Verdict.BLOCKED)
TOO_LARGE = any_of(Verdict.TOO_LARGE)
UNSERIALISABLE = any_of(Verdict.UNSERIALISABLE)
NONDETERMINISTIC = any_of(Verdict.NONDETERMINISTIC)
INVALID_INPUT = any_of(Verdict.INVALID_INPUT)
INFRASTRUCTURE = any_of(Verdict.INFRASTRUCTURE)

INVALID = INVALID_INPUT | ERROR
"""Text that is refused: input that is not a literal, a program that does not compile."""
CONTAINED = ERROR | FORBIDDEN | CRASH | TIMEOUT | MEMORY | EXITED
"""It did not get what it wanted, and nothing outside changed."""
OWN_PROCESS = CONTAINED | OK
"""It may spoil its own process; nobody else's."""
GETS_THROUGH = CONTAINED | OK
"""At level weak only: there is no wall, so the harmless marker may work."""

X86 = platform.machine() in ("x86_64", "AMD64")
ARM = platform.machine() in ("aarch64", "arm64")
BEFORE_312 = sys.version_info < (3, 12)

ESCAPES = frozenset({17, 53, 55, 56, 57, 58, 62, 63, 64})
"""The rows that level weak does not stop, and says so."""


@dataclass(frozen=True, slots=True)
class Case:
    number: int
    title: str
    program: str
    expect: Verdicts
    """What it may come to at sealed and filtered (for each input, unless `each` is given)."""
    inputs: tuple[str, ...] = ("",)
    variant: str = ""
    weak: Verdicts | None = None
    """What it may come to at weak, where that differs."""
    weak_program: str | None = None
    """A harmless stand-in for weak, where the real program would do harm without a wall."""
    each: tuple[Verdicts, ...] = ()
    value: str | None = None
    """The text that a VALUE must have, on every input."""
    values: tuple[str | None, ...] = ()
    """The same, one per input."""
    detail: str | None = None
    """The detail that an ERROR, UNSERIALISABLE or CRASH must have."""
    deterministic: bool = False
    cpu_seconds: float = 0.5
    memory_mb: int = 128
    wall_seconds: float = 8.0
    """The whole job must be over by then, on a busy machine."""

    @property
    def name(self) -> str:
        return f"{self.number:03d}{self.variant}"

    def expected(self, level: str) -> tuple[Verdicts, ...]:
        if self.each:
            return self.each
        allowed = self.weak if level == "weak" and self.weak is not None else self.expect
        return (allowed,) * len(self.inputs)

    def text(self, level: str) -> str:
        if level == "weak" and self.weak_program is not None:
            return self.weak_program
        return self.program

    def expected_value(self, index: int) -> str | None:
        return self.values[index] if self.values else self.value


def case(number: int | str, title: str, program: str, expect: Verdicts, **more: object) -> Case:
    """A case whose program is written indented; `"144b"` is row 144, second program."""
    text = str(number)
    variant = text[-1] if text[-1].isalpha() else ""
    row = int(text[: len(text) - len(variant)])
    if isinstance(more.get("weak_program"), str):
        more["weak_program"] = dedent(str(more["weak_program"]))
    return Case(row, title, dedent(program), expect, variant=variant, **more)  # type: ignore[arg-type]
