"""A made-up run with everything in it, for the report: three kinds, refusals, broken forms, void ones, long thoughts.

No model and no sandbox: numbers are drawn from a seeded generator around curves that a real run might have.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from absolute_zero.monitors import measure
from absolute_zero.rewards import composite, learnability
from absolute_zero.store import Flag, Store
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Job,
    Kind,
    Problem,
    Proposal,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Validation,
)

REASONS = (
    (Status.NEUTRAL, "duplicate", ""),
    (Status.NEUTRAL, "crowded", ""),
    (Status.NEUTRAL, "constant", ""),
    (Status.FAILED, "error", "ZeroDivisionError"),
    (Status.FAILED, "ignores_input", ""),
    (Status.FAILED, "copy", "of entry 3"),
    (Status.FAILED, "timeout", ""),
    (Status.FAILED, "nondeterministic", ""),
    (Status.MALFORMED, "open_thought", ""),
    (Status.MALFORMED, "cut", ""),
    (Status.MASKED, "infrastructure", ""),
)
PROGRAM = "def f(x):\n    total = {a}\n    for y in range(x):\n        total += y * {b} % {c}\n    return total"
THOUGHT = "x is {x}, so the loop runs {x} times; I add {b} times each and take the rest by {c}. "


@dataclass
class MadeUp:
    """What the next steps are made of."""

    steps: int = 60
    batch: int = 16
    trials: int = 8
    kinds: tuple[Kind, ...] = tuple(Kind)
    seed: int = 0
    entries: int = 0
    random: Random = field(default_factory=lambda: Random(0))

    def progress(self, step: int) -> float:
        return 1 / (1 + math.exp(-6 * (step / max(self.steps, 1) - 0.4)))

    def step(self, number: int) -> Step:
        """A whole step; one number below 1 is a round of seeding."""
        rulings: list[Validation] = []
        rollouts: list[Rollout] = []
        fresh: list[Entry] = []
        for kind in self.kinds:
            for item in range(self.batch):
                ruling = self.ruling(number, kind, item)
                rulings.append(ruling)
                made = ruling.made
                judged = made if isinstance(made, Grade) else Grade(Status.PASSED)
                known = 0
                if isinstance(made, Entry):
                    known = made.id
                    if number >= 1:
                        tries = [self.answer(number, made, attempt) for attempt in range(self.trials)]
                        right = sum(it.grade.status is Status.PASSED for it in tries)
                        made = Entry(**{**plain(made), "trials": self.trials, "successes": right})
                        judged = Grade(Status.PASSED, learnability(right, self.trials))
                        rollouts += tries
                    fresh.append(made)
                draft = ruling.draft
                rollouts.append(paid(Role.PROPOSE, kind, item, 0, known, draft.prompt, draft.completion, judged))
        return Step(number, tuple(rulings), tuple(fresh), tuple(rollouts), {"loss": -0.01, "entropy": 2 - number / 99})

    def ruling(self, number: int, kind: Kind, item: int) -> Validation:
        random, good = self.random, 0.35 + 0.4 * self.progress(number)
        prompt = f"propose {kind} {number} {item}\n" + "```python\ndef f(x):\n    return x\n```\n" * 3 + "<think>"
        a, b, c = random.randrange(99), random.randrange(2, 9), random.randrange(3, 12)
        program = PROGRAM.format(a=a, b=b, c=c)
        if random.random() < 0.4 + 0.5 * self.progress(number):
            program = program.replace("    return", "    if total > x:\n        total -= x\n    return")
        answer = f"```python\n{program}\n```\n```input\n5\n```"
        said = f"Something with a loop, as {a} is too easy.</think><answer>{answer}</answer>"
        completion = Completion(said, (1,) * (40 + random.randrange(50)), ())
        if random.random() < good:
            self.entries += 1
            pairs = tuple((str(x), str(x * b)) for x in range(1, 7 if kind is Kind.INDUCTION else 2))
            message = "It adds rests." if kind is Kind.INDUCTION else ""
            problem = Problem(kind, program, pairs, message)
            entry = Entry(self.entries, problem, number, (0, 1), f"{a}", f"{a}{b}{c}", f"{b} {c}")
            read = Proposal(kind, Job(program, ("5",)))
            return Validation(ProposalRollout(kind, item, (), prompt, completion, read), entry, valid=True)
        weights = [8, 6, 3, 5, 4, 3, 2, 1, 9 * (1 - good), 6 * (1 - good), 0.3]
        [(status, reason, detail)] = random.choices(REASONS, weights)
        judged = Grade(status, 0.0, reason, detail)
        if reason == "cut":
            completion = Completion("and so on " * 40, (1,) * 160, (), truncated=True)
        read = judged if status is Status.MALFORMED else Proposal(kind, Job(program, ("5",)))
        return Validation(
            ProposalRollout(kind, item, (), prompt, completion, read), judged, valid=status is Status.NEUTRAL
        )

    def answer(self, number: int, entry: Entry, attempt: int) -> Rollout:
        random, kind = self.random, entry.problem.kind
        hard = Random(entry.id).betavariate(2, 2) + (0.12 if kind is Kind.ABDUCTION else 0.0)
        key = random.random()
        thought = THOUGHT.format(x=5, b=3, c=4) * random.randrange(1, 6 + number // 20)
        tokens = len(thought) // 4
        if key < 0.14 * (1 - self.progress(number)):
            status, reason, said = Status.MALFORMED, "open_thought", thought
        elif key < 0.15 + 0.7 * self.progress(number) * (1.3 - hard):
            status, reason = Status.PASSED, ""
            said = f"{thought}</think><answer>{entry.problem.pairs[0][1]}</answer>"
        else:
            status, reason, said = Status.FAILED, "wrong", f"{thought}</think><answer>{attempt}</answer>"
        prompt = f"solve {kind}\n```python\n{entry.problem.program}\n```\n<think>"
        completion = Completion(said, (1,) * tokens, (), truncated=status is Status.MALFORMED and attempt % 2 == 0)
        judged = Grade(status, float(status is Status.PASSED), reason)
        return paid(Role.SOLVE, kind, entry.id, attempt, entry.id, prompt, completion, judged)


def plain(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def paid(
    role: Role, kind: Kind, item: int, attempt: int, known: int, prompt: str, said: Completion, judged: Grade
) -> Rollout:
    reward = composite(judged.status, judged.score)
    weight = 0.0 if reward is None else 1.0 if role is Role.PROPOSE else 0.125
    return Rollout(role, kind, item, attempt, known, prompt, said, judged, reward, weight, 2 * (reward or 0.0))


def write(folder: Path, made: MadeUp, result: bool = True, rollouts: str = "all", base: bool = True) -> Path:
    """A run folder with this run in it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"seed": made.seed, "steps": made.steps, "model": {"path": "made-up"}, "sampling": {"max_tokens": 160}}
    (folder / "config.json").write_text(json.dumps(settings))
    with Store.open(folder / "run.db", rollouts) as store:  # type: ignore[arg-type]
        for number in range(-1, made.steps + 1):
            step = made.step(number)
            metrics = measure(step)
            if base and number >= 1 and number % 10 == 1:
                metrics |= {f"solve_rate/base/{kind}": 0.42 - 0.2 * made.progress(number) for kind in made.kinds}
            flags = [Flag("short_seeding", "12 of 16 induction tasks")] if number == 1 else []
            store.commit(step, metrics, {"seconds": 7.5, "tokens/sampled": 9000.0}, flags=flags)
    if result:
        (folder / "result.json").write_text(json.dumps(evaluated()))
    return folder


def evaluated() -> Mapping[str, object]:
    """A result as an evaluation writes it."""
    before = {"deduction": 0.312, "abduction": 0.254, "induction": 0.041, "mean": 0.202, "ood_mean": 0.113}
    change = {"deduction": 0.184, "abduction": 0.146, "induction": 0.007, "mean": 0.112, "ood_mean": 0.021}
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
