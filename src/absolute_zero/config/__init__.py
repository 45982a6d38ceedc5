"""Settings: what there is to set, how it is read, how it is written.

    section        what sections are built of, also those of domains
    sections       the sections that every run has: types, bounds, defaults
    domain         what the domain has a say in
    settings       Config: the whole, and what must fit together
    catalogue      the same as a list, in words
    recipe_files   a recipe's name or file -> its table and those it builds on
    reading        recipes and overrides -> Config, or one line that says what to do
    writing        Config -> a commented recipe that reads back equal
    command        Config -> the command that gives it

Promises: no mistake in a recipe or an override gives anything but one UserError of one line. Touches no file but
recipes, and imports no domain before a Config is made. Floor 0; pydantic.
"""

from absolute_zero.config.command import command_for
from absolute_zero.config.reading import from_json, load, named
from absolute_zero.config.recipe_files import from_anywhere, recipes
from absolute_zero.config.section import Flag, Int, Real, Section, Text
from absolute_zero.config.sections import (
    PER_PROMPT,
    Buffer,
    Checkpoints,
    Estimators,
    Evals,
    Lora,
    Model,
    Propose,
    Reward,
    SamplingSection,
    Sandbox,
    Seeding,
    Solve,
    Store,
    Update,
)
from absolute_zero.config.settings import PRESETS, Config
from absolute_zero.config.writing import as_recipe, as_toml, literal, overrides

__all__ = [
    "PER_PROMPT", "PRESETS", "Buffer", "Checkpoints", "Config", "Estimators", "Evals", "Flag", "Int", "Lora", "Model",
    "Propose", "Real", "Reward", "SamplingSection", "Sandbox", "Section", "Seeding", "Solve", "Store", "Text",
    "Update", "as_recipe", "as_toml", "command_for", "from_anywhere", "from_json", "literal", "load", "named",
    "overrides", "recipes",
]  # fmt: skip
