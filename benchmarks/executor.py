"""What the executor costs, measured: `python benchmarks/executor.py`, and `--soak` for the long run.

Prints a table and writes it with machine, Python, commit, date and spread to
`benchmarks/results/`. Linux only.

Throughput is per CPU-second of everything that takes part: this process, every live descendant
(`/proc/PID/stat`, with the children each has reaped), and what this process reaped itself. So a busy machine
changes the figures less than a wall clock would. Two things compared are measured in turns, and the ratio is
the median over the turns.
"""

import argparse
import datetime
import json
import os
import platform
import random
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from executor_programs import HONEST, HOSTILE, REAL, TRIVIAL

from absolute_zero.executor import Sandbox, judge_deduction
from absolute_zero.machine import processors
from absolute_zero.types import Job, Verdict

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TICK = os.sysconf("SC_CLK_TCK")


# --- the machine --------------------------------------------------------------------------------------------


def processes() -> dict[int, tuple[int, str, float]]:
    """Return for every process its parent, state letter, and CPU seconds with those of the children it has reaped."""
    table: dict[int, tuple[int, str, float]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # gone in the meantime
            table[int(entry)] = int(fields[1]), fields[0], sum(map(int, fields[11:15])) / TICK
    return table


def descendants(root: int, table: dict[int, tuple[int, str, float]]) -> set[int]:
    below: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, (parent, _, _) in table.items() if parent in fresh} - below
        below |= fresh
    return below


def cpu_seconds() -> float:
    """Return the CPU time so far of this process, of what it has reaped, and of all that live below it."""
    mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    table = processes()
    below = sum(table[pid][2] for pid in descendants(os.getpid(), table))
    return below + sum(usage.ru_utime + usage.ru_stime for usage in mine)


def kilobytes(pid: int, what: str) -> int | None:
    """Return `Pss` or `Rss` of a process in kB; None where the kernel does not let us look."""
    for file, name in (("smaps_rollup", what), ("status", f"Vm{what.upper()}")):
        try:
            text = Path(f"/proc/{pid}/{file}").read_text()
        except OSError:
            continue
        if size := re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE):
            return int(size[1])
    return None


def machine() -> dict[str, object]:
    """Return where this was measured: enough to compare, nothing that names a host, a person or a path."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^(?:model name|Model|CPU part)\s*:\s*(.+)$", text, re.MULTILINE)
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": git.stdout.strip() if git.returncode == 0 else None,
        "cpu": model[1].strip() if model else platform.machine(),
        "cores": processors(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def keep(record: dict[str, Any], name: str, folder: Path) -> None:
    """Write a record under a name that says what, when and on what machine, and say where."""
    short = re.sub(r"[^a-z0-9]+", "-", str(record["cpu"]).lower()).strip("-")[:24].strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{record['date']}-{short}-{record['cores']}c.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(f"written: {path}")


# --- measuring ----------------------------------------------------------------------------------------------


def jobs_of(programs: Sequence[str], count: int, inputs: int = 1, deterministic: bool = False) -> list[Job]:
    """Return `count` jobs that cycle through `programs`; every text is different: nothing can be remembered."""
    return [
        Job(
            program=f"{programs[k % len(programs)]}\n# {k}",
            inputs=tuple(str(10 + (k + i) % 50) for i in range(inputs)),
            deterministic=deterministic,
        )
        for k in range(count)
    ]


def spent(sandbox: Sandbox, jobs: Sequence[Job]) -> tuple[float, float]:
    """Return CPU seconds and wall seconds per job. A job that gives no value is a fault of the measurement."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    outcomes = sandbox.run(jobs)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    bad = [result for outcome in outcomes for result in outcome.results if result.verdict is not Verdict.VALUE]
    if bad:
        raise SystemExit(f"{len(bad)} of {len(jobs)} jobs gave no value; the first: {bad[0]}")
    return cpu / len(jobs), wall / len(jobs)


