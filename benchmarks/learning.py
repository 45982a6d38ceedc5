"""Whether self-play teaches: `python benchmarks/learning.py --runs FOLDER`.

Runs `azr train` for every seed in two arms of equal length: `trained`; and `shuffled`, where advantages are shuffled
within role and kind. For the first seed in two more: `frozen`, with learning rate 0, and `long`, which is three times
as long. `shuffled` and `frozen` must not gain. Each run ends with its results on the held-out suites before and after;
runs that are there already are not run again. The first model and the trained ones are measured at lower temperatures
too: a gain at temperature 1 that only sharpens what the model knew does not reach its best of these. Then, from the run
databases: what became of the proposals, over proposals and not over accepted tasks. Writes everything to
`docs/results/learning.json` and prints tables. Settings after `--` go to every run.
"""

import argparse
import ast
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from executor import machine

from absolute_zero.config import load
from absolute_zero.domains.python.payload import INDUCTION, KINDS
from absolute_zero.evals.runs import results_of
from absolute_zero.evals.statistics import Estimate, EvalResult, difference, table
from absolute_zero.store import Store
from absolute_zero.text import Answer, read_program, thought_and_answer
from absolute_zero.types import Role


class Arm(NamedTuple):
    """A way to train: its settings, how many times the usual steps, and with how many of the seeds (None: all)."""

    settings: tuple[str, ...] = ()
    times: int = 1
    seeds: int | None = None


ARMS: Mapping[str, Arm] = {
    "trained": Arm(),
    "shuffled": Arm(("estimator.shuffled=true",)),
    "frozen": Arm(("update.learning_rate=0.0",), seeds=1),
    "long": Arm(times=3, seeds=1),
}
TEMPERATURES = (0.4, 0.7)
"""Beside 0 and 1, which every run measures."""
RESULTS = Path(__file__).parents[1] / "docs" / "results"
PARTS = 4
"""A run's steps are divided into this many parts, to see what changes."""
ROWS = (*KINDS, "mean", "ood_mean")


def trained(folder: Path, seed: int, settings: Sequence[str]) -> dict[str, Any]:
    """The result of a run, made if it is not there."""
    result = folder / "result.json"
    if not result.exists():
        begin = ["--runs", str(folder.parent), "--name", folder.name, f"seed={seed}", *settings]
        command = [sys.executable, "-m", "absolute_zero.cli", "train"]
        subprocess.run([*command, *(("--resume", str(folder)) if folder.exists() else begin)], check=True)
    return json.loads(result.read_text())


# --- what became of the proposals ---------------------------------------------------------------------------


