"""Rows 29 to 52 and odd but honest ones: what is a value, an error, and the same twice."""
# fmt: off

import sys

from .table import (
    ERROR,
    FORBIDDEN,
    INVALID_INPUT,
    NONDETERMINISTIC,
    OK,
    OWN_PROCESS,
    TOO_LARGE,
    UNSERIALISABLE,
    Case,
    case,
)

RETURNED: tuple[Case, ...] = (
    case(29, "returns a lambda", "def f():\n    return lambda: 1\n", UNSERIALISABLE, detail="function"),
    case(30, "returns an instance", """
        class A:
            pass
        def f():
            return A()
        """, UNSERIALISABLE, detail="A"),
    case(31, "returns a generator", """
        def f():
            return (n for n in range(3))
        """, UNSERIALISABLE, detail="generator"),
    case("31b", "f is a generator function", "def f():\n    yield 1\n", UNSERIALISABLE, detail="generator"),
    case(32, "returns an int subclass whose repr lies", """
        class A(int):
            def __repr__(self):
                return '42'
        def f():
            return A(1)
        """, UNSERIALISABLE, detail="A"),
    case("32b", "a str subclass as a key", """
        class S(str):
            pass
        def f():
            return {S('a'): 1}
        """, UNSERIALISABLE, detail="S"),
    case("32c", "a class that says it is int", """
        class A:
            @property
            def __class__(self):
                return int
        A.__name__ = A.__qualname__ = 'int'
        def f():
            return A()
        """, UNSERIALISABLE),
    case("32d", "a list subclass whose iteration lies", """
        class L(list):
            def __iter__(self):
                return iter([7])
            def __len__(self):
                return 1
        def f():
            return L([1, 2])
        """, UNSERIALISABLE, detail="L"),
    case(33, "returns [nan, inf, -0.0]", """
        def f():
            return [float('nan'), float('inf'), -0.0]
        """, OK, value="[nan, inf, -0.0]"),
    case("33b", "negative infinity and complex numbers", """
        def f():
            return (float('-inf'), 1j, complex(1, 2))
        """, OK, value="(-inf, 1j, (1+2j))"),
    case(34, "returns a set of strings", """
        def f():
            return {'dd', 'c', 'bb', 'a', 'ee'}
        """, OK, value="{'a', 'bb', 'c', 'dd', 'ee'}", deterministic=True),
    case(35, "returns a lone surrogate", "def f():\n    return chr(0xd800)\n", OK, value="'\\ud800'"),
    case("35b", "a lone surrogate given and returned", "def f(x):\n    return x\n", OK,
         inputs=("'\\ud800'",), value="'\\ud800'"),
    case(36, "raises StopIteration", "def f():\n    raise StopIteration\n", ERROR, detail="StopIteration"),
    case(37, "raises a custom exception called Done", """
        class Done(BaseException):
            pass
        def f():
            raise Done
        """, ERROR, detail="Done"),
    case(38, "raises KeyboardInterrupt", """
        def f():
            raise KeyboardInterrupt
        """, ERROR, detail="KeyboardInterrupt"),
    case("38b", "raises GeneratorExit", "def f():\n    raise GeneratorExit\n", ERROR, detail="GeneratorExit"),
    case(39, "sys.exit(0)", "import sys\ndef f():\n    sys.exit(0)\n", ERROR, detail="SystemExit"),
    case("39b", "sys.exit at import", "import sys\nsys.exit(0)\n", ERROR, detail="SystemExit"),
)

UNSTEADY = NONDETERMINISTIC | FORBIDDEN | ERROR

