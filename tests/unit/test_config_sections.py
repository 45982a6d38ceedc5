"""A section of settings that a domain brings: which fields it may have, and that it is read as it is written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

pytest.importorskip("pydantic")

from pydantic import Field, model_validator

from absolute_zero.config import Int, Real, Section, Text, as_toml, load
from absolute_zero.config.reading import from_json
from absolute_zero.types import UserError
from letters import LettersDomain


@dataclass(frozen=True)
class Domain(LettersDomain):
    """Letters, with a section."""

    name: str = "x"


class Whole(Section):
    """Every type that may be used."""

    rows: Int | None = 5
    words: tuple[Text, ...] | None = ("a",)
    pair: tuple[Int, Real] = (1, 0.5)
    table: dict[str, tuple[Int, ...]] = Field(default_factory=lambda: {"a b": (1,)})
    mode: Literal["fast", "slow"] | None = None
    plain: int = 3


class Needy(Section):
    """A section whose default it refuses itself."""

    rows: Annotated[Int, Field(ge=10)] = 3


class Worded(Section):
    """A section whose default is of another type."""

    rows: Int = "abc"  # pyright: ignore


class Endless(Section):
    """A section with a default that JSON does not have."""

    share: Real = float("inf")


class Raising(Section):
    """A section that raises what no validator should."""

    @model_validator(mode="after")
    def _raise(self) -> "Raising":
        raise KeyError("zz")


class Refusing(Section):
    """A section that refuses its own defaults as a whole."""

    @model_validator(mode="after")
    def _refuse(self) -> "Refusing":
        raise ValueError("too late")


class Made(Section):
    """A section whose default cannot be made."""

    rows: Annotated[Int, Field(default_factory=lambda: 1 // 0)]


class Aliased(Section):
    """A section that is written by other names."""

    rows: Annotated[Int, Field(alias="lines")] = 3


class Hidden(Section):
    """A section that is not written whole."""

    rows: Annotated[Int, Field(exclude=True)] = 3


class Nested(Section):
    """A section within a section."""

    inner: Whole = Whole()


class Listed(Section):
    """A section with a type that no recipe holds."""

    names: list[Text] = Field(default_factory=list[str])


class Located(Section):
    """A section with a path."""

    folder: Path = Path(".")


class Mixed(Section):
    """A section with a value of two types."""

    rows: Int | Text = 3


SECTIONS: Mapping[str, tuple[type[Section], str]] = {
    "NEEDY": (Needy, "its settings have no valid default for 'rows'"),
    "WORDED": (Worded, "its settings have no valid default for 'rows'"),
    "ENDLESS": (Endless, "its settings have no valid default for 'share'"),
    "RAISING": (Raising, r"its settings failed (KeyError: 'zz', test_config_sections.py:LINE): fix them"),
    "REFUSING": (Refusing, "its defaults are refused: Value error, too late"),
    "MADE": (Made, "its settings failed (ZeroDivisionError: integer division or modulo by zero,"
             " test_config_sections.py:LINE): fix them"),
    "ALIASED": (Aliased, "its setting 'rows' has an alias: give it one name"),
    "HIDDEN": (Hidden, "its setting 'rows' is not written as it is read: leave out what makes it so"),
    "NESTED": (Nested, "its setting 'inner' is of a type that no recipe holds: "),
    "LISTED": (Listed, "its setting 'names' is of a type that no recipe holds: "),
    "LOCATED": (Located, "its setting 'folder' is of a type that no recipe holds: "),
    "MIXED": (Mixed, "its setting 'rows' is of a type that no recipe holds: "),
}  # fmt: skip
globals().update({name: Domain(settings=section) for name, (section, _) in SECTIONS.items()})
WHOLE = Domain(name="whole", settings=Whole)


def dotted(name: str) -> str:
    """Return the dotted name of a domain in this module."""
    return f"{__name__}:{name}"


def refusal(recipe: str | None, *overrides: str) -> str:
    """Return what is said of settings that cannot be: one line."""
    with pytest.raises(UserError) as caught:
        load(recipe, overrides)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return what writes a recipe into the working folder, and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return "mine.toml"

    return write


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_would_not_be_read_again_is_one_line(name: str) -> None:
    text = re.sub(r"py:\d+", "py:LINE", refusal(None, f"domain={dotted(name)}"))
    assert text.startswith(f"domain '{dotted(name)}' does not fit: {SECTIONS[name][1]}")


def test_every_type_that_may_be_used_is_written_and_read_again(recipe: Callable[[str], str]) -> None:
    play = f"domain={dotted('WHOLE')}"
    for more in ([], ["whole.rows=7", 'whole.table={"c d"=[2, 3]}', 'whole.mode="slow"', "whole.words=[]"]):
        config = load(None, [play, *more])
        assert load(recipe(as_toml(config))) == from_json(config.model_dump_json(), "stored") == config
