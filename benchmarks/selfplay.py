"""What a step of self-play costs, by part and apart from the model: `python benchmarks/selfplay.py`.

Trains the scripted apprentice, whose answers cost next to nothing, so that what is left is the story, the sandbox and
the store. Two questions: does a step stay as fast over a thousand steps, and what does its bookkeeping cost beside a
million stored tasks? Bookkeeping is what has to do with the past: all of the buffer (references, novelty, practice)
and of the store (the commit). Reading and comparing texts is neither; it is what is left of a step without the
policy, the sandbox and the bookkeeping. A third question, with the embedded model: where do the seconds of a step of
the recipe `laptop` go? The clocks are those of a run, `absolute_zero.run.Timed`. Prints a table and writes it with
machine, Python, commit and date to `benchmarks/results/`. Linux only.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from executor import RESULTS, keep, machine, show

from absolute_zero.buffer import Buffer
from absolute_zero.components import Timed, open_components
from absolute_zero.config import load
from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.payload import INDUCTION, KINDS, task_of
from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Apprentice, Scripted
from absolute_zero.ports import Components
from absolute_zero.run import Run, play
from absolute_zero.store import Store
from absolute_zero.training import train
from absolute_zero.types import Step, Task

BULK = 20_000
"""Tasks per commit while filling."""


@contextmanager
def bookkeeping() -> Generator[list[float]]:
    """A sum of the seconds spent in the buffer and in commits, while this is open."""
    spent = [0.0]
    places = [(Buffer, name) for name in ("references", "admit", "add", "practice")] + [(Store, "commit")]
    before = [(owner, name, getattr(owner, name)) for owner, name in places]

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent[0] += time.perf_counter() - start

        return run

    for owner, name, call in before:
        setattr(owner, name, timed(call))
    try:
        yield spent
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


def task(id_: int, step: int, random_: random.Random) -> Task:
    """A straight line that nobody proposed, about as long as a model's program."""
    kind = KINDS[id_ % 3]
    program = "def f(x):\n" + "    # as long as a real one\n" * 6 + f"    return x * {id_} + 1"
    pairs = tuple((str(x), str(x * id_ + 1)) for x in range(6 if kind == INDUCTION else 1))
    identity = {name: f"{random_.getrandbits(64):016x}" for name in ("family", "exact", "behaviour")}
    known = {"id": id_, "step": step, "references": (1, 2), "trials": 8, "successes": 3, **identity}
    return replace(task_of(kind, program, pairs, "A line."), **known)


def fill(store: Store, tasks: int) -> None:
    """This many tasks, in seeding rounds long before the first one."""
    random_ = random.Random(0)
    for number, start in enumerate(range(0, tasks, BULK)):
        ids = range(start + 1, min(start + BULK, tasks) + 1)
        round_ = -1_000_000 + number
        store.commit(Step(round_, (), tuple(task(id_, round_, random_) for id_ in ids), ()), {})


def row(name: str, unit: str, figures: Sequence[float], needed: str = "") -> dict[str, object]:
    three = statistics.median(figures), min(figures), max(figures)
    line: dict[str, object] = {"name": name, "unit": unit, "needed": needed, "rounds": len(figures)}
    return line | {key: round(figure, 4) for key, figure in zip(("median", "min", "max"), three, strict=True)}


def parts(folder: Path, steps: int, settings: Sequence[str]) -> list[dict[str, object]]:
    """Where the seconds of the recipe's steps go, but for those of the first step, which warms up. Without the base
    model's answers (`evals.base_every`); checkpoints are in the rest."""
    cfg = load("laptop", [f"steps={steps}", "evals.base_every=0", *settings])
    spent: dict[int, dict[str, float]] = {}
    with open_components(cfg) as opened, Run.begin(cfg, folder, "recipe") as run:
        for _ in play(run, opened):
            pass
        for step, name, value in run.store.clocks(1):
            spent.setdefault(step, {})[name] = float(value)
    whole = [step["time/step"] for step in spent.values()]
    seconds = {part: [step[f"time/{part}"] for step in spent.values()] for part in ("sample", "update", "execute")}
    seconds["the rest"] = [step - sum(timed) for step, *timed in zip(whole, *seconds.values(), strict=True)]
    lines = [row("a step of the recipe laptop", "s", whole)]
    lines += [row(f"of it {part}", "s", some) for part, some in seconds.items()]
    besides = zip(seconds["execute"], seconds["the rest"], whole, strict=True)
    shares = [(execute + rest) / step for execute, rest, step in besides]
    lines.append(row("of it execute and the rest", "share", shares, "< 0.1"))
    for name, per in (("sampled", "sample"), ("trained", "update")):
        rates = [step[f"tokens/{name}"] / some for step, some in zip(spent.values(), seconds[per], strict=True)]
        lines.append(row(f"tokens {name}", "1/s", rates))
    return lines


