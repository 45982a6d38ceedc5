"""What a problem is given, what it does, and the digests by which two of them are the same.

Promises: pure functions; behaviours compare over a whole run. Values are compared as answers are judged.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from absolute_zero.novelty.forms import entry, normal_form, reads_input
from absolute_zero.novelty.questions import COMMON, KINDRED
from absolute_zero.types import Problem, Result, Verdict
from absolute_zero.values import MAX_TEXT, Unwritable, Value, canonical, equal, read, read_arguments

_Some = TypeVar("_Some")


def digest(*texts: str) -> str:
    """Sixteen hexadecimal digits that stand for a sequence of texts."""
    sequence = "\0".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.blake2b(sequence.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


# --- inputs -------------------------------------------------------------------------------------------------


def written(arguments: str) -> str:
    """The one text of an argument list: values in canonical form, keywords last and sorted by name.

    Raises Unreadable for a text that is no argument list, and Unwritable for one that is too large.

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
    """A text that two argument lists share if they give the parameters of `f` the same values, however passed.

    By the place of a parameter and not by its name, which two equal programs need not share.

    >>> bound("def f(a, b=2):\\n    return a + b", "1") == bound("def f(x, y=2):\\n    return x + y", "y=2, x=1")
    True
    """
    given = arguments_of(program, arguments)
    rest = given.pop("*", ())
    assert isinstance(rest, tuple)
    named = [f"{name}={canonical(given[name])}" for name in sorted(given, key=str)]
    return ", ".join([*named, *(f"*{canonical(value)}" for value in rest)])  # one by one: together they are one deeper


def arguments_of(program: str, arguments: str) -> dict[Value, Value]:
    """What each parameter of `f` is given: by its place, with its default if that is a literal; `*` for what is
    beyond them, and by name what no parameter has."""
    values, keywords = read_arguments(arguments)
    signature = entry(program).args
    places = [*signature.posonlyargs, *signature.args]
    defaults: list[ast.expr | None] = [None] * (len(places) - len(signature.defaults))
    defaults += [*signature.defaults, *signature.kw_defaults]
    names = {place.arg: number for number, place in enumerate([*places, *signature.kwonlyargs])}
    for place in signature.posonlyargs:
        names.pop(place.arg)  # a keyword of this name is another thing
    given: dict[Value, Value] = {str(names.get(name, name)): value for name, value in keywords.items()}
    given.update((str(number), value) for number, value in enumerate(values[: len(places)]))
    if values[len(places) :]:
        given["*"] = values[len(places) :]
    for number, default in enumerate(defaults):
        if default is not None and str(number) not in given:
            try:
                given[str(number)] = read(ast.unparse(default))
            except (ValueError, RecursionError):
                continue
    return given


# --- behaviour ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate asks of a valid proposal."""

    normal: str
    """Digest of its normal form."""
    key: str
    """Digest of its normal form and its inputs, in any order."""
    behaviour: str
    """Digest of what it does on the probes of its first input."""
    reads: bool
    """It mentions its input."""
    constant: bool
    """It gave one and the same value wherever it was tried, probes included."""
    lost: bool = False
    """The machine failed on a probe: what the program does is not known."""


def facts(problem: Problem, asked: Sequence[str], results: Sequence[Result]) -> Facts:
    """The facts of a problem, from the probes it was `asked` and the `results` on them.

    Errors are no variation. With fewer than two values on kindred inputs, a program is not called constant.
    """
    normal = digest(normal_form(problem.program))
    inputs = sorted(bound(problem.program, given) for given, _ in problem.pairs)
    outputs = [output for _, output in problem.pairs]
    kindred, _, near = _parted([result.value for result in results])
    values = [value for value in (*kindred, *near) if value]
    return Facts(
        normal=normal,
        key=digest(normal, *inputs),
        behaviour=_behaviour(asked, results),
        reads=reads_input(problem.program),
        constant=sum(map(bool, kindred)) >= 2 and _same([*values, *outputs]),
        lost=any(result.verdict is Verdict.INFRASTRUCTURE for result in results),
    )


def _behaviour(asked: Sequence[str], results: Sequence[Result]) -> str:
    """Some sorts of programs have one behaviour for all of them, as there would be no end of them over types and
    constants: those that give back an argument; those that give at most one value, other than the own output, wherever
    they are tried; and, for arguments of the same types, those that give none on any of them but near the own one. One
    that works on any type has one behaviour on all of them."""
    kindred, anywhere, near = _parted([*zip(asked, (result.value for result in results), strict=True)])
    answered = [(ask, value) for ask, value in (*kindred, *near) if value]
    given_back: set[int] | None = None
    for ask, value in answered:
        if given_back is not None and not given_back:
            break
        values, keywords = read_arguments(ask)
        same = {at for at, part in enumerate((*values, *keywords.values())) if equal(part, read(value))}
        given_back = same if given_back is None else given_back & same
    if given_back and len(answered) > 1:
        return digest("argument", str(min(given_back)))
    if _same([value for _, value in answered]):
        return digest("one value")
    general = [value for _, value in anywhere]
    if len({*general} - {""}) >= COMMON - 1:
        return digest("any type", *general)
    if any(value for _, value in kindred):
        return digest("values", *(value for _, value in kindred))  # not the questions: an argument may be idle
    return digest("no value on", *(ask for ask, _ in kindred))


def _parted(probed: Sequence[_Some]) -> tuple[Sequence[_Some], Sequence[_Some], Sequence[_Some]]:
    """What belongs to the kindred, the common and the near inputs, in the order of `questions.probes`."""
    return probed[:KINDRED], probed[KINDRED : KINDRED + COMMON], probed[KINDRED + COMMON :]


def _same(values: Sequence[str]) -> bool:
    """Whether all these texts have one value. None have."""
    return len(set(values)) <= 1 or all(equal(read(values[0]), read(value)) for value in set(values))
