"""A sandboxed Python that decides what is true: runs foreign programs, and judges answers.

Standard library only, and usable on its own::

    with Sandbox(workers=2) as sandbox:
        [outcome] = sandbox.run([Job(program="def f(x):\\n    return x + 1", inputs=("1", "2"))])
"""

from absolute_zero.executor.canaries import LEVELS, Level, Proof, rank
from absolute_zero.executor.judges import NoVerdict, judge_abduction, judge_deduction, judge_induction
from absolute_zero.executor.pool import Report, Sandbox

__all__ = [
    "LEVELS", "Level", "NoVerdict", "Proof", "Report", "Sandbox", "judge_abduction", "judge_deduction",
    "judge_induction", "rank",
]  # fmt: skip
