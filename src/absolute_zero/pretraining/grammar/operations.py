"""The operations that programs of the grammar are made of: one row each.

A row is written as Python, and means what that Python means: its function is compiled from the row's own text, so
what is written and what is computed cannot differ. The text is ours; no text of a model comes here.

Promises: every function is pure, deterministic and total up to the ordinary exceptions of its arguments' values.
Standard library.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

Sort = Literal[
    "int", "float", "bool", "str", "ints", "strs", "pair", "table", "set",
    "char", "size", "times", "index", "divisor", "factor", "bit", "half", "separator", "flags", "rows",
    "mixed", "letters",
]  # fmt: skip
"""What an expression gives. The first nine are types of arguments; those from `rows` on are results only, and those
between restrictions of `int`, `float` and `str` that operands of some operations have."""

TERNARY, OR, AND, NOT, COMPARE, BITS, SUM, PRODUCT, SIGN, POWER, POSTFIX, ATOM = range(1, 13)
"""How tightly Python binds, loosest first."""
_LEVELS: Final = {name: level for name, level in globals().items() if isinstance(level, int)}

NUMBERS: Final = frozenset(("int", "float", "bool", "size", "times", "index", "divisor", "factor", "bit", "half"))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation: `text` has its operands as `{0}`, `{1}`."""

    text: str
    result: Sort
    operands: tuple[Sort, ...]
    level: int
    """How tightly its text binds, and (`needs`) its operands have to."""
    needs: tuple[int, ...]
    weight: float
    phrase: str
    """One or two words for it in a message."""
    function: Callable[..., Any]
    shown: str
    """How a thought writes it, with the operands' values put in."""
    chained: str | None
    """How a thought writes it after the value of its first operand; None where that does not read well."""

    @property
    def sums(self) -> bool:
        """A thought spells this out, addition by addition."""
        return self.text in ("sum({0})", "sum({0}.values())")


def _read(rows: str, whole: str) -> Iterator[tuple[tuple[Any, ...], Operation]]:
    """Yield the sorts that each row gives, and its operation; `whole` is what is computed of the row's text."""
    for row in rows.strip().splitlines():
        result_sorts, text, operands, level, weight, phrase = (cell.strip() for cell in row.split(";"))
        results: tuple[Any, ...] = tuple(result_sorts.split())
        sorts: tuple[Any, ...] = tuple(operands.split())
        names = "abc"[: len(sorts)]
        function: Callable[..., Any] = eval(f"lambda {', '.join(names)}: {whole.format(text.format(*names))}")
        shown = re.sub(r" ([^\w\s]+) ", r"\1", text)
        alone = len(sorts) == 1 and shown.count("{0}") == 1 and not shown.startswith("-")
        chained = shown.replace("{0}", "", 1) if shown.startswith("{0}") or alone else None
        binds = _LEVELS[level]
        needs = _needs(text, binds, len(sorts))
        yield results, Operation(text, results[0], sorts, binds, needs, float(weight), phrase, function, shown, chained)


def _needs(text: str, level: int, count: int) -> tuple[int, ...]:
    """Return how tightly each operand has to bind: what binds less tightly goes into brackets."""
    needs: list[int] = []
    for index in range(count):
        before, after = text.split(f"{{{index}}}")[:2]
        if text == "{0}":
            need = OR
        elif after[:1] in ("[", "."):
            need = POSTFIX
        elif re.search(r"[(\[{,:] ?$", before) and re.match(r"[)\]},:]", after):
            need = 0
        elif after.startswith(" % "):
            need = PRODUCT
        elif before or level == COMPARE:
            need = level if level in (SIGN, NOT) else level + 1
        else:
            need = POSTFIX if level == POWER else level
        needs.append(need)
    return tuple(needs)


