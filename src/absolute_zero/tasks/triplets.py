"""What deduction and abduction have in common: a proposal is a program and one input, and makes one triplet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from absolute_zero import rewards, text, values
from absolute_zero.executor.guard import guard
from absolute_zero.executor.judges import judge_deduction
from absolute_zero.novelty import written
from absolute_zero.types import Grade, Job, Kind, Outcome, Problem, Proposal, Refusal, Result, Status, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use, for each input by itself."""

    cpu_seconds: float = 1.0
    """Of an answer. A proposal has half of it: so a program that was accepted does not fail later by running late."""
    memory_mb: int = 256
    value_bytes: int = 65_536
    """Length of the text of an output, and of a proposed input: what is over it would fill the prompts it comes in."""

    def job(self, program: str, inputs: Sequence[str], deterministic: bool = False, golds: Sequence[str] = ()) -> Job:
        """A job within these limits; outputs may be as long as the longest of `golds`, which may come from outside."""
        most = max([self.value_bytes, *(len(gold.encode()) for gold in golds)])
        seconds = self.proposal_seconds if deterministic else self.cpu_seconds
        return Job(program, tuple(inputs), deterministic, seconds, self.memory_mb, most)

    @property
    def proposal_seconds(self) -> float:
        """What a proposed program may take."""
        return self.cpu_seconds / 2


RIGHT: Final = Grade(Status.PASSED, rewards.accuracy(True))
WRONG: Final = Grade(Status.FAILED, rewards.accuracy(False), "wrong")
INVALID_INPUT: Final = Verdict.INVALID_INPUT.value


def malformed(refusal: Refusal) -> Grade:
    """A response whose form is broken."""
    return Grade(Status.MALFORMED, reason=refusal.reason, detail=refusal.detail)


def read_triplet(kind: Kind, answer: str, limits: Limits) -> Proposal | Grade:
    """A proposal of one program and one input. The input is kept as the value it is: comments in it are gone."""
    parts = text.read_program_and_input(answer)
    if isinstance(parts, Refusal):
        return malformed(parts)
    program, given = parts
    refusal = guard(program)
    if refusal is not None:
        return Grade(Status.FAILED, reason=refusal.reason, detail=refusal.detail)
    found = read_inputs([given], limits)
    return found if isinstance(found, Grade) else Proposal(kind, limits.job(program, found, deterministic=True))


def read_inputs(given: Sequence[str], limits: Limits) -> list[str] | Grade:
    """Proposed argument lists in their canonical texts."""
    try:
        found = [written(one) for one in given]
    except (values.Unreadable, values.Unwritable) as error:
        return Grade(Status.FAILED, reason=INVALID_INPUT, detail=str(error))
    longest = max(len(one.encode()) for one in found)
    if longest > limits.value_bytes:
        detail = f"an input of {longest} bytes, at most {limits.value_bytes}"
        return Grade(Status.FAILED, reason=Verdict.TOO_LARGE.value, detail=detail)
    return found


def mint(proposal: Proposal, outcome: Outcome) -> Problem | Grade:
    """The problem of a proposal whose program gave a value on every input."""
    for result in outcome.results:
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
    pairs = zip(proposal.job.inputs, (result.value for result in outcome.results), strict=True)
    return Problem(proposal.kind, proposal.job.program, tuple(pairs), proposal.message)


def unusable(result: Result) -> Grade:
    """What it means that a program gave no value: nothing, if the machine failed."""
    void = result.verdict is Verdict.INFRASTRUCTURE
    return Grade(Status.MASKED if void else Status.FAILED, reason=result.verdict.value, detail=result.detail)


def matches(result: Result, gold: str) -> bool:
    """Whether a program gave this value. Compared here, outside the sandbox, on values we built from text."""
    return result.verdict is Verdict.VALUE and judge_deduction(gold, result.value)
