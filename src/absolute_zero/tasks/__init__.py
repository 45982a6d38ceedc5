"""The three kinds of task, seen from both roles: prompts out, answers in (paper section 3.2).

Promises: total. Any answer gives a value, nothing here runs a program, and no text of a model is kept that has not
been read: inputs are stored as the values they are. Floor 2.
"""

from collections.abc import Mapping

from absolute_zero.config import Config
from absolute_zero.ports import Task
from absolute_zero.tasks.abduction import Abduction
from absolute_zero.tasks.deduction import Deduction
from absolute_zero.tasks.induction import Induction
from absolute_zero.tasks.prompts import Prompts
from absolute_zero.tasks.triplets import Limits
from absolute_zero.types import Kind

__all__ = ["Abduction", "Deduction", "Induction", "Limits", "Prompts", "make_tasks"]


def make_tasks(cfg: Config) -> Mapping[Kind, Task]:
    """The tasks of a run, by kind, in the order in which its settings name the kinds."""
    limits = Limits(cfg.sandbox.cpu_seconds, cfg.sandbox.memory_mb, cfg.sandbox.value_bytes)
    prompts = Prompts(cfg.templates, seconds=f"{limits.proposal_seconds:g}")
    made: dict[Kind, Task] = {
        Kind.DEDUCTION: Deduction(prompts, limits),
        Kind.ABDUCTION: Abduction(prompts, limits),
        Kind.INDUCTION: Induction(
            prompts, limits, cfg.propose.inputs, cfg.propose.message_characters, cfg.solve.induction == "fraction"
        ),
    }
    return {kind: made[kind] for kind in cfg.kinds}
