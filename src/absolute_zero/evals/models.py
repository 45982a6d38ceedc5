"""How a model answers suites at several temperatures: what `azr eval` shows.

At temperature 1 the results are those of a run that evaluates the same model. Writes nothing. Floor 4.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from absolute_zero.components import domain_of
from absolute_zero.config import Config
from absolute_zero.evals.statistics import Estimate, EvalResult, table
from absolute_zero.evals.suites import evaluate, first, read_tasks, suite_key, suites
from absolute_zero.ports import Components
from absolute_zero.types import Task, UserError

Results = dict[str, list[EvalResult]]
"""By temperature: how each task was answered, in the order of the suite."""


@final
@dataclass(slots=True)
class Row:
    """What a model reaches on the tasks of a kind, or in the mean over the kinds."""

    n: int
    """Tasks."""
    greedy: Estimate
    pass_at_1: dict[str, Estimate] = field(default_factory=dict[str, Estimate])
    """By temperature, as is `pass_at_8`."""
    pass_at_8: dict[str, Estimate] = field(default_factory=dict[str, Estimate])


def choose_suites(cfg: Config, parts: Components, files: Sequence[Path], most: int) -> Mapping[str, list[Task]]:
    """Return at most `most` tasks of each kind by suite: those of files, by name of the file, or else of the domain.

    Raises UserError if there are none, and for a file that cannot be read or has the name of another.
    """
    if len({path.stem for path in files}) < len(files):
        raise UserError("two files of tasks have the same name: a suite is named by its file, so rename one")
    domain = domain_of(cfg)
    if files:
        tasks = {path.stem: first(read_tasks(path, domain, parts), most) for path in files}
    else:
        tasks = suites(domain, most)
    if not tasks:
        raise UserError(f"the domain {domain.name} brings no held-out tasks: give some with --data")
    for name, suite in tasks.items():
        if not any(task.kind in parts.task_types for task in suite):
            raise UserError(f"{name} holds no task of a kind that this model's settings play: give other tasks")
    return tasks


def tasks_by_kind(cfg: Config, parts: Components, files: Sequence[Path]) -> dict[str, list[Task]]:
    """Return tasks to answer by kind: of the first file that has some, or else of the domain's first such suite; a kind
    without any is left out.

    Raises UserError for a file that cannot be read, or holds no task of a kind that is played.
    """
    every = 1_000_000
    tables = [choose_suites(cfg, parts, files, every)] if files else []
    if domain_of(cfg).suites():
        tables.append(choose_suites(cfg, parts, (), every))
    by_kind: dict[str, list[Task]] = {}
    for suite in (suite for table_ in tables for suite in table_.values()):
        for kind in parts.task_types:
            if kind not in by_kind and (own := [task for task in suite if task.kind == kind]):
                by_kind[kind] = own
    return by_kind


def evaluate_at(
    temperatures: Sequence[float], name: str, tasks: Sequence[Task], parts: Components, cfg: Config
) -> Results:
    """Return how the tasks of a suite are answered at each temperature; greedily only once, with the first."""
    results: Results = {}
    for index, temperature in enumerate(dict.fromkeys(temperatures)):
        sampling = replace(cfg.sampling.drawing, temperature=temperature)
        results[f"{temperature:g}"] = evaluate(parts, tasks, sampling, suite_key(cfg.seed, name), greedy=index == 0)
    return results


def rows_of(results: Results) -> dict[str, Row]:
    """Return what a suite came to, by kind and as `mean`."""
    rows: dict[str, Row] = {}
    for temperature, answered in results.items():
        counts = Counter(result.kind for result in answered)
        for kind, metrics in table(answered).items():
            row = rows.setdefault(kind, Row(counts[kind] or len(answered), metrics["greedy"]))
            row.pass_at_1[temperature], row.pass_at_8[temperature] = metrics["pass_at_1"], metrics["pass_at_8"]
    return rows
