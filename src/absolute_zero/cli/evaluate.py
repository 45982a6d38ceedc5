"""`azr eval`: how good a model is on tasks that it never trained on, with intervals. Writes nothing."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from absolute_zero.cli.screen import note
from absolute_zero.evals.models import Row, choose_suites, evaluate_at, rows_of
from absolute_zero.evals.statistics import Estimate
from absolute_zero.run import open_model


def evaluate(
    source: str, settings: Sequence[str], recipe: str | None, data: Sequence[Path], most: int,
    temperatures: Sequence[float], as_json: bool,
) -> None:  # fmt: skip
    """Print how a model answers suites: those of its domain, or those in files."""
    console = Console()
    with open_model(source, recipe, settings, note) as model:
        tasks = choose_suites(model.cfg, model.parts, data, most)
        if not as_json:
            level = getattr(model.parts.executor, "level", "unknown")
            console.print(Text(f"model {model.name}   sandbox {level}   seed {model.cfg.seed}"), soft_wrap=True)
        results = {
            name: evaluate_at(temperatures, name, suite, model.parts, model.cfg) for name, suite in tasks.items()
        }
    rows = {name: rows_of(answered) for name, answered in results.items()}
    if as_json:
        suites = {name: {kind: _object(row) for kind, row in suite.items()} for name, suite in rows.items()}
        answers = {name: {at: [astuple(r) for r in own] for at, own in by.items()} for name, by in results.items()}
        shown = {"model": model.name, "seed": model.cfg.seed, "suites": _plain(suites), "results": answers}
        print(json.dumps(shown))
        return
    for name, suite in rows.items():
        console.print(_shown(name, suite))


def _object(row: Row) -> dict[str, object]:
    """Return a row under the names that it has in JSON."""
    return {"n": row.n, "greedy": row.greedy, "pass1": row.pass_at_1, "pass8": row.pass_at_8}


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: it has no nan."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in cast("tuple[Any, ...]", value)]
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(name: str, rows: Mapping[str, Row]) -> Table:
    shown = Table(f"{name}, %".replace("[", r"\["), "n", "sampling", "pass@1", "pass@8", box=None, pad_edge=False)
    for kind, row in rows.items():
        shown.add_row(kind, str(row.n), "greedy", _cell(row.greedy), "")
        for temperature, estimate in row.pass_at_1.items():
            shown.add_row("", "", f"T={temperature}", _cell(estimate), _cell(row.pass_at_8[temperature]))
    return shown


def _cell(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    if math.isnan(estimate.low):  # too few groups of tasks
        return f"{100 * estimate.value:.1f}"
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
