"""`azr train`: a run from its folder to its result, and what stops it.

Promises: exit code 0 when the run is at its end, 130 after Ctrl-C and 143 after SIGTERM, both after a saved step; a
second Ctrl-C leaves at once with 130; steps after the last checkpoint are then made again. `result.json` and
`report.html` are written from what the run database holds, so that a resumed run ends with the same ones.
"""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import final

from absolute_zero.cli.screen import Screen, note
from absolute_zero.components import open_components
from absolute_zero.config import Config
from absolute_zero.evals.runs import evaluate_suites
from absolute_zero.monitors import step_metrics
from absolute_zero.ports import Components
from absolute_zero.report import write_report
from absolute_zero.run import Run, play


def begin(cfg: Config, root: str, name: str | None) -> int:
    """Begin a new run and play it to its end; return the exit code."""
    with open_components(cfg, note) as parts, Run.begin(cfg, Path(root), name) as run:
        return _play(run, parts)


def resume(folder: str) -> int:
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
        """Take a first signal as a request to stop; a second Ctrl-C leaves at once."""

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
        run.note_machine(level)
        evaluate_suites(run.store, parts, cfg, 0, lambda: bool(stop), screen.say)
        screen.begin()
        for step in () if stop else play(run, parts, lambda: bool(stop), screen.say):
            screen.step(step.number, step_metrics(step))
            for number, flag in run.store.flags(after=step.number - 1):
                screen.say(f"step {number}: {flag.detail}")
        if run.store.last_step() == cfg.steps:
            evaluate_suites(run.store, parts, cfg, cfg.steps, lambda: bool(stop), screen.say)
        if stop:
            write_report(run.folder)
            screen.say(f"Stopped. Resume with: azr train --resume {run.folder}")
            return stop.code
        screen.result(run.write_result())
        screen.say(f"report: {write_report(run.folder)}")
    return 0
