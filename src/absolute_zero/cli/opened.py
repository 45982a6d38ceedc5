"""Which model a command is about: a run's newest checkpoint, or any model with the settings of a recipe."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from absolute_zero.buffer import Buffer
from absolute_zero.components import open_components
from absolute_zero.config import Config, literal, load
from absolute_zero.ports import Components
from absolute_zero.run import barred_families, load_buffer, newest, resolve, settings_of
from absolute_zero.types import UserError
from absolute_zero.values import one_line


class Opened(NamedTuple):
    """A model that can be asked."""

    cfg: Config
    parts: Components
    buffer: Buffer
    """Of a run: what it has accepted. Else empty, but for the seeds."""
    name: str


def note(line: str) -> None:
    """Print what is worth knowing of a model, and no error, beside what the command prints."""
    print(f"azr: note: {one_line(line)}", file=sys.stderr)


@contextmanager
def opened(source: str, recipe: str | None, settings: Sequence[str]) -> Generator[Opened]:
    """Open the model of a run's folder, which may be at work, or of a path, under a recipe's settings (`laptop`'s for
    None).

    Raises UserError for a recipe or settings beside a run, which has its own, and for a run without a checkpoint.
    """
    folder = resolve(Path(source))
    if not os.path.exists(folder / "run.db"):
        cfg = load(recipe or "laptop", [*settings, f"model.path={literal(source)}"])
        with open_components(cfg, note) as parts:
            buffer = Buffer(cfg, parts.task_types, parts.seeds, barred_families(cfg))
            yield Opened(cfg, parts, buffer, source)
        return
    if settings or recipe:
        wrong = "give no recipe and no KEY=VALUE beside it, or name a model's folder"
        raise UserError(f"{source} is a run and has its own settings: {wrong}")
    cfg = settings_of(folder)
    step, checkpoint = newest(folder)
    with open_components(cfg) as parts:
        buffer = load_buffer(folder, cfg, parts)
        parts.policy.load(checkpoint)
        yield Opened(cfg, parts, buffer, f"{source} at step {step}")
