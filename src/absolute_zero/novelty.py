"""Is a proposed program a task at all, and is it one that we have? What the gate needs to know (paper section 3.3).

Promises: pure functions of text and of what the sandbox returned; nothing of a program is run here; equal programs
up to names, comments, docstrings and annotations have one normal form; probes depend on the types of the arguments
and on nothing else, so behaviours compare over a whole run. Does not promise that different normal forms behave
differently: that is what `behaviour` is for. Keeps no record; that is `absolute_zero.buffer`. Floor 1.
"""

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from absolute_zero.chance import Chance
from absolute_zero.programs import parse_program
from absolute_zero.types import Problem, Result, Verdict
from absolute_zero.values import MAX_TEXT, Unreadable, Unwritable, Value, canonical, read, read_arguments

PROBES: Final = 8
"""Inputs on which a program shows how it behaves (ALGORITHM.md 4.2)."""

Shape = tuple["str | Shape", ...]
"""The type of a value: its name, then the shapes of its parts without repetition; of a short tuple, part by part."""


def digest(*texts: str) -> str:
    """Sixteen hexadecimal digits that stand for a sequence of texts."""
    sequence = "\0".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.blake2b(sequence.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


# --- programs -----------------------------------------------------------------------------------------------


def normal_form(program: str) -> str:
    """The program without what only a reader sees: own names, docstrings, annotations, comments, layout.

    Raises Unreadable for a text that is no program.

    >>> normal_form("def f(total: int):\\n    '''Twice.'''\\n    return total * 2  # or +")
    'def f(v0):\\n    return v0 * 2'
    """
    tree = parse_program(program)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        for name in _bound(node):
            if name != "f" and not name.startswith("__"):
                names.setdefault(name, f"v{len(names)}")
    for node in ast.walk(tree):
        _rename(node, names)
        _undress(node)
    try:
        return ast.unparse(tree)
    except RecursionError:  # a path just below what `parse_program` lets through: the program is its own form
        return program.strip()


def reads_input(program: str) -> bool:
    """Whether `f` mentions one of its parameters other than to overwrite it. A program that does not has no input.

    >>> reads_input("def f(x):\\n    x = 1\\n    return 2"), reads_input("def f(x):\\n    return x")
    (False, True)
    """
    f = _entry(program)
    own = {argument.arg for argument in ast.walk(f.args) if isinstance(argument, ast.arg)}
    for node in ast.walk(f):
        if isinstance(node, ast.Name) and node.id in own and isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in own:
            return True
    return False


def _entry(program: str) -> ast.FunctionDef:
    for node in parse_program(program).body:
        if isinstance(node, ast.FunctionDef) and node.name == "f":
            return node
    raise Unreadable("no top-level `def f`")


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that this node gives a meaning, and that can be exchanged for others."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name


def _rename(node: ast.AST, names: dict[str, str]) -> None:
    if isinstance(node, ast.Name):
        node.id = names.get(node.id, node.id)
    elif isinstance(node, ast.arg):
        node.arg = names.get(node.arg, node.arg)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        node.name = names.get(node.name, node.name)
    elif isinstance(node, ast.alias) and node.asname:
        node.asname = names.get(node.asname, node.asname)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        node.name = names.get(node.name, node.name)
    elif isinstance(node, ast.Global | ast.Nonlocal):
        node.names = [names.get(name, name) for name in node.names]


def _undress(node: ast.AST) -> None:
    """Take away what does nothing: annotations, and statements that are a constant or `pass`."""
    if isinstance(node, ast.arg):
        node.annotation = None
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.returns = None
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            kept = [part for part in map(_bare, block) if part is not None]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            setattr(node, name, kept or ([ast.Pass()] if name == "body" else []))


def _bare(statement: ast.stmt) -> ast.stmt | None:
    if isinstance(statement, ast.Pass):
        return None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return None
    if isinstance(statement, ast.AnnAssign):
        if statement.value is None:
            return None
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    return statement


# --- inputs -------------------------------------------------------------------------------------------------


def written(arguments: str) -> str:
    """The one text of an argument list: values in canonical form, keywords behind and sorted by name.

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

    >>> bound("def f(a, b=2):\\n    return a + b", "1") == bound("def f(a, b=2):\\n    return a + b", "b=2, a=1")
    True
    """
    values, keywords = read_arguments(arguments)
    given: dict[str, Value] = {**keywords}
    signature = _entry(program).args
    names = [argument.arg for argument in (*signature.posonlyargs, *signature.args)]
    given.update(zip(names, values, strict=False))
    first = len(names) - len(signature.defaults)
    defaults = [*zip(names[first:], signature.defaults, strict=True)]
    defaults += [(a.arg, d) for a, d in zip(signature.kwonlyargs, signature.kw_defaults, strict=True) if d is not None]
    for name, default in defaults:
        if name not in given and isinstance(default, ast.Constant | ast.UnaryOp | ast.List | ast.Tuple | ast.Dict):
            try:
                given[name] = read(ast.unparse(default))
            except Unreadable:
                continue
    named = [f"{name}={canonical(given[name])}" for name in sorted(given)]
    return ", ".join([*named, *map(canonical, values[len(names) :])])


def probes(arguments: str, count: int = PROBES) -> tuple[str, ...]:
    """Argument lists of the same types as this one: the same ones for every list of these types.

    Raises Unreadable for a text that is no argument list.

    >>> probes("1, 'a'", count=2) == probes("2, 'bcd'", count=2)
    True
    """
    values, keywords = read_arguments(arguments)
    shapes = [_shape(value) for value in values]
    named = {name: _shape(keywords[name]) for name in sorted(keywords)}
    chance = Chance(0).at("probe", repr(shapes), repr(named))
    return tuple(_probe(shapes, named, chance.at(index).draw()) for index in range(count))


def _probe(shapes: Sequence[Shape], named: dict[str, Shape], random: Random) -> str:
    left = [400]  # values in one probe: nested shapes multiply
    parts = [canonical(_fresh(shape, random, left)) for shape in shapes]
    return ", ".join([*parts, *(f"{name}={canonical(_fresh(shape, random, left))}" for name, shape in named.items())])


_FIXED: Final = 4  # a tuple up to this long has a shape for each place, as in a pair; a longer one is a sequence


def _shape(value: Value) -> Shape:
    name = type(value).__name__
    if isinstance(value, tuple) and len(value) <= _FIXED:
        return (name, "of", *map(_shape, value))
    if isinstance(value, dict):
        return (name, _union(value), _union(value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return (name, _union(value))
    return (name,)


def _union(members: Iterable[Value]) -> Shape:
    return tuple(sorted({_shape(member) for member in members}, key=repr))


def _fresh(shape: Shape, random: Random, left: list[int]) -> Value:
    """A value of this shape. Small numbers, short texts and lists: where programs differ, and rarely fail."""
    left[0] -= 1
    name, *parts = shape
    if name in _ATOMS:
        return _ATOMS[str(name)](random)
    if parts and parts[0] == "of":
        return tuple(_fresh(part, random, left) for part in parts[1:] if isinstance(part, tuple))
    size = _below(random, 7) if left[0] > 0 else 0
    kinds = [part if isinstance(part, tuple) and part else (("int",),) for part in parts]

    def some(union: Shape) -> Value:
        chosen = union[_below(random, len(union))]
        assert isinstance(chosen, tuple)
        return _fresh(chosen, random, left)

    if name == "dict":
        return {some(kinds[0]): some(kinds[1]) for _ in range(size)}
    members = [some(kinds[0]) for _ in range(size)]
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[str(name)](members)


def _below(random: Random, bound_: int) -> int:
    return int(random.random() * bound_)


def _int(random: Random) -> int:
    low, size = ((0, 6), (-6, 19), (10, 90))[_below(random, 3)]
    return low + _below(random, size)


def _float(random: Random) -> float:
    return (_below(random, 401) - 200) / 8


_LETTERS: Final = "aabbcdeehlnorstxyz ABZ019,.-"


def _str(random: Random) -> str:
    return "".join(_LETTERS[_below(random, len(_LETTERS))] for _ in range(_below(random, 9)))


_ATOMS: Final[Mapping[str, Callable[[Random], Value]]] = {
    "int": _int,
    "float": _float,
    "str": _str,
    "bool": lambda random: random.random() < 0.5,
    "NoneType": lambda random: None,
    "complex": lambda random: complex(_int(random), _int(random)),
    "bytes": lambda random: _str(random).encode(),
}


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


def facts(problem: Problem, asked: Sequence[str], results: Sequence[Result]) -> Facts:
    """The facts of a problem, from the probes it was `asked` and the `results` on them.

    Errors are no variation. With fewer than two values, nothing is known of what it does: it is not called constant,
    and behaves like programs of the same normal form. A program that gives back one of its arguments behaves like
    every other one that does, whatever the types: there would be no end of identity functions.
    """
    normal = digest(normal_form(problem.program))
    inputs = sorted(bound(problem.program, given) for given, _ in problem.pairs)
    values = [result.value for result in results if result.verdict is Verdict.VALUE]
    known = len(values) >= 2
    return Facts(
        normal=normal,
        key=digest(normal, *inputs),
        behaviour=_behaviour(asked, results) if known else digest("program", normal),
        reads=reads_input(problem.program),
        constant=known and len({*values, *(output for _, output in problem.pairs)}) == 1,
    )


def _behaviour(asked: Sequence[str], results: Sequence[Result]) -> str:
    answered = [(ask, result.value) for ask, result in zip(asked, results, strict=True) if result.value]
    given_back: set[int] | None = None
    for ask, value in answered:
        values, keywords = read_arguments(ask)
        same = {at for at, part in enumerate((*values, *keywords.values())) if canonical(part) == value}
        given_back = same if given_back is None else given_back & same
    if given_back:
        return digest("argument", str(min(given_back)))
    shown = [result.value or result.verdict for result in results]
    return digest("probes", *asked, *shown)
