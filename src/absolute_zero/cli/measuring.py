"""`azr eval`: how good a model is on tasks that it never trained on, with intervals.

Asks, answers and grades through `selfplay.solve`, as training does. Writes nothing.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from absolute_zero.cli.opened import Opened, opened
from absolute_zero.components import domain_of
from absolute_zero.evals.statistics import EvalResult, Interval, table
from absolute_zero.evals.suites import evaluate, first, read_tasks, suites
from absolute_zero.keys import Key
from absolute_zero.types import Task, UserError

Rows = dict[str, dict[str, Any]]
"""By kind and `mean`: `n`, `greedy`, and `pass1` and `pass8` by temperature."""
Results = dict[str, list[EvalResult]]
"""By temperature: how each task was answered, in the order of the suite."""


def measure(
    source: str, settings: Sequence[str], recipe: str | None, data: Sequence[Path], most: int,
    temperatures: Sequence[float], as_json: bool,
) -> None:  # fmt: skip
    """Print how a model answers suites: those of its domain, or those in files."""
    if len({path.stem for path in data}) < len(data):
        raise UserError("two files of --data have the same name: a suite is named by its file, so rename one")
    console = Console()
    with opened(source, recipe, settings) as model:
        tasks = _suites(model, data, most)
        if not as_json:
            level = getattr(model.parts.executor, "level", "unknown")
            console.print(Text(f"model {model.name}   sandbox {level}   seed {model.cfg.seed}"), soft_wrap=True)
        results = {name: _results(model, name, own, temperatures) for name, own in tasks.items()}
    rows = {name: _rows(own) for name, own in results.items()}
    if as_json:
        plain = {name: {at: [astuple(r) for r in own] for at, own in by.items()} for name, by in results.items()}
        print(json.dumps({"model": model.name, "seed": model.cfg.seed, "suites": _plain(rows), "results": plain}))
        return
    for name, own in rows.items():
        console.print(_shown(name, own))


def _suites(model: Opened, data: Sequence[Path], most: int) -> Mapping[str, list[Task]]:
    domain = domain_of(model.cfg)
    if data:
        tasks = {path.stem: first(read_tasks(path, domain, model.parts), most) for path in data}
    else:
        tasks = suites(domain, most)
    if not tasks:
        raise UserError(f"the domain {domain.name} brings no held-out tasks: give some with --data")
    for name, own in tasks.items():
        if not any(task.kind in model.parts.task_types for task in own):
            raise UserError(f"{name} holds no task of a kind that this model's settings play: give other tasks")
    return tasks


def _results(model: Opened, name: str, tasks: Sequence[Task], temperatures: Sequence[float]) -> Results:
    # The draws of `azr train` when it measures, so that the numbers are the same.
    key = Key(model.cfg.seed).at("suite", name)
    results: Results = {}
    for index, temperature in enumerate(dict.fromkeys(temperatures)):
        sampling = replace(model.cfg.sampling.drawing, temperature=temperature)
        results[f"{temperature:g}"] = evaluate(model.parts, tasks, sampling, key, greedy=index == 0)
    return results


def _rows(results: Results) -> Rows:
    rows: Rows = {}
    for temperature, own in results.items():
        counts = Counter(result.kind for result in own)
        for kind, metrics in table(own).items():
            row = rows.setdefault(kind, {"n": counts[kind] or len(own), "greedy": metrics["greedy"], "pass1": {}})
            row["pass1"][temperature] = metrics["t1"]
            row.setdefault("pass8", {})[temperature] = metrics["pass8"]
    return rows


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: it has no nan."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in cast("tuple[Any, ...]", value)]
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(name: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = Table(f"{name}, %".replace("[", r"\["), "n", "sampling", "pass@1", "pass@8", box=None, pad_edge=False)
    for kind, row in rows.items():
        shown.add_row(kind, str(row["n"]), "greedy", _cell(row["greedy"]), "")
        for temperature, interval in row["pass1"].items():
            shown.add_row("", "", f"T={temperature}", _cell(interval), _cell(row["pass8"][temperature]))
    return shown


def _cell(interval: Interval) -> str:
    return f"{100 * interval.value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
