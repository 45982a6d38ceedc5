"""`azr eval`: how good a model is on tasks that it never trained on, with intervals.

Asks, answers and judges through `selfplay.solve`, as training does. Writes nothing.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from absolute_zero.cli.opened import Opened, opened
from absolute_zero.evals.statistics import EvalResult, Interval, table
from absolute_zero.evals.triplets import evaluate, first, read_suite, suite_files
from absolute_zero.keys import Key
from absolute_zero.types import Entry, UserError

Found = dict[str, dict[str, Any]]
"""By kind and `mean`: `n`, `greedy`, and `pass1` and `pass8` by temperature."""
Given = dict[str, list[EvalResult]]
"""By temperature: the marks of each task, in the order of the suite."""


def measure(
    source: str, settings: Sequence[str], recipe: str | None, data: Sequence[Path], tasks: int,
    temperatures: Sequence[float], as_json: bool,
) -> None:  # fmt: skip
    """Print the marks of a model on suites: those in the package, or those in files."""
    files = {path.stem: path for path in data or suite_files()}
    if len(files) < len(data):
        raise UserError("two files of --data have the same name: a suite is named by its file, so rename one")
    suites = {name: first(read_suite(path), tasks) for name, path in files.items()}
    console = Console()
    with opened(source, recipe, settings) as model:
        if not as_json:
            level = getattr(model.world.executor, "level", "unknown")
            console.print(Text(f"model {model.name}   sandbox {level}   seed {model.cfg.seed}"), soft_wrap=True)
        for name, entries in suites.items():
            if not any(entry.problem.kind in model.world.tasks for entry in entries):
                raise UserError(f"{name} holds no task of a kind that this model's settings play: give other tasks")
        given = {name: _marks(model, name, entries, temperatures) for name, entries in suites.items()}
    found = {name: _rows(marks) for name, marks in given.items()}
    if as_json:
        tasks_ = {name: {at: [astuple(mark) for mark in some] for at, some in by.items()} for name, by in given.items()}
        print(json.dumps({"model": model.name, "seed": model.cfg.seed, "suites": found, "marks": tasks_}))
        return
    for name, rows in found.items():
        console.print(_shown(name, rows))


def _marks(model: Opened, name: str, entries: Sequence[Entry], temperatures: Sequence[float]) -> Given:
    # The draws of `azr train` when it measures, so that the numbers are the same.
    key = Key(model.cfg.seed).at("suite", name)
    given: Given = {}
    for place, temperature in enumerate(temperatures):
        how = replace(model.cfg.sampling.drawing, temperature=temperature)
        given[f"{temperature:g}"] = evaluate(model.world, entries, how, key, greedy=place == 0)
    return given


def _rows(given: Given) -> Found:
    found: Found = {}
    for temperature, marks in given.items():
        asked = Counter(str(mark.kind) for mark in marks)
        for kind, metrics in table(marks).items():
            row = found.setdefault(kind, {"n": asked[kind] or len(marks), "greedy": metrics["greedy"], "pass1": {}})
            row["pass1"][temperature] = metrics["t1"]
            row.setdefault("pass8", {})[temperature] = metrics["pass8"]
    return found


def _shown(name: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = Table(f"{name}, %".replace("[", r"\["), "n", "drawn", "pass@1", "pass@8", box=None, pad_edge=False)
    for kind, row in rows.items():
        shown.add_row(kind, str(row["n"]), "greedy", _cell(row["greedy"]), "")
        for temperature, one in row["pass1"].items():
            shown.add_row("", "", f"T={temperature}", _cell(one), _cell(row["pass8"][temperature]))
    return shown


def _cell(found: Interval) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