def fresh_interpreters(count: int) -> tuple[float, float]:
    """Return the same for `python -I -S -c`: a new interpreter per run, no wall at all."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    for k in range(count):
        subprocess.run([sys.executable, "-I", "-S", "-c", f"{TRIVIAL}\nprint(f({k}))"], check=True, capture_output=True)
    return (cpu_seconds() - cpu) / count, (time.perf_counter() - wall) / count


Measured = Callable[[], tuple[float, float]]


def in_turns(rounds: int, *measured: Measured) -> list[list[tuple[float, float]]]:
    """Take every measurement once per round, forwards and backwards by turns, after a round that is thrown away."""
    taken: list[list[tuple[float, float]]] = [[] for _ in measured]
    for turn in range(rounds + 1):
        order = list(range(len(measured)))
        for which in order if turn % 2 else reversed(order):
            figure = measured[which]()
            if turn:
                taken[which].append(figure)
    return taken


def row(name: str, unit: str, figures: Sequence[float], needed: str = "") -> dict[str, object]:
    """Return a line of the table: the median and the spread over the rounds."""
    return {
        "name": name,
        "unit": unit,
        "median": round(statistics.median(figures), 4),
        "min": round(min(figures), 4),
        "max": round(max(figures), 4),
        "rounds": len(figures),
        "needed": needed,
    }


def throughput(rounds: int, programs: int) -> Iterator[dict[str, object]]:
    """Measure programs and inputs per CPU-second, against no walls and against a new interpreter per run."""
    with ExitStack() as stack:
        ours = stack.enter_context(Sandbox(workers=1, recycle_after=None))
        yield {"name": "isolation level", "level": ours.level}
        bare = stack.enter_context(Sandbox(workers=1, level="weak", minimum_level="weak", recycle_after=None))
        few = max(5, programs // 20)
        single, ten, weak, real, checked, fresh = in_turns(
            rounds,
            lambda: spent(ours, jobs_of([TRIVIAL], programs)),
            lambda: spent(ours, jobs_of([TRIVIAL], programs, inputs=10)),
            lambda: spent(bare, jobs_of([TRIVIAL], programs)),
            lambda: spent(ours, jobs_of(REAL, programs)),
            lambda: spent(ours, jobs_of([TRIVIAL], programs, deterministic=True)),
            lambda: fresh_interpreters(few),
        )
    rate, ratio = "per CPU-second", "CPU / CPU"
    pairs = list(zip(single, ten, weak, fresh, strict=True))
    yield row("isolated programs, trivial", rate, [1 / cpu for cpu, _ in single], "> 500")
    yield row("isolated programs, real-looking", rate, [1 / cpu for cpu, _ in real])
    yield row("isolated programs, trivial, four runs", rate, [1 / cpu for cpu, _ in checked])
    yield row("rlimits-only programs, trivial", rate, [1 / cpu for cpu, _ in weak])
    yield row("inputs, 10 per program", rate, [10 / cpu for cpu, _ in ten])
    yield row("10 inputs / 1 input", ratio, [many[0] / once[0] for once, many, _, _ in pairs], "<= 1.25")
    yield row("isolated / rlimits-only", ratio, [once[0] / plain[0] for once, _, plain, _ in pairs], "<= 1.15")
    yield row("new interpreter per run", rate, [1 / cpu for cpu, _ in fresh])
    yield row("new interpreter / isolated", ratio, [new[0] / once[0] for once, _, _, new in pairs], ">= 7")
    yield row("new interpreter / isolated, wall", "s / s", [new[1] / once[1] for once, _, _, new in pairs])


def workers_latency_memory(rounds: int, programs: int) -> Iterator[dict[str, object]]:
    """Measure two workers against one, the latency of a single job, and the memory of a worker."""
    with ExitStack() as stack:
        started = time.perf_counter()
        alone = stack.enter_context(Sandbox(workers=1, recycle_after=None))
        yield row("start of a sandbox of one worker", "ms", [(time.perf_counter() - started) * 1e3])
        paired = stack.enter_context(Sandbox(workers=2, recycle_after=None))
        single, double = in_turns(
            rounds,
            lambda: spent(alone, jobs_of([TRIVIAL], programs)),
            lambda: spent(paired, jobs_of([TRIVIAL], programs)),
        )
        yield row("one worker", "programs per second", [1 / wall for _, wall in single])
        yield row("two workers", "programs per second", [1 / wall for _, wall in double])
        pairs = zip(single, double, strict=True)
        yield row("two workers / one worker", "speed / speed", [first[1] / both[1] for first, both in pairs])
        times = [spent_wall(alone, k) * 1e3 for k in range(max(40, programs // 2))]
        cuts = statistics.quantiles(times, n=20)
        yield row("latency of a single job, p50", "ms", [cuts[9]])
        yield row("latency of a single job, p95", "ms", [cuts[18]])
        paired.run([Job(TRIVIAL, ("1",), deterministic=True)] * 50)  # starts the zygotes that only check
        for what in ("Pss", "Rss"):
            sizes = [kilobytes(pid, what) for pid in paired.pids()]
            if sizes and all(sizes):
                total = sum(size for size in sizes if size) / 1024 / 2
                yield row(f"memory per worker ({what.upper()} of {len(sizes) // 2} processes)", "MiB", [total])


def spent_wall(sandbox: Sandbox, k: int) -> float:
    job = Job(program=f"{TRIVIAL}\n# {k}", inputs=(str(k),))
    started = time.perf_counter()
    sandbox.run([job])
    return time.perf_counter() - started


def deduction(rounds: int, answers: int) -> Iterator[dict[str, object]]:
    """Measure the judge of deduction, which runs nothing."""
    texts = ["[1, 2, 3]", "'some text'", "{'a': 1, 'b': [1.5, None]}", "42", "(1, {2, 3})"]
    figures: list[float] = []
    for _ in range(rounds):
        started = time.process_time()
        if not all(judge_deduction(gold=texts[k % 5], answer=texts[k % 5]) for k in range(answers)):
            raise SystemExit("judge_deduction refused an equal text")
        figures.append(answers / (time.process_time() - started))
    yield row("judge_deduction", "per CPU-second", figures)


# --- the soak -----------------------------------------------------------------------------------------------


def soak_job(i: int, key: random.Random) -> tuple[Job, str]:
    """Return job `i` and what must come of it: its value or exception, which no other job has; "" for a hostile job."""
    if key.random() < 0.02:
        return Job(program=key.choice(HOSTILE), inputs=(str(i),), cpu_seconds=0.2), ""
    program, argument, answer = key.choice(HONEST)
    checked = key.random() < 0.1  # in the other zygotes too: they must not leak either
    return Job(program=program.format(i=i), inputs=(argument.format(i=i),), deterministic=checked), answer(i)


def soak_child(count: int) -> None:
    """Run `count` programs, print what was seen as one line of JSON, then keep running until killed."""
    key = random.Random(0)
    wrong: list[str] = []
    verdicts: dict[str, int] = {}
    with Sandbox(workers=2, recycle_after=None) as sandbox:
        before: dict[int, int | None] = {}
        started = time.perf_counter()
        cpu, done = cpu_seconds(), 0
        while done < count:
            batch = [soak_job(done + k, key) for k in range(min(500, count - done))]
            outcomes = sandbox.run([job for job, _ in batch])
            if len(outcomes) != len(batch):
                wrong.append(f"{len(batch)} jobs, {len(outcomes)} outcomes")
            for (job, expected), outcome in zip(batch, outcomes, strict=True):
                [got] = outcome.results
                verdicts[got.verdict] = verdicts.get(got.verdict, 0) + 1
                honest = (got.value or got.detail) == expected and got.verdict in (
                    Verdict.VALUE,
                    Verdict.ERROR,
                )
                hostile = got.verdict not in (Verdict.VALUE, Verdict.INFRASTRUCTURE)
                if not (honest if expected else hostile):
                    wrong.append(f"{job.program!r} on {job.inputs}: {got}")
            done += len(batch)
            if not before and done >= min(1_000, count // 2):
                before = {pid: kilobytes(pid, "Rss") for pid in sandbox.pids()}
            if done % 10_000 == 0:
                print(f"{done:,} of {count:,}, {len(wrong)} wrong", file=sys.stderr, flush=True)
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu
        after = {pid: kilobytes(pid, "Rss") for pid in sandbox.pids()}
        time.sleep(0.2)
        table = processes()
        below = descendants(os.getpid(), table)
        seen = {
            "programs": count,
            "level": sandbox.level,
            "wall_seconds": round(wall, 1),
            "cpu_seconds": round(cpu, 1),
            "verdicts": dict(sorted(verdicts.items())),
            "lost_doubled_or_wrong": len(wrong),
            "first_wrong": wrong[:5],
            "zombies": sum(table[pid][1] == "Z" for pid in below),
            "replaced_processes": len(before.keys() - after.keys()),
            "rss_kB": list(after.values()),
            "growth_kB": [
                now - then for pid, then in before.items() if then is not None and (now := after.get(pid)) is not None
            ],
        }
        print(json.dumps([seen, sorted(below)]), flush=True)
        while True:
            sandbox.run([soak_job(k, key)[0] for k in range(200)])


def soak(count: int) -> dict[str, object]:
    """Soak in a process of its own, which is then killed with SIGKILL in the middle of its work."""
    command = [sys.executable, str(Path(__file__).resolve()), "--soak-child", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise SystemExit(f"the soak ended without a report, exit code {child.wait()}")
        seen, _ = json.loads(line)
        time.sleep(0.3)
        below = descendants(child.pid, processes())
        child.send_signal(signal.SIGKILL)
        killed = time.perf_counter()
        child.wait()
        # A dead process that nobody reaps (a container without an init) is gone for our purpose.
        while (alive := {pid for pid, it in processes().items() if pid in below and it[1] not in "ZX"}) and (
            time.perf_counter() - killed < 5
        ):
            time.sleep(0.005)
    seen["processes_when_killed"] = len(below)
    seen["left_after_5_s"] = len(alive)
    seen["seconds_until_all_gone"] = None if alive else round(time.perf_counter() - killed, 3)
    return seen


# --- the command --------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure the executor; results go to benchmarks/results/.")
    parser.add_argument("--rounds", type=int, default=7, help="turns per measurement (default 7)")
    parser.add_argument("--programs", type=int, default=1_000, help="programs per turn (default 1,000)")
    parser.add_argument("--soak", type=int, nargs="?", const=100_000, help="only the soak (default 100,000 programs)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--soak-child", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.soak_child:
        return soak_child(chosen.soak_child)
    record = machine()
    if chosen.soak:
        record |= {"command": f"benchmarks/executor.py --soak {chosen.soak}", "soak": soak(chosen.soak)}
        print(json.dumps(record["soak"], indent=2))
    else:
        record["command"] = f"benchmarks/executor.py --rounds {chosen.rounds} --programs {chosen.programs}"
        rows: list[dict[str, object]] = []
        for part in (throughput, workers_latency_memory):
            for line in part(chosen.rounds, chosen.programs):
                rows.append(line)
                show(line)
        for line in deduction(chosen.rounds, chosen.programs * 5):
            rows.append(line)
            show(line)
        record["rows"] = rows
    keep(record, "executor-soak" if chosen.soak else "executor", chosen.out)


def show(line: dict[str, object]) -> None:
    if "level" in line:
        print(f"level {line['level']}\n{'':52} {'median':>10} {'min':>10} {'max':>10}")
        return
    name = f"{line['name']} [{line['unit']}]"
    figures = (float(str(line[key])) for key in ("median", "min", "max"))
    shown = " ".join(f"{figure:10,.0f}" if figure >= 100 else f"{figure:10.3f}" for figure in figures)
    print(f"{name:52.72} {shown}  {line['needed']}", flush=True)


if __name__ == "__main__":
    main()
