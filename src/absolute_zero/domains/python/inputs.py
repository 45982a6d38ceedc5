"""The inputs of an induction proposal: as text, and which of them count.

With a minimum, what cannot be used is left out, as a small model writes too few inputs and repeats itself: what cannot
be read, is too long, equals another one, or (once it ran) gives no value. Without a minimum, each has to be right, and
as many as were asked for.
"""

from collections.abc import Sequence
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
    kept: list[str] = []
    values: list[Value] = []
    for argument in arguments:
        try:
            written = novelty.written(argument)
        except (Unreadable, Unwritable):
            continue
        value = arguments_of(program, written)
        if len(written.encode()) <= longest and not any(equal(value, other) for other in values):
            kept.append(written)
            values.append(value)
    return kept[:most]


def different(values: Sequence[Value]) -> int:
    """Return how many values there are, where equal ones count once."""
    kept: list[Value] = []
    for value in values:
        if not any(equal(value, before) for before in kept):
            kept.append(value)
    return len(kept)
