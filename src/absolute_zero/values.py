"""The literal grammar: read plain values from text, write them in one canonical form, compare them. Beside it,
`one_line`, which makes any foreign text fit for a log.

Promises: nothing is run, printed or warned of. `read` and `read_arguments` take any text and raise only
`Unreadable`; a flat scan goes first, so that CPython's recursive parser never goes deep.
`canonical` raises only `Unwritable`, and `read` gives back an equal value, whose text is the same again.
Types are exact: a subclass is not a value, as its repr and its equality can lie.

Does not promise: `equal` is for values as `read` builds them, finite and of these types. Texts may differ
between Python versions in characters that only the newer one calls printable, and still read back equal.
Refused though Python takes them: line joins outside strings, escapes that Python warns of, `\\N{...}`, `list`,
`tuple` or `dict` of a set (its order depends on the process). Floor 0, and light: every sandbox process pays for
what is imported here.
"""

import builtins
import re
from _ast import Add, BinOp, Call, Constant, Dict, List, Name, Set, Sub, Tuple, UAdd, UnaryOp, USub, expr
from _thread import RLock
from itertools import islice
from math import isclose

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` is too heavy for a sandbox process
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    Many: TypeAlias = "list[Value] | tuple[Value, ...] | dict[Value, Value] | set[Value] | frozenset[Value]"
    Value: TypeAlias = "bool | int | float | complex | str | bytes | Many | None"
else:
    Value = object

MAX_TEXT = 65_536  # bytes of UTF-8 in any text: far above honest values, and bounds every cost below
MAX_DEPTH = 60  # containers inside each other, written: C code compares, hashes and prints these safely
MAX_BRACKETS = 128  # brackets inside each other, read: a frozenset prints two, and complex numbers one
MAX_NODES = 20_000  # values in a value, shared parts counted each time: a doubling structure stops at once
MAX_DIGITS = 4_300  # decimal digits of an integer: CPython's own limit, which a program can lift
MAX_SIGNS = 4  # signs between two separators of a literal: `-1-2j` has two, and the parser recurses on each
MAX_NAME = 80  # characters kept of a foreign type's name: a class can be given one of megabytes
NAN = float("nan")  # the one nan: every nan that is read is this object, so containers of it compare equal

# Functions below look builtins up in this copy: a program may replace those of its process before we write.
__builtins__ = dict(vars(builtins))
_compile: "Any" = compile
_type: "Any" = type
_PARSER = RLock()
_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST
_INT_BOUND = 10**MAX_DIGITS


class Unreadable(ValueError):
    """The text is not in the grammar, or over a bound. Its message is one line."""


class Unwritable(ValueError):
    """The value has no canonical text. Its message is one line."""


class Unserialisable(Unwritable):
    """A part of the value has a type that is not a value type: `type_name` says which."""

    def __init__(self, kind: type) -> None:
        # The name may be of a str subclass: slicing through `str` copies it, and runs none of its code.
        self.type_name: str = str.__getitem__(type.__dict__["__name__"].__get__(kind), slice(0, MAX_NAME))
        super().__init__(f"not a plain value: {self.type_name!r}")


class TooLarge(Unwritable):
    """The value is over a bound. Nothing is ever truncated."""


def one_line(text: str, substitute: str = " ") -> str:
    """Return a text on one line and free of control characters: foreign code chooses the names of its exceptions.
    >>> one_line("Two\\nLines")
    'Two Lines'
    """
    return "".join([letter if letter.isprintable() else substitute for letter in text])


def _quoted(escape: str = r"[\s\S]") -> str:
    """Return the pattern of the four quotings. Three quotes always open a long string, so `''` must not match there."""
    both = [
        rf"{q * 3}(?:[^\\{q}]++|\\(?:{escape})|{q}(?!{q * 2}))*{q * 3}"
        rf"|{q}(?!{q * 2})(?:[^\\{q}\r\n]++|\\(?:{escape}))*{q}"
        for q in "'\""
    ]
    return f"(?:{'|'.join(both)})"


# Only escapes that Python takes without a warning: octal ones stop at \377.
_ESCAPE = r"\r\n|[\r\n\\'\"abfnrtv]|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|[0-7]{1,2}(?![0-7])"
# Brackets, separators and signs stay in the group, lexemes do not. A bad text goes into the group from there on, at
# one pass's cost.
_LEXEME = re.compile(
    r"(?:0[xX][0-9a-fA-F_]++|0[oO][0-7_]++|0[bB][01_]++"
    r"|(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9][0-9_]*+)(?:[eE][-+]?[0-9_]++)?[jJ]?)(?![\w.])"
    rf"|[ \t\f\r\n]++|#[^\r\n]*+|[bB]{_quoted(_ESCAPE)}|(?:[rR][bB]?|[bB][rR]){_quoted()}"
    rf"|[uU]?{_quoted(_ESCAPE + '|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}')}"
    r"|(?:None|True|False|infj?|nanj?|(?:frozen)?set|float|dict|list|tuple)(?!\w)"
    r"|[^\W\d]\w*+(?=[ \t\f\r\n]*+=)|([()\[\]{},:=+-]|[\s\S]++)"
)
# Not in the grammar: other characters, a bracket after a value (its call or subscript), `:=`, `==`, many signs.
_BAD_SHAPE = re.compile(rf"[^()\[\]{{}},:=+-]|[)\]}}][(\[{{]|[:=]=|[+-]{{{MAX_SIGNS + 1}}}")
_INF = float("inf")
_NAMES = {"inf": _INF, "nan": NAN, "infj": complex(0.0, _INF), "nanj": complex(0.0, NAN)}
_FLOATS = {"inf": _INF, "+inf": _INF, "-inf": -_INF, "infinity": _INF, "nan": NAN, "+nan": NAN, "-nan": NAN}
_CONTAINERS: "dict[str, Any]" = {kind.__name__: kind for kind in (dict, list, tuple, set, frozenset)}


def read(text: str) -> Value:
    """Return the value of one literal. Raises Unreadable.
    >>> read("[1, -2.5, {'a': (True, None)}]")
    [1, -2.5, {'a': (True, None)}]
    """
    try:
        _scan(text)
        return _value(tree_of(text.strip(" \t\f\r\n"), "eval").body)
    except Exception as error:  # there is no closed list of what the parser raises on odd text
        raise Unreadable(" ".join(str(error).split()) or "not readable") from None


def read_arguments(text: str) -> tuple[tuple[Value, ...], dict[str, Value]]:
    """Return the positional and the keyword arguments of an argument list. Raises Unreadable.
    >>> read_arguments("1, x=[2]")
    ((1,), {'x': [2]})
    """
    try:
        _scan(text)
        # The newline ends a last comment. Text that closes our bracket leaves a tree that is not a call of `f`.
        call = tree_of(f"f({text}\n)", "eval").body
        if not isinstance(call, Call) or not isinstance(call.func, Name):
            raise Unreadable("not an argument list")
        return tuple([_value(argument) for argument in call.args]), _keywords(call)
    except Exception as error:
        raise Unreadable(" ".join(str(error).split()) or "not readable") from None


def tree_of(text: str, mode: str) -> "Any":
    """Return the tree of a text that has passed a scan.

    CPython counts the depth of the tree it is making for all threads together: where a garbage collection lets
    another thread in, both can end in SystemError. So ours take turns, and try again after anybody else's.
    """
    for _ in range(16):
        try:
            with _PARSER:
                return _compile(text, "<text>", mode, _ONLY_AST, True)
        except SystemError:
            continue
    raise Unreadable("the parser was disturbed by other threads")


def _keywords(call: Call) -> dict[str, Value]:
    keywords: dict[str, Value] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg == "__debug__" or keyword.arg in keywords:
            raise Unreadable("a keyword comes twice, or cannot be one")
        keywords[keyword.arg] = _value(keyword.value)
    return keywords


def _scan(text: str) -> None:
    """Show, without the parser, that nothing in a literal's text is deep or foreign to the grammar."""
    if len(text) > MAX_TEXT or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise Unreadable(f"text is longer than {MAX_TEXT} bytes")
    shape = "".join(_LEXEME.findall(text))
    if _BAD_SHAPE.search(shape) is not None:
        raise Unreadable("not a literal")
    if len(shape) > MAX_BRACKETS:
        depth = 0
        for character in shape:
            depth += 1 if character in "([{" else -1 if character in ")]}" else 0
            if depth > MAX_BRACKETS:
                raise Unreadable(f"brackets nest more than {MAX_BRACKETS} deep")


def _value(node: "expr | None") -> "Any":
    """Return the value of one node. The scan has bounded the recursion."""
    if isinstance(node, Constant):
        if type(node.value) is int and not -_INT_BOUND < node.value < _INT_BOUND:
            raise Unreadable(f"an integer has more than {MAX_DIGITS} digits")
        return node.value
    if isinstance(node, (List, Tuple, Set)):
        members = [_value(member) for member in node.elts]
        return members if isinstance(node, List) else (tuple if isinstance(node, Tuple) else set)(members)
    if isinstance(node, Dict):
        return {_value(key): _value(item) for key, item in zip(node.keys, node.values, strict=True)}
    if isinstance(node, UnaryOp) and isinstance(node.op, (UAdd, USub)):
        number = _value(node.operand)
        if type(number) not in (int, float, complex):
            raise Unreadable("a sign before something that is not a number")
        if isinstance(node.op, UAdd) or number is NAN:
            return number
        # `-2j` is how complex(0.0, -2.0) prints; arithmetic would give its real zero a sign, and that prints.
        imaginary = type(number) is complex and number.real == 0
        return complex(number.real, -number.imag) if imaginary else -number
    if isinstance(node, BinOp) and isinstance(node.op, Add | Sub) and isinstance(node.right, Constant | Name):
        real, imag = _value(node.left), _value(node.right)
        if type(real) not in (int, float) or type(imag) is not complex:
            raise Unreadable("an operator that joins no real and imaginary part")
        if real == 0:  # `-0+1j` prints the sign of a float zero, which an integer loses
            real = -0.0 if isinstance(node.left, UnaryOp) and isinstance(node.left.op, USub) else 0.0
        return complex(real, -imag.imag if isinstance(node.op, Sub) else imag.imag)
    if isinstance(node, Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, Call) and isinstance(node.func, Name) and len(node.args) + bool(node.keywords) < 2:
        name, arguments = node.func.id, [_value(argument) for argument in node.args]
        if name == "dict" and node.keywords:
            return _keywords(node)
        if name == "float" and arguments and type(arguments[0]) is str and arguments[0].lower() in _FLOATS:
            return _FLOATS[arguments[0].lower()]
        ordered = name not in ("set", "frozenset") and arguments and type(arguments[0]) in (set, frozenset)
        if name in _CONTAINERS and not ordered and not node.keywords:  # the order of a set differs between processes
            return _CONTAINERS[name](*arguments)
    raise Unreadable(f"not a literal: {type(node).__name__}")


def canonical(value: object, max_bytes: int = MAX_TEXT) -> str:
    """Return the one text of a value. Raises Unserialisable or TooLarge where it has none. A `max_bytes` over
    `MAX_TEXT` counts as `MAX_TEXT`: `read` could not give the value back.
    >>> canonical({"b": {3, 1}, "a": float("nan")})
    "{'b': {1, 3}, 'a': nan}"
    """
    limit = max_bytes if max_bytes < MAX_TEXT else MAX_TEXT
    try:
        if value is None or type(value) is bool or (type(value) is int and -(10**15) < value < 10**15):
            text = repr(value)
        else:
            levels, plain = _survey(value, limit)
            text = repr(value) if plain else _write(levels)
    except (RuntimeError, ValueError) as error:  # changed by a thread, or CPython's limits lowered
        raise error if isinstance(error, Unwritable) else TooLarge("could not be written") from None
    if len(text) > limit or (not text.isascii() and len(text.encode()) > limit):
        raise TooLarge(f"text is longer than {limit} bytes")
    return text


def _survey(value: object, limit: int) -> "tuple[list[list[Any]], bool]":
    """Return the value's parts, level by level, all of value types and within bounds, and whether CPython's own repr
    of it is canonical. Types are compared by identity: a lookup would run the code of a metaclass."""
    levels: list[list[Any]] = [[value]]
    plain, nodes, size = True, 0, 0
    while levels[-1]:
        below: list[Any] = []
        nodes += len(levels[-1])
        for part in levels[-1]:
            kind = _type(part)
            if kind is int:
                if not -_INT_BOUND < part < _INT_BOUND:
                    raise TooLarge(f"an integer has more than {MAX_DIGITS} digits")
                size += part.bit_length() * 3 // 10  # its digits or fewer: log10(2) > 0.3
            elif kind is str or kind is bytes:
                size += len(part)
            elif kind is float or kind is complex:
                plain = plain and part == part  # nans may stand twice as a key, and are one when read
            elif kind is list or kind is tuple or kind is dict or kind is set or kind is frozenset:
                total = nodes + len(below) + len(part) * (2 if kind is dict else 1)
                if total > MAX_NODES or len(levels) > MAX_DEPTH:
                    raise TooLarge(f"more than {MAX_NODES} values, or {MAX_DEPTH} inside each other")
                below.extend(part)
                if kind is dict:
                    below.extend(part.values())
                plain = plain and kind is not set and kind is not frozenset
            elif part is not None and kind is not bool:
                raise Unserialisable(kind)
        if size > limit:
            raise TooLarge(f"text is longer than {limit} bytes")
        levels.append(below)
    return levels, plain


def _write(levels: "list[list[Any]]") -> str:
    """Return the text of a surveyed value, written from the lowest level up: no recursion, whatever stack is left."""
    texts: Iterator[str] = iter(())
    for level in reversed(levels):
        written: list[str] = []
        for part in level:
            kind = _type(part)
            if kind is list:
                written.append(f"[{', '.join(islice(texts, len(part)))}]")
            elif kind is tuple:
                written.append(f"({', '.join(islice(texts, len(part)))}{',' if len(part) == 1 else ''})")
            elif kind is dict:
                keys, items = list(islice(texts, len(part))), list(islice(texts, len(part)))
                written.append(f"{{{_joined(keys, part, [': ' + item for item in items])}}}")
            elif (kind is set or kind is frozenset) and part:
                pairs = sorted(zip(islice(texts, len(part)), part, strict=True), key=lambda pair: pair[0])
                inside = _joined([pair[0] for pair in pairs], [pair[1] for pair in pairs], [""] * len(pairs))
                written.append(f"{{{inside}}}" if kind is set else f"frozenset({{{inside}}})")
            else:
                written.append(repr(part))
        texts = iter(written)
    return "".join(texts)


def _joined(texts: list[str], members: "Iterable[Any]", items: list[str]) -> str:
    """Join texts with their items. All nans are one when read, and a display keeps the first of equal keys, with the
    last item: so does this."""
    nan = "nan" in "".join(texts)
    merged: dict[Any, tuple[str, str]] = {}
    for text, member, item in zip(texts, members, items, strict=True):
        key = _key(member, False) if nan else text
        merged[key] = (merged[key][0] if key in merged else text, item)
    return ", ".join([text + item for text, item in merged.values()])


def equal(a: Value, b: Value, *, strict: bool = False, rel_tol: float = 0.0) -> bool:
    """Return whether two values are equal as CPython's `==` has it, and nan equals nan wherever it stands.

    `strict` demands equal types at every depth. `rel_tol` (as in `math.isclose`) holds for floats and the
    parts of complex numbers, but not in members of sets and keys of dicts.
    >>> equal([1, float("nan")], [True, float("nan")]), equal(1, 1.0, strict=True)
    (True, False)
    """
    return a is b or (not strict and a == b) or _same(a, b, strict, rel_tol)


def _same(a: "Any", b: "Any", strict: bool, rel_tol: float) -> bool:
    kind, other = _type(a), _type(b)
    if strict and kind is not other:
        return False
    if kind in (bool, int, float, complex) and other in (bool, int, float, complex):
        return _close(a.real, b.real, rel_tol) and _close(a.imag, b.imag, rel_tol)
    if kind in (set, frozenset) and other in (set, frozenset):
        return {_key(member, strict) for member in a} == {_key(member, strict) for member in b}
    if kind is not other or kind not in (list, tuple, dict):
        return kind is other and a == b
    if kind is dict:
        left, right = ({_key(key, strict): item for key, item in side.items()} for side in (a, b))
        return left.keys() == right.keys() and all(_same(left[k], right[k], strict, rel_tol) for k in left)
    return len(a) == len(b) and all(_same(x, y, strict, rel_tol) for x, y in zip(a, b, strict=True))


def _close(a: float, b: float, rel_tol: float) -> bool:
    exact = not rel_tol or (type(a) is not float and type(b) is not float)
    try:
        return a == b or (a != a and b != b) or (not exact and isclose(a, b, rel_tol=rel_tol))
    except OverflowError:  # an integer beyond every float is close to none
        return False


def _key(value: "Any", strict: bool) -> "Any":
    """Return what stands for a hashable value in a lookup: equal keys for values that are equal here."""
    kind, key = _type(value), value
    if kind is tuple or kind is frozenset:
        key = (tuple if kind is tuple else frozenset)([_key(member, strict) for member in value])
    elif (kind is float or kind is complex) and value != value:
        real, imag = (NAN if part != part else part for part in (value.real, value.imag))
        key = (complex, real, imag) if imag else NAN  # no value is a type, so the first meets no tuple
    return (kind, key) if strict else key
