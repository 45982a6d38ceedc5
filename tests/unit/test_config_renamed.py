"""Settings that had another name: whoever gives the old one is told the new one, in one line."""

from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from absolute_zero.config import load
from absolute_zero.config.catalogue import catalogue
from absolute_zero.renamed import SETTINGS
from absolute_zero.types import UserError


def refusal(recipe: str | Path | None, *overrides: str) -> str:
    """Return what `load` says, having refused."""
    with pytest.raises(UserError) as caught:
        load(recipe, overrides)
    return str(caught.value)


def test_the_new_names_are_settings_and_the_old_ones_are_not() -> None:
    known = {".".join(key) for key in catalogue()}
    assert set(SETTINGS.values()) <= known
    assert not set(SETTINGS) & known


@pytest.mark.parametrize(("old", "new"), SETTINGS.items())
def test_an_old_name_is_one_line_that_says_the_new_one(old: str, new: str, tmp_path: Path) -> None:
    text = f"{old} is now {new}: rename it"
    assert refusal(None, f"{old}=4") == text
    assert refusal("laptop", f"{old}=[]") == text
    *section, last = old.split(".")
    if section:
        assert refusal(None, f"{section[0]}={{{last}=4}}") == text
    path = tmp_path / "mine.toml"
    path.write_text(f"[{section[0]}]\n{last} = 4\n" if section else f"{last} = 4\n")
    assert refusal(path) == f"{path}: {text}"


def test_several_are_counted() -> None:
    assert refusal(None, "solve={trials=4, tries=2}", "checkpoint_every=1") == (
        "solve.trials is now solve.n_difficulty: rename it (and 2 more mistakes)"
    )
    assert refusal(None, "checkpoint_every={every=3}").startswith(
        "checkpoint_every.every is not a setting; did you mean"
    )
