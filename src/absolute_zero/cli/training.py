"""`azr train`: a run from its folder to its result, and what stops it.

Promises: exit code 0 when the run is at its end, 130 after Ctrl-C and 143 after SIGTERM, both after a saved step; a
second Ctrl-C leaves at once with 130; steps after the last checkpoint are then made again. `result.json` and
`report.html` are written from what the run database holds, so that a resumed run ends with the same ones.
"""

import json
import math
import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any, final

from absolute_zero.cli.screen import Screen
from absolute_zero.components import domain_of, open_components
from absolute_zero.config import Config
from absolute_zero.disk import explain_failures, write
from absolute_zero.evals.statistics import EvalResult, Interval, difference, table
from absolute_zero.evals.suites import evaluate, suites
from absolute_zero.executor import LEVELS
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.report import write_report
from absolute_zero.run import CONFIG, Run, play
from absolute_zero.store import Store
from absolute_zero.types import UserError

RESULT = "result.json"


def begin(cfg: Config, root: str, name: str | None) -> int:
    """Begin a new run and play it to its end; return the exit code."""
    with open_components(cfg) as parts, Run.begin(cfg, Path(root), name) as run:
        return _play(run, parts)


def go_on(folder: str) -> int:
    """Play the run in a folder to its end; return the exit code."""
    with Run.resume(Path(folder)) as run, open_components(run.cfg) as parts:
        return _play(run, parts)


@final
class Stop:
    """What has asked the run to stop: 0 nothing, else the exit code."""

    def __init__(self) -> None:
        self.code = 0

    def __bool__(self) -> bool:
        return bool(self.code)

    @contextmanager
    def listening(self, screen: Screen) -> Generator[None]:
        """Turn signals into a wish; the second Ctrl-C is not asked about."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.code:
                with suppress(RuntimeError):
                    screen.close()
                os._exit(self.code)  # at once: every process of the sandbox ends with this one
            self.code = 128 + number
            # Not through the screen, which may be in the middle of a line: its streams take no call within a call.
            with suppress(OSError):
                os.write(2, b"Finishing this step and saving. Press Ctrl-C again to quit now.\n")

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _play(run: Run, parts: Components) -> int:
    stop, cfg = Stop(), run.cfg
    level = getattr(parts.executor, "level", "unknown")
    with Screen(cfg, run.folder, level) as screen, stop.listening(screen):
        if run.store.note:
            screen.say(run.store.note)
        if run.store.run("commit") is None:
            run.store.set_run("commit", commit())
        level = min(run.store.run("sandbox") or level, level, key=_rank)  # the run's is its lowest
        run.store.set_run("sandbox", level)
        _measure(run, parts, screen, 0, stop)
        screen.begin()
        for done in () if stop else play(run, parts, lambda: bool(stop), screen.say):
            screen.step(done)
            for step, flag in run.store.flags(after=done.number - 1):
                screen.say(f"step {step}: {flag.detail}")
        if run.store.last_step() == cfg.steps:
            _measure(run, parts, screen, cfg.steps, stop)
        if stop:
            write_report(run.folder)
            screen.say(f"Stopped. Go on with: azr train --resume {run.folder}")
            return stop.code
        result = result_of(run, level)
        with explain_failures(run.folder):
            write(run.folder / RESULT, json.dumps(result, indent=2) + "\n")
        screen.result(result)
        screen.say(f"report: {write_report(run.folder)}")
    return 0


def _rank(level: str) -> int:
    """Return how well a level isolates; a word that we do not know is not a promise."""
    return LEVELS.index(level) if level in LEVELS else -1


# --- measuring ----------------------------------------------------------------------------------------------


def _measure(run: Run, parts: Components, screen: Screen, step: int, stop: Stop) -> None:
    """Evaluate on the domain's suites after a step, unless that is done already or the run is to stop."""
    if not run.cfg.evals.tasks:
        return
    for name, tasks in suites(domain_of(run.cfg), run.cfg.evals.tasks).items():
        key = f"evals {name} {step}"
        before = [result.kind for result in results_of(run.store, name, 0)]
        now = [task.kind for task in tasks if task.kind in parts.task_types]
        if before and before != now:
            wrong = f"{len(before)} tasks of {name} were measured before training, and not these {len(now)}"
            raise UserError(f"{wrong}: put evals.tasks and kinds in {run.folder / CONFIG} back to what they were")
        if run.store.run(key) is None and not stop:
            screen.say(f"Evaluating on {len(now)} held-out tasks ({name}).")
            # The same draws before and after: what differs is the model.
            sampling = replace(run.cfg.sampling.drawing, temperature=1.0)
            results = evaluate(parts, tasks, sampling, Key(run.cfg.seed).at("suite", name))
            run.store.set_run(key, json.dumps([asdict(result) for result in results]))


def results_of(store: Store, name: str, step: int) -> list[EvalResult]:
    """Return how each task of a suite was answered in a step of a run; empty where it was not evaluated."""
    text = store.run(f"evals {name} {step}")
    rows: list[dict[str, Any]] = json.loads(text) if text else []
    return [EvalResult(**row) for row in rows]


def result_of(run: Run, level: str) -> dict[str, object]:
    """Return what the run came to: held-out success before and after with 95 % intervals, and what it cost.

    The rows are the kinds of the domain's first suite and their mean, and the mean of every other one as NAME_mean.
    """
    cfg = run.cfg
    names = list(domain_of(cfg).suites())
    before, after = ({name: results_of(run.store, name, step) for name in names} for step in (0, cfg.steps))
    total: dict[str, float] = {}
    for _, name, value in run.store.clocks():
        total[name] = total.get(name, 0.0) + value
    return {
        "before": _rows({name: table(results) for name, results in before.items()}),
        "after": _rows({name: table(results) for name, results in after.items()}),
        "difference": _rows({name: _gain(before[name], after[name]) for name in names}),
        "steps": cfg.steps,
        "seconds": round(total.get("time/step", 0.0), 1),
        "sampled_tokens": int(total.get("tokens/sampled", 0)),
        "trained_tokens": int(total.get("tokens/trained", 0)),
        "sandbox_level": level,
        "commit": run.store.run("commit") or None,
        "seed": cfg.seed,
    }


def _gain(before: Sequence[EvalResult], after: Sequence[EvalResult]) -> dict[str, dict[str, Interval]]:
    """Return what changed; of nothing, where not the same tasks were measured twice."""
    same = [result.kind for result in before] == [result.kind for result in after]
    return difference(before, after) if same else difference((), ())


def _rows(tables: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> dict[str, dict[str, list[float | None]]]:
    rows: dict[str, Mapping[str, Interval]] = {}
    for index, (name, table_) in enumerate(tables.items()):
        rows |= {f"{name}_mean": table_["mean"]} if index else table_
    return {name: {metric: _plain(it) for metric, it in metrics.items()} for name, metrics in rows.items()}


def _plain(interval: Sequence[float]) -> list[float | None]:
    """Return an interval as JSON takes it: it has no nan."""
    return [None if math.isnan(value) else round(value, 6) for value in interval]


def commit() -> str:
    """Return the commit of this checkout, and `-dirty` if it was changed since; empty where the package is in none."""
    here = Path(__file__).resolve()
    command = ["git", "ls-files", "--error-unmatch", here.name]  # a repository around an installation is not ours
    try:
        if subprocess.run(command, cwd=here.parent, capture_output=True).returncode:
            return ""
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, cwd=here.parent, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
