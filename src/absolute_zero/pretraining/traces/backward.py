"""From an output back to an input: the inverse steps that a thought takes where a program can be undone.

Works on straight programs: assignments and a return, in which one unknown argument runs through operations that have
an inverse (`_ROWS`), while the others are given. For `f(a, b): c = a * 2; return c + b`, with output 10 and b = 4,
the steps are `b=4 10-4 c=6//2 a=3`. What comes out is a guess, which the caller has to run: some inverses (of
`sorted`, of slices) are one input of many. Standard library.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.items import Each
from absolute_zero.pretraining.grammar.program import Program
from absolute_zero.pretraining.grammar.statements import Assign, Return, Update
from absolute_zero.pretraining.grammar.trees import Apply, Expr, Name, Run, Unfit, check, names_in, text_of

_ROWS: Final = """
{0} + {1}             ; 0 ; t-o         ; int float
{0} + {1}             ; 1 ; t-o         ; int float
{0} - {1}             ; 0 ; t+o         ; int float
{0} - {1}             ; 1 ; o-t         ; int
{0} * {1}             ; 0 ; t//o        ; int
{0} * {1}             ; 1 ; t//o        ; int
{0} * {1}             ; 0 ; t/o         ; float
{0} // {1}            ; 0 ; t*o         ; int
{0} / {1}             ; 0 ; int(t*o)    ; int
-{0}                  ; 0 ; -t          ; int
{0} % {1}             ; 0 ; t           ; int
abs({0})              ; 0 ; t           ; int
int({0})              ; 0 ; float(t)    ; float
float({0})            ; 0 ; int(t)      ; int
len({0})              ; 0 ; 'a'*t       ; str
len({0})              ; 0 ; [1]*t       ; ints
sum({0})              ; 0 ; [t]         ; ints
max({0})              ; 0 ; [t]         ; ints
min({0})              ; 0 ; [t]         ; ints
sum({0})              ; 0 ; (t, 0)      ; pair
{0}[0]                ; 0 ; (t, 1)      ; pair
{0}[1]                ; 0 ; (1, t)      ; pair
({0}[1], {0}[0])      ; 0 ; (t[1], t[0]); pair
({0}, {1})            ; 0 ; t[0]        ; int
({0}, {1})            ; 1 ; t[1]        ; int
[{0}, {1}]            ; 0 ; t[0]        ; int
[{0}, {1}]            ; 1 ; t[1]        ; int
list({0})             ; 0 ; tuple(t)    ; pair
{0} + {1}             ; 0 ; t[:-len(o)] ; str ints
{0} + {1}             ; 1 ; t[len(o):]  ; str ints
{0} + [{1}]           ; 0 ; t[:-1]      ; ints strs
{0} + [{1}]           ; 1 ; t[-1]       ; int str
[{1}] + {0}           ; 0 ; t[1:]       ; ints
[{1}] + {0}           ; 1 ; t[0]        ; int
[{0}] * {1}           ; 0 ; t[0]        ; int
{0} * {1}             ; 0 ; t[:len(t)//o]; str
{0} * 2               ; 0 ; t[:len(t)//2]; ints
{0}[::-1]             ; 0 ; t[::-1]     ; str ints strs
list(reversed({0}))   ; 0 ; t[::-1]     ; ints
sorted({0})           ; 0 ; t           ; ints strs
sorted({0}, reverse=True) ; 0 ; t       ; ints
sorted(set({0}))      ; 0 ; t           ; ints
sorted({0})           ; 0 ; set(t)      ; set
set({0})              ; 0 ; sorted(t)   ; ints
{0}[{1}:]             ; 0 ; [1]*o+t     ; ints
{0}[{1}:]             ; 0 ; 'a'*o+t     ; str
{0}[:{1}]             ; 0 ; t           ; ints str strs
{0}[:-1]              ; 0 ; t+[1]       ; ints
{0}[:-1]              ; 0 ; t+'a'       ; str
{0}[1:-1]             ; 0 ; 'a'+t+'a'   ; str
{0}.upper()           ; 0 ; t.lower()   ; str
{0}.title()           ; 0 ; t.lower()   ; str
{0}.swapcase()        ; 0 ; t.swapcase(); str
{0}.lower()           ; 0 ; t           ; str
{0}.strip()           ; 0 ; t           ; str
{0}.replace({1}, '')  ; 0 ; t           ; str
str({0})              ; 0 ; int(t)      ; int
''.join(sorted({0}))  ; 0 ; t           ; str
list({0})             ; 0 ; ''.join(t)  ; str
sorted({0})           ; 0 ; ''.join(t)  ; str
{0}.join({1})         ; 1 ; t.split(o)  ; strs
{0}.split({1})        ; 0 ; o.join(t)   ; str
{0}.split()           ; 0 ; ' '.join(t) ; str
"""
"""An operation, the index of its unknown operand, how that follows from the result `t` and the other operand `o`, and
the sorts that the unknown may have."""

_INT_KIN: Final = {"size": "int", "index": "int", "char": "str", "factor": "int", "times": "int", "half": "float"}


@final
@dataclass(frozen=True, slots=True)
class _Inverse:
    shown: str
    function: Callable[[Any, Any], Any]


def _inverses() -> dict[tuple[str, int, str], _Inverse]:
    inverses: dict[tuple[str, int, str], _Inverse] = {}
    for row in _ROWS.strip().splitlines():
        text, index, inverse, sorts = (cell.strip() for cell in row.split(";"))
        function: Callable[[Any, Any], Any] = eval(f"lambda t, o: {inverse}")
        for sort in sorts.split():
            inverses[text, int(index), sort] = _Inverse(inverse, function)
    return inverses


_INVERSES: Final = _inverses()


@final
class _Undoing:
    """The way back through a program: what is written of it, and the unknown that is left."""

    def __init__(self, unknown: str, target: Any) -> None:
        self.unknown = {unknown}
        self.value = target
        self.text = text_of(target)
        """The value, as the steps end with it; empty where it stands there already."""
        self.out: list[str] = []

    def through(self, node: Expr, run: Run) -> str | None:
        """Undo an expression, with its known variables in a run. Return the variable that is left; None for no way."""
        while type(node) is not Name:
            if isinstance(node, Each):
                return self._through_items(node, run)
            if not isinstance(node, Apply):
                return None
            unknown = [index for index, part in enumerate(node.parts) if names_in(part) & self.unknown]
            if len(unknown) != 1 or len(node.parts) > 2:
                return None
            [index] = unknown
            sort = node.parts[index].sort
            inverse = _INVERSES.get((node.operation.text, index, _INT_KIN.get(sort, sort)))
            if inverse is None:
                return None
            other = node.parts[1 - index].value(run) if len(node.parts) == 2 else None
            self._step(inverse, other)
            node = node.parts[index]
        return node.name

    def _step(self, inverse: _Inverse, other: Any) -> None:
        before, self.value = self.value, check(inverse.function(self.value, other))
        if inverse.shown == "t":
            return
        shown = inverse.shown
        for letter, value in (("t", before), ("o", other)):
            if f"len({letter})" in shown:
                shown = shown.replace(f"len({letter})", str(len(value)))
        chained = shown.startswith("t") and not shown.startswith("tuple")
        if chained:
            self.close()
            shown = shown[1:]
        elif self.text.startswith("="):
            self.close()
        text = "".join(
            text_of(before) if letter == "t" else text_of(other) if letter == "o" else piece
            for piece, letter in _pieces(shown)
        )  # fmt: skip
        value = text_of(self.value)
        if text == value:  # a display of values is its own result
            self.text = f" {value}"
            return
        self.out.append(text if chained else f" {text}")
        self.text = f"={value}"

    def _through_items(self, node: Each, run: Run) -> str | None:
        """Undo a list whose items come from those of another list. Return that list's variable; None for no way."""
        source = node.source
        gathered, tests = node.inner
        if node.form != "list" or tests or len(node.names) != 1 or source.operation.text != "{0}":
            return None
        [over] = source.parts
        if type(over) is not Name or over.name not in self.unknown or over.sort not in ("ints", "strs"):
            return None
        self.close()
        items: list[Any] = []
        for item in self.value:
            inner = _Undoing(node.names[0].name, item)
            if inner.through(gathered[0], run) is None:
                return None
            inner.close()
            self.out.append(f" {''.join(inner.out).lstrip()}")
            items.append(inner.value)
        self.value = items
        self.text = " =" + text_of(items)
        return over.name

    def close(self) -> None:
        """Write the value down."""
        if self.text:
            self.out.append(self.text)
            self.text = ""

    def name(self, name: str) -> None:
        """Write the value down as that of a variable."""
        if self.text:
            self.out.append(f" {name}={text_of(self.value)}")
            self.text = ""


def _pieces(shown: str) -> list[tuple[str, str]]:
    """Return a shown text in pieces, and which of them are the letters that stand for values."""
    pieces = re.findall(r"'.*?'|\w+|\W", shown)
    return [(piece, piece if piece in ("t", "o") else "") for piece in pieces]


def undo(program: Program, arguments: Sequence[Any], target: Any, dice: Dice) -> tuple[str, tuple[Any, ...]] | None:
    """Return the steps back to one argument, the others known, and all arguments; None where there is no such way."""
    f = program.f
    if len(program.functions) > 1 or not all(isinstance(statement, Assign | Update | Return) for statement in f.body):
        return None
    chosen = dice.below(len(f.parameters))
    way = _Undoing(f.parameters[chosen].name, target)
    known = [
        (name, value)
        for index, (name, value) in enumerate(zip(f.parameters, arguments, strict=True))
        if index != chosen
    ]
    try:
        left = _back(way, f.body, {name.name: value for name, value in known})
    except (Unfit, ArithmeticError, LookupError, ValueError, TypeError, AttributeError):
        return None
    if left != f.parameters[chosen].name:
        return None
    prefix = "".join(f"{name.name}={text_of(value)} " for name, value in known)
    answer = tuple([way.value if index == chosen else argument for index, argument in enumerate(arguments)])
    return (prefix + "".join(way.out).lstrip()).strip(), answer


def _back(way: _Undoing, body: Sequence[Any], env: dict[str, Any]) -> str | None:
    """Go forward through what is known, then backward through what is not. Return the variable that is left."""
    states: list[dict[str, Any]] = []
    for statement in body:
        states.append(dict(env))
        if isinstance(statement, Return):
            break
        if names_in(statement.parts[0]) & way.unknown:
            way.unknown.add(statement.name)
            env.pop(statement.name, None)
        else:
            env[statement.name] = statement.parts[0].value(_run(env))
    wanted: str | None = None
    for statement, state in zip(reversed(body), reversed(states), strict=True):
        if wanted is None or (not isinstance(statement, Return) and statement.name == wanted):
            wanted = way.through(statement.parts[0], _run(state))
            if wanted is None:
                return None
            way.name(wanted)
    return wanted


def _run(env: dict[str, Any]) -> Run:
    run = Run({}, traced=False)
    run.env = dict(env)
    return run
