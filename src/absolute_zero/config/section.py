"""What a section of the settings is built of; a domain builds its own section of the same.

Promises: values are taken as they are, so that `1.0`, `"1"` and `true` are three things; equal sections are written
as equal texts.
"""

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

# Strict: without it 1.0 and "1" pass for whole numbers, and 1 and "yes" for true. SQLite and TOML hold 64 bits.
Int = Annotated[int, Field(strict=True, lt=1 << 63)]
Real = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
# Also refuses half a surrogate pair (an argument that was not UTF-8), which no file could hold.
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A table of settings: frozen, and no key that is not there. The string below a field is its description.

    >>> class Chess(Section):
    ...     "Positions and moves."
    ...     pieces: Annotated[Int, Field(ge=2)] = 5
    ...     "Pieces on the board, at most."
    >>> Chess(pieces=3)
    Chess(pieces=3)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _drop_sign_of_zero(cls, value: object) -> object:
        """Return 0.0 for -0.0, also within tables and arrays: they are equal, and would be written as two texts."""
        match value:
            case float():
                return value + 0.0
            case tuple():
                return tuple(cls._drop_sign_of_zero(item) for item in cast("tuple[object, ...]", value))
            case dict():
                table = cast("dict[str, object]", value)
                return {name: cls._drop_sign_of_zero(item) for name, item in table.items()}
            case _:
                return value
