"""The static guard: every reason with examples, what must pass, laws on any text, real programs."""

import ast
import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.domains.python.guard import ALLOWED_MODULES, MAX_CHARACTERS, MAX_LINES, Reason, guard
from absolute_zero.types import Refusal

F = "def f(x):\n    return x\n"
SHARED = Path(os.environ.get("AZR_SHARED") or Path(__file__).parents[3] / "shared")


def body(*lines: str) -> str:
    return "def f(x):\n" + "".join(f"    {line}\n" for line in lines)


REFUSED = [
    (Reason.TOO_LONG, F + "#" * MAX_CHARACTERS),
    (Reason.TOO_LONG, F + "\n" * MAX_LINES),
    (Reason.TOO_LONG, F + "\r" * MAX_LINES),
    (Reason.SYNTAX, "def f(x) return x"),
    (Reason.SYNTAX, "def f(x):\n    return 'x\0'"),
    (Reason.SYNTAX, "def f(x):\n    return '\ud800'"),
    (Reason.SYNTAX, "def f(x):\n    return " + "(" * 3_000 + ")" * 3_000),
    (Reason.SYNTAX, "def f(x):\n    return " + "-" * 7_000 + "1"),
    (Reason.NO_FUNCTION, ""),
    (Reason.NO_FUNCTION, "def g(x):\n    return x"),
    (Reason.NO_FUNCTION, "f = lambda x: x"),
    (Reason.NO_FUNCTION, "class f:\n    pass"),
    (Reason.NO_FUNCTION, "class A:\n    def f(self):\n        return 1"),
    (Reason.NO_FUNCTION, "if True:\n    def f(x):\n        return x"),
    (Reason.REDEFINED, F + F),
    (Reason.REDEFINED, F + "f = 1"),
    (Reason.REDEFINED, F + "f, g = 1, 2"),
    (Reason.REDEFINED, F + "f += 1"),
    (Reason.REDEFINED, F + "class f:\n    pass"),
    (Reason.REDEFINED, "from math import floor as f\n" + F),
    (Reason.REDEFINED, "import math as f\n" + F),
    (Reason.REDEFINED, F + "def g():\n    global f\n    f = 1"),
    (Reason.REDEFINED, F + "for f in []:\n    pass"),
    (Reason.NOT_PLAIN, "async def f(x):\n    return x"),
    (Reason.NOT_PLAIN, "def f(x):\n    yield x"),
    (Reason.NOT_PLAIN, "def f(x):\n    y = yield from x\n    return y"),
    (Reason.NO_PARAMETERS, "def f():\n    return 1"),
    (Reason.STATEMENT, F + "print(f(1))"),
    (Reason.STATEMENT, F + "if __name__ == '__main__':\n    print(f(1))"),
    (Reason.STATEMENT, F + "for i in range(3):\n    pass"),
    (Reason.STATEMENT, F + "assert True"),
    (Reason.STATEMENT, F + "result = f([1, 2])"),
    (Reason.STATEMENT, F + "result: list = [f(i) for i in [1]]"),
    (Reason.STATEMENT, F + "f.calls = 0"),
    (Reason.STATEMENT, F + "class A:\n    x = f(3)"),
    (Reason.STATEMENT, F + "def g(x=f(3)):\n    return x"),
    (Reason.IMPORT, "import os\n" + F),
    (Reason.IMPORT, "import os.path\n" + F),
    (Reason.IMPORT, "import math, sys\n" + F),
    (Reason.IMPORT, body("import numpy as np", "return x")),
    (Reason.IMPORT, body("from subprocess import run", "return x")),
    (Reason.IMPORT, "from . import g\n" + F),
    (Reason.IMPORT, "from ..math import floor\n" + F),
    (Reason.IMPORT, "from collections import _sys\n" + F),
    (Reason.IMPORT, "from statistics import random\n" + F),
    (Reason.IMPORT, "import statistics\n" + body("return statistics.random.random()")),
    (Reason.IMPORT, "import dataclasses as d\n" + body("return d.sys.version")),
    (Reason.IMPORT, "import re._parser\n" + F),
    (Reason.IMPORT, "import random\n" + F),
    (Reason.IMPORT, "from time import time\n" + F),
    (Reason.IMPORT, "from datetime import date\n" + F),
    (Reason.DYNAMIC, body("return eval(x)")),
    (Reason.DYNAMIC, body("exec(x)", "return 1")),
    (Reason.DYNAMIC, body("return list(map(eval, x))")),
    (Reason.DYNAMIC, body("return compile(x, '', 'eval')")),
    (Reason.DYNAMIC, body("return open('/etc/passwd').read()")),
    (Reason.DYNAMIC, body("return input()")),
    (Reason.DYNAMIC, body("breakpoint()")),
    (Reason.DYNAMIC, body("return __import__('os')")),
    (Reason.DYNAMIC, body("return globals()")),
    (Reason.DYNAMIC, body("return locals()")),
    (Reason.DYNAMIC, body("return vars(x)")),
    (Reason.DYNAMIC, body("return id(x) % 2")),
    (Reason.DYNAMIC, "import math\n" + body("setattr(math, 'pi', 3)", "return x")),
    (Reason.DYNAMIC, "import math\n" + body("math.pi = 3", "return x")),
    (Reason.DYNAMIC, "import math\n" + body("del math.pi", "return x")),
    (Reason.DYNAMIC, body("return __builtins__")),
    (Reason.DYNAMIC, body("return ().__class__.__bases__[0].__subclasses__()")),
    (Reason.DYNAMIC, body("return f.__globals__")),
    (Reason.DYNAMIC, body("f.__code__ = None", "return x")),
    (Reason.DYNAMIC, body("return getattr(x, '__class__')")),
    (Reason.DYNAMIC, body("return getattr(x, 'real' + '')")),
    (Reason.DYNAMIC, "class A:\n    def __del__(self):\n        pass\n" + F),
    (Reason.DYNAMIC, "class A:\n    def __getattribute__(self, name):\n        return 1\n" + F),
    (Reason.DYNAMIC, body("match x:", "    case object(__dict__=y):", "        return y")),
    # a name is excused only where it is not the builtin
    (Reason.DYNAMIC, "eval = eval\n" + F),
    (Reason.DYNAMIC, "class A:\n    eval = eval\n" + F),
    (Reason.DYNAMIC, "def f(x, eval=eval):\n    return eval(x)"),
    (Reason.DYNAMIC, "def g(eval):\n    return eval\n" + body("return eval(x)")),
    (Reason.DYNAMIC, "class A:\n    eval = 1\n    def m(self):\n        return eval\n" + F),
    (Reason.DYNAMIC, body("return [eval for eval in [eval]]")),
    (Reason.DYNAMIC, body("return (lambda open: open)(open)")),
]

