"""Programs that try to carry something from one input to the next, or to be carried by it."""
# fmt: off

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True, slots=True)
class Carrier:
    """A program that tries to carry something from one input to the next."""

    name: str
    program: str
    inputs: tuple[str, ...] = ("1", "2", "3")
    memory_mb: int = 128
    cpu_seconds: float = 0.5
    alone: tuple[str, ...] = ()
    """The value each input must have, where that is worth saying."""


def carrier(name: str, program: str, **more: object) -> Carrier:
    return Carrier(name, dedent(program), **more)  # type: ignore[arg-type]


ONES = ("1", "1", "1")

PLAIN: tuple[Carrier, ...] = (
    carrier("global", "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n\n", alone=ONES),
    carrier("default argument", "def f(x, seen=[]):\n    seen.append(x)\n    return seen\n"),
    carrier("closure", """
        def make():
            n = 0
            def f(x):
                nonlocal n
                n += 1
                return n
            return f
        f = make()
        """, alone=ONES),
    carrier("function attribute", """
        def f(x):
            f.n = getattr(f, 'n', 0) + 1
            return f.n
        """, alone=ONES),
    carrier("class attribute", """
        class A:
            n = 0
        def f(x):
            A.n += 1
            return A.n
        """, alone=ONES),
    carrier("generator left running", """
        def count():
            n = 0
            while True:
                n += 1
                yield n
        counter = count()
        def f(x):
            return next(counter)
        """, alone=ONES),
    carrier("cache", """
        import functools
        calls = []
        @functools.lru_cache(None)
        def g(x):
            calls.append(x)
            return x
        def f(x):
            g(0)
            return [len(calls), g.cache_info().hits]
        """),
    carrier("a replaced f", "def f(x):\n    global f\n    f = lambda x: 'later'\n    return x\n"),
    carrier("input mutated", "def f(x):\n    x.append(9)\n    return x\n", inputs=("[1]", "[1]", "[2]")),
)

MODULES: tuple[Carrier, ...] = (
    carrier("builtins", """
        import builtins
        def f(x):
            builtins.n = getattr(builtins, 'n', 0) + 1
            return builtins.n
        """, alone=ONES),
    carrier("builtins dict", """
        def f(x):
            b = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
            b['n'] = b.get('n', 0) + 1
            return b['n']
        """, alone=ONES),
    carrier("a builtin replaced", """
        import builtins
        def f(x):
            size = len([1, 2, 3])
            builtins.len = lambda thing: -x
            return size
        """, alone=("3", "3", "3")),
    carrier("math", "import math\ndef f(x):\n    p = math.pi\n    math.pi = x\n    return p\n"),
    carrier("sys.modules", """
        import sys
        def f(x):
            sys.modules.setdefault('carried', [])
            sys.modules['carried'].append(x)
            return len(sys.modules['carried'])
        """, alone=ONES),
    carrier("random", "import random\ndef f(x):\n    random.seed(x)\n    return random.random()\n"),
    carrier("random seeded once", """
        import random
        def f(x):
            if x == 1:
                random.seed(5)
            return random.random() < 2
        """),
    carrier("random's stream", "import random\ndef f(x):\n    return random.random()\n"),
    carrier("decimal's context", """
        import decimal
        def f(x):
            decimal.getcontext().prec += 1
            return decimal.getcontext().prec
        """, alone=("29", "29", "29")),
    carrier("decimal's flags", """
        import decimal
        def f(x):
            old = decimal.getcontext().flags[decimal.Inexact]
            decimal.Decimal(1) / 3
            return bool(old)
        """, alone=("False",) * 3),
    carrier("recursion limit", """
        import sys
        def f(x):
            old = sys.getrecursionlimit()
            sys.setrecursionlimit(old + 100)
            return old
        """),
    carrier("digit limit", """
        import sys
        def f(x):
            sys.set_int_max_str_digits(0 if x == 1 else sys.get_int_max_str_digits())
            return len(str(10 ** 5_000))
        """),
    carrier("warnings", """
        import warnings
        def f(x):
            if x == 1:
                warnings.simplefilter('error')
            warnings.warn('w')
            return x
        """, inputs=("2", "1", "3")),
    carrier("stdout closed", """
        import sys
        def f(x):
            print('x' * 10)
            sys.stdout = None
            return sys.stdout is None
        """),
    carrier("much printed", "def f(x):\n    print('y' * 40_000)\n    return x\n"),
    carrier("stdlib class", """
        from collections import Counter
        def f(x):
            Counter.n = getattr(Counter, 'n', 0) + 1
            return Counter.n
        """, alone=ONES),
    carrier("abstract registry", """
        from collections.abc import Sized
        def f(x):
            known = issubclass(int, Sized)
            Sized.register(int)
            return known
        """, alone=("False",) * 3),
    carrier("copyreg", """
        import copyreg
        def f(x):
            known = complex in copyreg.dispatch_table and len(copyreg.dispatch_table)
            copyreg.pickle(type(f), str)
            return known
        """),
    carrier("weak references to a library class", """
        import re, weakref
        keep = []
        def f(x):
            keep.append(weakref.ref(re.Pattern, print))
            return weakref.getweakrefcount(re.Pattern)
        """),
    carrier("environment", """
        import os
        def f(x):
            os.environ['N'] = os.environ.get('N', '') + 'x'
            return os.environ['N']
        """, alone=("'x'",) * 3),
    carrier("tracer", """
        import sys
        def f(x):
            old = sys.gettrace() is None
            sys.settrace(lambda *a: None)
            return old
        """, alone=("True",) * 3),
)

