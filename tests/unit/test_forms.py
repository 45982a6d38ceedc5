"""One form for equal programs, and never one for two: pairs that must meet, pairs that must not, by hand."""

from textwrap import dedent

import pytest

from absolute_zero.domains.python.novelty import normal_form, reads_input
from absolute_zero.values import Unreadable

SAME = {
    "names": ("def f(a):\n    return a", "def f(b):\n    return b"),
    "names of scopes beside each other": (
        "def g(a):\n    return a\ndef f(a):\n    return g(a)",
        "def g(p):\n    return p\ndef f(q):\n    return g(q)",
    ),
    "helpers": (
        "def g(a):\n    return a\ndef f(x):\n    return g(x)",
        "def h(a):\n    return a\ndef f(x):\n    return h(x)",
    ),
    "docstring and comments": ("def f(x):\n    '''Doc.'''\n    # note\n    return x", "def f(x):\n    return x"),
    "constants that stand alone": (
        "'''Module.'''\n1\ndef f(x):\n    ...\n    pass\n    return x",
        "def f(x):\n    return x",
    ),
    "layout": ("def f( x ) :  return(  x+1 )\n\n\n", "def f(x):\n    return x + 1"),
    "brackets and quotes": ('def f(x):\n    return (x) + ("a")', "def f(x):\n    return x + 'a'"),
    "numbers": ("def f(x):\n    return x + 0x10", "def f(x):\n    return x + 1_6"),
    "annotations": (
        "def f(x: int, *a: str) -> 'T':\n    y: int = x\n    z: str\n    return y",
        "def f(x, *a):\n    y = x\n    return y",
    ),
    "a comprehension's variable": ("def f(x):\n    return [a for a in x]", "def f(x):\n    return [b for b in x]"),
    "a comprehension's variable like the parameter": (
        "def f(x):\n    return [x for x in x]",
        "def f(x):\n    return [y for y in x]",
    ),
    "a lambda's parameter": (
        "def f(x):\n    return (lambda x: x + 1)(x)",
        "def f(x):\n    return (lambda y: y + 1)(x)",
    ),
    "a shadowed builtin": ("def f(list):\n    return list[0]", "def f(x):\n    return x[0]"),
    "an import as": (
        "import math as m\ndef f(x):\n    return m.floor(x)",
        "import math as n\ndef f(x):\n    return n.floor(x)",
    ),
    "a name from as": (
        "from math import sqrt as s\ndef f(x):\n    return s(x)",
        "from math import sqrt as q\ndef f(x):\n    return q(x)",
    ),
    "global": (
        "n = 0\ndef f(x):\n    global n\n    n += x\n    return n",
        "k = 0\ndef f(y):\n    global k\n    k += y\n    return k",
    ),
    "a global of a helper": (
        "def g():\n    global n\n    n = 1\ndef f(x):\n    g()\n    return x + n",
        "def g():\n    global m\n    m = 1\ndef f(x):\n    g()\n    return x + m",
    ),
    "nonlocal": (
        "def f(x):\n    n = 0\n    def g():\n        nonlocal n\n        n += x\n    g()\n    return n",
        "def f(x):\n    k = 0\n    def h():\n        nonlocal k\n        k += x\n    h()\n    return k",
    ),
    "match": (
        "def f(x):\n    match x:\n        case [a, *b]:\n            return a, b\n"
        "        case {'k': c, **d}:\n            return c, d\n        case int() as e:\n            return e",
        "def f(y):\n    match y:\n        case [p, *q]:\n            return p, q\n"
        "        case {'k': r, **s}:\n            return r, s\n        case int() as t:\n            return t",
    ),
    "f-strings": ("def f(x):\n    return f'{x!r:>{x}} v'", "def f(y):\n    return f'{y!r:>{y}} v'"),
    "an exception's name": (
        "def f(x):\n    try:\n        return 1 / x\n    except Exception as e:\n        return str(e)",
        "def f(x):\n    try:\n        return 1 / x\n    except Exception as error:\n        return str(error)",
    ),
    "a walrus in a comprehension": (
        "def f(x):\n    [y := a for a in x]\n    return y",
        "def f(x):\n    [z := b for b in x]\n    return z",
    ),
    "with, for, del": (
        "def f(x):\n    for i in x:\n        n = i\n    del i\n    return n",
        "def f(x):\n    for j in x:\n        m = j\n    del j\n    return m",
    ),
    "inside a method": (
        "class C:\n    def m(self, a):\n        b = a\n        return b\ndef f(x):\n    return C().m(x)",
        "class C:\n    def m(this, p):\n        q = p\n        return q\ndef f(x):\n    return C().m(x)",
    ),
}  # fmt: skip

