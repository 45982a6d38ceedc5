"""The command that gives these settings: the nearest recipe, and what differs from it."""

import shlex
from contextlib import suppress

from absolute_zero.config.reading import load
from absolute_zero.config.recipe_files import recipes
from absolute_zero.config.settings import Config
from absolute_zero.config.writing import overrides
from absolute_zero.types import UserError


def command_for(config: Config) -> str | None:
    """Return the shortest `azr train` that gives exactly these settings; None if no recipe leads to them here."""
    changes: dict[str, list[str]] = {}
    for recipe in recipes():
        # A recipe may belong to another domain, or to a package that is broken: then it is not the nearest.
        with suppress(ValueError, UserError):
            settings = overrides(config, load(recipe))
            if load(recipe, settings) == config:
                changes[recipe] = settings
    if not changes:
        return None
    recipe = min(changes, key=lambda name: (len(changes[name]), name))
    return shlex.join(["azr", "train", "--recipe", recipe, *changes[recipe]])