@dataclass
class Times:
    """Milliseconds of each step but the first: all of it, its bookkeeping, and what is left without policy and
    sandbox; and the seconds from the store to the end of the first step."""

    whole: list[float] = field(default_factory=list[float])
    books: list[float] = field(default_factory=list[float])
    texts: list[float] = field(default_factory=list[float])
    began: float = 0.0


def apprentice(folder: Path, sandbox: Sandbox, steps: int, stored: int, batch: int) -> Times:
    """Train beside this many stored tasks."""
    cfg = load("laptop", [f"propose.batch={batch}", f"steps={steps}", "sampling.max_tokens=100000"])
    times = Times()
    with Store.open(folder / "run.db", rollouts=cfg.store.rollouts) as store:
        fill(store, stored)
        if stored:  # the first step comes next, and seeding has been
            store.commit(Step(0, (), (), ()), {})
        task_types = {task_type.kind: task_type for task_type in DOMAIN.task_types(cfg)}
        timed = Timed(Components(Scripted(Apprentice(rate=0.001)), sandbox, task_types, frozenset(), DOMAIN.seeds()))
        with bookkeeping() as books:
            for done in train(timed.parts, store, cfg):
                clocks = timed.clocks(done)
                spent = clocks["time/step"]
                elsewhere = sum(clocks.get(f"time/{part}", 0.0) for part in ("sample", "update", "execute"))
                if done.number == 1:
                    times.began = spent
                elif done.number > 1:
                    times.whole.append(1000 * spent)
                    times.books.append(1000 * books[0])
                    times.texts.append(1000 * (spent - books[0] - elsewhere))
                books[0] = 0.0
    return times


def constant(folder: Path, sandbox: Sandbox, steps: int, batch: int) -> list[dict[str, object]]:
    """A long run by tenths."""
    times = apprentice(folder, sandbox, steps, stored=0, batch=batch)
    tenth = len(times.whole) // 10
    lines: list[dict[str, object]] = []
    for name, series in (("whole step", times.whole), ("bookkeeping", times.books), ("texts", times.texts)):
        tenths = [series[part * tenth : (part + 1) * tenth] for part in range(10)]
        for part in (0, 4, 9):
            lines.append(row(f"{name}, tenth {part + 1} of {steps} steps", "ms", tenths[part]))
        ratio = statistics.median(tenths[9]) / statistics.median(tenths[0])
        lines.append(row(f"{name}, last tenth / first", "ratio", [ratio], "about 1"))
    return lines


def crowded(folder: Path, sandbox: Sandbox, stored: int, batch: int) -> list[dict[str, object]]:
    """Bookkeeping beside many stored tasks, and beside none, each in a run of its own."""
    lines: list[dict[str, object]] = []
    times = Times()
    for tasks in (0, stored):
        place = folder / str(tasks)
        place.mkdir()
        times = apprentice(place, sandbox, 40, tasks, batch)
        lines.append(row(f"bookkeeping of a step beside {tasks:,} tasks", "ms", times.books, "< 50"))
        lines.append(row(f"texts of a step beside {tasks:,} tasks", "ms", times.texts))
    lines.append(row(f"reading {stored:,} tasks, and the first step", "s", [times.began]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines.append(row(f"peak memory with {stored:,} tasks", "MiB", [peak]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure steps of self-play; writes to benchmarks/results/.")
    parser.add_argument("--recipe-steps", type=int, default=12, help="steps of the recipe laptop (default 12; 0: none)")
    parser.add_argument("--steps", type=int, default=1_000, help="length of the long run (default 1,000)")
    parser.add_argument("--stored", type=int, default=1_000_000, help="tasks in the full store (default 1,000,000)")
    parser.add_argument("--batch", type=int, default=16, help="proposals of each kind and step (default 16)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("settings", nargs="*", help="KEY=VALUE for the run of the recipe")
    chosen = parser.parse_args()
    if chosen.recipe_steps and chosen.recipe_steps < 2:
        parser.error("--recipe-steps is 0 or at least 2: the first step is not counted")
    if chosen.steps < 11:
        parser.error("--steps is at least 11: the long run is shown by tenths, without its first step")
    if chosen.stored < 100:
        parser.error("--stored is at least 100: a run goes on with its seeds; a store without any is measured too")
    record = machine()
    sizes = [f"--{name.replace('_', '-')} {size}" for name, size in vars(chosen).items() if isinstance(size, int)]
    record["command"] = " ".join(["benchmarks/selfplay.py", *sizes, *chosen.settings])
    lines: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        show({"level": sandbox.level})
        (Path(folder) / "long").mkdir()
        lines += crowded(Path(folder), sandbox, chosen.stored, chosen.batch)
        lines += constant(Path(folder) / "long", sandbox, chosen.steps, chosen.batch)
        if chosen.recipe_steps:
            lines += parts(Path(folder), chosen.recipe_steps, chosen.settings)
    for line in lines:
        show(line)
    record["rows"] = lines
    keep(record, "selfplay", chosen.out)


if __name__ == "__main__":
    main()