DIFFERENT = {
    "constants": ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
    "types of constants": ("def f(x):\n    return x + 1", "def f(x):\n    return x + 1.0"),
    "order of parameters": ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a"),
    "builtins": ("def f(x):\n    return min(x)", "def f(x):\n    return max(x)"),
    "builtins with shadows elsewhere": (
        "def g(min, max):\n    return 1\ndef f(x):\n    return min(x)",
        "def g(max, min):\n    return 1\ndef f(x):\n    return max(x)",
    ),
    "a builtin and a variable": ("def f(len):\n    return len", "def f(x):\n    return len"),
    "keywords of own functions": (
        "def g(a, b):\n    return a - b\ndef f(x):\n    return g(a=x, b=1)",
        "def g(b, a):\n    return b - a\ndef f(x):\n    return g(a=x, b=1)",
    ),
    "keywords in a dictionary": (
        "def g(a, b):\n    return a - b\ndef f(x):\n    return g(**{'a': x, 'b': 1})",
        "def g(b, a):\n    return b - a\ndef f(x):\n    return g(**{'a': x, 'b': 1})",
    ),
    "keywords in a partial": (
        "from functools import partial\ndef g(a, b):\n    return a - b\ndef f(x):\n    return partial(g, a=x)(b=1)",
        "from functools import partial\ndef g(b, a):\n    return b - a\ndef f(x):\n    return partial(g, a=x)(b=1)",
    ),
    "keywords of a dictionary": ("def f(x):\n    return dict(a=x)", "def f(x):\n    return dict(b=x)"),
    "methods": (
        "class C:\n    def a(self):\n        return 1\n    def b(self):\n        return 2\ndef f(x):\n"
        "    return x + C().a()",
        "class C:\n    def b(self):\n        return 1\n    def a(self):\n        return 2\ndef f(x):\n"
        "    return x + C().a()",
    ),
    "attributes of a class": (
        "class C:\n    a = 1\n    b = 2\ndef f(x):\n    return x + C.a",
        "class C:\n    b = 1\n    a = 2\ndef f(x):\n    return x + C.a",
    ),
    "a class's name around the module's": (
        "x = 1\ny = 2\nclass C:\n    x = x\ndef f(z):\n    return z + C.x",
        "y = 1\nx = 2\nclass C:\n    x = x\ndef f(z):\n    return z + C.x",
    ),
    "fields of a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n    b: int\ndef f(x):\n"
        "    return P(x, 2).a",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    b: int\n    a: int\ndef f(x):\n"
        "    return P(x, 2).a",
    ),
    "a class's name is in its text": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\ndef f(x):\n    return repr(P(x))",
        "from dataclasses import dataclass\n@dataclass\nclass Q:\n    a: int\ndef f(x):\n    return repr(Q(x))",
    ),
    "patterns of a class": (
        "class P:\n    a = 1\n    b = 2\ndef f(x):\n    match P():\n        case P(a=y):\n            return x + y",
        "class P:\n    a = 1\n    b = 2\ndef f(x):\n    match P():\n        case P(b=y):\n            return x + y",
    ),
    "the rest of a mapping": (
        "def f(x):\n    match x:\n        case {'a': 1, **v0}:\n            return x",
        "def f(x):\n    match x:\n        case {'a': 1, **v0}:\n            return v0",
    ),
    "a function's name": (
        "def g():\n    pass\ndef f(x):\n    return x + g.__name__",
        "def h():\n    pass\ndef f(x):\n    return x + h.__name__",
    ),
    "a function's name by its attribute": (
        "from operator import attrgetter\ndef g():\n    pass\ndef f(x):\n    return x + attrgetter('__name__')(g)",
        "from operator import attrgetter\ndef h():\n    pass\ndef f(x):\n    return x + attrgetter('__name__')(h)",
    ),
    "a docstring that is read": (
        "def f(x):\n    '''a'''\n    return f.__doc__ + x",
        "def f(x):\n    '''b'''\n    return f.__doc__ + x",
    ),
    "an annotation that binds": (
        "def g(a: (y := 1)):\n    pass\ndef f(x):\n    return x + y",
        "def g(a: (y := 2)):\n    pass\ndef f(x):\n    return x + y",
    ),
    "global or local": (
        "n = 0\ndef g():\n    global n\n    n = 1\ndef f(x):\n    g()\n    return x + n",
        "n = 0\ndef g():\n    n = 1\ndef f(x):\n    g()\n    return x + n",
    ),
    "nonlocal or local": (
        "def f(x):\n    n = 0\n    def g():\n        nonlocal n\n        n = 1\n    g()\n    return x + n",
        "def f(x):\n    n = 0\n    def g():\n        n = 1\n    g()\n    return x + n",
    ),
    "which variable around": (
        "def f(x):\n    a = b = 0\n    def g():\n        nonlocal a\n        a = 1\n    g()\n    return x + a",
        "def f(x):\n    a = b = 0\n    def g():\n        nonlocal b\n        b = 1\n    g()\n    return x + a",
    ),
    "an imported name that is bound again": (
        "def f(x):\n    from math import floor, ceil\n    if x > 3:\n        floor = abs\n    return floor(x)",
        "def f(x):\n    from math import floor, ceil\n    if x > 3:\n        ceil = abs\n    return ceil(x)",
    ),
    "a declaration makes a name local": (
        "y = 1\ndef f(x):\n    try:\n        y: int\n        return x + y\n    except NameError:\n        return x",
        "y = 1\ndef f(x):\n    try:\n        return x + y\n    except NameError:\n        return x",
    ),
    "which of two variables": (
        "def f(x):\n    a = x\n    b = 2 * x\n    return a",
        "def f(x):\n    a = x\n    b = 2 * x\n    return b",
    ),
    "a shadow and what it hides": (
        "def f(x):\n    return [y + 1 for y in x for z in x]",
        "def f(x):\n    return [z + 1 for y in x for z in x]",
    ),
    "the walrus's scope": (
        "def f(x):\n    y = 0\n    [(y := a) for a in x]\n    return y",
        "def f(x):\n    y = 0\n    [(z := a) for a in x]\n    return y",
    ),
    "an imported name": (
        "from math import floor\ndef f(x):\n    return floor(x)",
        "from math import ceil\ndef f(x):\n    return ceil(x)",
    ),
    "imported names with shadows elsewhere": (
        "from math import floor, ceil\ndef g(floor, ceil):\n    return 1\ndef f(x):\n    return floor(x)",
        "from math import floor, ceil\ndef g(ceil, floor):\n    return 1\ndef f(x):\n    return ceil(x)",
    ),
    "text that looks like a form": ("def f(x):\n    return x + '$0'", "def f(x):\n    return x + '$1'"),
    "text in an f-string": ("def f(x):\n    return f'{x}'", "def f(x):\n    return '{x}'"),
    "defaults": ("def f(x, y=1):\n    return x + y", "def f(x, y=2):\n    return x + y"),
    "how parameters are passed": ("def f(x, /):\n    return x", "def f(*x):\n    return x"),
    "an entry of another name": (
        "def f(x):\n    return x\ndef g(x):\n    return 1",
        "def g(x):\n    return x\ndef f(x):\n    return 1",
    ),
    "else and no else": (
        "def f(x):\n    if x:\n        x = 1\n    else:\n        x = 2\n    return x",
        "def f(x):\n    if x:\n        x = 1\n    x = 2\n    return x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_equal_programs_have_one_form(name: str) -> None:
    one, other = SAME[name]
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_programs_do_not_share_a_form(name: str) -> None:
    one, other = DIFFERENT[name]
    for program in (one, other):
        compile(program, "<text>", "exec")
    assert normal_form(one) != normal_form(other)


def test_no_two_of_the_table_share_a_form() -> None:
    forms: dict[str, str] = {}
    for name, program in ((name, program) for name, pair in DIFFERENT.items() for program in pair):
        first = forms.setdefault(normal_form(program), program)
        assert first == program, name


def test_a_form_by_hand() -> None:
    program = """
        import math
        from collections import Counter as C
        LIMIT: int = 3

        def g(total, key=None):
            '''Doc.'''
            return sorted(total, key=key)

        def f(x: list) -> int:
            # note
            n = math.floor(LIMIT)
            return [C(y) for y in g(x, key=len)][n]
        """
    # Numbers in the order of the text; `key` stays, as it is asked for by name; `math`, `len` and `f` stay.
    assert normal_form(dedent(program)) == dedent(
        """\
        import math
        from collections import Counter as $0
        $1 = 3

        def $2($3, key=None):
            return sorted($3, key=key)

        def f($4):
            $5 = math.floor($1)
            return [$0($6) for $6 in $2($4, key=len)][$5]"""
    )


@pytest.mark.parametrize("text", ["", "def", "def f(x): return $0", "\0", "x" * 100_000, "(" * 500, "\ud800 = 1"])
def test_what_is_no_program_is_unreadable_or_has_a_form(text: str) -> None:
    try:
        assert isinstance(normal_form(text), str)
    except Unreadable:
        assert text


@pytest.mark.parametrize(
    "program",
    [
        "def f(x):\n    return " + "-" * 200 + "x",
        "def f(x):\n    return " + "+".join(["x"] * 200),
        "def f(x, y=" + "-" * 200 + "1):\n    return x",
    ],
)
def test_a_deep_program_is_its_own_form(program: str) -> None:
    assert normal_form(f"{program}\n") == program


def test_an_f_string_that_cannot_be_written_again_is_its_own_form() -> None:
    """Before 3.12 a field holds no backslash, and a control character is written with one."""
    program = "def f(x):\n    return f'{x + \"\x01\"}'"
    assert normal_form(program) in (program, "def f($0):\n    return f'{$0 + \"\\x01\"}'")


# --- reads_input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reads", "program"),
    [
        (True, "def f(x):\n    return x"),
        (True, "def f(x, y):\n    return y"),
        (True, "def f(*a):\n    return len(a)"),
        (True, "def f(**k):\n    return len(k)"),
        (True, "def f(*, k):\n    return k"),
        (True, "def f(x, /):\n    return [1 for _ in x]"),
        (True, "def f(x):\n    x += 1\n    return 7"),
        (True, "def f(x):\n    x[0] = 1\n    return 7"),
        (True, "def f(x):\n    def g():\n        return x\n    return g()"),
        (False, "def f(x):\n    return 7"),
        (False, "def f(x):\n    x = 1\n    return 7"),
        (False, "def f(x):\n    del x\n    return 7"),
        (False, "def g(x):\n    return x\ndef f(x):\n    return g(7)"),
        (False, "y = 3\ndef f(x):\n    return y"),
        (False, "def f(x=1):\n    return 7"),
        (False, "def f(x: 'x'):\n    return 'x'"),
        (False, "def f(x, y=lambda z: z):\n    z = 1\n    return z"),
    ],
)
def test_reads_input(reads: bool, program: str) -> None:
    assert reads_input(program) is reads


def test_a_program_without_f_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="def f"):
        reads_input("def g(x):\n    return x")
