"""What a proposed program is asked, to see what it does: inputs of the same types, of any type, and near its own.

Promises: pure, deterministic, total over whatever `values` reads, and bounded in size whatever the nesting. Kindred
inputs depend on the types of the arguments and on nothing else, each argument on its own type: so one program gives
the same results whoever proposes it, with whatever else beside. Common inputs depend on how many arguments there
are. Near inputs differ from the own one in one part: they keep what random values lose (keys, words, formats).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Final, TypeVar

from absolute_zero.keys import Key
from absolute_zero.values import MAX_TEXT, Unwritable, Value, canonical, read_arguments

KINDRED: Final = 8
"""Inputs of the same types: what a behaviour is made of."""
COMMON: Final = 4
"""Inputs that every program of this many arguments is asked: one that answers them works on any type."""
NEAR: Final = 4
"""Inputs like the own one: they say whether the program is constant, together with the others."""

Shape = tuple["str | Shape", ...]
"""The type of a value: its name, then the shapes of its parts without repetition; of a short tuple or a record, part
by part."""
_FIXED, _KEYS, _KEY = 4, 8, 20
"""A tuple of up to 4 is a pair or the like, with a shape for each position; a dictionary of up to 8 short words is a
record with these keys, in every other probe."""
_Part = TypeVar("_Part")
_MEMBERS: Final = 200  # values in one probe: nested shapes multiply
_ARGUMENTS: Final = 64  # with more than this many, only the empty list is asked: each costs a generator


@lru_cache(maxsize=256)  # asked when they are run, and again when their results are read
def probes(arguments: str) -> tuple[str, ...]:
    """Return what a program is asked besides its own input: the kindred inputs, the common ones, the near ones.

    Raises Unreadable for a text that is not an argument list.
    """
    return (*kindred(arguments), *common(arguments), *near(arguments))


# --- of the same types --------------------------------------------------------------------------------------


def kindred(arguments: str, count: int = KINDRED) -> tuple[str, ...]:
    """Return argument lists of the same types as this one: the same ones for every list of these types.

    Raises Unreadable for a text that is not an argument list.

    >>> kindred("1, 'a'", count=2) == kindred("2, 'bcd'", count=2)
    True
    """
    values, keywords = read_arguments(arguments)
    shapes = [_shape(value) for value in (*values, *(keywords[name] for name in sorted(keywords)))]
    return _of_shapes(tuple(shapes), len(values), tuple(sorted(keywords)), count)


@lru_cache(maxsize=1024)  # a run sees the same few types again and again
def _of_shapes(shapes: tuple[Shape, ...], positional: int, names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(_probe(shapes, positional, names, index) for index in range(count))


def _probe(shapes: Sequence[Shape], positional: int, names: Sequence[str], index: int) -> str:
    if len(shapes) > _ARGUMENTS:
        return ""
    left = [_MEMBERS]
    drawn: list[str] = []
    before = dict[str, int]()
    for shape in shapes:
        name = repr(shape)
        before[name] = before.get(name, 0) + 1
        random = Key(0).at("probe", index, name, before[name]).draw()
        drawn.append(canonical(_fresh(shape, random, left, loose=index % 2 == 1)))
    return _line(drawn[:positional], dict(zip(names, drawn[positional:], strict=True)))


def _line(positional: Sequence[str], named: Mapping[str, str]) -> str:
    line = ", ".join([*positional, *(f"{name}={text}" for name, text in named.items())])
    return line if len(line.encode()) <= MAX_TEXT else ""


def _shape(value: Value) -> Shape:
    name = type(value).__name__
    if isinstance(value, tuple) and len(value) <= _FIXED:
        return ("places", *map(_shape, value))  # the word is in every probe's key: another would change behaviours
    if isinstance(value, dict):
        if 0 < len(value) <= _KEYS and all(isinstance(key, str) and len(key) <= _KEY for key in value):
            return ("record", *((str(key), _shape(value[key])) for key in sorted(map(str, value))))
        return (name, _union(value), _union(value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return (name, _union(value))
    return (name,)


def _union(members: Iterable[Value]) -> Shape:
    return tuple(sorted({_shape(member) for member in members}, key=repr)) or (("int",),)


def _fresh(shape: Shape, random: Random, left: list[int], loose: bool) -> Value:
    """Return a value of this shape. Small numbers, short texts and lists: where programs differ, and rarely fail."""
    left[0] -= 1
    name = str(shape[0])
    parts = [part for part in shape[1:] if isinstance(part, tuple)]
    if name in _ATOMS:
        return _ATOMS[name](random)
    if name == "places":
        return tuple(_fresh(part, random, left, loose) for part in (parts if left[0] > 0 else ()))
    if name == "record":
        fields = {str(key): part for key, part in parts if isinstance(part, tuple)}
        if not loose:
            return {key: _fresh(fields[key], random, left, loose) for key in (fields if left[0] > 0 else ())}
        parts = [(("str",),), tuple(sorted({*fields.values()}, key=repr))]
    size = _below(random, 7) if left[0] > 0 else 0

    def member(union: Shape) -> Value:
        chosen = union[_below(random, len(union))]
        assert isinstance(chosen, tuple)
        return _fresh(chosen, random, left, loose)

    if len(parts) == 2:
        return {member(parts[0]): member(parts[1]) for _ in range(size)}
    members = [member(parts[0]) for _ in range(size)]
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[name](members)


def _below(random: Random, bound: int) -> int:
    return int(random.random() * bound)


def _int(random: Random) -> int:
    low, size = ((0, 6), (-6, 19), (10, 90))[_below(random, 3)]
    return low + _below(random, size)


def _float(random: Random) -> float:
    return (_below(random, 401) - 200) / 8


_LETTERS: Final = ("aabbcdeehlnorstxyz ABZ019,.-", "aabbcdeehlnorstxyz", "0123456789", "01")


def _str(random: Random) -> str:
    letters = _LETTERS[_below(random, len(_LETTERS))]
    return "".join(letters[_below(random, len(letters))] for _ in range(_below(random, 9)))


_ATOMS: Final[Mapping[str, Callable[[Random], Value]]] = {
    "int": _int,
    "float": _float,
    "str": _str,
    "bool": lambda random: random.random() < 0.5,
    "NoneType": lambda random: None,
    "complex": lambda random: complex(_int(random), _int(random)),
    "bytes": lambda random: _str(random).encode(),
}


# --- of any type --------------------------------------------------------------------------------------------

_ANY: Final = ("'ab1c'", "[3, 1, 2]", "{'b': 2, 'a': 1}", "(5, 'x', 2.5, 'y', 7)")


def common(arguments: str) -> tuple[str, ...]:
    """Return argument lists as long as this one, of things of all sorts.

    Raises Unreadable for a text that is not an argument list.
    """
    values, keywords = read_arguments(arguments)
    size = len(values) + len(keywords)
    return tuple(
        ", ".join(_ANY[(position + index) % COMMON] for position in range(size if size <= _ARGUMENTS else 0))
        for index in range(COMMON)
    )


# --- near the own one ---------------------------------------------------------------------------------------


def near(arguments: str, count: int = NEAR) -> tuple[str, ...]:
    """Return up to `count` argument lists that differ from this one in one argument, and from each other.

    Raises Unreadable for a text that is not an argument list.
    """
    values, keywords = read_arguments(arguments)
    parts = [*values, *(keywords[name] for name in sorted(keywords))]
    texts = list(map(canonical, parts)) if parts else []
    own = _line(texts[: len(values)], dict(zip(sorted(keywords), texts[len(values) :], strict=True)))
    others: dict[str, None] = {}
    for index in range(2 * count if parts else 0):
        random = Key(0).at("near", own, index).draw()
        position = _below(random, len(parts))
        try:
            changed = [*texts[:position], canonical(_changed(parts[position], random)), *texts[position + 1 :]]
        except Unwritable:
            continue
        line = _line(changed[: len(values)], dict(zip(sorted(keywords), changed[len(values) :], strict=True)))
        if line != own:
            others[line] = None
    return tuple(others)[:count]


def _changed(value: Value, random: Random) -> Value:
    """Return the value with one change, somewhere in it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float | complex):
        return value + (1, -1, 2, -3)[_below(random, 4)]
    if isinstance(value, str):
        return "".join(_moved([*value], random, _neighbour))
    if isinstance(value, bytes):
        return bytes(_moved([*value], random, _next_byte))
    if isinstance(value, dict):
        if not value:
            return value
        items, at = [*value.items()], _below(random, len(value))
        if len(items) > 1 and random.random() < 0.2:
            return dict([*items[:at], *items[at + 1 :]])
        return dict([*items[:at], (items[at][0], _changed(items[at][1], random)), *items[at + 1 :]])
    if isinstance(value, tuple) and value and len(value) <= _FIXED:
        at = _below(random, len(value))
        return (*value[:at], _changed(value[at], random), *value[at + 1 :])
    if isinstance(value, list | tuple):
        moved = _moved([*value], random, _changed)
        return moved if isinstance(value, list) else tuple(moved)
    if isinstance(value, set | frozenset):
        members = sorted(value, key=canonical)  # the order of a set differs between processes
        return type(value)(_moved(members, random, _changed))
    return value


def _moved(members: list[_Part], random: Random, change: Callable[[_Part, Random], _Part]) -> list[_Part]:
    """Return the members with one of them changed, left out, doubled, or exchanged with its neighbour."""
    if not members:
        return members
    at, how = _below(random, len(members)), _below(random, 6)
    if how < 3:
        return [*members[:at], change(members[at], random), *members[at + 1 :]]
    if how == 3:
        return [*members[:at], *members[at + 1 :]]
    if how == 4:
        return [*members[:at], members[at], *members[at:]]
    return [*members[:at], *members[at : at + 2][::-1], *members[at + 2 :]]


def _next_byte(byte: int, random: Random) -> int:
    return (byte + 1) % 256


def _neighbour(letter: str, random: Random) -> str:
    """Return another one of the same sort."""
    for sort in ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "()[]{}<>", " ,.;:-_"):
        if letter in sort:
            return sort[(sort.index(letter) + 1 + _below(random, 2)) % len(sort)]
    return letter
