"""`azr play`: ask a model, and see everything: the prompt, its thought, its answer, and what came of it.

What is asked goes through `evals.turns` and `selfplay.solve`, as in training. Nothing is learned or stored.
Text of a model reaches the terminal without control letters.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from absolute_zero import selfplay, text
from absolute_zero.evals.turns import propose_and_solve
from absolute_zero.forms import told_apart
from absolute_zero.keys import Key
from absolute_zero.run import OpenModel
from absolute_zero.types import Completion, Grade, Prompt, Role, Rollout, Sampling, Status, Task

_WORDS: Final[Mapping[Status, str]] = {
    Status.PASSED: "partly right", Status.FAILED: "wrong", Status.MALFORMED: "malformed",
    Status.NEUTRAL: "rejected", Status.MASKED: "not graded",
}  # fmt: skip


def propose(model: OpenModel, kinds: Sequence[str], sampling: Sampling, seed: int) -> None:
    """Show one proposal of each kind, validated; and what is accepted, solved by the same model."""
    console = Console()
    for turn in propose_and_solve(kinds, model.parts, model.buffer, model.cfg, sampling, Key(seed)):
        rollout, result = turn.proposal, turn.result
        _show(console, rollout.role, rollout.kind, rollout.prompt, rollout.completion)
        worth = "not counted" if rollout.reward is None else f"worth {rollout.reward:+.2f} to the proposer"
        if isinstance(result, Grade):
            detail = f": {result.detail}" if result.detail else ""
            _line(console, "rejected", f"{result.reason}{detail}; {worth}", "red")
            continue
        for label, part in model.parts.task_types[result.kind].show(result):
            if "\n" not in part:  # what is longer stands in the proposal
                _line(console, label, part, "")
        _line(console, "accepted", f"{result.successes} of {result.trials} rollouts solve it: {worth}", "green")
        first = turn.solutions[0]
        _show(console, first.role, first.kind, first.prompt, first.completion)
        _grade(console, first)


def solve(model: OpenModel, task: Task, rollouts: int, sampling: Sampling, seed: int) -> None:
    """Show this many answers to a task, and whether they are right."""
    answers = selfplay.solve([task], rollouts, model.parts, sampling, Key(seed))
    console = Console()
    for number, rollout in enumerate(answers):
        _show(console, rollout.role, rollout.kind, rollout.prompt, rollout.completion, asked=not number)
        _grade(console, rollout)
    if rollouts > 1:
        _line(console, "right", f"{sum(answer.grade.correct for answer in answers)} of {rollouts}", "")


# --- showing ------------------------------------------------------------------------------------------------


def _show(console: Console, role: Role, kind: str, prompt: Prompt, completion: Completion, asked: bool = True) -> None:
    if asked:
        console.print(Rule(f"{role} {kind}", align="left", style="dim"))
        _part(console, _question(prompt), "dim")
    parts = told_apart(prompt, completion)
    if parts is None:
        _part(console, completion.text, "")
        return
    _part(console, parts.thought.strip(), "italic cyan")
    _part(console, parts.text.strip(), "bold")


def _question(prompt: Prompt) -> str:
    """Return what is asked; of a chat only the last turn of the user, as what comes before it is always the same."""
    turns = [message for message in prompt.messages if message.role == "user"]
    if not turns:
        return prompt.shown.rstrip().removesuffix(text.THINK)
    before = prompt.messages.index(turns[-1])
    return f"{f'({before} messages before this one)' if before else ''}\n{turns[-1].content}"


def _grade(console: Console, rollout: Rollout) -> None:
    grade = rollout.grade
    word = "right" if grade.correct else _WORDS[grade.status]
    why = " ".join(part for part in (grade.reason, grade.detail) if part and part != word)
    _line(console, word, why, "green" if grade.correct else "red")


def _part(console: Console, words: str, style: str) -> None:
    if words.strip():
        console.print(Text(_safe(words.strip("\n")), style), soft_wrap=True)


def _line(console: Console, word: str, rest: str, style: str) -> None:
    line = Text.assemble("=> ", (word, f"bold {style}"), f"  {_safe(rest)}".rstrip().replace("\n", " "))
    console.print(line, soft_wrap=True)


def _safe(words: str) -> str:
    """Return the words without letters that could steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in words)
