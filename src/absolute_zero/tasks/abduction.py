"""Abduction: given a program and an output, which input leads there? (paper section 3.2)"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from absolute_zero import text
from absolute_zero.tasks.prompts import Prompts
from absolute_zero.tasks.triplets import RIGHT, WRONG, Limits, malformed, matches, mint, read_triplet, unusable
from absolute_zero.types import Grade, Job, Kind, Outcome, Problem, Proposal, Refusal, Triplet, Verdict


@final
@dataclass(frozen=True, slots=True)
class Abduction:
    """An answer is right if the program, run on it, gives the output: any such input, not only the proposer's."""

    prompts: Prompts
    limits: Limits
    kind: Kind = field(default=Kind.ABDUCTION, init=False)

    def ask(self, references: Sequence[Triplet]) -> str:
        return self.prompts.fill("propose_abduction", references=self.prompts.references(references))

    def read(self, references: Sequence[Triplet], answer: str) -> Proposal | Grade:
        return read_triplet(self.kind, answer, self.limits)

    def mint(self, proposal: Proposal, outcome: Outcome) -> Problem | Grade:
        return mint(proposal, outcome)

    def pose(self, problem: Problem) -> str:
        [(_, output)] = problem.pairs
        return self.prompts.fill(
            "solve_abduction", program=text.render_program(problem.program), output=text.render_output(output)
        )

    def judge(self, problem: Problem, answer: str) -> Grade | Job:
        given = text.read_input(answer)
        if isinstance(given, Refusal):
            return malformed(given)
        return self.limits.job(problem.program, [given], golds=[output for _, output in problem.pairs])

    def decide(self, problem: Problem, outcome: Outcome) -> Grade:
        [(_, gold)] = problem.pairs
        [result] = outcome.results
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
        return RIGHT if matches(result, gold) else WRONG
