"""Deduction: given a program and an input, what is the output? (paper section 3.2)"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from absolute_zero import text, values
from absolute_zero.tasks.prompts import Prompts
from absolute_zero.tasks.triplets import RIGHT, WRONG, Limits, malformed, mint, read_triplet
from absolute_zero.types import Grade, Job, Kind, Outcome, Problem, Proposal, Refusal, Status, Triplet


@final
@dataclass(frozen=True, slots=True)
class Deduction:
    """An answer is right if its value equals the output's. It is a literal, so nothing has to run."""

    prompts: Prompts
    limits: Limits
    kind: Kind = field(default=Kind.DEDUCTION, init=False)

    def ask(self, references: Sequence[Triplet]) -> str:
        return self.prompts.fill("propose_deduction", references=self.prompts.references(references))

    def read(self, references: Sequence[Triplet], answer: str) -> Proposal | Grade:
        return read_triplet(self.kind, answer, self.limits)

    def mint(self, proposal: Proposal, outcome: Outcome) -> Problem | Grade:
        return mint(proposal, outcome)

    def pose(self, problem: Problem) -> str:
        [(given, _)] = problem.pairs
        return self.prompts.fill(
            "solve_deduction", program=text.render_program(problem.program), input=text.render_input(given)
        )

    def judge(self, problem: Problem, answer: str) -> Grade | Job:
        [(_, gold)] = problem.pairs
        output = text.read_output(answer)
        if isinstance(output, Refusal):
            return malformed(output)
        try:
            return RIGHT if values.equal(values.read(gold), values.read(output)) else WRONG
        except values.Unreadable as error:
            return Grade(Status.FAILED, reason="unreadable", detail=str(error))

    def decide(self, problem: Problem, outcome: Outcome) -> Grade:
        raise ValueError("a deduction answer is judged at once: there is no job whose outcome could decide it")