_ROWS: Final = """
int    ; {0} + {1}                ; int int       ; SUM    ; 14 ; add
int    ; {0} - {1}                ; int int       ; SUM    ; 10 ; subtract
int    ; {0} * {1}                ; int factor    ; PRODUCT; 10 ; multiply
int    ; {0} * {1}                ; int int       ; PRODUCT; 2  ; multiply
int    ; {0} // {1}               ; int divisor   ; PRODUCT; 4  ; divide
int    ; {0} % {1}                ; int divisor   ; PRODUCT; 5  ; remainder
int    ; -{0}                     ; int           ; SIGN   ; 1.5; negate
int    ; abs({0})                 ; int           ; ATOM   ; 2  ; absolute value
int    ; {0} ** 2                 ; int           ; POWER  ; 1.5; square
int    ; min({0}, {1})            ; int int       ; ATOM   ; 2.5; smaller
int    ; max({0}, {1})            ; int int       ; ATOM   ; 2.5; larger
int    ; len({0})                 ; ints          ; ATOM   ; 4  ; count items
int    ; sum({0})                 ; ints          ; ATOM   ; 7  ; sum
int    ; max({0})                 ; ints          ; ATOM   ; 4  ; largest
int    ; min({0})                 ; ints          ; ATOM   ; 4  ; smallest
int    ; {0}[{1}]                 ; ints index    ; POSTFIX; 6  ; pick item
int    ; {0}.count({1})           ; ints int      ; POSTFIX; 2  ; count equal
int    ; {0}.index({1})           ; ints int      ; POSTFIX; .4 ; position
int    ; len({0})                 ; str           ; ATOM   ; 7  ; length
int    ; {0}.count({1})           ; str char      ; POSTFIX; 3  ; count letter
int    ; {0}.find({1})            ; str char      ; POSTFIX; 2  ; find letter
int    ; len(set({0}))            ; str           ; ATOM   ; 1  ; distinct letters
int    ; len({0})                 ; strs          ; ATOM   ; 3  ; count words
int    ; len(set({0}))            ; ints          ; ATOM   ; 1  ; distinct items
int    ; {0}.get({1}, 0)          ; table char    ; POSTFIX; 3  ; look up
int    ; {0}[{1}]                 ; table char    ; POSTFIX; .7 ; look up
int    ; len({0})                 ; table         ; ATOM   ; 1.5; count keys
int    ; sum({0}.values())        ; table         ; ATOM   ; 3  ; sum values
int    ; max({0}.values())        ; table         ; ATOM   ; 2  ; largest value
int    ; {0}[0]                   ; pair          ; POSTFIX; 3  ; first
int    ; {0}[1]                   ; pair          ; POSTFIX; 3  ; second
int    ; sum({0})                 ; pair          ; ATOM   ; 1  ; sum
int    ; len({0})                 ; set           ; ATOM   ; 2  ; count items
int    ; max({0})                 ; set           ; ATOM   ; 1  ; largest
int    ; min({0})                 ; set           ; ATOM   ; 1  ; smallest
int    ; sum({0})                 ; set           ; ATOM   ; 1  ; sum
int    ; int({0})                 ; float         ; ATOM   ; 2  ; whole part
int    ; round({0})               ; float         ; ATOM   ; 1  ; round
int    ; int({0})                 ; bool          ; ATOM   ; .7 ; as number
float  ; {0} / {1}                ; int divisor   ; PRODUCT; 3  ; halve
float  ; {0} + {1}                ; float float   ; SUM    ; 4  ; add
float  ; {0} - {1}                ; float half    ; SUM    ; 3  ; subtract
float  ; {0} * {1}                ; float factor  ; PRODUCT; 3  ; multiply
float  ; {0} + {1}                ; float int     ; SUM    ; 2  ; add
float  ; {0} * {1}                ; int half      ; PRODUCT; 3  ; multiply
float  ; {0} / 2                  ; float         ; PRODUCT; 1  ; halve
float  ; abs({0})                 ; float         ; ATOM   ; 1  ; absolute value
float  ; max({0}, {1})            ; float half    ; ATOM   ; 1  ; larger
float  ; float({0})               ; int           ; ATOM   ; 1  ; as float
float  ; sum({0}) / len({0})      ; ints          ; PRODUCT; 1  ; average
bool   ; {0} > {1}                ; int int       ; COMPARE; 8  ; greater
bool   ; {0} < {1}                ; int int       ; COMPARE; 8  ; less
bool   ; {0} >= {1}               ; int int       ; COMPARE; 2  ; at least
bool   ; {0} <= {1}               ; int int       ; COMPARE; 2  ; at most
bool   ; {0} == {1}               ; int int       ; COMPARE; 2  ; equal
bool   ; {0} != {1}               ; int int       ; COMPARE; 1  ; differ
bool   ; {0} % 2 == {1}           ; int bit       ; COMPARE; 5  ; parity
bool   ; {0} > {1}                ; float half    ; COMPARE; 6  ; greater
bool   ; {0} < {1}                ; float half    ; COMPARE; 6  ; less
bool   ; {0} in {1}               ; int ints      ; COMPARE; 4  ; contains
bool   ; {0} not in {1}           ; int ints      ; COMPARE; 2  ; lacks
bool   ; {0} in {1}               ; char strs     ; COMPARE; 1  ; contains
bool   ; {0} not in {1}           ; char strs     ; COMPARE; .5 ; lacks
bool   ; {0} in {1}               ; char str      ; COMPARE; 4  ; contains
bool   ; {0} in {1}               ; int set       ; COMPARE; 2  ; contains
bool   ; {0} in {1}               ; char table    ; COMPARE; 2  ; has key
bool   ; {0} == {1}               ; char char     ; COMPARE; 3  ; equal
bool   ; {0} != {1}               ; char char     ; COMPARE; 1  ; differ
bool   ; {0} == {1}               ; str str       ; COMPARE; .5 ; equal
bool   ; {0} < {1}                ; char char     ; COMPARE; 2  ; before
bool   ; {0}.startswith({1})      ; str char      ; POSTFIX; 1  ; begins with
bool   ; {0}.endswith({1})        ; str char      ; POSTFIX; 1  ; ends with
bool   ; {0}.isupper()            ; str           ; POSTFIX; 1  ; is upper
bool   ; {0}.isdigit()            ; str           ; POSTFIX; .5 ; is digit
bool   ; any({0})                 ; flags         ; ATOM   ; 3  ; any
bool   ; all({0})                 ; flags         ; ATOM   ; 3  ; all
bool   ; not {0}                  ; bool          ; NOT    ; 5  ; not
str    ; {0} + {1}                ; str str       ; SUM    ; 10 ; join
str    ; {0} * {1}                ; str times     ; PRODUCT; 4  ; repeat
str    ; {0} * {1}                ; char times    ; PRODUCT; 2  ; repeat
str    ; {0}[{1}]                 ; str index     ; POSTFIX; 3  ; pick letter
str    ; {0}[{1}:]                ; str size      ; POSTFIX; 5  ; slice
str    ; {0}[:{1}]                ; str size      ; POSTFIX; 5  ; slice
str    ; {0}[:-1]                 ; str           ; POSTFIX; 2  ; drop last
str    ; {0}[1:-1]                ; str           ; POSTFIX; 1  ; drop ends
str    ; {0}[::-1]                ; str           ; POSTFIX; 5  ; reverse
str    ; {0}[::2]                 ; str           ; POSTFIX; 1.5; every second
str    ; {0}.upper()              ; str           ; POSTFIX; 5  ; upper case
str    ; {0}.lower()              ; str           ; POSTFIX; 2  ; lower case
str    ; {0}.title()              ; str           ; POSTFIX; 1  ; title case
str    ; {0}.swapcase()           ; str           ; POSTFIX; 1  ; swap case
str    ; {0}.replace({1}, {2})    ; str char char ; POSTFIX; 4  ; replace
str    ; {0}.replace({1}, '')     ; str char      ; POSTFIX; 2  ; remove letter
str    ; {0}.strip()              ; str           ; POSTFIX; .5 ; strip
str    ; str({0})                 ; int           ; ATOM   ; 4  ; as text
str    ; {0}.join({1})            ; separator strs; POSTFIX; 5  ; join
str    ; {0}[{1}]                 ; strs index    ; POSTFIX; 5  ; pick word
str    ; min({0})                 ; strs          ; ATOM   ; 1  ; first word
str    ; max({0}, key=len)        ; strs          ; ATOM   ; 2  ; longest
str    ; min({0}, key=len)        ; strs          ; ATOM   ; 1  ; shortest
str    ; ''.join(sorted({0}))     ; str           ; POSTFIX; 3  ; sort letters
str    ; max({0})                 ; table         ; ATOM   ; .7 ; last key
str    ; {0}.rjust({1}, '0')      ; str size      ; POSTFIX; .4 ; pad
ints   ; sorted({0})              ; ints          ; ATOM   ; 9  ; sort
ints   ; sorted({0}, reverse=True); ints          ; ATOM   ; 3  ; sort descending
ints   ; {0}[::-1]                ; ints          ; POSTFIX; 6  ; reverse
ints   ; {0}[{1}:]                ; ints size     ; POSTFIX; 5  ; slice
ints   ; {0}[:{1}]                ; ints size     ; POSTFIX; 5  ; slice
ints   ; {0}[:-1]                 ; ints          ; POSTFIX; 1.5; drop last
ints   ; {0}[::2]                 ; ints          ; POSTFIX; 1.5; every second
ints   ; {0} + {1}                ; ints ints     ; SUM    ; 3  ; join lists
ints   ; {0} + [{1}]              ; ints int      ; SUM    ; 5  ; append
ints   ; [{1}] + {0}              ; ints int      ; SUM    ; 3  ; prepend
ints   ; {0} * 2                  ; ints          ; PRODUCT; 1  ; repeat
ints   ; [{0}] * {1}              ; int times     ; PRODUCT; 1  ; repeat
ints   ; [{0}, {1}]               ; int int       ; ATOM   ; 3  ; two items
ints   ; [{0}, {1}, {2}]          ; int int int   ; ATOM   ; 1  ; three items
ints   ; list(range({0}))         ; size          ; ATOM   ; 2  ; range
ints   ; list(range({0}, {1}))    ; size int      ; ATOM   ; 1  ; range
ints   ; list(reversed({0}))      ; ints          ; ATOM   ; 1  ; reverse
ints   ; sorted(set({0}))         ; ints          ; ATOM   ; 3  ; sort distinct
ints   ; list({0}.values())       ; table         ; ATOM   ; 3  ; values
ints   ; sorted({0})              ; set           ; ATOM   ; 3  ; sort
ints   ; list({0})                ; pair          ; ATOM   ; 2  ; as list
ints   ; sorted({0})              ; pair          ; ATOM   ; 1  ; sort
ints   ; list(map(len, {0}))      ; strs          ; ATOM   ; 2  ; lengths
ints   ; list(map(abs, {0}))      ; ints          ; ATOM   ; 1  ; absolute values
strs   ; list({0})                ; str           ; ATOM   ; 4  ; letters
strs   ; sorted({0})              ; str           ; ATOM   ; 3  ; sort letters
strs   ; sorted({0})              ; strs          ; ATOM   ; 5  ; sort words
strs   ; sorted({0}, key=len)     ; strs          ; ATOM   ; 2  ; sort by length
strs   ; {0}[::-1]                ; strs          ; POSTFIX; 4  ; reverse
strs   ; {0}[{1}:]                ; strs size     ; POSTFIX; 3  ; slice
strs   ; {0}[:{1}]                ; strs size     ; POSTFIX; 3  ; slice
strs   ; {0} + [{1}]              ; strs str      ; SUM    ; 4  ; append
strs   ; [{0}, {1}]               ; str str       ; ATOM   ; 3  ; two words
strs   ; {0}.split({1})           ; str separator ; POSTFIX; 2  ; split
strs   ; {0}.split()              ; str           ; POSTFIX; 2  ; split
strs   ; list({0})                ; table         ; ATOM   ; 2  ; keys
strs   ; sorted({0})              ; table         ; ATOM   ; 3  ; sort keys
pair   ; ({0}, {1})               ; int int       ; ATOM   ; 8  ; pair
pair   ; divmod({0}, {1})         ; int divisor   ; ATOM   ; 2  ; quotient and remainder
pair   ; (min({0}), max({0}))     ; ints          ; ATOM   ; 2  ; smallest and largest
pair   ; ({0}[0], {0}[-1])        ; ints          ; ATOM   ; 1  ; first and last
pair   ; ({0}[1], {0}[0])         ; pair          ; ATOM   ; 3  ; swap
pair   ; tuple(sorted({0}))       ; pair          ; ATOM   ; 1  ; sort
table  ; {{{0}: {1}}}             ; str int       ; ATOM   ; 1  ; dict
table  ; dict(zip({0}, {1}))      ; strs ints     ; ATOM   ; 2  ; dict of lists
set    ; set({0})                 ; ints          ; ATOM   ; 6  ; distinct items
set    ; {0} | {1}                ; set set       ; BITS   ; 2  ; union
set    ; {0} & {1}                ; set set       ; BITS   ; 2  ; common
set    ; {0} - {1}                ; set set       ; SUM    ; 2  ; difference
set    ; set({0}) & set({1})      ; ints ints     ; BITS   ; 1  ; common
set    ; {{{0}, {1}}}             ; int int       ; ATOM   ; 1  ; set
rows   ; list(zip({0}, {1}))      ; ints ints     ; ATOM   ; 2  ; zip
rows   ; list(enumerate({0}))     ; ints          ; ATOM   ; 1  ; enumerate
rows   ; list({0}.items())        ; table         ; ATOM   ; 1  ; items
rows   ; sorted({0}.items())      ; table         ; ATOM   ; 1  ; sort items
rows   ; [{0}, {1}]               ; ints ints     ; ATOM   ; 1  ; two lists
mixed  ; ({0}, {1})               ; str int       ; ATOM   ; 3  ; pair
mixed  ; ({0}, {1})               ; int str       ; ATOM   ; 2  ; pair
mixed  ; ({0}, {1})               ; ints int      ; ATOM   ; 3  ; pair
mixed  ; ({0}, {1})               ; int ints      ; ATOM   ; 1  ; pair
mixed  ; ({0}, {1})               ; int bool      ; ATOM   ; 1  ; pair
mixed  ; ({0}, {1})               ; str str       ; ATOM   ; 1  ; pair
letters; set({0})                 ; str           ; ATOM   ; 1  ; distinct letters
"""
_SOURCES: Final = """
int       ; {0}                  ; ints      ; ATOM    ; 14 ; each item
char      ; {0}                  ; str       ; ATOM    ; 12 ; each letter
str       ; {0}                  ; strs      ; ATOM    ; 8  ; each word
char      ; {0}                  ; table     ; ATOM    ; 2  ; each key
int       ; sorted({0})          ; set       ; ATOM    ; 3  ; each item
int       ; {0}[::-1]            ; ints      ; POSTFIX ; 1  ; backwards
char      ; {0}[::-1]            ; str       ; POSTFIX ; 1  ; backwards
size      ; range({0})           ; size      ; ATOM    ; 7  ; count up
size      ; range(1, {0} + 1)    ; size      ; ATOM    ; 4  ; count from one
size      ; range({0}, 0, -1)    ; size      ; ATOM    ; 1  ; count down
index     ; range(len({0}))      ; ints      ; ATOM    ; 3  ; each place
size int  ; enumerate({0})       ; ints      ; ATOM    ; 4  ; each place
size char ; enumerate({0})       ; str       ; ATOM    ; 3  ; each place
int int   ; zip({0}, {1})        ; ints ints ; ATOM    ; 6  ; side by side
char int  ; {0}.items()          ; table     ; ATOM    ; 8  ; each key and value
"""
"""What loops run over: the sorts of the items' names, and then as above."""

OPERATIONS: Final[Sequence[Operation]] = [operation for _, operation in _read(_ROWS, "{}")]
BY_RESULT: Final[dict[Sort, list[Operation]]] = {}
BY_OPERAND: Final[dict[Sort, list[tuple[Operation, int]]]] = {}
"""The operations that take a sort, each with the index of the operand that does."""
for _row in OPERATIONS:
    BY_RESULT.setdefault(_row.result, []).append(_row)
    for _operand in dict.fromkeys(_row.operands):
        BY_OPERAND.setdefault(_operand, []).append((_row, _row.operands.index(_operand)))
SOURCES: Final[Sequence[tuple[tuple[Sort, ...], Operation]]] = list(_read(_SOURCES, "list({})"))
"""Each with the sorts of the names it gives values to."""
