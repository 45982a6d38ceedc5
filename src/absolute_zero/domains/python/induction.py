"""Induction: given half of some input and output pairs and a message, which program is behind them? (paper 3.2)"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, final

from absolute_zero import rewards, text
from absolute_zero.domains.python import inputs as proposed
from absolute_zero.domains.python import validation
from absolute_zero.domains.python.grades import CORRECT, WRONG, malformed, unusable
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.novelty import arguments_of
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, read_payload
from absolute_zero.domains.python.prompts import Prompts
from absolute_zero.domains.python.validation import read_inputs
from absolute_zero.executor.judges import matches
from absolute_zero.keys import Key
from absolute_zero.types import Grade, Identity, Job, Outcome, Prompt, Proposal, Refusal, Role, Status, Task, Verdict
from absolute_zero.values import Value, read

LABELS: Final = {Role.PROPOSE: (text.INPUTS, text.INPUT, text.MESSAGE), Role.SOLVE: (text.PROGRAM,)}
EASIER: Final = ({"inputs": 10, "least_inputs": 5}, {"inputs": 6, "least_inputs": 4}, {"inputs": 4, "least_inputs": 3})
"""Inputs to ask a model for that cannot write ten of which each is right; the hardest first."""
DISTINCT: Final = 3
"""A task has at least this many different outputs (or as many as inputs, if those are fewer)."""

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
    least: int = 0
    """How many inputs do; 0: exactly N, all right."""
    kind: str = field(default=INDUCTION, init=False)
    sources: tuple[str, ...] = field(default=(DEDUCTION, ABDUCTION), init=False)
    max_references: int | None = field(default=1, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)
    easier: Sequence[Mapping[str, int]] = field(default_factory=lambda: EASIER, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for inputs and a message about the program of a task."""
        [reference] = references
        shown = self.inputs // 2
        return self.prompts.prompt(
            "propose_induction",
            program=text.render_program(read_payload(reference.payload).program),
            count=str(self.inputs),
            shown=str(shown),
            hidden=str(self.inputs - shown),
            distinct=str(min(DISTINCT, self.inputs)),
            characters=str(self.message_characters),
        )

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the program on all inputs; the payload is the message."""
        [reference] = references
        parts = text.read_inputs_and_message(answer, self.inputs, self.least)
        if isinstance(parts, Refusal):
            return malformed(parts)
        arguments, message = parts
        program = read_payload(reference.payload).program
        inputs = self._usable(program, arguments) if self.least else read_inputs(arguments, self.limits)
        if isinstance(inputs, Grade):
            return inputs
        fault = self._fault(program, inputs, message)
        if fault is not None:
            return fault
        return Proposal(self.kind, self.limits.job(program, inputs, deterministic=True), " ".join(message.split()))

    def _usable(self, program: str, arguments: Sequence[str]) -> list[str] | Grade:
        """Return the inputs that can be used, some to spare; or that there are too few."""
        kept = proposed.usable(program, arguments, proposed.SPARE * self.inputs, self.limits.value_bytes)
        if len(kept) < self.least:
            return Grade(Status.FAILED, reason="few_inputs", detail=f"{len(kept)} usable ones, at least {self.least}")
        return kept

    def _fault(self, program: str, inputs: Sequence[str], message: str) -> Grade | None:
        """Return what the proposer could have seen is wrong with its inputs and message."""
        values: list[Value] = [arguments_of(program, argument) for argument in inputs]
        # As answers are judged, 1 is True and 1.0: a hidden pair of one would be shown by another.
        if (different := len(proposed.different(values))) < len(values):
            detail = f"{different} different inputs, {len(values)} were asked for"
            return Grade(Status.FAILED, reason="repeated_input", detail=detail)
        if len(message) > self.message_characters:
            detail = f"{len(message)} characters, at most {self.message_characters}"
            return Grade(Status.FAILED, reason="message_too_long", detail=detail)
        if code := _CODE.search(message):
            return Grade(Status.FAILED, reason="code_in_message", detail=repr(code[0]))
        return None

    def build_task(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task, with the outputs that the program gave; or that too few of them differ."""
        task = self._of_some(proposal, outcome) if self.least else validation.build_task(proposal, outcome)
        if isinstance(task, Grade):
            return task
        outputs = len(proposed.different([read(output) for _, output in read_payload(task.payload).pairs]))
        if outputs < min(DISTINCT, self.inputs):  # not foreseeable without running it
            return Grade(Status.NEUTRAL, reason="few_outputs", detail=f"{outputs} different outputs")
        return task

    def _of_some(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task of the first N inputs that gave a value, or why there are too few of them."""
        results = outcome.results
        for result in results:
            if result.verdict in (Verdict.NONDETERMINISTIC, Verdict.INFRASTRUCTURE):
                return unusable(result)
        ran = [index for index, result in enumerate(results) if result.verdict is Verdict.VALUE][: self.inputs]
        if len(ran) < self.least:
            return next(unusable(result) for result in results if result.verdict is not Verdict.VALUE)
        job = replace(proposal.job, inputs=tuple(proposal.job.inputs[index] for index in ran))
        return validation.build_task(replace(proposal, job=job), Outcome(tuple(results[index] for index in ran)))

    def probe(self, task: Task, key: Key) -> Job:
        """Return the program on its probes."""
        return validation.probe(task, self.limits)

    def identity(self, task: Task, outcome: Outcome | None) -> Identity | Grade:
        """Return what makes the program and its inputs alike to others."""
        return validation.identity(task, outcome)

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt for a program: the message, and the shown half of the pairs."""
        payload = read_payload(task.payload)
        blocks = [
            block
            for argument, output in payload.shown
            for block in (text.render_input(argument), text.render_output(output))
        ]
        return self.prompts.prompt(
            "solve_induction", message=text.render_message(payload.message), pairs="\n".join(blocks)
        )

    def check(self, task: Task, answer: str) -> Grade | Job:
        """Return the answered program on the hidden inputs."""
        program = text.read_program(answer)
        if isinstance(program, Refusal):
            return malformed(program)
        inputs, golds = zip(*read_payload(task.payload).hidden, strict=True)
        return self.limits.job(program, inputs, golds=golds)

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Return whether, or how often, the program gave the hidden outputs."""
        golds = [gold for _, gold in read_payload(task.payload).hidden]
        for result in outcome.results:
            if result.verdict is Verdict.INFRASTRUCTURE:
                return unusable(result)
        right = sum(matches(result, gold) for result, gold in zip(outcome.results, golds, strict=True))
        if right == len(golds):
            return CORRECT
        if self.fraction and right:
            return Grade(Status.PASSED, rewards.coverage(right, len(golds)))
        failed = next((unusable(result) for result in outcome.results if result.verdict is not Verdict.VALUE), None)
        return failed or WRONG

    def show(self, task: Task) -> list[tuple[str, str]]:
        """Return the message, the pairs, and the program as the answer; no answer where nobody knows one."""
        payload = read_payload(task.payload)
        message = [("message", payload.message)] if payload.message else []
        shown = [("example", f"f({argument}) = {output}") for argument, output in payload.shown]
        hidden = [("hidden", f"f({argument}) = {output}") for argument, output in payload.hidden]
        return [*message, *shown, *hidden, *([("answer", payload.program)] if payload.program else [])]