QUIET: tuple[Carrier, ...] = (
    # No attribute is stored, nothing is imported that looks dangerous, no class is written.
    carrier("builtins through a class pattern", """
        from collections.abc import Callable
        def f(x):
            match f:
                case Callable(__globals__=names):
                    b = names['__builtins__']
                    b['n'] = b.get('n', 0) + 1
                    return b['n']
        """, alone=ONES),
    carrier("a builtin replaced through a class pattern", """
        from collections.abc import Callable
        def f(x):
            size = abs(-3)
            match f:
                case Callable(__globals__=names):
                    names['__builtins__']['abs'] = lambda n: 7
            return size
        """, alone=("3", "3", "3")),
    carrier("a module's own dict through a class pattern", """
        import math
        from collections.abc import Hashable
        def f(x):
            match math:
                case Hashable(__dict__=names):
                    names['n'] = names.get('n', 0) + 1
                    return names['n']
        """, alone=ONES),
    carrier("overloads", """
        from typing import get_overloads, overload
        def f(x):
            def g():
                pass
            if x == 1:
                overload(g)
            return len(get_overloads(g))
        """, alone=("1", "0", "0")),
    carrier("final marks a library class", """
        from typing import final
        from collections import Counter
        def f(x):
            known = '__final__' in dir(Counter)
            final(Counter)
            return known
        """, alone=("False",) * 3),
    carrier("abstractmethod marks a library function", """
        import copy, numbers
        def f(x):
            size = len(dir(copy.copy))
            numbers.abstractmethod(copy.copy)
            return len(dir(copy.copy)) - size
        """, alone=ONES),
    carrier("no_type_check marks a library function", """
        import bisect, copy, typing
        def f(x):
            size = len(dir(copy.deepcopy))
            typing.no_type_check(copy.deepcopy)
            return len(dir(copy.deepcopy)) - size
        """, alone=ONES),
    carrier("a module inside a module: warnings", """
        import typing
        def f(x):
            size = len(typing.warnings.filters)
            typing.warnings.simplefilter('error', append=True)
            typing.warnings.filterwarnings('error', 'w%d' % x)
            return len(typing.warnings.filters) - size
        """),
    carrier("a module inside a module: the environment", """
        import typing
        def f(x):
            size = len(typing.contextlib.os.environ)
            typing.contextlib.os.environ['A%d' % x] = 'x'
            return size
        """),  # from 3.12 on typing does not hold it: an error, alone and together
    carrier("stdout redirected by a suspended generator", """
        import typing
        keep = []
        def g():
            with typing.contextlib.redirect_stdout([]):
                yield
        def f(x):
            print('a')
            keep.append(g())
            next(keep[0])
            return x
        """),
    carrier("a library list", """
        import typing
        def f(x):
            if hasattr(typing.EXCLUDED_ATTRIBUTES, 'append'):
                typing.EXCLUDED_ATTRIBUTES.append('x')
            return len(typing.EXCLUDED_ATTRIBUTES)
        """),
    carrier("memory kept alive by a global", """
        def f(n):
            global keep
            keep = bytearray(n)
            return len(keep)
        """, inputs=("90_000_000", "90_000_001", "90_000_002"), alone=("90000000", "90000001", "90000002")),
    carrier("memory kept alive by a cycle", """
        def f(n):
            keep = [bytearray(n)]
            keep.append(keep)
            return len(keep[0])
        """, inputs=("90_000_000", "90_000_001", "90_000_002"), alone=("90000000", "90000001", "90000002")),
    carrier("a finaliser of one input runs in the next", """
        def g(box):
            try:
                yield
            finally:
                while True:
                    pass
        def f(x):
            if x == 1:
                box = []
                box.append(g(box))
                next(box[0])
            else:
                junk = [[n] for n in range(300_000)]
            return x
        """, inputs=("2", "1", "2", "3"), cpu_seconds=0.3),
    carrier("a finaliser of one input prints in the next", """
        def g(box):
            try:
                yield
            finally:
                print('x' * 100_000)
        def f(x):
            if x == 1:
                box = []
                box.append(g(box))
                next(box[0])
            else:
                junk = [[n] for n in range(200_000)]
                print('y')
            return x
        """, inputs=("2", "1", "2", "3")),
    carrier("one input hangs", "def f(x):\n    while x == 1:\n        pass\n    return x\n", cpu_seconds=0.2),
    carrier("one input takes all memory", "def f(x):\n    return len([0] * (10 ** 10 if x == 1 else 3))\n"),
    carrier("one input goes deep", "def f(x):\n    return 1 + f(x) if x == 1 else x\n"),
)

CARRIERS = PLAIN + MODULES + QUIET
