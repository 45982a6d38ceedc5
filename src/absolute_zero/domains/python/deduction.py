"""Deduction: given a program and an input, what is the output? (paper section 3.2)"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero import text
from absolute_zero.domains.python import validation
from absolute_zero.domains.python.grades import CORRECT, WRONG, malformed
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.payload import DEDUCTION, read_payload
from absolute_zero.domains.python.prompts import Prompts
from absolute_zero.executor.judges import read_equal
from absolute_zero.keys import Key
from absolute_zero.types import Grade, Identity, Job, Outcome, Prompt, Proposal, Refusal, Role, Status, Task
from absolute_zero.values import Unreadable

LABELS: Final = {Role.PROPOSE: (text.PROGRAM, text.INPUT), Role.SOLVE: (text.OUTPUT,)}


@final
@dataclass(frozen=True, slots=True)
class Deduction:
    """An answer is right if its value equals the output's. It is a literal, so nothing has to run."""

    prompts: Prompts
    limits: Limits
    kind: str = field(default=DEDUCTION, init=False)
    sources: tuple[str, ...] = field(default=(DEDUCTION,), init=False)
    max_references: int | None = field(default=None, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for a program and an input."""
        return self.prompts.prompt("propose_deduction", references=self.prompts.references(references))

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the program and the input to run."""
        return validation.parse_program_and_input(self.kind, answer, self.limits)

    def build_task(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task, with the output that the program gave."""
        return validation.build_task(proposal, outcome)

    def probe(self, task: Task, key: Key) -> Job:
        """Return the program on its probes."""
        return validation.probe(task, self.limits)

    def identity(self, task: Task, outcome: Outcome | None) -> Identity | Grade:
        """Return what makes the program and its input alike to others."""
        return validation.identity(task, outcome)

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt for the output."""
        payload = read_payload(task.payload)
        [(argument, _)] = payload.pairs
        return self.prompts.prompt(
            "solve_deduction", program=text.render_program(payload.program), input=text.render_input(argument)
        )

    def check(self, task: Task, answer: str) -> Grade:
        """Return whether the answer has the value of the output."""
        [(_, gold)] = read_payload(task.payload).pairs
        output = text.read_output(answer)
        if isinstance(output, Refusal):
            return malformed(output)
        try:
            return CORRECT if read_equal(gold, output) else WRONG
        except Unreadable as error:
            return Grade(Status.FAILED, reason="unreadable", detail=str(error))

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Raise ValueError: there is no job whose outcome could decide a literal."""
        raise ValueError("a deduction answer is judged at once: there is no job whose outcome could decide it")

    def show(self, task: Task) -> list[tuple[str, str]]:
        """Return program, input, and the output as the answer."""
        payload = read_payload(task.payload)
        [(argument, output)] = payload.pairs
        return [("program", payload.program), ("input", argument), ("answer", output)]
