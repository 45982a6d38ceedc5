"""Executor batches are order-free: what a job comes to depends on nothing that it is run beside."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from absolute_zero.executor import Sandbox
from absolute_zero.types import Job, Result, Verdict

PROGRAMS = {
    "def f(x):\n    return x + 1": Result(Verdict.VALUE, "4"),
    "import math\nmath.pi = 3\ndef f(x):\n    return math.pi": Result(Verdict.VALUE, "3"),
    "import math\ndef f(x):\n    return math.floor(math.pi * 100)": Result(Verdict.VALUE, "314"),
    "import builtins\nbuiltins.len = lambda x: 9\ndef f(x):\n    return len([])": Result(Verdict.VALUE, "9"),
    "def f(x):\n    return len([])": Result(Verdict.VALUE, "0"),
    "seen = []\ndef f(x):\n    seen.append(x)\n    return seen": Result(Verdict.VALUE, "[3]"),
    "def f(x):\n    raise KeyError": Result(Verdict.ERROR, detail="KeyError"),
    "def f(x):\n    return f": Result(Verdict.UNSERIALISABLE, detail="function"),
    "def f(x": Result(Verdict.ERROR, detail="SyntaxError"),
    "import os\ndef f(x):\n    os._exit(0)": Result(Verdict.EXITED),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(minimum_level="weak") as made:
        yield made


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.tuples(st.sampled_from(sorted(PROGRAMS)), st.integers(1, 3), st.booleans()), max_size=24),
)
def test_batches_are_order_free(sandbox: Sandbox, chosen: list[tuple[str, int, bool]]) -> None:
    jobs = [Job(program, ("3",) * inputs, deterministic=twice) for program, inputs, twice in chosen]
    outcomes = sandbox.run(jobs)
    for (program, inputs, _), outcome in zip(chosen, outcomes, strict=True):
        assert outcome.results == (PROGRAMS[program],) * inputs
