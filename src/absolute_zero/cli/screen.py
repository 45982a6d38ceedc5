"""What a person sees while a run is on: a table in a terminal, plain lines elsewhere. Decides nothing."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from absolute_zero.config import Config
from absolute_zero.types import Role, Step, Task

SHOWN: Final = 12
"""Steps in the table."""


@final
class Screen:
    """Shows the steps of a run."""

    def __init__(self, cfg: Config, folder: Path, level: str) -> None:
        self._cfg, self._console = cfg, Console()
        self._last = time.perf_counter()
        self._rows: deque[list[str]] = deque(maxlen=SHOWN)
        self._times: deque[float] = deque(maxlen=20)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._head = f"run {folder}   sandbox {level}   model {cfg.model.path}   seed {cfg.seed}   steps {cfg.steps}"

    def __enter__(self) -> Self:
        self.say(self._head)
        if self._live:
            self._live.start()
        else:
            self.say("   ".join(_columns(self._cfg.kinds)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """Show one line above the table."""
        self._console.print(Text(line), soft_wrap=True)

    def begin(self) -> None:
        """Count time as that of steps from here on."""
        self._last = time.perf_counter()

    def step(self, done: Step) -> None:
        """Show one more row."""
        now = time.perf_counter()
        if done.number > 0:  # a round of seeding is far shorter
            self._times.append(now - self._last)
        row = _row(done, self._cfg.kinds, now - self._last, self._left(done))
        self._last = now
        if self._live:
            self._rows.append(row)
            table = Table(*_columns(self._cfg.kinds), box=None, pad_edge=False)
            for cells in self._rows:
                table.add_row(*cells)
            self._live.update(table, refresh=True)
        else:
            self.say("   ".join(f"{c:<{len(h)}}" for c, h in zip(row, _columns(self._cfg.kinds), strict=True)).rstrip())

    def _left(self, done: Step) -> float:
        return (self._cfg.steps - done.number) * sum(self._times) / max(1, len(self._times))

    def result(self, result: Mapping[str, Any]) -> None:
        """Show the table before and after, and what it says in a line."""
        self.close()
        table = Table("held-out, %", "sampling", "before", "after", "gain [95 %]", box=None, pad_edge=False)
        metric_names = {"t1": "T=1", "greedy": "greedy", "pass8": "pass@8"}
        for name, metrics in result["difference"].items():
            for metric, change in metrics.items():
                if change[0] is not None:
                    cells = (f"{100 * result[side][name][metric][0]:.1f}" for side in ("before", "after"))
                    table.add_row(name, metric_names[metric], *cells, _range(change))
        if table.row_count:
            self._console.print(table)
        value, low, high = result["difference"].get("mean", {}).get("t1", [None] * 3)
        if value is not None:
            unclear = "no significant change (95 % interval includes 0)"
            verdict = "better" if low > 0 else "worse" if high < 0 else unclear
            self.say(f"{verdict}: {100 * value:+.1f} points at T=1, in the mean of the kinds")
        self.say(f"{result['steps']} steps in {result['seconds']:.0f} s, {result['sampled_tokens']:,} tokens sampled")


def _columns(kinds: Sequence[str]) -> list[str]:
    width = next((n for n in range(3, 99) if len({kind[:n] for kind in kinds}) == len(kinds)), 99)  # told apart
    names = "/".join(kind[:width] for kind in kinds)
    return [
        "step ", f"accepted {names}", "valid", "learnable", f"solved new {names}", "reward prop",
        "reward solve", "tokens/s", "s   ", "left  ",
    ]  # fmt: skip


def _row(done: Step, kinds: Sequence[str], seconds: float, left: float) -> list[str]:
    fresh = {kind: [task for task in done.tasks if task.kind == kind] for kind in kinds}
    tried = [task for task in done.tasks if task.trials]
    tokens = sum(len(rollout.completion.tokens) for rollout in done.rollouts)
    valid = sum(validation.valid for validation in done.validations) / max(1, len(done.validations))
    learnable = sum(task.learnable for task in tried)
    return [
        str(done.number) if done.number > 0 else "seed",
        "/".join(str(len(fresh[kind])) for kind in kinds),
        f"{valid:.0%}",
        f"{learnable / len(tried):.0%}" if tried else "-",
        "/".join(_rate(fresh[kind]) for kind in kinds),
        _reward(done, Role.PROPOSE),
        _reward(done, Role.SOLVE),
        f"{tokens / max(seconds, 1e-9):,.0f}",
        f"{seconds:.1f}",
        "{}:{:02}".format(*divmod(round(left), 60)) if done.number > 0 else "-",
    ]


def _rate(tasks: Sequence[Task]) -> str:
    trials = sum(task.trials for task in tasks)
    return f"{sum(task.successes for task in tasks) / trials:.0%}" if trials else "-"


def _reward(done: Step, role: Role) -> str:
    rewards = [rollout.reward for rollout in done.rollouts if rollout.role is role and rollout.reward is not None]
    return f"{sum(rewards) / len(rewards):+.2f}" if rewards else "-"


def _range(gain: Sequence[float]) -> str:
    return f"{100 * gain[0]:+.1f} [{100 * gain[1]:+.1f}, {100 * gain[2]:+.1f}]"
