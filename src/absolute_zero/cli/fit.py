"""`azr try`: the first minutes with a model: how to ask it on this domain, what it can do, and what a step costs here.

Computes nothing itself: what is asked and compared is `evals.fitting`'s, what it comes to `evals.advice`'s. Ctrl-C ends
the measuring, and what was measured is shown.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from absolute_zero import __version__
from absolute_zero.cli.screen import note
from absolute_zero.components import domain_of, open_components
from absolute_zero.config import Config, as_recipe, from_anywhere, literal, load, named, overrides
from absolute_zero.disk import explain_failures, write
from absolute_zero.evals.advice import Advice, advise, cost_of, time_update
from absolute_zero.evals.fitting import Fitting, Settings, Way, describe
from absolute_zero.evals.models import tasks_by_kind
from absolute_zero.evals.responses import failures, mean_tokens, share
from absolute_zero.evals.statistics import Estimate, proportion
from absolute_zero.run import anchored, default_recipe
from absolute_zero.types import AbsoluteZeroError, Role, UserError
from absolute_zero.values import one_line

INTERRUPTED: Final = 130
PLAIN_WIDTH: Final = 120
"""Letters of a line in a file or a pipe."""
EXCERPT: Final = 160
"""A failure is shown by so many characters of its end."""
_GOOD: Final[Mapping[Role, str]] = {Role.PROPOSE: "valid", Role.SOLVE: "right"}


def fit(
    source: str, settings: Sequence[str], recipe: str | None, domain: str | None, data: Sequence[Path],
    responses: int, save: Path | None,
) -> int:  # fmt: skip
    """Fit the form to a model and a domain, show what it can do, and write a recipe; return the exit code."""
    if save is not None:
        _check_target(save)
    base = recipe or default_recipe(source)
    fixed = [*settings, f"model.path={literal(source)}", *([f"domain={literal(domain)}"] if domain else [])]
    cfg, keys = load(base, fixed), named(fixed)
    if cfg.lora.rank and "lora.rank" not in keys and find_spec("peft") is None:
        note("peft is not here, so all weights are trained: pip install 'absolute-zero[lora]' trains an adapter")
        fixed.append("lora.rank=0")
        # An adapter takes some ten times the learning rate of all weights.
        fixed += [] if "update.learning_rate" in keys else ["update.learning_rate=1e-5"]
        cfg, keys = load(base, fixed), named(fixed)

    def with_(more: Settings) -> Config:
        """Return the settings with others over them, but not over those that the user named."""
        return load(base, [*fixed, *(f"{key}={literal(value)}" for key, value in more.items() if key not in keys)])

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    with open_components(cfg, note) as parts:
        level = getattr(parts.executor, "level", "unknown")
        head = f"model {source}   domain {domain_of(cfg).name}   recipe {base}   sandbox {level}   seed {cfg.seed}"
        console.print(Text(head), soft_wrap=True)
        fitting = Fitting(with_, parts, tasks_by_kind(cfg, parts, data), responses, cfg.seed)
        interrupted = _measure(fitting, console)
        fitting.rank()
        best = fitting.ways[0]
        if not best.responses:
            console.print("Nothing was measured yet.")
            return INTERRUPTED
        advice = advise(fitting, whole=not interrupted)
        _show_ways(console, fitting)
        _show_best(console, best)
        _show_easier(console, fitting)
        if not interrupted and advice.ways:
            interrupted = _show_cost(console, advice, best)
    for kind, reason in advice.left_out.items():
        console.print(Text(f"{kind} is left out: {reason}"), soft_wrap=True)
    if advice.ways:
        _recommend(console, advice.cfg, base, save, best)
    return INTERRUPTED if interrupted else 0 if advice.ways else 1


def _check_target(save: Path) -> None:
    """Raise UserError unless a recipe can be written there, and found by `azr train --recipe`."""
    if save.exists():
        raise UserError(f"{str(save)!r} is there already: give --save another name")
    if save.suffix != ".toml":
        raise UserError(f"--save {str(save)!r}: give a name that ends in .toml, such as mine.toml")
    if not save.parent.is_dir() or not os.access(save.parent, os.W_OK):
        raise UserError(f"--save {str(save)!r}: {str(save.parent)!r} is no folder that can be written: make it first")


def _measure(fitting: Fitting, console: Console) -> bool:
    """Measure under a progress bar; return whether Ctrl-C ended it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(f"{len(fitting.ways)} ways to ask", total=fitting.total)
        try:
            for words in fitting.steps():
                progress.update(bar, description=words, completed=fitting.asked, total=fitting.total)
                if not console.is_terminal:  # which has no bar
                    progress.console.print(f"{fitting.asked} of {fitting.total} responses: {words}", highlight=False)
        except KeyboardInterrupt:
            progress.console.print("Stopped: this is what is known so far.")
            return True
    return False


