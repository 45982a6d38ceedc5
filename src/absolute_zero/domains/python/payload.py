"""The payload of a task: a program, its pairs of input and output, and a message; written as JSON and read back.

Promises: what `text` wrote `read_payload` gives back, character by character. Pairs of induction: the first half is
shown to the solver, the second half is hidden.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from absolute_zero.types import Task
from absolute_zero.values import Unreadable, read

KINDS = DEDUCTION, ABDUCTION, INDUCTION = ("deduction", "abduction", "induction")
TITLE = 80
"""Longest title, in characters."""

Pair = tuple[str, str]
"""The texts of an input and of the output that the program gives on it."""


@final
@dataclass(frozen=True, slots=True)
class Payload:
    """A program with its pairs of input and output: one for deduction and abduction, N and a message for induction.

    >>> read_payload(Payload("def f(x):\\n    return x + 1", (("1", "2"),)).text).pairs
    (('1', '2'),)
    """

    program: str
    pairs: tuple[Pair, ...]
    message: str = ""

    @property
    def text(self) -> str:
        """As JSON. Unescaped, or two lone surrogates in a row would come back as the character they are halves of."""
        whole = {"program": self.program, "pairs": self.pairs, "message": self.message}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))

    def task(self, kind: str) -> Task:
        """Return the task of this kind about it; its label is the type of its first output."""
        title = self.program.partition("\n")[0][:TITLE]
        return Task(kind, self.text, title, label=_type(self.pairs[0][1]))

    @property
    def shown(self) -> tuple[Pair, ...]:
        """The pairs that a solver of induction is shown."""
        return self.pairs[: len(self.pairs) // 2]

    @property
    def hidden(self) -> tuple[Pair, ...]:
        """The pairs that its program is checked on."""
        return self.pairs[len(self.pairs) // 2 :]


@lru_cache(maxsize=1024)  # a task is posed, checked and shown many times
def read_payload(text: str) -> Payload:
    """Return what `Payload.text` wrote."""
    whole = json.loads(text)
    return Payload(whole["program"], tuple((argument, output) for argument, output in whole["pairs"]), whole["message"])


def task_of(kind: str, program: str, pairs: Sequence[Pair], message: str = "") -> Task:
    """Return the task about a program and its pairs."""
    return Payload(program, tuple(pairs), message).task(kind)


def _type(output: str) -> str:
    try:
        return type(read(output)).__name__
    except Unreadable:
        return ""