ACCEPTED = [
    F,
    '"""Docstring."""\n...\n' + F,
    "from __future__ import annotations\nfrom typing import List\nimport collections.abc\n" + F,
    "import collections\n" + body("return isinstance(x, collections.abc.Sequence)"),
    "from collections import abc, Counter as C\n" + body("return C(x) if isinstance(x, abc.Sized) else 0"),
    body("import math", "from heapq import heappush", "return math.floor(x)"),
    "from math import *\n" + F,
    "LIMIT = 10\nTABLE: dict = {}\n\ndef helper(x):\n    return x + LIMIT\n\n" + body("return helper(x)"),
    body("def g(y):", "    yield y", "return list(g(x))"),
    body("return [y for y in (z for z in x)]"),
    "def f(*args, **kwargs):\n    return len(args)",
    "def f(*, key):\n    return key",
    "def f(x, /):\n    return x",
    "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)",
    "g = lambda x: f(x)\n" + F,
    "import functools\n\n@functools.lru_cache\n" + F,
    "class A:\n    def __init__(self, x):\n        self.__x = x\n    def __lt__(self, y):\n        return 1\n"
    "    def __repr__(self):\n        return self.__class__.__name__\n" + body("return repr(A(x))"),
    "class A:\n    def f(self):\n        return 1\n" + F,
    "class A(Exception):\n    def __init__(self):\n        super().__init__()\n" + F,
    # names of builtins that are something else here
    "def f(input):\n    return input",
    "def f(open, vars):\n    def g():\n        return open\n    return g() + vars",
    "def compile(x):\n    return x\n" + body("return compile(x)"),
    "import re\n" + body("return bool(re.compile('a').match(x))"),
    body("for input in x:", "    pass", "return input"),
    body("return [open for open in x]"),
    body("return (lambda input: input)(x)"),
    body(
        "match x:",
        "    case {'a': 1, **vars}:",
        "        return vars",
        "    case [*open]:",
        "        return 1",
    ),
    body(
        "match x:",
        "    case [*open]:",
        "        return open",
        "    case list() as open:",
        "        return open",
    ),
    body("try:", "    return 1 / x", "except Exception as input:", "    return str(input)"),
    body("return getattr(x, 'real', 0)"),
    body("return hash(x) % 7"),
    body(r"return '\d'"),
]