def _recommend(console: Console, cfg: Config, base: str, save: Path | None, best: Way) -> None:
    """Write the recipe, or show the settings."""
    under = load(base)
    more = " ".join(shlex.quote(text) for text in overrides(cfg, under))
    command = f"train it: azr train --recipe {shlex.quote(base)} {more}"
    if save is None:
        console.print(Text(command), soft_wrap=True)
        return
    counts = ", ".join(
        f"{role} {kind} {sum(response.good for response in own)} of {len(own)} {_GOOD[role]}"
        for (kind, role), own in best.responses.items()
    )
    begins = (
        f"# Fitted by azr try {__version__} on {date.today()}: {cfg.model.path} on {cfg.domain}.\n# Seen: {counts}.\n"
    )
    try:
        with explain_failures(save):
            write(save, begins + as_recipe(anchored(cfg), under, from_anywhere(base)))
    except UserError:
        console.print(Text(command), soft_wrap=True)
        raise
    console.print(Text(f"wrote {save}; train it: azr train --recipe {shlex.quote(str(save))}"), soft_wrap=True)


# --- what is shown ------------------------------------------------------------------------------------------


def _show_ways(console: Console, fitting: Fitting) -> None:
    table = _table("ways to ask, %", "n", "valid", "right", "well formed")
    for way in fitting.ways:
        if way.responses:
            by_role = {
                role: [r for slot, own in way.responses.items() if slot[1] is role for r in own] for role in Role
            }
            every = [response for responses in by_role.values() for response in responses]
            shares = (share(by_role[Role.PROPOSE], "good"), share(by_role[Role.SOLVE], "good"))
            cells = (_cell(value) for value in (*shares, share(every, "well_formed")))
            table.add_row(describe(way), str(len(every)), *cells)
    console.print(table)


def _show_best(console: Console, best: Way) -> None:
    """Show what came of the way that is ahead, by kind and role, and why responses failed."""
    console.print(f"\n{describe(best)}", style="bold", highlight=False)
    table = _table("%", "n", "formed", "strictly", "valid/right", "new", "learnable", "tokens")
    for kind in best.parts.task_types:
        for role in Role:
            own = best.of(kind, role)
            solved = [task for task in best.solved if task.kind == kind]
            mixed = proportion(sum(task.learnable for task in solved), len(solved))
            last = (_cell(share(own, "accepted")), _cell(mixed)) if role is Role.PROPOSE else ("", "")
            shares = (_cell(share(own, of)) for of in ("well_formed", "strict", "good"))
            table.add_row(f"{role} {kind}", str(len(own)), *shares, *last, f"{mean_tokens(own):.0f}")
    console.print(table)
    lost = f"{best.lost} responses were lost by the machine and do not count" if best.lost else ""
    console.print(lost)
    for (kind, role), responses in best.responses.items():
        for reason, count, text in failures(responses):
            line = f"{role} {kind}: {count} of {len(responses)} {reason}, such as ...{one_line(text[-EXCERPT:])!r}"
            console.print(Text(line), soft_wrap=True, style="dim")


def _show_easier(console: Console, fitting: Fitting) -> None:
    """Show proposals under the easier settings of a kind."""
    for kind, ways in fitting.easier.items():
        for way in ways:
            own = way.of(kind, Role.PROPOSE)
            before = dict(fitting.ways[0].cfg.domain_section)
            changed = {key: value for key, value in dict(way.cfg.domain_section).items() if value != before[key]}
            words = ", ".join(f"{key} = {value}" for key, value in changed.items())
            shares = f"valid {_cell(share(own, 'good'))}, new {_cell(share(own, 'accepted'))}"
            console.print(Text(f"propose {kind} with {words}: {shares}, %"), soft_wrap=True)


def _show_cost(console: Console, advice: Advice, best: Way) -> bool:
    """Time an update, and show what a step costs; return whether Ctrl-C ended it."""
    from absolute_zero.policy.hardware import peak_memory  # torch

    with console.status("timing an update"):
        try:
            update = time_update(best)
        except KeyboardInterrupt:
            console.print("Stopped: no update was timed.")
            return True
        except (AbsoluteZeroError, MemoryError, RuntimeError) as error:
            console.print(Text(f"an update failed: {one_line(str(error))}"), soft_wrap=True)
            return False
    cost, memory = cost_of(advice, best, update), peak_memory()
    console.print(
        f"{best.speed:,.0f} tokens/s sampled, {1 / update:,.0f} tokens/s trained"
        + (f"; {memory / 1e9:.1f} GB at the most" if memory else ""),
        highlight=False,
    )
    console.print(
        f"a step: {cost.responses:,.0f} responses, {cost.tokens:,.0f} tokens, about {_time(cost.step)}"
        f" ({_time(cost.sampling)} of it sampling); seeding {_time(cost.seeding)};"
        f" 20 steps {_time(cost.seeding + 20 * cost.step)}, 100 steps {_time(cost.seeding + 100 * cost.step)},"
        " without evaluations",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    return False


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _cell(estimate: Estimate) -> str:
    """Return a share with its interval, in percent."""
    value, low, high = (100 * part for part in estimate)
    return "-" if value != value else f"{value:.0f} [{low:.0f}-{high:.0f}]"


def _time(seconds: float) -> str:
    """Return a time in the unit that fits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
