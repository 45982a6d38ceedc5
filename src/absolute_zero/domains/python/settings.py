"""The settings of Python's own: `[python]` in a recipe.

Imports `absolute_zero.config` only, which imports no domain.
"""

from typing import Annotated, Literal

from pydantic import Field

from absolute_zero.config import Int, Section


class PythonSettings(Section):
    """Tasks about Python programs (paper section 3.2)."""

    inputs: Annotated[Int, Field(ge=2, le=64)] = 10
    """N: inputs of an induction task; the first half of the pairs is shown, the rest hidden."""
    message_characters: Annotated[Int, Field(ge=0, le=10_000)] = 300
    """Longest message of an induction task, in characters; a longer one is refused."""
    induction: Literal["binary", "fraction"] = "binary"
    """What an induction answer is worth: all hidden pairs or nothing; or the share of them."""
