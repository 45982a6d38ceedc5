"""The section `[sql]` of the settings, and the limits that tasks are read within."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, final

from pydantic import Field

from absolute_zero.config import Section


@final
class Settings(Section):
    """SQL tasks."""

    pairs: Annotated[int, Field(strict=True, ge=2, le=16)] = 6
    """Tables of a `query` task; the first half is shown with its rows, the rest hidden."""
    rows: Annotated[int, Field(strict=True, ge=1, le=200)] = 12
    """Rows of one table, or of a result; what has more is refused."""
    query_characters: Annotated[int, Field(strict=True, ge=20, le=4000)] = 400
    """Longest query, in characters."""
    message_characters: Annotated[int, Field(strict=True, ge=0, le=2000)] = 160
    """Longest message of a `query` task, in characters."""


DEFAULTS: Final = Settings()


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What tasks and answers may hold."""

    pairs: int = DEFAULTS.pairs
    rows: int = DEFAULTS.rows
    query_characters: int = DEFAULTS.query_characters
    message_characters: int = DEFAULTS.message_characters
    result_bytes: int = 2048


def limits_of(cfg: Any) -> Limits:
    """Return the limits that a run's settings set."""
    own = cfg.domain_section
    return Limits(own.pairs, own.rows, own.query_characters, own.message_characters, cfg.sandbox.value_bytes)
