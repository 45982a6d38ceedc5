"""A run's held-out results: before its first step and after its last, kept in its store, compared.

Promises: results are evaluated once and stored; whatever resumes the run finds them. Those of before and after are of
the same tasks and the same draws, so that only the model differs. Knows a run by its store and settings: its folder is
`absolute_zero.run`'s. Floor 4.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from absolute_zero.components import domain_of, open_policy
from absolute_zero.config import Config
from absolute_zero.evals.statistics import LABELS, Estimate, EvalResult, difference, table
from absolute_zero.evals.suites import evaluate, suite_key, suites
from absolute_zero.keys import Key
from absolute_zero.monitors import base_rates
from absolute_zero.ports import Components
from absolute_zero.selfplay import solve, with_outcomes
from absolute_zero.store import Store
from absolute_zero.types import Step, UserError

RESULT_KEYS: Final[Mapping[str, str]] = {"pass_at_1": "t1", "greedy": "greedy", "pass_at_8": "pass8"}
"""The metrics by the names that they have in `result.json`."""
RESULT_LABELS: Final[Mapping[str, str]] = {RESULT_KEYS[metric]: label for metric, label in LABELS.items()}
"""What the metrics of `result.json` are called for people."""
MEAN: Final = "mean"
"""The row of `result.json` over all kinds of the main suite; `NAME_mean` is that of another suite."""


def evaluate_suites(
    store: Store,
    parts: Components,
    cfg: Config,
    step: int,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], object] = lambda _: None,
) -> None:
    """Evaluate on the domain's suites after a step and store the results, unless that is done or the run is to stop.

    Raises UserError if other tasks were measured before training.
    """
    if not cfg.evals.tasks:
        return
    own = suites(domain_of(cfg), cfg.evals.tasks)
    for name in _measured(store) if step == 0 else ():
        if name not in own:
            say(f"The domain has no suite {name} any more, which was measured before training: left out of the result.")
    for name, tasks in own.items():
        before = [result.kind for result in results_of(store, name, 0)]
        now = [task.kind for task in tasks if task.kind in parts.task_types]
        if before and before != now:
            wrong = f"{len(before)} tasks of {name} were measured before training, and not these {len(now)}"
            remedy = f"put evals.tasks and kinds in the config of {store.path.parent}"
            raise UserError(f"{wrong}: {remedy}, and the suites of the domain, back to what they were")
        if store.get_fact(_fact(name, step)) is None and not stopping():
            say(f"Evaluating on {len(now)} held-out tasks ({name}).")
            sampling = replace(cfg.sampling.drawing, temperature=1.0)
            results = evaluate(parts, tasks, sampling, suite_key(cfg.seed, name))
            store.set_fact(_fact(name, step), json.dumps([asdict(result) for result in results]))


def results_of(store: Store, name: str, step: int) -> list[EvalResult]:
    """Return how each task of a suite was answered in a step of a run; empty where it was not evaluated."""
    text = store.get_fact(_fact(name, step))
    rows: list[dict[str, Any]] = json.loads(text) if text else []
    return [EvalResult(**row) for row in rows]


def _fact(name: str, step: int) -> str:
    return f"evals {name} {step}"


def _measured(store: Store) -> list[str]:
    """Return the suites that were evaluated before training, whether the domain still has them or not."""
    begins, ends = _fact("\0", 0).split("\0")
    return [key[len(begins) : -len(ends)] for key in store.fact_keys() if key.startswith(begins) and key.endswith(ends)]


def result_of(store: Store, cfg: Config) -> dict[str, object]:
    """Return what a run came to: held-out success before and after with 95 % intervals, and what it cost.

    The rows are the kinds of the domain's first suite and their mean, and the mean of every other one as NAME_mean.
    """
    names = list(domain_of(cfg).suites())
    before, after = ({name: results_of(store, name, step) for name in names} for step in (0, cfg.steps))
    total: dict[str, float] = {}
    for _, name, value in store.clocks():
        total[name] = total.get(name, 0.0) + value
    return {
        "before": _rows({name: table(results) for name, results in before.items()}),
        "after": _rows({name: table(results) for name, results in after.items()}),
        "difference": _rows({name: _gain(before[name], after[name]) for name in names}),
        "steps": cfg.steps,
        "seconds": round(total.get("time/step", 0.0), 1),
        "sampled_tokens": int(total.get("tokens/sampled", 0)),
        "trained_tokens": int(total.get("tokens/trained", 0)),
        "sandbox_level": store.get_fact("sandbox"),
        "commit": store.get_fact("commit") or None,
        "seed": cfg.seed,
    }


def _gain(before: Sequence[EvalResult], after: Sequence[EvalResult]) -> dict[str, dict[str, Estimate]]:
    """Return what changed; of nothing, where not the same tasks were measured twice."""
    same = [result.kind for result in before] == [result.kind for result in after]
    return difference(before, after) if same else difference((), ())


def _rows(tables: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> dict[str, dict[str, list[float | None]]]:
    rows: dict[str, Mapping[str, Estimate]] = {}
    for index, (name, table_) in enumerate(tables.items()):
        rows |= {f"{name}_{MEAN}": table_[MEAN]} if index else table_
    return {
        name: {RESULT_KEYS[metric]: _plain(estimate) for metric, estimate in metrics.items()}
        for name, metrics in rows.items()
    }


def _plain(estimate: Estimate) -> list[float | None]:
    """Return an estimate as JSON takes it: it has no nan."""
    return [None if math.isnan(value) else round(value, 6) for value in estimate]


def base_metrics(step: Step, parts: Components, cfg: Config) -> dict[str, float]:
    """Return how often the model that the run began with solves this step's new tasks, where that is due."""
    if step.number < 1 or not cfg.evals.base_every or step.number % cfg.evals.base_every or not step.tasks:
        return {}
    first = parts._replace(policy=open_policy(cfg))
    key = Key(cfg.seed).at("base", step.number)
    rollouts = solve(step.tasks, cfg.solve.n_difficulty, first, cfg.sampling.drawing, key)
    return base_rates(with_outcomes(step.tasks, rollouts))
