"""A made-up run with everything in it, for the report: rejections, malformed and masked rollouts, long thoughts.

No model and no executor: numbers are drawn from a seeded generator around curves that a real run might have. Its domain
is `DOMAIN` here, `made_up:DOMAIN` in the settings, which can show tasks and nothing else.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from absolute_zero.monitors import step_metrics
from absolute_zero.rewards import composite, learnability
from absolute_zero.store import Flag, Store
from absolute_zero.types import (
    Completion,
    Grade,
    Job,
    Prompt,
    Proposal,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    Validation,
)

KINDS = ("deduction", "abduction", "induction")
ODD_KINDS = ("x_mean", "k1", "SQL-injection_of_a-very_long-word-for-a_kind", "Übung", "mean-free")
"""Kinds that look like other words of the page, or like nothing that fits."""
REASONS = (
    (Status.NEUTRAL, "duplicate", ""),
    (Status.NEUTRAL, "crowded", ""),
    (Status.NEUTRAL, "constant", ""),
    (Status.FAILED, "error", "ZeroDivisionError"),
    (Status.FAILED, "ignores_input", ""),
    (Status.FAILED, "copy", "of task 3"),
    (Status.FAILED, "timeout", ""),
    (Status.FAILED, "nondeterministic", ""),
    (Status.MALFORMED, "open_thought", ""),
    (Status.MALFORMED, "truncated", ""),
    (Status.MASKED, "infrastructure", ""),
)
PROGRAM = "def f(x):\n    total = {a}\n    for y in range(x):\n        total += y * {b} % {c}\n    return total"
THOUGHT = "x is {x}, so the loop runs {x} times; I add {b} times each and take the rest by {c}. "


class MadeUpType:
    """A kind of task that can be shown."""

    sources: tuple[str, ...] = ()
    max_references: int | None = None

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        """Whatever else a task type has is not asked for."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        program, pairs, message = json.loads(task.payload).values()
        parts = [("program", program), *([("message", message)] if message else [])]
        inputs, answers = zip(*pairs, strict=True)
        return [*parts, *(("input", it) for it in inputs), ("answer", "\n".join(answers))]


