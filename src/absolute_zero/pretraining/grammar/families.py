"""Programs that the grammar cannot write: what the out-of-distribution suite is made of.

Each family is one algorithm with a few constants left open, and says what its inputs look like. Every one of them
uses something that no pretraining program has (bits, characters as numbers, exceptions, closures, lambdas, generators,
formats, nested lists, two moving ends). Written by hand, and only ever used to measure: nothing is trained on them,
and they can enter no buffer. Standard library.
"""

from collections.abc import Callable, Mapping
from typing import Final

from absolute_zero.pretraining.grammar.dice import Dice

Draw = Callable[[Dice], object]


def _int(low: int, high: int) -> Draw:
    return lambda dice: dice.pick(range(low, high + 1))


def _ints(low: int, high: int, fewest: int = 2, most: int = 6) -> Draw:
    return lambda dice: [dice.pick(range(low, high + 1)) for _ in range(dice.pick(range(fewest, most + 1)))]


def _word(letters: str = "abcde", fewest: int = 2, most: int = 7) -> Draw:
    return lambda dice: "".join(dice.pick(letters) for _ in range(dice.pick(range(fewest, most + 1))))


def _rows(dice: Dice) -> object:
    width = dice.pick((2, 3))
    return [[dice.pick(range(10)) for _ in range(width)] for _ in range(dice.pick((2, 3)))]


FAMILIES: Final[Mapping[str, tuple[str, tuple[Draw, ...]]]] = {
    "bits": (
        "def f(n):\n    return (n ^ {a}) & {b} | {c}",
        (_int(0, 63),),
    ),
    "shift": (
        "def f(n):\n    n = n << 2\n    return n >> 1 ^ {a}",
        (_int(0, 40),),
    ),
    "ones": (
        "def f(n):\n    c = {a}\n    while n:\n        n &= n - 1\n        c += 1\n    return c",
        (_int(1, 255),),
    ),
    "binary": (
        "def f(n):\n    return bin(n + {a})[2:].zfill(6)",
        (_int(0, 50),),
    ),
    "caesar": (
        "def f(s):\n    return ''.join(chr((ord(c) - 97 + {a}) % 26 + 97) for c in s)",
        (_word("abcxyz"),),
    ),
    "codes": (
        "def f(s):\n    return sum(ord(c) - 96 for c in s) * {a}",
        (_word(),),
    ),
    "gcd": (
        "def f(a, b):\n    while b:\n        a, b = b, a % b\n    return a + {a}",
        (_int(4, 60), _int(4, 60)),
    ),
    "collatz": (
        "def f(n):\n"
        "    k = 0\n"
        "    while n != 1:\n"
        "        n = n // 2 if n % 2 == 0 else 3 * n + 1\n"
        "        k += 1\n"
        "    return k + {a}",
        (_int(2, 20),),
    ),
    "digits": (
        "def f(n):\n    s = {a}\n    while n:\n        s += n % 10\n        n //= 10\n    return s",
        (_int(10, 999),),
    ),
    "runs": (
        "def f(s):\n"
        "    out = []\n"
        "    for c in s:\n"
        "        if out and out[-1][0] == c:\n"
        "            out[-1][1] += 1\n"
        "        else:\n"
        "            out.append([c, {a}])\n"
        "    return out",
        (_word("ab", 3, 6),),
    ),
    "guarded": (
        "def f(x, y):\n    try:\n        return x // (y - {a})\n    except ZeroDivisionError:\n        return -{b}",
        (_int(0, 30), _int(0, 6)),
    ),
    "closure": (
        "def f(x):\n    def add(k):\n        return lambda y: y + k\n    return add({a})(x) * add(x)({b})",
        (_int(-9, 9),),
    ),
    "compose": (
        "def f(x):\n    g = lambda y: y * {a}\n    h = lambda y: y - {b}\n    return [g(h(x)), h(g(x))]",
        (_int(-9, 9),),
    ),
    "by_key": (
        "def f(xs):\n    return sorted(xs, key=lambda x: (x % {b}, -x))",
        (_ints(0, 12),),
    ),
    "kept": (
        "def f(xs):\n    return list(filter(lambda x: x % {b} != {a} % {b}, xs))",
        (_ints(0, 15),),
    ),
    "formatted": (
        "def f(n, s):\n    return f'{{n + {a}:03d}}-{{s!r}}'",
        (_int(0, 60), _word()),
    ),
    "percent": (
        "def f(a, b):\n    return '%d/%s' % (a * {b}, b)",
        (_int(0, 12), _word()),
    ),
    "first_rest": (
        "def f(xs):\n    first, *rest = xs\n    return rest + [first * {a}]",
        (_ints(0, 9),),
    ),
    "transposed": (
        "def f(rows):\n    return [[x + {a} for x in column] for column in zip(*rows)]",
        (_rows,),
    ),
    "flat": (
        "def f(rows):\n    return [x for row in rows for x in row if x > {a}]",
        (_rows,),
    ),
    "two_ends": (
        "def f(xs):\n"
        "    i, j = 0, len(xs) - 1\n"
        "    out = []\n"
        "    while i <= j:\n"
        "        out.append(xs[i] + xs[j] + {a})\n"
        "        i, j = i + 1, j - 1\n"
        "    return out",
        (_ints(0, 9, 3, 6),),
    ),
    "bubble": (
        "def f(xs):\n"
        "    swaps = {a}\n"
        "    for i in range(len(xs)):\n"
        "        for j in range(len(xs) - 1 - i):\n"
        "            if xs[j] > xs[j + 1]:\n"
        "                xs[j], xs[j + 1] = xs[j + 1], xs[j]\n"
        "                swaps += 1\n"
        "    return swaps",
        (_ints(0, 9, 3, 5),),
    ),
    "yielded": (
        "def f(n):\n"
        "    def g():\n"
        "        a, b = {a}, {b}\n"
        "        while a < n:\n"
        "            yield a\n"
        "            a, b = b, a + b\n"
        "    return list(g())",
        (_int(5, 30),),
    ),
    "depth": (
        "def f(s):\n"
        "    d = m = 0\n"
        "    for c in s:\n"
        "        d += (c == '(') - (c == ')')\n"
        "        m = max(m, d)\n"
        "    return [m * {a}, d]",
        (_word("()", 3, 8),),
    ),
    "matched": (
        "def f(x):\n"
        "    match x % {b}:\n"
        "        case 0:\n"
        "            return 'zero'\n"
        "        case 1:\n"
        "            return x + {a}\n"
        "        case _:\n"
        "            return [x]",
        (_int(0, 20),),
    ),
    "walrus": (
        "def f(xs):\n    return [y for x in xs if (y := x * {a}) > {b}]",
        (_ints(0, 9),),
    ),
    "grouped": (
        "def f(words):\n"
        "    d = {{}}\n"
        "    for w in words:\n"
        "        d.setdefault(len(w) + {a}, []).append(w)\n"
        "    return d",
        (lambda dice: [_word("abc", 1, 3)(dice) for _ in range(dice.pick((2, 3, 4)))],),
    ),
}
"""By name: the program with `{a}`, `{b}` and `{c}` open, and how to draw each argument."""


def draw(name: str, dice: Dice) -> tuple[str, Callable[[], str]]:
    """Return a program of a family with its constants, and a source of argument lists for it."""
    program, arguments = FAMILIES[name]
    text = program.format(a=dice.pick(range(1, 6)), b=dice.pick(range(2, 8)), c=dice.pick(range(1, 6)))
    return text, lambda: ", ".join(repr(argument(dice)) for argument in arguments)
