"""Settings: what there is to set, how it is read, how it is written.

    settings    the models: types, bounds, defaults, what must fit together
    catalogue   the same as a list, in words
    reading     recipes and overrides -> Config, or one line that says what to do
    writing     Config -> a commented recipe that reads back equal

Promises: no mistake in a recipe or an override gives anything but one UserError of one line. Touches no file but
recipes. Floor 0; pydantic.
"""

from absolute_zero.config.reading import load, recipes
from absolute_zero.config.settings import (
    PER_PROMPT,
    PRESETS,
    Buffer,
    Config,
    Estimator,
    Estimators,
    Model,
    Propose,
    Reward,
    SamplingSection,
    Sandbox,
    Section,
    Seeding,
    Solve,
    Store,
    Update,
)
from absolute_zero.config.writing import as_toml

__all__ = [
    "PER_PROMPT", "PRESETS", "Buffer", "Config", "Estimator", "Estimators", "Model", "Propose", "Reward",
    "SamplingSection", "Sandbox", "Section", "Seeding", "Solve", "Store", "Update", "as_toml", "load", "recipes",
]  # fmt: skip
