"""What the run database costs, measured: `python benchmarks/store.py`.

Fills one database with a million tasks, then commits equal steps to it and to an empty one in turns: what a commit
costs must not depend on what is there. Prints a table and writes it with machine, Python, commit, date and spread to
`benchmarks/results/`. Linux only. CPU is this process's, kernel time included; wall times include the syncs, so they
are the disk's as much as ours.
"""

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from executor import RESULTS, keep, kilobytes, machine, row, show

from absolute_zero.store import Store
from absolute_zero.types import Completion, Grade, Prompt, Role, Rollout, Status, Step, Task

BULK = 20_000
"""Tasks per commit while filling."""
ACCEPTED, PROPOSALS, ROLLOUTS = 48, 60, 5
"""A step: tasks accepted, proposals, rollouts per accepted task."""
PROMPT, RESPONSE, PROGRAM = 3_000, 800, 250
"""Characters of each text."""

KINDS = ("deduction", "abduction", "induction")
WORDS = "def f(x): return sum(x) for i in range(len(x)) if not x[i] % 2 else sorted(x)[::-1] + [0, 1] <think>".split()


def text(key: random.Random, length: int) -> str:
    """Return code-like text, so that it compresses about as code does."""
    return " ".join(key.choice(WORDS) + str(key.randrange(100)) for _ in range(length // 7))[:length]


def task(id_: int, step: int, key: random.Random) -> Task:
    """Return a task with a payload as the domain `python` writes it."""
    program = text(key, PROGRAM)
    content = json.dumps({"program": program, "pairs": [["[1, 2, 3]", "6"]], "message": ""}, separators=(",", ":"))
    identity = (digest(key), digest(key), digest(key))
    return Task(KINDS[id_ % 3], content, program[:80], "", "", id_, step, (1, 2, 3), *identity, 8, 3)


def digest(key: random.Random) -> str:
    """Return 128 random bits in hexadecimal."""
    return f"{key.getrandbits(128):032x}"


def steps(start: int, first: int) -> Iterator[Step]:
    """Yield equal steps for equal arguments: 48 tasks and 300 responses each."""
    for number in count(start):
        key = random.Random(number)
        tasks = tuple(task(first + k, number, key) for k in range(ACCEPTED))
        prompts = [Prompt(text(key, PROMPT)) for _ in range(PROPOSALS + ACCEPTED)]
        rollouts: list[Rollout] = []
        for k in range(PROPOSALS + ACCEPTED * ROLLOUTS):
            role = Role.PROPOSE if k < PROPOSALS else Role.SOLVE
            item = k if k < PROPOSALS else PROPOSALS + (k - PROPOSALS) // ROLLOUTS
            completion = Completion(text(key, RESPONSE), tokens=(1,) * 200, logprobs=(-1.0,) * 200)
            grade = Grade(Status.FAILED, reason="wrong", detail="[1, 2] is not [2, 1]")
            solved = first + item - PROPOSALS if role is Role.SOLVE else 0
            address = (role, KINDS[item % 3], item, k % ROLLOUTS, solved)
            rollouts.append(Rollout(*address, prompts[item], completion, grade, -0.5, 1.0, key.random()))
        yield Step(number, (), tasks, tuple(rollouts))
        first += ACCEPTED


def fill(store: Store, tasks: int) -> None:
    """Write that many tasks, by few and large commits. Texts are drawn from a few: only their length matters here."""
    key = random.Random(0)
    stock = [task(0, 0, key) for _ in range(1_000)]
    for number, start in enumerate(range(0, tasks, BULK), start=1):
        bulk: list[Task] = []
        for id_ in range(start + 1, min(start + BULK, tasks) + 1):
            identity = {name: digest(key) for name in ("exact", "family", "behaviour")}
            bulk.append(replace(stock[id_ % len(stock)], id=id_, step=number, **identity))
        store.commit(Step(number, (), tuple(bulk), ()), {"reward": 0.5})


def timed(store: Store, step: Step) -> tuple[float, float]:
    """Return CPU and wall milliseconds of one commit."""
    cpu, wall = time.process_time(), time.perf_counter()
    store.commit(step, {f"metric {k}": k / 7 for k in range(60)}, {"wall": 1.0})
    return (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3


def measured(folder: Path, tasks: int, commits: int) -> Iterator[dict[str, object]]:
    """Yield the rows of the table."""
    paths = [folder / f"{name}.db" for name in ("empty", "full", "none")]
    with Store.open(paths[0]) as empty, Store.open(paths[1]) as full, Store.open(paths[2], "none") as none:
        yield {"name": "journal", "level": full.journal}
        started = time.perf_counter()
        fill(full, tasks)
        yield row(f"fill with {tasks:,} tasks", "s", [time.perf_counter() - started])
        stores = [empty, full, none]
        feeds = [steps(1, 1), steps((full.last_step() or 0) + 1, tasks + 1), steps(1, 1)]
        took: list[list[tuple[float, float]]] = [[], [], []]
        for turn in range(commits + 1):
            for which in (0, 1, 2) if turn % 2 else (2, 1, 0):
                figures = timed(stores[which], next(feeds[which]))
                if turn:  # the first round warms up
                    took[which].append(figures)
        for name, figures in zip(["empty", f"{tasks:,} tasks", "empty, no texts kept"], took, strict=True):
            yield row(f"commit of a step, {name}, CPU", "ms", [cpu for cpu, _ in figures], "< 30")
            yield row(f"commit of a step, {name}, wall", "ms", [wall for _, wall in figures])
        pairs = list(zip(took[1], took[0], strict=True))
        yield row(f"{tasks:,} tasks / empty, CPU", "CPU / CPU", [big[0] / small[0] for big, small in pairs])
        started = time.perf_counter()
        full.rewind((full.last_step() or 0) - 1)
        yield row("rewind by one step", "ms", [(time.perf_counter() - started) * 1e3])
    # Closed, so that nothing waits in a write-ahead log.
    yield row("size per task", "bytes", [paths[1].stat().st_size / tasks])
    yield row("size per step", "bytes", [paths[0].stat().st_size / (commits + 1)])
    with Store.read(paths[1]) as store:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
        before = kilobytes(os.getpid(), "Hwm") or 0
        started = time.perf_counter()
        count_read = sum(1 for _ in store.tasks())
        yield row(f"read {count_read:,} tasks", "s", [time.perf_counter() - started])
        added = (kilobytes(os.getpid(), "Hwm") or 0) - before
        yield row("memory that reading tasks added at its peak", "kB", [added])
    opened: list[float] = []
    for _ in range(10):
        started = time.perf_counter()
        Store.open(paths[1]).close()
        opened.append((time.perf_counter() - started) * 1e3)
    yield row(f"open and close, {tasks:,} tasks", "ms", opened)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description="Measure the run database; results go to benchmarks/results/.")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="tasks that are there (default 1,000,000)")
    parser.add_argument("--commits", type=int, default=100, help="commits to each database (default 100)")
    parser.add_argument("--folder", type=Path, help="where the databases are made (default: the temporary folder)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    chosen = parser.parse_args(arguments)
    record = machine()
    record["command"] = f"benchmarks/store.py --tasks {chosen.tasks} --commits {chosen.commits}"
    record["step"] = (
        f"{ACCEPTED} tasks of {PROGRAM} characters; {PROPOSALS + ACCEPTED * ROLLOUTS} responses of {RESPONSE} to"
        f" {PROPOSALS + ACCEPTED} prompts of {PROMPT}; 60 metrics"
    )
    rows: list[dict[str, object]] = []
    folder = Path(tempfile.mkdtemp(dir=chosen.folder))
    try:
        for line in measured(folder, chosen.tasks, chosen.commits):
            rows.append(line)
            show(line)
    finally:
        shutil.rmtree(folder)
    record["rows"] = rows
    keep(record, "store", chosen.out)


if __name__ == "__main__":
    main()
