"""Which model a command is about: a run's newest checkpoint, or any model with the settings of a recipe."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from absolute_zero.buffer import Buffer
from absolute_zero.config import Config, load
from absolute_zero.ports import Components
from absolute_zero.run import load_buffer, newest, open_components, resolve, settings_of
from absolute_zero.types import UserError


class Opened(NamedTuple):
    """A model that can be asked."""

    cfg: Config
    world: Components
    buffer: Buffer
    """Of a run: what it has accepted. Else empty, but for the zero triplet."""
    name: str


@contextmanager
def opened(source: str, recipe: str | None, settings: Sequence[str]) -> Generator[Opened]:
    """The model of a run's folder, which may be at work, or of a path, under a recipe's settings (`laptop`'s for None).

    Raises UserError for a recipe or settings beside a run, which has its own, and for a run without a checkpoint.
    """
    folder = resolve(Path(source))
    if not os.path.exists(folder / "run.db"):
        cfg = load(recipe or "laptop", [*settings, f"model.path={source}"])
        with open_components(cfg) as world:
            yield Opened(cfg, world, Buffer(cfg), source)
        return
    if settings or recipe:
        wrong = "give no recipe and no KEY=VALUE beside it, or name a model's folder"
        raise UserError(f"{source} is a run and has its own settings: {wrong}")
    cfg = settings_of(folder)
    step, place = newest(folder)
    buffer = load_buffer(folder, cfg)
    with open_components(cfg) as world:
        world.policy.load(place)
        yield Opened(cfg, world, buffer, f"{source} at step {step}")
