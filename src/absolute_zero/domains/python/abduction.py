"""Abduction: given a program and an output, which input leads there? (paper section 3.2)"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero import text
from absolute_zero.domains.python import validation
from absolute_zero.domains.python.grades import CORRECT, WRONG, malformed, unusable
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.payload import ABDUCTION, read_payload
from absolute_zero.domains.python.prompts import Prompts
from absolute_zero.executor.judges import matches
from absolute_zero.keys import Key
from absolute_zero.types import Grade, Identity, Job, Outcome, Prompt, Proposal, Refusal, Role, Task, Verdict

LABELS: Final = {Role.PROPOSE: (text.PROGRAM, text.INPUT), Role.SOLVE: (text.INPUT,)}


@final
@dataclass(frozen=True, slots=True)
class Abduction:
    """An answer is right if the program, run on it, gives the output: any such input, not only the proposer's."""

    prompts: Prompts
    limits: Limits
    kind: str = field(default=ABDUCTION, init=False)
    sources: tuple[str, ...] = field(default=(ABDUCTION,), init=False)
    max_references: int | None = field(default=None, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for a program and an input."""
        return self.prompts.prompt("propose_abduction", references=self.prompts.references(references))

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
        """Return the prompt for an input."""
        payload = read_payload(task.payload)
        [(_, output)] = payload.pairs
        return self.prompts.prompt(
            "solve_abduction", program=text.render_program(payload.program), output=text.render_output(output)
        )

    def check(self, task: Task, answer: str) -> Grade | Job:
        """Return the program on the input that was answered."""
        argument = text.read_input(answer)
        if isinstance(argument, Refusal):
            return malformed(argument)
        payload = read_payload(task.payload)
        return self.limits.job(payload.program, [argument], golds=[output for _, output in payload.pairs])

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Return whether the program gave the output."""
        [(_, gold)] = read_payload(task.payload).pairs
        [result] = outcome.results
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
        return CORRECT if matches(result, gold) else WRONG

    def show(self, task: Task) -> list[tuple[str, str]]:
        """Return program, output, and the proposer's input as the answer; no answer where nobody knows one."""
        payload = read_payload(task.payload)
        [(argument, output)] = payload.pairs
        return [("program", payload.program), ("output", output), *([("answer", argument)] if argument else [])]
