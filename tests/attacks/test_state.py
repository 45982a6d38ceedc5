"""No program influences a later one, a sibling in its batch, or itself on another input.

The yardstick for every input is the result it gets alone, in a job of its own.
"""

import itertools
import random
from textwrap import dedent

import pytest

from absolute_zero.executor import Sandbox
from absolute_zero.types import Job, Result, Verdict

from .cases_state import CARRIERS, Carrier

# fmt: off


def job(case: Carrier, inputs: tuple[str, ...]) -> Job:
    return Job(case.program, inputs, memory_mb=case.memory_mb, cpu_seconds=case.cpu_seconds)


@pytest.mark.parametrize("case", CARRIERS, ids=lambda case: case.name)
def test_inputs_are_strangers(case: Carrier, sandbox: Sandbox) -> None:
    distinct = sorted(set(case.inputs))
    alone = {text: sandbox.run([job(case, (text,))])[0].results[0] for text in distinct}
    if case.alone:
        assert [alone[text].value for text in case.inputs] == list(case.alone)
    orders = [case.inputs, case.inputs[::-1], case.inputs[1:] + case.inputs[:1], case.inputs * 2]
    for order in orders:
        [outcome] = sandbox.run([job(case, order)])
        assert outcome.results == tuple(alone[text] for text in order), f"{case.name}: in the order {order}"


def test_batches_are_strangers(sandbox: Sandbox) -> None:
    """All carriers in one batch, twice over, shuffled: each result is the one it gets alone."""
    cases = [case for case in CARRIERS if case.cpu_seconds >= 0.5]
    jobs = [job(case, case.inputs) for case in cases] * 2
    expected = [sandbox.run([one])[0].results for one in jobs[: len(cases)]] * 2
    order = list(range(len(jobs)))
    random.Random(7).shuffle(order)
    outcomes = sandbox.run([jobs[index] for index in order])
    wrong = [cases[index % len(cases)].name for index, outcome in zip(order, outcomes, strict=True)
             if outcome.results != expected[index]]
    assert not wrong


VANDALS = {
    "builtins": "import builtins\nbuiltins.len = builtins.repr = builtins.sum = lambda *a: 7\n",
    "math": "import math\nfor name in list(vars(math)):\n    setattr(math, name, None)\n",
    "modules": "import sys\nsys.modules.clear()\nsys.meta_path.clear()\n",
    "limits": "import sys\nsys.setrecursionlimit(50)\nsys.set_int_max_str_digits(0)\n",
    "random": "import random\nrandom.seed(1)\nrandom.random = lambda: 7\n",
    "classes": "import collections\ncollections.OrderedDict.pop = None\ncollections.Counter.update = None\n",
    "gc": "import gc\ngc.disable()\ngc.set_threshold(1)\ngc.callbacks.append(print)\n",
    "hooks": "import sys\nsys.addaudithook(lambda *a: None)\nsys.settrace(lambda *a: None)\n",
    "signals": "import signal\nfor n in (2, 11, 14, 24):\n    signal.signal(n, signal.SIG_IGN)\n",
    "exit": "import os\nos._exit(0)\n",
}

WITNESS = dedent("""
    import math, random, sys
    from collections import Counter, OrderedDict
    def f(x):
        random.seed(x)
        counter = Counter('aab')
        return [len(repr([1, 2])), sum([1, 2]), math.floor(2.5), sys.getrecursionlimit() >= 1_000,
                random.random(), counter['a'], OrderedDict(a=1).pop('a'), sys.gettrace() is None, x]
    """)


@pytest.mark.parametrize("name", VANDALS)
def test_programs_are_strangers(name: str, sandbox: Sandbox) -> None:
    """A witness before, between and after vandals, in one batch and across batches."""
    witness = Job(WITNESS, ("1", "2"))
    vandal = Job(VANDALS[name] + "def f(x):\n    return 1\n", ("1", "2"))
    [before] = sandbox.run([witness])
    assert before.ok
    [first, _, between, _, after] = sandbox.run([witness, vandal, witness, vandal, witness])
    [later] = sandbox.run([witness])
    assert first == between == after == later == before


def test_order_of_jobs_and_inputs(sandbox: Sandbox) -> None:
    """Results stand where their inputs stood, whatever the neighbours do."""
    programs = {"good": "def f(x):\n    return x\n", "bad": "def f(x):\n    raise KeyError\n",
                "gone": "import os\ndef f(x):\n    os._exit(0)\n"}
    inputs = ("1", "2", "no literal", "3")
    for order in itertools.permutations(programs):
        outcomes = sandbox.run([Job(programs[name], inputs) for name in order])
        for name, outcome in zip(order, outcomes, strict=True):
            if name == "good":
                invalid = Result(Verdict.INVALID_INPUT, detail=outcome.results[2].detail)
                assert outcome.results == (Result(Verdict.VALUE, "1"), Result(Verdict.VALUE, "2"), invalid,
                                           Result(Verdict.VALUE, "3"))
            else:
                assert not outcome.ok
                assert outcome.results[2].verdict is Verdict.INVALID_INPUT
