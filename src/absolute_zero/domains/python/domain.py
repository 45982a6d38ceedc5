"""The domain of Python programs: three kinds of task over (program, input, output), decided by the sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, final

from absolute_zero.domains.python import rows, worked
from absolute_zero.domains.python.abduction import Abduction
from absolute_zero.domains.python.deduction import Deduction
from absolute_zero.domains.python.induction import Induction
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.novelty import digest
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, task_of
from absolute_zero.domains.python.prompts import Prompts
from absolute_zero.domains.python.settings import PythonSettings
from absolute_zero.ports import TaskType
from absolute_zero.types import Proposal, Role, Task

if TYPE_CHECKING:
    from absolute_zero.executor import Sandbox


@final
class PythonDomain:
    """Python, as the paper plays it (section 3.2)."""

    name = "python"
    settings: type[Any] | None = PythonSettings
    templates: str = "long"

    def task_types(self, cfg: Any) -> Sequence[TaskType]:
        """Return deduction, abduction and induction under these settings."""
        limits = Limits(cfg.sandbox.cpu_seconds, cfg.sandbox.memory_mb, cfg.sandbox.value_bytes)
        prompts = Prompts(cfg.templates, seconds=f"{limits.proposal_seconds:g}")
        own: PythonSettings = cfg.domain_section
        fraction = own.induction == "fraction"
        return (
            Deduction(prompts, limits),
            Abduction(prompts, limits),
            Induction(prompts, limits, own.inputs, own.message_characters, fraction, own.least_inputs),
        )

    def open_executor(self, cfg: Any) -> "Sandbox":
        """Return a running sandbox. Raises SandboxError where this machine cannot keep the level that is asked for."""
        from absolute_zero.executor import Sandbox

        return Sandbox(cfg.sandbox.workers or None, cfg.sandbox.minimum_level)

    def seeds(self) -> Sequence[Task]:
        """Return the zero triplet: the one reference where nothing has been accepted yet (paper figure 5)."""
        return (ZERO, replace(ZERO, kind=ABDUCTION))

    def suites(self) -> Mapping[str, Sequence[Task]]:
        """Return the suites in the package: `held_out` and `ood`."""
        return rows.suites()

    def worked_examples(self, kind: str, role: Role, cfg: Any) -> Sequence[tuple[Any, str]]:
        """Return examples that the pretraining grammar wrote: a task to solve, or what a proposal is about."""
        return worked.examples(kind, role, cfg.domain_section.inputs)

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Task | Proposal]:
        """Return the tasks of a row (`rows`)."""
        return rows.read_row(row)

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        """Return the digests of a row's normalised programs."""
        return rows.held_out(row)


def _zero() -> Task:
    normal = digest("def f($0):\n    return $0")
    task = task_of(DEDUCTION, "def f(x):\n    return x", (("1", "1"),))
    return replace(task, exact=digest(normal, "0=1"), family=normal, behaviour=digest("argument", "0"), step=-(1 << 31))


ZERO: Final = _zero()
"""The zero triplet. Never practised on."""