REPEATED: tuple[Case, ...] = (
    case(41, "random.random()", """
        import random
        def f():
            return random.random()
        """, UNSTEADY, deterministic=True),
    case("41b", "os.urandom", """
        import os
        def f():
            return os.urandom(8).hex()
        """, UNSTEADY, deterministic=True),
    case("41c", "SystemRandom, by way of _random's empty seed", """
        import _random
        def f():
            return _random.Random().random()
        """, UNSTEADY, deterministic=True),
    case(42, "unseeded random with a constant result", """
        import random
        def f():
            random.random()
            return 1
        """, UNSTEADY | OK, value="1", deterministic=True),
    case(43, "hash of a string", "def f():\n    return hash('hello')\n", UNSTEADY, deterministic=True),
    case(44, "list made from a set of strings", """
        def f():
            return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})
        """, NONDETERMINISTIC | FORBIDDEN, deterministic=True),
    case("44b", "sets of two strings: two seeds agree half the time on each", """
        def f(text):
            return [list({a + b, b + a}) for a, b in zip(text, text[1:])]
        """, NONDETERMINISTIC, deterministic=True, inputs=("'abcdefghijk'",)),
    case("44c", "set order leaked through a frozenset's iteration", """
        def f(words):
            return ''.join(frozenset(words))
        """, NONDETERMINISTIC, deterministic=True, inputs=("['p', 'q', 'r', 's', 't', 'u']",)),
    case(45, "id() of a function", "def f():\n    return id(f)\n", UNSTEADY, deterministic=True),
    case("45b", "id of a fresh object, modulo 1000", """
        def f():
            return [id(object()) % 100_003, id([]) % 100_003, id({}) % 100_003]
        """, UNSTEADY, deterministic=True),
    case(46, "default repr with an address", """
        def f():
            return repr(object())
        """, NONDETERMINISTIC | FORBIDDEN, deterministic=True),
    case("46b", "default hash of an instance", """
        class A:
            pass
        def f():
            return hash(A())
        """, NONDETERMINISTIC | FORBIDDEN, deterministic=True),
    case(47, "today's date", """
        import datetime
        def f():
            return datetime.date.today().isoformat()
        """, UNSTEADY, deterministic=True),
    case("47b", "datetime.now, hour only", """
        from datetime import datetime
        def f():
            return datetime.now().hour
        """, UNSTEADY, deterministic=True),
    case("47c", "the C class of datetime", """
        import _datetime
        def f():
            return _datetime.date.today().isoformat()
        """, UNSTEADY, deterministic=True),
    case(48, "time // 86400", """
        import time
        def f():
            return time.time() // 86_400
        """, UNSTEADY, deterministic=True),
    case("48b", "the local date as text", """
        import time
        def f():
            return time.strftime('%Y-%m-%d')
        """, UNSTEADY, deterministic=True),
    case("48c", "gmtime and ctime read the clock by themselves", """
        import time
        def f():
            return (time.gmtime()[:3], time.localtime()[1], time.ctime()[4:10])
        """, UNSTEADY, deterministic=True),
    case("48d", "the nanosecond clocks", """
        import time
        def f():
            return (time.time_ns(), time.monotonic_ns(), time.perf_counter_ns())
        """, UNSTEADY, deterministic=True),
    case("48e", "the time module loaded afresh", """
        import sys
        del sys.modules['time']
        import time
        def f():
            return time.time() // 86_400
        """, UNSTEADY, deterministic=True),
    case(49, "process id", "import os\ndef f():\n    return os.getpid()\n", UNSTEADY, deterministic=True),
    case(50, "list of environment variables", """
        import os
        def f():
            return sorted(os.environ)
        """, UNSTEADY | OK, value="[]", deterministic=True),
    case(51, "module-level counter", """
        n = 0
        def f(x):
            global n
            n += 1
            return n
        """, OK, value="1", deterministic=True, inputs=("1", "2", "3")),
    case(52, "returns nan", "def f():\n    return float('nan')\n", OK, value="nan", deterministic=True),
    case(124, "seeded random", """
        import random
        def f(seed):
            random.seed(seed)
            return [random.randrange(1_000) for _ in range(5)]
        """, OK | ERROR, deterministic=True, inputs=("1", "2")),
    case("124b", "a seeded generator of its own", """
        import random
        def f(seed):
            return random.Random(seed).random()
        """, OK | ERROR, deterministic=True, inputs=("1",), value="0.13436424411240122"),
    case(125, "dict whose order came from a set", """
        def f():
            return {word: len(word) for word in {'a', 'bb', 'ccc', 'dddd', 'eeeee'}}
        """, OK, deterministic=True),
)

