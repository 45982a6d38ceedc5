"""The programs that `benchmarks/executor.py` runs: the smallest, some as models write them, and the soak's
mix."""

from collections.abc import Callable

TRIVIAL = "def f(x):\n    return x + 1"

SIEVE = """\
from typing import List

def f(n: int) -> List[int]:
    sieve = [True] * (n + 60)
    for p in range(2, n + 60):
        for q in range(p * p, n + 60, p):
            sieve[q] = False
    return [p for p in range(2, n + 60) if sieve[p]]
"""
WORDS = """\
def f(n):
    words = [chr(97 + (n * k) % 26) * (k % 4 + 1) for k in range(12)]
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
"""
SHAPES = """\
import math

class Shape:
    def __init__(self, r):
        self.r = r

    def area(self):
        return round(math.pi * self.r ** 2, 3)

def f(n):
    return [Shape(n + k).area() for k in range(10)]
"""
GRAPH = """\
from collections import deque

def f(n):
    graph = {k: [(k * 2 + 1) % 40, (k * 3 + n) % 40] for k in range(40)}
    seen, queue = {0: 0}, deque([0])
    while queue:
        node = queue.popleft()
        for step in graph[node]:
            if step not in seen:
                seen[step] = seen[node] + 1
                queue.append(step)
    return max(seen.values()), len(seen)
"""
MEMO = """\
def f(n):
    text = str(n * 7919)
    memo = {}

    def count(i, j):
        if i >= j:
            return 1
        if (i, j) not in memo:
            inner = count(i + 1, j - 1) if text[i] == text[j] else 0
            memo[i, j] = count(i + 1, j) + inner
        return memo[i, j]

    return count(0, len(text) - 1)
"""
REAL = (SIEVE, WORDS, SHAPES, GRAPH, MEMO)
"""Each takes one integer; the mean of the five is what counts."""

COUNTER = "from collections import Counter\n\ndef f(x):\n    return [x, Counter('abca')['a']]"
OBJECT = "class A:\n    def __init__(self, x):\n        self.x = x\n\ndef f(x):\n    return {{'id': A(x).x, 'n': {i}}}"
SQUARES = "def f(x):\n    return [y * y for y in range(200)][-1] * 10 ** 9 + x"

HONEST: tuple[tuple[str, str, Callable[[int], str]], ...] = (
    ("def f(x):\n    return x + {i}", "{i}", lambda i: str(2 * i)),
    ("def f(s):\n    return s[::-1]", "'<{i}>'", lambda i: repr(f">{str(i)[::-1]}<")),
    (COUNTER, "{i}", lambda i: f"[{i}, 2]"),
    (OBJECT, "{i}", lambda i: f"{{'id': {i}, 'n': {i}}}"),
    ("def f(x):\n    return {{x, x}} | set()", "{i}", lambda i: f"{{{i}}}"),
    (SQUARES, "{i}", lambda i: str(39601 * 10**9 + i)),
    ("def f(x):\n    raise type('E{i}', (Exception,), {{}})", "{i}", lambda i: f"E{i}"),
)
"""Program and input of job number i, and the value or the exception's name, which no other number has."""

HOSTILE = (
    "def f(x):\n    while True:\n        pass",
    "def f(x):\n    return len(bytearray(10 ** 10))",
    "def f(x):\n    return f(x + 1)",
    "def f(x):\n    print('x' * 10 ** 6)\n    return 'y' * 10 ** 6",
    "import os\n\ndef f(x):\n    os._exit(0)",
    "import os\n\ndef f(x):\n    os.kill(os.getppid(), 9)\n    return undefined",
    "import os\n\ndef f(x):\n    os.fork()\n    return undefined",
    "import os\n\ndef f(x):\n    for n in range(64):\n        try:\n            os.write(n, b'0' * 99)\n"
    "        except OSError:\n            pass\n    raise SystemExit",
)
"""None may give a value, none may count as our fault, and none may touch the job that follows."""
