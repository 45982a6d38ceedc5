"""The worked examples of the domain `python`, made anew: `python -m absolute_zero.pretraining.worked > FILE`.

For each kind and role, tasks drawn from the pretraining grammar, the first that are big enough to show something, each
on a type of its own, with the thought that a pretraining document has for them in a few more words. A pure function of
the grammar: `domains/python/worked.jsonl` is what this writes. No human example is in it.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from absolute_zero import text
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.pretraining.traces.cases import DULL
from absolute_zero.pretraining.traces.documents import EXAM, Document, documents
from absolute_zero.types import Role
from absolute_zero.values import read_arguments

STREAM: Final = 1 << 42
"""The seed of the stream: no pretraining seed, which are far smaller, and not that of the held-out suites."""
PER_SLOT: Final = 4
"""Worked examples of a kind and role."""
WORDS: Final = {"int": "an int", "str": "a string", "bool": "a bool", "float": "a float"}
PAIRS: Final = 8
"""Pairs of an example of induction: what the settings want less of is left out."""
LINES: Final = range(4, 8)
"""Lines of a program that is worth showing."""


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the file, by role and kind."""
    wanted = {(role, kind): list[dict[str, Any]]() for role in Role for kind in KINDS}
    types: dict[tuple[Role, str], set[str]] = {slot: set() for slot in wanted}
    for document in documents(STREAM, EXAM):
        slot = document.role, document.kind
        sort = _sort(document)
        if len(wanted[slot]) < PER_SLOT and sort not in types[slot] and _telling(document):
            types[slot].add(sort)
            wanted[slot].append(_row(document))
        if all(len(own) == PER_SLOT for own in wanted.values()):
            break
    for own in wanted.values():
        yield from own


def _sort(document: Document) -> str:
    """Return the types of the arguments of its first input, in words."""
    values, _ = read_arguments(document.payload.pairs[0][0])
    return " and ".join(WORDS.get(type(value).__name__, f"a {type(value).__name__}") for value in values)


def _telling(document: Document) -> bool:
    """Return whether the program is of a good size, and its outputs are not all easily guessed."""
    payload = document.payload
    sized = len(payload.program.splitlines()) in LINES and payload.program.startswith("def f")
    pairs = payload.pairs
    if "enumerate" in payload.program:  # too odd to teach anything
        return False
    if not sized or pairs[0][1] in DULL or len(pairs) not in (1, PAIRS) or payload.message.startswith("gives"):
        return False
    if document.kind == INDUCTION and len({output for _, output in pairs[:4]}) < 3:
        return False
    traced = document.role is Role.SOLVE and document.kind != INDUCTION
    return not traced or _trace(document) is not None


def _trace(document: Document) -> str | None:
    """Return how the document runs the program, one assignment a line; None where that takes more than assignments.

    A document writes `4+5 c=9` for what is `c = 4+5 = 9` here.
    """
    first, *lines = document.response.partition(text.THOUGHT)[0].split("\n")
    last = lines.pop().removesuffix(" yes").partition(" ? ")[0] if lines else ""
    steps = [re.fullmatch(r"((?:[^=]|key=len)+) ([a-z]+)=([^=]+)", line) for line in lines]
    result = re.fullmatch(r"([^=]+)=([^=]+)", last)
    if result is None or len(lines) < 2 or not re.fullmatch(r"[a-z]+=[^=]+", first):
        return None
    written = [f"{step[2]} = {step[1]} = {step[3]}" for step in steps if step]
    whole = [first.replace("=", " = "), *written, f"f returns {result[1]} = {result[2]}"]
    return "\n".join(whole) if len(written) == len(lines) else None


def _row(document: Document) -> dict[str, Any]:
    payload, kind = document.payload, document.kind
    thought, answer = _solution(document) if document.role is Role.SOLVE else _proposal(document)
    row = {"kind": kind, "role": document.role.value, "payload": json.loads(payload.text)}
    return {**row, "thought": thought, "answer": answer}


def _solution(document: Document) -> tuple[str, str]:
    payload = document.payload
    argument, output = payload.pairs[0]
    if document.kind == DEDUCTION:
        return _trace(document) or "", text.render_output(output)
    if document.kind == ABDUCTION:
        return f"Try f({argument}):\n{_trace(document)}\nThat is the value.", text.render_input(argument)
    tried = "\n".join(f"f({argument}) is {output}: right" for argument, output in payload.pairs[:2])
    return f"{payload.message}: try\n{payload.program}\n{tried}", text.render_program(payload.program)


def _proposal(document: Document) -> tuple[str, str]:
    payload = document.payload
    if document.kind == INDUCTION:
        thought = f"f takes {_sort(document)}. I try small and large ones, and special cases."
        return thought, f"It has to do with: {payload.message}."
    lines = len(payload.program.splitlines()) - 1
    thought = f"A function of {_sort(document)}, in {lines} lines, each of which needs the one before."
    return thought, text.render_program_and_input(payload.program, payload.pairs[0][0])


if __name__ == "__main__":
    for line in rows():
        sys.stdout.write(json.dumps(line) + "\n")