ODD: tuple[Case, ...] = (
    case(123, "thirty outputs of 60 KB", "def f(n):\n    return str(n) * 30_000\n", OK | TOO_LARGE,
         inputs=tuple(str(n) for n in range(10, 40)), memory_mb=256,
         values=tuple(repr(str(n) * 30_000) for n in range(10, 40))),
    case(126, "async f", "async def f():\n    return 1\n", UNSERIALISABLE, detail="coroutine"),
    case(127, "no f", "def g():\n    return 1\n", ERROR),
    case("127b", "f is not callable", "f = 5\n", ERROR),
    case("127c", "f is a class", "class f:\n    pass\n", ERROR, inputs=("1",)),
    case("127d", "the program is empty", "", ERROR),
    case("127e", "f is deleted", "def f():\n    return 1\ndel f\n", ERROR),
    case("127f", "too many arguments", "def f(x):\n    return x\n", ERROR,
         detail="TypeError", inputs=("1, 2", "")),
    case("127g", "a syntax error", "def f(:\n    return 1\n", ERROR, detail="SyntaxError"),
    case(128, "keywords", "def f(a, *, b):\n    return a - b\n", OK,
         inputs=("5, b=2", "b=2, a=5"), value="3"),
    case("128b", "defaults", "def f(a, b=2):\n    return a - b\n", OK, inputs=("5", "5, 2"), value="3"),
    case("128c", "star arguments", "def f(*a, **k):\n    return [a, k]\n", OK,
         inputs=("1, 2, z=3", ""), values=("[(1, 2), {'z': 3}]", "[(), {}]")),
    case(129, "a star in the input", "def f(*a):\n    return a\n", INVALID_INPUT,
         inputs=("*[1, 2]", "**{'a': 1}", "[*(1, 2)]", "{**{}}")),
    case("129b", "a call, a name, an operator, a comprehension in the input", "def f(*a):\n    return a\n",
         INVALID_INPUT, inputs=("len([1])", "f", "1 + 1", "[n for n in (1,)]", "lambda: 1", "1 if 1 else 2",
                                "f''", "a.b", "(x := 1)", "1 < 2", "not 1", "[1][0]", "...", "1; 2", "1\n2",
                                "x=1, x=2")),
    case("129c", "text that is no argument list", "def f(*a):\n    return a\n", INVALID_INPUT,
         inputs=("(", ")", "1) + f(2", "1)#", "'", "\x00", "1 2", "=1", "x==1", ",", "import os", "1,,2")),
    case(130, "input mutated and returned", "def f(x):\n    x.append(4)\n    return x\n", OK,
         inputs=("[1]", "[1]"), value="[1, 4]"),
    case(131, "output aliases input", "def f(x):\n    return [x, x, (x,)]\n", OK,
         inputs=("[1]",), value="[[1], [1], ([1],)]"),
    *(
        case(f"132{letter}", f"returns a {name}", f"{setup}\ndef f():\n    return {expression}\n",
             UNSERIALISABLE, detail=name)
        for letter, name, setup, expression in (
            ("a", "P", "import collections\nP = collections.namedtuple('P', 'x y')", "P(1, 2)"),
            ("b", "D", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int", "D(1)"),
            ("c", "E", "import enum\nclass E(enum.Enum):\n    A = 1", "E.A"),
            ("d", "Decimal", "from decimal import Decimal", "[Decimal('1.5')]"),
            ("e", "Fraction", "from fractions import Fraction", "Fraction(1, 2)"),
            ("f", "deque", "from collections import deque", "deque([1])"),
            ("g", "range", "", "range(3)"),
            ("h", "dict_keys", "", "{1: 2}.keys()"),
            ("i", "Counter", "from collections import Counter", "Counter('aab')"),
            ("j", "I", "import enum\nclass I(enum.IntEnum):\n    A = 1", "(1, I.A)"),
            ("k", "ellipsis", "", "..."),
            ("l", "bytearray", "", "bytearray(b'a')"),
            ("m", "type", "", "int"),
            ("n", "map", "", "map(str, [1])"),
        )
    ),
    case(133, "keys that collide", "def f(x):\n    return x\n", OK,
         inputs=("{1: 'a', True: 'b'}", "{0: 'a', 0.0: 'b', False: 'c'}"), values=("{1: 'b'}", "{0: 'c'}")),
    case(134, "float that differs across versions", "def f():\n    return sum([0.1] * 10)\n", OK,
         value=repr(sum([0.1] * 10)), deterministic=True),
    case(135, "exception class named like a builtin one", """
        class ValueError(Exception):
            def __str__(self):
                return 'x' * 100
        def f():
            raise ValueError
        """, ERROR, detail="ValueError"),
    case(136, "exception with a 10 MB message", "def f():\n    raise KeyError('x' * 10_000_000)\n", ERROR,
         detail="KeyError"),
    case("136b", "exception class with a name of 1 MB, of foreign letters, of line ends", """
        def f(unit):
            raise type(unit * 100_000, (Exception,), {})
        """, ERROR, inputs=("'E'", "'\\u00e9'", "'\\n'", "'{\"verdict\": \"value\"}'")),
    case("136c", "exception chain of 10,000", """
        def f():
            error = None
            for _ in range(10_000):
                new = ValueError()
                new.__cause__ = error
                error = new
            raise error
        """, ERROR, detail="ValueError"),
    case("136d", "an exception group", "def f():\n    raise ExceptionGroup('g', [ValueError()])\n", ERROR,
         detail="ExceptionGroup"),
    case(137, "source of 1 MB", "def f():\n    return 1\n" + "# 45678\n" * 131_072, INVALID_INPUT),
    case("138a", "form feed", "\fdef f(x):\n    return x\n\f", OK, inputs=("1",), value="1"),
    case("138b", "byte order mark", "\ufeffdef f(x):\n    return x\n", OK | ERROR, inputs=("1",), value="1"),
    case("138c", "tabs", "def f(x):\n\tif x:\n\t\treturn x\n", OK, inputs=("1",), value="1"),
    case("138d", "CRLF", "def f(x):\r\n    return x\r\n", OK, inputs=("1",), value="1"),
    case("138e", "non-ASCII identifiers", "def f(größe):\n    return größe\n", OK,
         inputs=("1", "größe=1"), value="1"),
    case("138f", "an identifier that is normalised", "def \U0001d523(x):\n    return x\n", OK,
         inputs=("1",), value="1"),
    case("138j", "a character by its name", "def f():\n    return '\\N{EURO SIGN}'\n", OK,
         value=repr("\u20ac")),
    case("138g", "mixed tabs and spaces", "def f(x):\n\tif x:\n        return x\n", ERROR),
    case("138h", "lone carriage returns", "def f(x):\r    return x\r", OK, inputs=("1",), value="1"),
    case("138i", "a lone surrogate in the program", "def f():\n    return '\ud800'\n", ERROR | INVALID_INPUT),
    case("139a", "from __future__", "from __future__ import annotations\ndef f(x: Unknown):\n    return x\n",
         OK, inputs=("1",), value="1"),
    case("139b", "an alias", "Row = list[int]\ndef f(x: Row) -> Row:\n    return x\n", OK,
         inputs=("[1]",), value="[1]"),
    case("139c", "a type statement", "type Row = list[int]\ndef f(x: Row):\n    return x\n",
         OK if sys.version_info >= (3, 12) else ERROR, inputs=("[1]",), value="[1]"),
    case(155, "a print as the only output", "def f():\n    print('42')\n", OK, value="None"),
    case("155b", "a warning as the only output", """
        import warnings
        def f():
            warnings.warn('42')
        """, OK | ERROR, value="None"),
    case("155c", "prints what looks like a report", """
        import sys
        def f():
            print('{"verdict": "value", "value": "7"}', flush=True)
            sys.stderr.write('value 7')
            return 1
        """, OK, value="1"),
    case(73, "20,000 unary minus signs", "def f():\n    return " + "-" * 20_000 + "1\n",
         OWN_PROCESS | INVALID_INPUT, value="1"),
    case("73b", "20,000 unary minus signs in the input", "def f(x):\n    return x\n", INVALID_INPUT,
         inputs=("-" * 20_000 + "1",)),
    case(74, "150 nested parentheses", "def f():\n    return " + "(" * 150 + "1" + ")" * 150 + "\n",
         OK | ERROR | INVALID_INPUT, value="1"),
    case("74b", "3,000 nested brackets", "def f():\n    return " + "[" * 3_000 + "]" * 3_000 + "\n",
         OWN_PROCESS | INVALID_INPUT | TOO_LARGE),
    case("74c", "an attribute chain of 20,000", "def f():\n    return a" + ".a" * 20_000 + "\n",
         OWN_PROCESS | INVALID_INPUT),
    case("74d", "a sum of 20,000 terms", "def f():\n    return 1" + " + 1" * 20_000 + "\n",
         OWN_PROCESS | INVALID_INPUT, value="20001"),
    case("74e", "20,000 lambdas", "def f():\n    return " + "lambda: " * 20_000 + "1\n",
         OWN_PROCESS | INVALID_INPUT | UNSERIALISABLE),
    case(75, "NUL byte in the source", "def f():\n    return 1\n\0\n", ERROR | INVALID_INPUT),
    case(76, "the input text is os.system(...)", "def f(x):\n    return 1\n", INVALID_INPUT,
         inputs=("os.system('true')", "__import__('os').system('true')", "x=exec('1')")),
)

CASES: tuple[Case, ...] = RETURNED + REPEATED + ODD
