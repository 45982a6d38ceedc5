"""Induction: given half of some input and output pairs and a message, which program is behind them? (paper 3.2)"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero import rewards, text
from absolute_zero.novelty import arguments_of
from absolute_zero.tasks.prompts import Prompts
from absolute_zero.tasks.triplets import RIGHT, WRONG, Limits, malformed, matches, mint, read_inputs, unusable
from absolute_zero.types import (
    Grade,
    Job,
    Kind,
    Outcome,
    Problem,
    Proposal,
    Refusal,
    Status,
    Triplet,
    Verdict,
)  # fmt: skip
from absolute_zero.values import Value, equal, read

DISTINCT: Final = 3
"""A task has at least so many different outputs (or as many as inputs, if those are fewer)."""

_CODE: Final = re.compile(
    r"```|\bdef \w+\(|\blambda\b[^.]*:|^ *(?:return|import|from)\b(?=.*[^\w ,.!?'-])"
    r"|(?!f\()\b\w+\((?!e?s\))|(?<![<>!=])=(?!=)",
    re.MULTILINE,
)
"""What makes a message code: a block, a definition, a statement, a call, an assignment. Prose may say what `f` or
f(x) returns, as three in ten messages of real proposers do."""


@final
@dataclass(frozen=True, slots=True)
class Induction:
    """An answer is right if the program gives the hidden half of the pairs, every one; with `fraction`, it is worth
    the share that it gives. A hidden pair on which it raises or gives nothing is one that it does not give."""

    prompts: Prompts
    limits: Limits
    inputs: int = 10
    """N: how many inputs a proposal has."""
    message_characters: int = 300
    fraction: bool = False
    kind: Kind = field(default=Kind.INDUCTION, init=False)

    def ask(self, references: Sequence[Triplet]) -> str:
        [reference] = references
        shown = self.inputs // 2
        return self.prompts.fill(
            "propose_induction",
            program=text.render_program(reference.program),
            count=str(self.inputs),
            shown=str(shown),
            hidden=str(self.inputs - shown),
            distinct=str(min(DISTINCT, self.inputs)),
            characters=str(self.message_characters),
        )

    def read(self, references: Sequence[Triplet], answer: str) -> Proposal | Grade:
        [reference] = references
        parts = text.read_inputs_and_message(answer, self.inputs)
        if isinstance(parts, Refusal):
            return malformed(parts)
        given, message = parts
        inputs = read_inputs(given, self.limits)
        if isinstance(inputs, Grade):
            return inputs
        fault = self._fault(reference.program, inputs, message)
        if fault is not None:
            return fault
        job = self.limits.job(reference.program, inputs, deterministic=True)
        return Proposal(self.kind, job, " ".join(message.split()))

    def _fault(self, program: str, given: Sequence[str], message: str) -> Grade | None:
        """What the proposer could have seen is wrong with its inputs and message."""
        values: list[Value] = [arguments_of(program, one) for one in given]
        # As answers are judged, 1 is True and 1.0: a hidden pair of one would be shown by another.
        if (different := _different(values)) < len(values):
            detail = f"{different} different inputs, {len(values)} were asked for"
            return Grade(Status.FAILED, reason="repeated_input", detail=detail)
        if len(message) > self.message_characters:
            detail = f"{len(message)} characters, at most {self.message_characters}"
            return Grade(Status.FAILED, reason="message_too_long", detail=detail)
        if found := _CODE.search(message):
            return Grade(Status.FAILED, reason="code_in_message", detail=repr(found[0]))
        return None

    def mint(self, proposal: Proposal, outcome: Outcome) -> Problem | Grade:
        problem = mint(proposal, outcome)
        if isinstance(problem, Grade):
            return problem
        outputs = _different([read(output) for _, output in problem.pairs])
        if outputs < min(DISTINCT, self.inputs):  # not foreseeable without running it
            return Grade(Status.NEUTRAL, reason="few_outputs", detail=f"{outputs} different outputs")
        return problem

    def pose(self, problem: Problem) -> str:
        shown = problem.pairs[: len(problem.pairs) // 2]
        pairs = [part for given, output in shown for part in (text.render_input(given), text.render_output(output))]
        return self.prompts.fill(
            "solve_induction", message=text.render_message(problem.message), pairs="\n".join(pairs)
        )

    def judge(self, problem: Problem, answer: str) -> Grade | Job:
        program = text.read_program(answer)
        if isinstance(program, Refusal):
            return malformed(program)
        inputs, golds = zip(*_hidden(problem), strict=True)
        return self.limits.job(program, inputs, golds=golds)

    def decide(self, problem: Problem, outcome: Outcome) -> Grade:
        hidden = _hidden(problem)
        pairs = list(zip(outcome.results, (gold for _, gold in hidden), strict=True))
        for result, _ in pairs:
            if result.verdict is Verdict.INFRASTRUCTURE:
                return unusable(result)
        given = sum(matches(result, gold) for result, gold in pairs)
        if given == len(hidden):
            return RIGHT
        if self.fraction and given:
            return Grade(Status.PASSED, rewards.coverage(given, len(hidden)))
        failed = next((unusable(result) for result, _ in pairs if result.verdict is not Verdict.VALUE), None)
        return failed or WRONG


def _hidden(problem: Problem) -> tuple[tuple[str, str], ...]:
    return problem.pairs[len(problem.pairs) // 2 :]


def _different(found: Sequence[Value]) -> int:
    """How many there are, where equal ones count once."""
    kept: list[Value] = []
    for value in found:
        if not any(equal(value, before) for before in kept):
            kept.append(value)
    return len(kept)
