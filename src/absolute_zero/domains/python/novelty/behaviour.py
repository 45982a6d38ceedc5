"""What goes into a program, what it does, and the digests by which two tasks are the same.

Promises: pure functions; behaviours compare over a whole run. Values are compared as answers are judged.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from absolute_zero.domains.python.novelty.forms import entry, normal_form, reads_input
from absolute_zero.domains.python.novelty.questions import COMMON, KINDRED
from absolute_zero.types import Result
from absolute_zero.values import MAX_TEXT, Unwritable, Value, canonical, equal, read, read_arguments

_Item = TypeVar("_Item")


def digest(*texts: str) -> str:
    """Return sixteen hexadecimal digits that stand for a sequence of texts."""
    sequence = "\0".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.blake2b(sequence.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


# --- inputs -------------------------------------------------------------------------------------------------


def written(arguments: str) -> str:
    """Return the one text of an argument list: values in canonical form, keywords last and sorted by name.

    Raises Unreadable for a text that is not an argument list, and Unwritable for one that is too large.

    >>> written("[1,2] , y = 0x10  # sixteen")
    '[1, 2], y=16'
    """
    values, keywords = read_arguments(arguments)
    parts = [*map(canonical, values), *(f"{name}={canonical(keywords[name])}" for name in sorted(keywords))]
    text = ", ".join(parts)
    if len(text.encode()) > MAX_TEXT:
        raise Unwritable(f"text is longer than {MAX_TEXT} bytes")
    return text


def bound(program: str, arguments: str) -> str:
    """Return a text that two argument lists share if they bind the parameters of `f` to equal values, however passed.

    By the position of a parameter and not by its name, which two equal programs need not share.

    >>> bound("def f(a, b=2):\\n    return a + b", "1") == bound("def f(x, y=2):\\n    return x + y", "y=2, x=1")
    True
    """
    values = arguments_of(program, arguments)
    rest = values.pop("*", ())
    assert isinstance(rest, tuple)
    named = [f"{name}={canonical(values[name])}" for name in sorted(values, key=str)]
    return ", ".join([*named, *(f"*{canonical(value)}" for value in rest)])  # one by one: together they are one deeper


def arguments_of(program: str, arguments: str) -> dict[Value, Value]:
    """Return the value of each parameter of `f`, by position, with its default if that is a literal.

    `*` has what is beyond them; a keyword that no parameter has stands under its name. Raises Unreadable as `entry`.
    """
    values, keywords = read_arguments(arguments)
    signature = entry(program).args
    positional = [*signature.posonlyargs, *signature.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(signature.defaults))
    defaults += [*signature.defaults, *signature.kw_defaults]
    positions = {parameter.arg: index for index, parameter in enumerate([*positional, *signature.kwonlyargs])}
    for parameter in signature.posonlyargs:
        positions.pop(parameter.arg)  # a keyword of this name is another thing
    bound_to: dict[Value, Value] = {str(positions.get(name, name)): value for name, value in keywords.items()}
    bound_to.update((str(index), value) for index, value in enumerate(values[: len(positional)]))
    if values[len(positional) :]:
        bound_to["*"] = values[len(positional) :]
    for index, default in enumerate(defaults):
        if default is not None and str(index) not in bound_to:
            try:
                bound_to[str(index)] = read(ast.unparse(default))
            except (ValueError, RecursionError):
                continue
    return bound_to


# --- behaviour ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What validation asks of a program that ran."""

    exact: str
    """Digest of its normal form and its inputs, in any order."""
    family: str
    """Digest of its normal form."""
    behaviour: str
    """Digest of what it does on the probes of its first input; empty where it was not run on them."""
    reads: bool
    """It mentions its input."""
    constant: bool
    """It gave the same value wherever it ran, probes included."""


def facts(
    program: str, pairs: Sequence[tuple[str, str]], asked: Sequence[str] = (), results: Sequence[Result] | None = None
) -> Facts:
    """Return the facts of a program with its pairs, and its `results` where it was `asked` (`probes`); None: nowhere.

    Errors are not a variation. With fewer than two values on kindred inputs, a program is not called constant.
    """
    normal = digest(normal_form(program))
    inputs = sorted(bound(program, argument) for argument, _ in pairs)
    outputs = [output for _, output in pairs]
    kindred, _, near = _parted([result.value for result in results or ()])
    values = [value for value in (*kindred, *near) if value]
    return Facts(
        exact=digest(normal, *inputs),
        family=normal,
        behaviour="" if results is None else _behaviour(asked, results),
        reads=reads_input(program),
        constant=sum(map(bool, kindred)) >= 2 and _same([*values, *outputs]),
    )


def _behaviour(asked: Sequence[str], results: Sequence[Result]) -> str:
    """Return the digest of what a program gave where it was asked.

    Several sorts of programs have one behaviour for all of them, as there would be no end of them over types and
    constants: those that give back an argument; those that give at most one value, other than the own output, wherever
    they are run; and, for arguments of the same types, those that give none on any of them but near the own one. One
    that works on any type has one behaviour on all of them.
    """
    kindred, anywhere, near = _parted([*zip(asked, (result.value for result in results), strict=True)])
    answered = [(ask, value) for ask, value in (*kindred, *near) if value]
    returned: set[int] | None = None  # positions of the arguments that it has given back everywhere so far
    for ask, value in answered:
        if returned is not None and not returned:
            break
        values, keywords = read_arguments(ask)
        same = {index for index, part in enumerate((*values, *keywords.values())) if equal(part, read(value))}
        returned = same if returned is None else returned & same
    if returned and len(answered) > 1:
        return digest("argument", str(min(returned)))
    if _same([value for _, value in answered]):
        return digest("one value")
    general = [value for _, value in anywhere]
    if len({*general} - {""}) >= COMMON - 1:
        return digest("any type", *general)
    if any(value for _, value in kindred):
        return digest("values", *(value for _, value in kindred))  # not the questions: an argument may be idle
    return digest("no value on", *(ask for ask, _ in kindred))


def _parted(probed: Sequence[_Item]) -> tuple[Sequence[_Item], Sequence[_Item], Sequence[_Item]]:
    """Return what belongs to the kindred, the common and the near inputs, in the order of `questions.probes`."""
    return probed[:KINDRED], probed[KINDRED : KINDRED + COMMON], probed[KINDRED + COMMON :]


def _same(values: Sequence[str]) -> bool:
    """Return whether all these texts have one value. Without any they have."""
    return len(set(values)) <= 1 or all(equal(read(values[0]), read(value)) for value in set(values))