def proposals(folder: Path) -> list[dict[str, Any]]:
    """By part of the run: valid and malformed shares, size, behaviours, reasons; per kind where it matters."""
    with Store.read(folder / "run.db") as store:
        last = store.last_step() or 0
        metrics = store.metrics(0)
        tasks = [task for task in store.tasks() if task.step > 0]
        rejections = store.rejections(0)
        parts: list[dict[str, Any]] = []
        for part in range(PARTS):
            steps = range(last * part // PARTS + 1, last * (part + 1) // PARTS + 1)
            count: Counter[str] = Counter()
            for step, name, value in metrics:
                if step in steps and name.startswith(("proposals/total/", "proposals/valid/", "proposals/accepted/")):
                    count[name] += int(value)
            reasons: Counter[str] = Counter()
            for step, rejection in rejections:
                if step in steps:
                    reasons[rejection.reason] += rejection.count
            asked = sum(count[f"proposals/total/{kind}"] for kind in KINDS)
            sizes = [size for step in steps for size in _sizes(store, step)]
            behaviours = {(task.kind, task.behaviour) for task in tasks if task.step in steps}
            parts.append({
                "steps": [steps.start, steps.stop - 1],
                "valid": _shares(count, "valid"),
                "accepted": _shares(count, "accepted"),
                "live_nodes": statistics.mean(sizes) if sizes else None,
                "behaviours_per_100": 100 * len(behaviours) / max(1, asked),
                "reasons_per_100": {name: 100 * n / max(1, asked) for name, n in reasons.most_common(8)},
            })  # fmt: skip
    return parts


def _shares(count: Counter[str], stage: str) -> dict[str, float]:
    return {kind: count[f"proposals/{stage}/{kind}"] / max(1, count[f"proposals/total/{kind}"]) for kind in KINDS}


def _sizes(store: Store, step: int) -> Iterable[int]:
    """Nodes of the programs that were proposed in a step, accepted or not, without statements of no effect."""
    for kept in store.rollouts(step):
        rollout = kept.rollout
        if rollout.role is Role.PROPOSE and rollout.kind != INDUCTION:
            parts = thought_and_answer(rollout.completion.text, opened=True)
            program = read_program(parts.text) if isinstance(parts, Answer) else None
            if isinstance(program, str):
                try:
                    yield live_nodes(program)
                except SyntaxError:
                    continue


def live_nodes(program: str) -> int:
    """Nodes of the syntax tree that are left when assignments to names that nobody reads are gone, and theirs.

    >>> live_nodes("def f(x):\\n    y = x * 2\\n    z = y\\n    return x") == live_nodes("def f(x):\\n    return x")
    True
    """
    tree = ast.parse(program)
    while True:
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        idle = _Idle(read)
        idle.visit(tree)
        if not idle.found:
            return sum(1 for _ in ast.walk(tree))


class _Idle(ast.NodeTransformer):
    """Takes out `name = ...` for names that are not read."""

    def __init__(self, read: set[str]) -> None:
        self.read = read
        self.found = 0

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        if all(isinstance(target, ast.Name) and target.id not in self.read for target in node.targets):
            self.found += 1
            return None
        return node


# --- the study ----------------------------------------------------------------------------------------------


def measured(model: str, place: Path, tasks: int, settings: Sequence[str]) -> dict[str, Any]:
    """What `azr eval` says of a model at TEMPERATURES, kept in a file."""
    if not place.exists():
        command = [sys.executable, "-m", "absolute_zero.cli", "eval", model, *settings, "--json", f"--tasks={tasks}"]
        command += [word for temperature in TEMPERATURES for word in ("--temperature", str(temperature))]
        place.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return json.loads(place.read_text())


def results(folder: Path, step: int, told: Mapping[str, Any]) -> dict[str, list[EvalResult]]:
    """By temperature, how each held-out task was answered in a step of a run: at 1 and greedily by the run itself."""
    with Store.read(folder / "run.db") as store:
        once = results_of(store, "held_out", step)
    greedy = [EvalResult(it.kind, it.greedy is True, int(it.greedy is not None), None, it.group) for it in once]
    others = {at: [EvalResult(*row) for row in rows] for at, rows in told["results"]["held_out"].items()}
    return {"0": greedy, **others, "1": once}


def cooler(before: Mapping[str, Sequence[EvalResult]], after: Mapping[str, Sequence[EvalResult]]) -> dict[str, Any]:
    """Whether the run did more than sharpen: one try before and after at every temperature, and after at 1 against
    before at its best."""

    def plain(found: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Estimate]:
        return {row: metrics["pass_at_1"] for row, metrics in found.items()}

    best = max(before, key=lambda at: table(before[at])["mean"]["pass_at_1"].value)
    return {
        "before": {at: plain(table(some)) for at, some in before.items()},
        "after": {at: plain(table(some)) for at, some in after.items()},
        "difference": {at: plain(difference(before[at], after[at])) for at in before},
        "best_before": best,
        "after_at_1_minus_best_before": plain(difference(before[best], after["1"])),
    }


def pooled(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """The difference of every seed, by row and metric."""
    return {
        row: {metric: [one["difference"][row][metric][0] for one in results] for metric in ("t1", "greedy", "pass8")}
        for row in ROWS
        if row in results[0]["difference"]
    }


def main() -> None:
    """Run what is missing, then show and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; then also give model.threads=1")
    parser.add_argument("--out", type=Path, default=RESULTS / "learning.json")
    parser.add_argument("settings", nargs="*", help="settings of every run, KEY=VALUE")
    given = parser.parse_args()
    given.runs.mkdir(parents=True, exist_ok=True)
    cfg = load("laptop", given.settings)
    others = [setting for setting in given.settings if not setting.startswith("steps=")]
    command = f"benchmarks/learning.py --jobs {given.jobs} -- {' '.join(given.settings)}"
    found: dict[str, Any] = {"command": command, "machine": machine(), "arms": {}}
    seeds = {arm: given.seeds[: ARMS[arm].seeds] for arm in given.arms}
    folders = {(arm, seed): given.runs / f"{arm}-{seed}" for arm, some in seeds.items() for seed in some}
    # The longest first, so that workers end together.
    order = sorted(folders, key=lambda it: -ARMS[it[0]].times)
    begun = {it: [f"steps={cfg.steps * ARMS[it[0]].times}", *others, *ARMS[it[0]].settings] for it in order}
    with ThreadPoolExecutor(given.jobs) as pool:
        try:
            tasks = cfg.evals.tasks
            first = pool.submit(measured, cfg.model.path, given.runs / "before.json", tasks, others)
            runs = {it: pool.submit(trained, folders[it], it[1], begun[it]) for it in order}
            ended = {it: runs[it].result() for it in folders}
            last = {
                (arm, seed): pool.submit(
                    measured, f"{place}/checkpoints/{cfg.steps}", place / "after.json", tasks, [*others, f"seed={seed}"]
                )
                for (arm, seed), place in folders.items()
                if arm == "trained"
            }
            sharp = {
                it: cooler(results(folders[it], 0, first.result()), results(folders[it], cfg.steps, after.result()))
                for it, after in last.items()
            }
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found["before_by_temperature"] = {name: part for name, part in first.result().items() if name != "results"}
    for arm, some in seeds.items():
        gains = pooled([ended[arm, seed] for seed in some])
        found["arms"][arm] = {
            "seeds": some,
            "config": json.loads((folders[arm, some[0]] / "config.json").read_text()),
            "gains": gains,
            "results": [ended[arm, seed] for seed in some],
            "temperatures": [sharp[arm, seed] for seed in some if (arm, seed) in sharp],
            "proposals": [proposals(folders[arm, seed]) for seed in some],
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(found, indent=1) + "\n")
        for row, metrics in gains.items():
            cells = [f"{metric} {' '.join(f'{100 * gain:+5.1f}' for gain in some)}" for metric, some in metrics.items()]
            print(f"{arm:<9} {row:<10}", "   ".join(cells))


if __name__ == "__main__":
    main()
