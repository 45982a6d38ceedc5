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
from absolute_zero.config import Config
from absolute_zero.disk import explained, write
from absolute_zero.evals.statistics import EvalResult, Interval, difference, table
from absolute_zero.evals.triplets import evaluate, suites
from absolute_zero.executor import LEVELS, Sandbox
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.report import write_report
from absolute_zero.run import CONFIG, Run, open_components, play
from absolute_zero.store import Store
from absolute_zero.types import Kind, UserError

RESULT = "result.json"


def begin(cfg: Config, root: str, name: str | None) -> int:
    """A new run, to its end; gives the exit code."""
    with open_components(cfg) as world, Run.begin(cfg, Path(root), name) as run:
        return _play(run, world)


def go_on(folder: str) -> int:
    """The run in a folder, to its end."""
    with Run.resume(Path(folder)) as run, open_components(run.cfg) as world:
        return _play(run, world)


@final
class Stop:
    """What has asked the run to stop: 0 nothing, else the exit code."""

    def __init__(self) -> None:
        self.code = 0

    def __bool__(self) -> bool:
        return bool(self.code)

    @contextmanager
    def listening(self, screen: Screen) -> Generator[None]:
        """Turn signals into a wish; the second Ctrl-C is no wish."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.code:
                with suppress(RuntimeError):
                    screen.close()
                os._exit(self.code)  # at once: every process of the sandbox ends with this one
            self.code = 128 + number
            # Not through the screen, which may be in the middle of a line: its streams take no call within a call.
            with suppress(OSError):
                os.write(2, b"stopping after this step; once more to leave at once\n")

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _play(run: Run, world: Components) -> int:
    stop, cfg = Stop(), run.cfg
    assert isinstance(world.executor, Sandbox)  # `world_of` makes no other
    level = world.executor.level
    with Screen(cfg, run.folder, level) as screen, stop.listening(screen):
        if run.store.note:
            screen.say(run.store.note)
        if run.store.run("commit") is None:
            run.store.set_run("commit", commit())
        level = min(run.store.run("sandbox") or level, level, key=LEVELS.index)  # the run's is its lowest
        run.store.set_run("sandbox", level)
        _measure(run, world, screen, 0, stop)
        screen.begin()
        for done in () if stop else play(run, world, lambda: bool(stop), screen.say):
            screen.step(done)
            for step, flag in run.store.flags(after=done.number - 1):
                screen.say(f"step {step}: {flag.detail}")
        if run.store.last_step() == cfg.steps:
            _measure(run, world, screen, cfg.steps, stop)
        if stop:
            write_report(run.folder)
            screen.say(f"stopped; go on with: azr train --resume {run.folder}")
            return stop.code
        result = result_of(run, level)
        with explained(run.folder):
            write(run.folder / RESULT, json.dumps(result, indent=2) + "\n")
        screen.result(result)
        screen.say(f"the whole story: {write_report(run.folder)}")
    return 0


# --- measuring ----------------------------------------------------------------------------------------------


def _measure(run: Run, world: Components, screen: Screen, step: int, stop: Stop) -> None:
    """Marks on the held-out suites after a step, unless they are there already or the run is to stop."""
    if not run.cfg.evals.tasks:
        return
    for name, entries in suites(run.cfg.evals.tasks).items():
        key = f"marks {name} {step}"
        before = [mark.kind for mark in marks_of(run.store, name, 0)]
        now = [entry.problem.kind for entry in entries if entry.problem.kind in world.tasks]
        if before and before != now:
            wrong = f"{len(before)} tasks of {name} were measured before training, and not these {len(now)}"
            raise UserError(f"{wrong}: put evals.tasks and kinds in {run.folder / CONFIG} back to what they were")
        if run.store.run(key) is None and not stop:
            screen.say(f"measuring on {len(entries)} held-out tasks ({name})")
            # The same draws before and after: what differs is the model.
            how = replace(run.cfg.sampling.drawing, temperature=1.0)
            marks = evaluate(world, entries, how, Key(run.cfg.seed).at("suite", name))
            run.store.set_run(key, json.dumps([asdict(mark) for mark in marks]))


def marks_of(store: Store, name: str, step: int) -> list[EvalResult]:
    """How each task of a suite was answered in a step of a run; empty where it was not measured."""
    text = store.run(f"marks {name} {step}")
    rows: list[dict[str, Any]] = json.loads(text) if text else []
    return [EvalResult(Kind(row.pop("kind")), **row) for row in rows]


def result_of(run: Run, level: str) -> dict[str, object]:
    """What the run came to: held-out success before and after with 95 % intervals, and what it cost."""
    cfg = run.cfg
    names = ("held_out", "ood")
    before, after = ({name: marks_of(run.store, name, step) for name in names} for step in (0, cfg.steps))
    clocks = run.store.clocks()
    total: dict[str, float] = {}
    for _, name, value in clocks:
        total[name] = total.get(name, 0.0) + value
    return {
        "before": _columns(table(before["held_out"]), table(before["ood"])),
        "after": _columns(table(after["held_out"]), table(after["ood"])),
        "difference": _columns(*(_gain(before[name], after[name]) for name in names)),
        "steps": cfg.steps,
        "seconds": round(total.get("seconds", 0.0), 1),
        "sampled_tokens": int(total.get("tokens/sampled", 0)),
        "trained_tokens": int(total.get("tokens/trained", 0)),
        "sandbox_level": level,
        "commit": run.store.run("commit") or None,
        "seed": cfg.seed,
    }


def _gain(before: Sequence[EvalResult], after: Sequence[EvalResult]) -> dict[str, dict[str, Interval]]:
    """What changed; of nothing, where not the same tasks were measured twice."""
    same = [mark.kind for mark in before] == [mark.kind for mark in after]
    return difference(before, after) if same else difference((), ())


def _columns(
    held_out: Mapping[str, Mapping[str, Interval]], ood: Mapping[str, Mapping[str, Interval]]
) -> dict[str, dict[str, list[float | None]]]:
    rows = {**held_out, "ood_mean": ood["mean"]}
    return {name: {metric: _plain(found) for metric, found in metrics.items()} for name, metrics in rows.items()}


def _plain(found: Sequence[float]) -> list[float | None]:
    """JSON has no nan."""
    return [None if math.isnan(value) else round(value, 6) for value in found]


def commit() -> str:
    """The commit of this checkout, and `-dirty` if it was changed since; empty where the package is in none."""
    here = Path(__file__).resolve()
    command = ["git", "ls-files", "--error-unmatch", here.name]  # a repository around an installation is not ours
    try:
        if subprocess.run(command, cwd=here.parent, capture_output=True).returncode:
            return ""
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, cwd=here.parent, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