class MadeUpDomain:
    """A domain that can show tasks."""

    name = "made_up"
    settings = None
    templates = ""

    def __getattr__(self, name: str) -> Any:
        """Whatever else a domain has is not asked for."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: ()

    def task_types(self, cfg: Any) -> Sequence[MadeUpType]:
        return [MadeUpType(kind) for kind in KINDS]


DOMAIN = MadeUpDomain()


@dataclass
class MadeUp:
    """What the next steps are made of."""

    steps: int = 60
    batch: int = 16
    trials: int = 8
    kinds: tuple[str, ...] = KINDS
    seed: int = 0
    tasks: int = 0
    random: Random = field(default_factory=lambda: Random(0))

    def progress(self, step: int) -> float:
        return 1 / (1 + math.exp(-6 * (step / max(self.steps, 1) - 0.4)))

    def step(self, number: int) -> Step:
        """A whole step; one number below 1 is a round of seeding."""
        validations: list[Validation] = []
        rollouts: list[Rollout] = []
        fresh: list[Task] = []
        for kind in self.kinds:
            for item in range(self.batch):
                validation = self.validation(number, kind, item)
                validations.append(validation)
                task, grade = validation.task, Grade(Status.PASSED)
                if isinstance(validation.result, Grade):
                    grade = validation.result
                if task:
                    if number >= 1:
                        solutions = [self.solution(number, task, attempt) for attempt in range(self.trials)]
                        correct = sum(it.grade.correct for it in solutions)
                        task = replace(task, trials=self.trials, successes=correct)
                        grade = Grade(Status.PASSED, learnability(correct, self.trials))
                        rollouts += solutions
                    fresh.append(task)
                proposal = validation.proposal
                id_ = task.id if task else 0
                rollouts.append(rewarded(Role.PROPOSE, kind, item, 0, id_, proposal.prompt, proposal.completion, grade))
        stats = {"loss": -0.01, "entropy": 2 - number / 99}
        return Step(number, tuple(validations), tuple(fresh), tuple(rollouts), stats=stats)

    def validation(self, number: int, kind: str, item: int) -> Validation:
        random, good = self.random, 0.35 + 0.4 * self.progress(number)
        text = f"propose {kind} {number} {item}\n" + "```python\ndef f(x):\n    return x\n```\n" * 3 + "<think>"
        prompt = Prompt(text, opens_thought=True)
        a, b, c = random.randrange(99), random.randrange(2, 9), random.randrange(3, 12)
        program = PROGRAM.format(a=a, b=b, c=c)
        if random.random() < 0.4 + 0.5 * self.progress(number):
            program = program.replace("    return", "    if total > x:\n        total -= x\n    return")
        answer = f"```python\n{program}\n```\n```input\n5\n```"
        response = f"Something with a loop, as {a} is too easy.</think><answer>{answer}</answer>"
        completion = Completion(response, (1,) * (40 + random.randrange(50)), ())
        induction = kind == "induction"
        if random.random() < good:
            self.tasks += 1
            pairs = [(str(x), str(x * b)) for x in range(1, 7 if induction else 2)]
            payload = json.dumps({"program": program, "pairs": pairs, "message": "It adds rests." if induction else ""})
            task = Task(
                kind, payload, title=program.partition("\n")[0], label="int", id=self.tasks, step=number,
                references=(0, 1), exact=f"{a}{b}{c}", family=f"{a}", behaviour=f"{b} {c}",
            )  # fmt: skip
            parsed = Proposal(kind, Job(program, ("5",)))
            return Validation(ProposalRollout(kind, item, (), prompt, completion, parsed), task, valid=True)
        weights = [8, 6, 3, 5, 4, 3, 2, 1, 9 * (1 - good), 6 * (1 - good), 0.3]
        [(status, reason, detail)] = random.choices(REASONS, weights)
        grade = Grade(status, 0.0, reason, detail)
        if reason == "truncated":
            completion = Completion("and so on " * 40, (1,) * 160, (), truncated=True)
        parsed = grade if status is Status.MALFORMED else Proposal(kind, Job(program, ("5",)))
        proposal = ProposalRollout(kind, item, (), prompt, completion, parsed)
        return Validation(proposal, grade, valid=status is Status.NEUTRAL)

    def solution(self, number: int, task: Task, attempt: int) -> Rollout:
        random = self.random
        hard = Random(task.id).betavariate(2, 2) + (0.12 if task.kind == "abduction" else 0.0)
        luck = random.random()
        thought = THOUGHT.format(x=5, b=3, c=4) * random.randrange(1, 6 + number // 20)
        tokens = len(thought) // 4
        answer: str = json.loads(task.payload)["pairs"][0][1]
        if luck < 0.14 * (1 - self.progress(number)):
            status, reason, response = Status.MALFORMED, "open_thought", thought
        elif luck < 0.15 + 0.7 * self.progress(number) * (1.3 - hard):
            status, reason, response = Status.PASSED, "", f"{thought}</think><answer>{answer}</answer>"
        else:
            status, reason, response = Status.FAILED, "wrong", f"{thought}</think><answer>{attempt}</answer>"
        program: str = json.loads(task.payload)["program"]
        prompt = Prompt(f"solve {task.kind}\n```python\n{program}\n```\n<think>", opens_thought=True)
        completion = Completion(response, (1,) * tokens, (), truncated=status is Status.MALFORMED and attempt % 2 == 0)
        grade = Grade(status, float(status is Status.PASSED), reason)
        return rewarded(Role.SOLVE, task.kind, task.id, attempt, task.id, prompt, completion, grade)


def rewarded(
    role: Role, kind: str, item: int, attempt: int, task: int, prompt: Prompt, completion: Completion, grade: Grade
) -> Rollout:
    """A rollout with what it earned."""
    reward = composite(grade.status, grade.score)
    weight = 0.0 if reward is None else 1.0 if role is Role.PROPOSE else 0.125
    return Rollout(role, kind, item, attempt, task, prompt, completion, grade, reward, weight, 2 * (reward or 0.0))


def write(folder: Path, made: MadeUp, result: bool = True, rollouts: str = "all", base: bool = True) -> Path:
    """A run folder with this run in it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "seed": made.seed, "steps": made.steps, "domain": "made_up:DOMAIN", "kinds": made.kinds,
        "model": {"path": "made-up"}, "sampling": {"max_tokens": 160},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings))
    with Store.open(folder / "run.db", rollouts) as store:  # type: ignore[arg-type]
        for number in range(-1, made.steps + 1):
            step = made.step(number)
            metrics = step_metrics(step)
            if base and number >= 1 and number % 10 == 1:
                rate = 0.42 - 0.2 * made.progress(number)
                metrics |= {f"difficulty/success_rate_base/{kind}": rate for kind in made.kinds}
            flags = [Flag("short_seeding", f"12 of 16 {made.kinds[-1]} tasks")] if number == 1 else []
            store.commit(step, metrics, {"time/step": 7.5, "tokens/sampled": 9000.0}, flags=flags)
    if result:
        (folder / "result.json").write_text(json.dumps(evaluated(made.kinds)))
    return folder


def evaluated(kinds: Sequence[str] = KINDS) -> Mapping[str, object]:
    """A result as an evaluation writes it."""
    before = {kind: (0.312, 0.254, 0.041)[index % 3] for index, kind in enumerate(kinds)}
    before |= {"mean": 0.202, "ood_mean": 0.113}
    change = {kind: (0.184, 0.146, 0.007)[index % 3] for index, kind in enumerate(kinds)}
    change |= {"mean": 0.112, "ood_mean": 0.021}
    sides: dict[str, dict[str, dict[str, list[float | None]]]] = {"before": {}, "after": {}, "difference": {}}
    for row, value in before.items():
        for metric, more in (("t1", 0.0), ("greedy", 0.06), ("pass8", 0.3)):
            gain = change[row] * (0.5 if metric != "t1" else 1)
            for side, it, half in (
                ("before", value + more, 0.035),
                ("after", value + more + gain, 0.035),
                ("difference", gain, 0.027),
            ):
                sides[side].setdefault(row, {})[metric] = [round(it, 4), round(it - half, 4), round(it + half, 4)]
    sides["difference"]["ood_mean"]["pass8"] = [None, None, None]
    rest = {"steps": 60, "seconds": 803.2, "sampled_tokens": 2_412_000, "trained_tokens": 1_902_000}
    return {**sides, **rest, "sandbox_level": "sealed", "commit": "4ce1348", "seed": 0}