@pytest.mark.parametrize(("reason", "program"), REFUSED)
def test_refused(reason: Reason, program: str) -> None:
    refusal = guard(program)
    assert refusal is not None
    assert refusal.reason == reason
    assert refusal.detail
    assert "\n" not in refusal.detail


@pytest.mark.parametrize("program", ACCEPTED)
def test_accepted(program: str) -> None:
    assert guard(program) is None


def test_every_reason_has_an_example() -> None:
    assert {reason for reason, _ in REFUSED} == set(Reason)


@pytest.mark.parametrize(
    ("module", "why"),
    [("random", "chance"), ("time", "clock"), ("datetime", "clock"), ("numpy", "not on"), ("os", "not on")],
)
def test_a_refused_import_names_the_module_and_why(module: str, why: str) -> None:
    for text in (f"import {module}", f"from {module} import a", f"import {module}.a as b"):
        refusal = guard(f"{text}\n{F}")
        assert refusal is not None
        assert refusal.detail.startswith(module)
        assert why in refusal.detail


@pytest.mark.parametrize("module", sorted(ALLOWED_MODULES - {"__future__"}))
def test_allowed_modules(module: str) -> None:
    assert guard(f"import {module}\n{F}") is None
    assert guard(f"from {module} import *\n{F}") is None


DEGENERATE = {
    "lambdas": "return " + "lambda: " * 900 + "1",
    "nots": "return " + "not " * 1_900 + "1",
    "attributes": "return x" + ".a" * 3_900,
    "subscripts": "x" + "[0]" * 2_600,
    "sums": "return " + "+".join("x" * 3_900),
    "conditions": "return " + "x if x else " * 600 + "x",
    "lists": "return " + "[" * 3_900 + "]" * 3_900,
    "calls": "return " + "f(" * 2_600 + ")" * 2_600,
}


@pytest.mark.parametrize("text", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_degenerate_programs_give_an_answer(text: str) -> None:
    guard(body(text))


def test_a_long_program_below_the_caps_is_read_whole() -> None:
    long = body(*(f"x{i} = [x for _ in range({i})]" for i in range(200)), "return x")
    assert guard(long) is None
    assert guard(long + "import os") == Refusal("import", "os: not on the list of allowed modules")


# Words of programs in any order: most sentences are broken, some parse, and all must get an answer.
WORDS = st.lists(
    st.sampled_from([
        "def f(x):\n    ", "async ", "return ", "yield ", "lambda x: ", "import os", "import ",
        "from . import a", "from math import *", "global f", "f", "x", "eval", "open", "(", ")", "[", "]",
        ":", "class A:\n    ",
        "{", "}", " = ", " := ", ".", "__class__", "__globals__", "getattr(x, ", "match x:\n    case ", "if ",
        "for x in ", " else ", "try:\n    ", "except Exception as f:\n    ", "\n", "\n    ", "\t", ",", "*",
        "**", "1", "'a'", "\x0c", "\ufeff",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@given(st.one_of(st.text(), WORDS, WORDS.map(lambda text: F + text)))
def test_guard_is_total(program: str) -> None:
    refusal = guard(program)
    assert refusal is None or refusal.reason in set(Reason)
    assert guard(program) == refusal
    if refusal is None:
        ast.parse(program)


@given(st.text(alphabet="abc #\"'\\\n", max_size=60))
def test_a_comment_changes_nothing(text: str) -> None:
    comment = "# " + " ".join(text.split())
    assert guard(f"{F}{comment}\n") is None
    assert guard(f"{comment}\nimport os\n{F}") == Refusal("import", "os: not on the list of allowed modules")


@pytest.mark.skipif(not (SHARED / "data/azr_seed_io").is_dir(), reason=f"no seed programs in {SHARED}/data")
def test_real_programs_pass() -> None:
    """1,600 programs that models proposed (Absolute Zero Reasoner seeds, dev half): of those that import
    allowed modules only, at least 97 % pass. Measured: 1,574 of 1,583 (99.4 %); the nine are four generators,
    three example calls at the top level, one `eval`, one `input`."""
    reasons: Counter[str] = Counter()
    allowed = 0
    for folder in ("azr_seed_io", "azr_seed_code_f"):
        with gzip.open(SHARED / "data" / folder / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
            refusals = [guard(json.loads(line)["snippet"]) for line in lines]
        allowed += sum(refusal is None or refusal.reason != Reason.IMPORT for refusal in refusals)
        reasons.update("accepted" if refusal is None else refusal.reason for refusal in refusals)
    assert reasons["accepted"] >= 0.97 * allowed, reasons
