"""What the task types have in common: how a proposal of one program is parsed, what it makes, what that is alike to."""

from collections.abc import Sequence

from absolute_zero import text, values
from absolute_zero.domains.python import novelty
from absolute_zero.domains.python.grades import malformed, unusable
from absolute_zero.domains.python.guard import guard
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.payload import read_payload, task_of
from absolute_zero.types import Grade, Identity, Job, Outcome, Proposal, Refusal, Status, Task, Verdict


def parse_program_and_input(kind: str, answer: str, limits: Limits) -> Proposal | Grade:
    """Return a proposal of one program and one input, kept as the value it is: comments in it are gone."""
    parts = text.read_program_and_input(answer)
    if isinstance(parts, Refusal):
        return malformed(parts)
    program, argument = parts
    refusal = guard(program)
    if refusal is not None:
        return Grade(Status.FAILED, reason=refusal.reason, detail=refusal.detail)
    inputs = read_inputs([argument], limits)
    return inputs if isinstance(inputs, Grade) else Proposal(kind, limits.job(program, inputs, deterministic=True))


def read_inputs(arguments: Sequence[str], limits: Limits) -> list[str] | Grade:
    """Return proposed argument lists in their canonical texts."""
    try:
        inputs = [novelty.written(text_) for text_ in arguments]
    except (values.Unreadable, values.Unwritable) as error:
        return Grade(Status.FAILED, reason=Verdict.INVALID_INPUT.value, detail=str(error))
    longest = max(len(text_.encode()) for text_ in inputs)
    if longest > limits.value_bytes:
        detail = f"an input of {longest} bytes, at most {limits.value_bytes}"
        return Grade(Status.FAILED, reason=Verdict.TOO_LARGE.value, detail=detail)
    return inputs


def build_task(proposal: Proposal, outcome: Outcome) -> Task | Grade:
    """Return the task of a proposal whose program gave a value on every input; its payload is the message."""
    for result in outcome.results:
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
    pairs = zip(proposal.job.inputs, (result.value for result in outcome.results), strict=True)
    return task_of(proposal.kind, proposal.job.program, tuple(pairs), proposal.payload)


def probe(task: Task, limits: Limits) -> Job:
    """Return the program of a task on the probes of its first input."""
    payload = read_payload(task.payload)
    return limits.job(payload.program, novelty.probes(payload.pairs[0][0]), deterministic=True)


def identity(task: Task, outcome: Outcome | None) -> Identity | Grade:
    """Return the digests of a task; or that its program ignores its input, or is constant on its probes."""
    payload = read_payload(task.payload)
    asked = novelty.probes(payload.pairs[0][0])
    facts = novelty.facts(payload.program, payload.pairs, asked, outcome.results if outcome else None)
    if not facts.reads:
        return Grade(Status.FAILED, reason="ignores_input")
    if facts.constant:
        return Grade(Status.NEUTRAL, reason="constant")
    return Identity(facts.exact, facts.family, facts.behaviour)
