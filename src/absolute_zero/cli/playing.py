"""`azr play`: ask a model, and see everything: the prompt, its thought, its answer, and what came of it.

What is asked goes through `selfplay.propose`, `gate` and `solve`, as in training. Nothing is learned or stored. Text of
a model reaches the terminal without control letters.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from absolute_zero import selfplay, text
from absolute_zero.cli.opened import Opened
from absolute_zero.config import Config
from absolute_zero.executor import guard
from absolute_zero.keys import Key
from absolute_zero.ports import Task
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Problem,
    Proposal,
    Role,
    Rollout,
    Sampling,
    Status,
    UserError,
)
from absolute_zero.values import Unreadable, Unwritable, canonical, read

_SAID: Final[Mapping[Status, str]] = {
    Status.PASSED: "partly right", Status.FAILED: "wrong", Status.MALFORMED: "malformed",
    Status.NEUTRAL: "refused", Status.MASKED: "not judged",
}  # fmt: skip


def propose(model: Opened, kinds: Sequence[Kind], how: Sampling, seed: int) -> None:
    """One proposal of each kind, through the gate; and what is accepted, tried by the same model."""
    for kind in kinds:
        _played(model, kind)
    cfg = _once(model.cfg, how)
    world = model.world._replace(tasks={kind: model.world.tasks[kind] for kind in kinds})
    key, console = Key(seed), Console()
    rulings = selfplay.gate(1, selfplay.propose(world, model.buffer, cfg, key), world, model.buffer)
    entries = [ruling.made for ruling in rulings if isinstance(ruling.made, Entry)]
    trials = selfplay.solve(entries, cfg.solve.trials, world, how, key)
    fresh = [selfplay.tried(entry, tries) for entry, tries in zip(entries, trials, strict=True)]
    paid = selfplay.compute_advantages(selfplay.reward_proposals(rulings, fresh, cfg), cfg, key)
    known = {entry.id: (entry, tries) for entry, tries in zip(fresh, trials, strict=True)}
    for ruling, rollout in zip(rulings, paid, strict=True):
        _show(console, rollout.role, rollout.kind, rollout.prompt, rollout.completion)
        worth = "not counted" if rollout.reward is None else f"worth {rollout.reward:+.2f} to the proposer"
        if isinstance(ruling.made, Entry):
            entry, tries = known[ruling.made.id]
            for given, output in entry.problem.pairs:
                _line(console, "it runs", f"f({given}) = {output}", "")
            _line(console, "accepted", f"solved by {entry.successes} of {entry.trials} tries: {worth}", "green")
            _show(console, Role.SOLVE, entry.problem.kind, tries[0].prompt, tries[0].completion)
            _verdict(console, tries[0])
        else:
            detail = f": {ruling.made.detail}" if ruling.made.detail else ""
            _line(console, "refused", f"{ruling.made.reason}{detail}; {worth}", "red")


def solve(model: Opened, problem: Problem, tries: int, how: Sampling, seed: int) -> None:
    """So many answers to a task, and whether they are right."""
    _played(model, problem.kind)
    [rollouts] = selfplay.solve([Entry(1, problem)], tries, model.world, how, Key(seed))
    console = Console()
    for number, rollout in enumerate(rollouts):
        _show(console, rollout.role, rollout.kind, "" if number else rollout.prompt, rollout.completion)
        _verdict(console, rollout)
    if tries > 1:
        _line(console, "right", f"{sum(one.grade.right for one in rollouts)} of {tries}", "")


def problem_of(model: Opened, program: str, inputs: Sequence[str], outputs: Sequence[str], message: str) -> Problem:
    """The task that was given: a program with an input (deduction) or with an output (abduction), or pairs (induction).

    Raises UserError for what makes no task, a program that gives no value among it.
    """
    if not program:
        if len(inputs) != len(outputs) or len(inputs) < 2:
            raise UserError("give --program with one --input or --output, or as many inputs as outputs, two or more")
        pairs = tuple(zip(inputs, map(_value, outputs), strict=True))
        return Problem(Kind.INDUCTION, "", pairs, message)
    if len(inputs) + len(outputs) != 1 or message:
        raise UserError("beside --program give either one --input (deduction) or one --output (abduction)")
    if outputs:
        if refusal := guard(program):
            raise UserError(f"the program makes no task ({refusal}): mend it")
        return Problem(Kind.ABDUCTION, program, (("", _value(outputs[0])),))
    task = _played(model, Kind.DEDUCTION)
    made = task.read([], text.render_program_and_input(program, inputs[0]))
    if isinstance(made, Proposal):
        [outcome] = model.world.executor.run([made.job])
        made = task.mint(made, outcome)
    if isinstance(made, Grade):
        raise UserError(f"the program makes no task ({made.reason} {made.detail}): mend it or its input".strip())
    return made


def _played(model: Opened, kind: Kind) -> Task:
    if kind not in model.world.tasks:
        raise UserError(f"this model's settings do not play {kind}: set kinds")
    return model.world.tasks[kind]


def _value(output: str) -> str:
    try:
        return canonical(read(output))
    except (Unreadable, Unwritable) as error:
        raise UserError(f"--output {output!r} is no literal value ({error}): write it as Python does") from None


def _once(cfg: Config, how: Sampling) -> Config:
    """Settings that propose one task of a kind, drawn like this."""
    sampling = cfg.sampling.model_copy(update={"temperature": how.temperature, "top_p": how.top_p})
    return cfg.model_copy(update={"propose": cfg.propose.model_copy(update={"batch": 1}), "sampling": sampling})


# --- showing ------------------------------------------------------------------------------------------------


def _show(console: Console, role: Role, kind: Kind, prompt: str, completion: Completion) -> None:
    if prompt:
        console.print(Rule(f"{role} {kind}", align="left", style="dim"))
        _part(console, prompt.removesuffix(text.THINK), "dim")
    parts = selfplay.read_answer(prompt or text.THINK, completion)
    if isinstance(parts, Grade):
        _part(console, completion.text, "")
        return
    thought, _, answer = completion.text.partition(text.THOUGHT)
    _part(console, thought.strip(), "italic cyan")
    _part(console, answer.strip().removeprefix(text.ANSWER).removesuffix(text.ANSWERED), "bold")


def _verdict(console: Console, rollout: Rollout) -> None:
    found = rollout.grade
    word = "right" if found.right else _SAID[found.status]
    why = " ".join(part for part in (found.reason, found.detail) if part and part != word)
    _line(console, word, why, "green" if found.right else "red")


def _part(console: Console, words: str, style: str) -> None:
    if words.strip():
        console.print(Text(_safe(words.strip("\n")), style), soft_wrap=True)


def _line(console: Console, word: str, rest: str, style: str) -> None:
    line = Text.assemble("=> ", (word, f"bold {style}"), f"  {_safe(rest)}".rstrip().replace("\n", " "))
    console.print(line, soft_wrap=True)


def _safe(words: str) -> str:
    """Without letters that could steer the terminal."""
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in words)
