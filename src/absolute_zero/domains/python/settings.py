"""The settings of Python's own: `[python]` in a recipe.

Imports `absolute_zero.config` only, which imports no domain.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from absolute_zero.config import Int, Section


class PythonSettings(Section):
    """Tasks about Python programs (paper section 3.2)."""

    inputs: Annotated[Int, Field(ge=2, le=64)] = 10
    """N: inputs of an induction task; the first half of the pairs is shown, the rest hidden."""
    least_inputs: Annotated[Int, Field(ge=0, le=64)] = 0
    """Inputs that do, of those that can be used, for models that cannot write N of which each is right. At most N are
    kept. 0: exactly N, all right (the paper)."""
    message_characters: Annotated[Int, Field(ge=0, le=10_000)] = 300
    """Longest message of an induction task, in characters; a longer one is refused."""
    induction: Literal["binary", "fraction"] = "binary"
    """What an induction answer is worth: all hidden pairs or nothing; or the share of them."""

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if self.least_inputs == 1 or self.least_inputs > self.inputs:
            raise ValueError(f"least_inputs is 0, or from 2 to {self.inputs} (inputs)")
        return self
