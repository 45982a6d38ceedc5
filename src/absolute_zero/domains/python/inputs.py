"""The inputs of an induction proposal: as text, and which of them count.

With a minimum, what cannot be used is left out, as a small model writes too few inputs and repeats itself: what cannot
be read, is too long, equals another one, or (once it ran) gives no value. Without a minimum, each has to be right, and
as many as were asked for.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from absolute_zero import text
from absolute_zero.domains.python import novelty
from absolute_zero.domains.python.novelty import arguments_of
from absolute_zero.text import INPUTS
from absolute_zero.values import Unreadable, Unwritable, Value, equal

SPARE: Final = 2
"""Where some may fail, so many times as many as are wanted are run."""


def render(inputs: Sequence[str], message: str) -> str:
    """Return an answer that `text.read_inputs_and_message` takes apart again; inputs are texts of one line."""
    return f"{text.render_block(INPUTS, chr(10).join(inputs))}\n{text.render_message(message)}"


def usable(program: str, arguments: Sequence[str], most: int, longest: int) -> list[str]:
    """Return those that can be used, in canonical text, the first `most` of them; `longest` is in bytes."""
    texts: list[str] = []
    for argument in arguments:
        with suppress(Unreadable, Unwritable):
            texts.append(novelty.written(argument))
    texts = [written for written in texts if len(written.encode()) <= longest]
    return [texts[index] for index in different([arguments_of(program, written) for written in texts])[:most]]


def different(values: Sequence[Value]) -> list[int]:
    """Return the index of each value that equals none before it."""
    kept: list[int] = []
    for index, value in enumerate(values):
        if not any(equal(value, values[before]) for before in kept):
            kept.append(index)
    return kept
