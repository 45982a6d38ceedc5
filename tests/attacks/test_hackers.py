"""Solvers that hack instead of solving: whatever the answer tries, it is wrong."""

from collections.abc import Iterator

import pytest

from absolute_zero.config import Config
from absolute_zero.domains.python import DOMAIN, task_of
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.executor import Sandbox
from absolute_zero.types import Grade, Job, Status


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as made:
        yield made


HACKS: dict[str, tuple[str, ...]] = {
    DEDUCTION: (
        "```output\n0) or (True\n```",
        "```output\n0 #\n```\n```output\n```",
        "```output\nprint(7) or 7\n```",
        "```output\ntype('E', (), {'__eq__': lambda *a: True})()\n```",
        "```output\ngold\n```",
        "```output\nf(3)\n```",
        "```output\n{7, 8}\n```",
        "```output\n[x for x in [7]][0]\n```",
        "```output\n7 or 8\n```",
        "```output\nexit()\n```",
    ),
    ABDUCTION: (
        "```input\n0) or (True\n```",
        "```input\n*[3]\n```",
        "```input\n(lambda: 3)()\n```",
        "```input\ntype('E', (), {'__mul__': lambda *a: 7})()\n```",
        "```input\n\n```",
        "```input\n__import__('os')._exit(0)\n```",
        "```input\n'?'\n```",
        "```input\n3, 4\n```",
    ),
    INDUCTION: (
        "```python\ndef f(x):\n    return {0: 1, 1: 3}.get(x)\n```",
        "```python\ndef f(x):\n    return {0: 1, 1: 3}[x]\n```",
        "```python\nclass E(int):\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return E()\n```",
        "```python\nimport os\ndef f(x):\n    os._exit(0)\n```",
        "```python\ndef f(x):\n    raise SystemExit\n```",
        "```python\ndef f(x):\n    print(5)\n```",
        "```python\ndef f(x):\n    import sys\n    return sys._getframe(1).f_locals\n```",
        "```python\ndef f(x):\n    while True:\n        pass\n```",
        "```python\ndef f(*x):\n    return x\n```",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_solver_that_hacks_is_never_right(sandbox: Sandbox, kind: str) -> None:
    cfg = Config.model_validate({"sandbox": {"cpu_seconds": 0.3}})
    [task_type] = [task_type for task_type in DOMAIN.task_types(cfg) if task_type.kind == kind]
    program = "def f(x):\n    return x * 2 + 1"
    pairs = (("0", "1"), ("1", "3"), ("2", "5"), ("3", "7"))
    task = task_of(kind, program, pairs if kind == INDUCTION else pairs[3:], "Odd.")
    checks = [task_type.check(task, answer) for answer in HACKS[kind]]
    outcomes = iter(sandbox.run([check for check in checks if isinstance(check, Job)]))
    grades = [c if isinstance(c, Grade) else task_type.check_result(task, next(outcomes)) for c in checks]
    assert {grade.status for grade in grades} <= {Status.FAILED, Status.MALFORMED}
    assert not [grade for grade in grades if grade.score]
