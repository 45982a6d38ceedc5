"""What a person sees while a run is on: a table in a terminal, plain lines elsewhere.

Decides nothing: what a step is worth is in its metrics (`monitors.overview`), and a difference is significant by its
interval (`evals.statistics`).
"""

import math
import sys
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
from absolute_zero.evals.runs import MEAN, RESULT_KEYS, RESULT_LABELS
from absolute_zero.evals.statistics import Estimate, significant
from absolute_zero.monitors import Overview, overview
from absolute_zero.types import Role
from absolute_zero.values import one_line

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

    def step(self, number: int, metrics: Mapping[str, float]) -> None:
        """Show one more row: a step by its metrics."""
        now = time.perf_counter()
        if number > 0:  # a round of seeding is far shorter
            self._times.append(now - self._last)
        row = _row(number, overview(metrics, self._cfg.kinds), now - self._last, self._left(number))
        self._last = now
        if self._live:
            self._rows.append(row)
            table = Table(*_columns(self._cfg.kinds), box=None, pad_edge=False)
            for cells in self._rows:
                table.add_row(*cells)
            self._live.update(table, refresh=True)
        else:
            self.say("   ".join(f"{c:<{len(h)}}" for c, h in zip(row, _columns(self._cfg.kinds), strict=True)).rstrip())

    def _left(self, number: int) -> float:
        return (self._cfg.steps - number) * sum(self._times) / max(1, len(self._times))

    def result(self, result: Mapping[str, Any]) -> None:
        """Show the table before and after, and what it says in a line."""
        self.close()
        table = Table("held-out, %", "metric", "before", "after", "gain [95 %]", box=None, pad_edge=False)
        for name, metrics in result["difference"].items():
            for metric, change in metrics.items():
                if change[0] is not None:
                    cells = (f"{100 * result[side][name][metric][0]:.1f}" for side in ("before", "after"))
                    table.add_row(name, RESULT_LABELS[metric], *cells, _range(_estimate(change)))
        if table.row_count:
            self._console.print(table)
        change = result["difference"].get(MEAN, {}).get(RESULT_KEYS["pass_at_1"], [None] * 3)
        if change[0] is not None:
            self.say(_verdict(_estimate(change)))
        self.say(f"{result['steps']} steps in {result['seconds']:.0f} s, {result['sampled_tokens']:,} tokens sampled")


def _columns(kinds: Sequence[str]) -> list[str]:
    width = next((n for n in range(3, 99) if len({kind[:n] for kind in kinds}) == len(kinds)), 99)  # told apart
    names = "/".join(kind[:width] for kind in kinds)
    return [
        "step ", f"accepted {names}", "valid", "learnable", f"solved new {names}", "reward prop",
        "reward solve", "tokens/s", "s   ", "left  ",
    ]  # fmt: skip


def _row(number: int, step: Overview, seconds: float, left: float) -> list[str]:
    return [
        str(number) if number > 0 else "seed",
        "/".join(str(count) for count in step.accepted.values()),
        _share(step.valid),
        _share(step.learnable),
        "/".join(_share(step.success_rate.get(kind)) for kind in step.accepted),
        _signed(step.reward.get(Role.PROPOSE)),
        _signed(step.reward.get(Role.SOLVE)),
        f"{step.tokens / max(seconds, 1e-9):,.0f}",
        f"{seconds:.1f}",
        "{}:{:02}".format(*divmod(round(left), 60)) if number > 0 else "-",
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _estimate(listed: Sequence[float | None]) -> Estimate:
    """Return an estimate of `result.json`, which has null for nan."""
    return Estimate(*(math.nan if value is None else value for value in listed))


def _verdict(gain: Estimate) -> str:
    """Say whether the model is better."""
    if math.isnan(gain.low):
        words = "not known to be better or worse (too few tasks for an interval)"
    elif significant(gain):
        words = "better" if gain.low > 0 else "worse"
    else:
        words = "no significant change (95 % interval includes 0)"
    return f"{words}: {100 * gain.value:+.1f} points of pass@1, in the mean of the kinds"


def _range(gain: Estimate) -> str:
    if math.isnan(gain.low):
        return f"{100 * gain.value:+.1f} (too few tasks for an interval)"
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def note(line: str) -> None:
    """Print what is worth knowing of a model, and no error, beside what the command prints."""
    print(f"azr: note: {one_line(line)}", file=sys.stderr)
