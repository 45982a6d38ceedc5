"""Recipes: from a name or a file to its table, and to those it builds on.

A recipe is a TOML file; it may say `base = "NAME_OR_FILE"` to build on another. Those in this package have names, and
so have those that other packages register. Promises: whatever is wrong with a name, a file or its TOML is one
UserError of one printable line. Does not know settings.
"""

import re
import tomllib
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

from absolute_zero import plugins
from absolute_zero.config.writing import SHOWN, mistake, shown
from absolute_zero.types import UserError

RECIPES: Final = Path(__file__).resolve().parents[1] / "recipes"
MAX_FILE_BYTES: Final = 1 << 20
"""A recipe over this is a slip (a device, a data file)."""


def recipes() -> dict[str, str]:
    """Return the recipes by name, and what each is for: the first line of the file says it.

    Those of this package come first. Of one that cannot be read it says why.
    """
    purposes: dict[str, str] = {}
    for name in _names():
        try:
            with _named_file(name).open(encoding="utf-8", errors="replace") as lines:
                purposes[name] = "".join(c for c in lines.readline(1000).strip("# \n") if c.isprintable())
        except (UserError, OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            purposes[name] = f"(cannot be read: {error})"
    return purposes


def chain(recipe: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a recipe and of all it builds on, the innermost first, each with its name for messages.

    Raises UserError.
    """
    tables: list[tuple[str, dict[str, Any]]] = []
    passed: dict[Path, str] = {}
    path, label = _find(recipe, Path(), "")
    while True:
        table = _read(path, label)
        if path.resolve() in passed:
            way = " -> ".join([*passed.values(), label])
            raise mistake(f"recipes build on each other in a circle ({way}): take one base out")
        passed[path.resolve()] = label
        tables.append((f"{label}: ", table))
        if "base" not in table:
            return tables[::-1]
        base: object = table.pop("base")
        if not isinstance(base, str):
            raise mistake(f"{label}: base = {shown(base)}: give the name or file of a recipe, in quotes")
        path, label = _find(base, path.parent, f"{label}: base: ")


def from_anywhere(recipe: str) -> str:
    """Return a recipe's name, or the whole path of its file."""
    return str(Path(recipe).resolve()) if _is_file(recipe) else recipe


def _is_file(recipe: str) -> bool:
    return re.search(r"[/\\]|\.toml$", recipe) is not None


def likeness(text: str, known: str) -> float:
    """Return how alike a text is to a name that is known, from 0 to 1."""
    # Compared in time that grows with the product of the lengths: no setting has a long name.
    return SequenceMatcher(None, text[:SHOWN], known).ratio()


def _names() -> Sequence[str]:
    """Return the names of recipes, those of this package first."""
    return list(dict.fromkeys((*sorted(path.stem for path in RECIPES.glob("*.toml")), *plugins.names("recipes"))))


def _named_file(name: str) -> Path:
    """Return the file of the recipe with this name, or this dotted name. Raises UserError if it cannot be loaded."""
    own = RECIPES / f"{name}.toml"
    return own if own.is_file() else Path(plugins.load("recipes", name))


def _find(recipe: str | Path, folder: Path, origin: str) -> tuple[Path, str]:
    """Return the file of a recipe and its name for messages; a relative file is looked for from `folder`."""
    if isinstance(recipe, Path) or _is_file(recipe):
        return folder / recipe, str(folder / recipe)
    names = _names()
    if recipe in names or plugins.is_dotted(recipe):
        return _named_file(recipe), f"recipe {recipe}"
    known = ", ".join(sorted(names, key=lambda name: -likeness(recipe, name)))
    raise mistake(f"{origin}no recipe is called {shown(recipe)}: use one of {known}, or a file such as ./mine.toml")


def _read(path: Path, label: str) -> dict[str, Any]:
    """Return the table in a file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise mistake(f"cannot read {label}: {reason}; recipes by name are {', '.join(_names())}") from None
    if len(data) > MAX_FILE_BYTES:
        raise mistake(f"{label} is over {MAX_FILE_BYTES} bytes; give a recipe in TOML")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise mistake(f"{label}, line {line}: not UTF-8; save it as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise mistake(f"{label}, {_syntax(str(error), text)}") from None
    except ValueError:
        raise mistake(f"{label}: a number has more digits than Python reads; settings need no such") from None
    except RecursionError:
        raise mistake(f"{label}: arrays or tables are nested too deep; settings need no such") from None


def _syntax(message: str, text: str) -> str:
    """Return what tomllib says, with the line in front: `Expected '=' (at line 3, column 5)` is not a start of one."""
    reason, _, where = message.rpartition(" (at ")
    if where == "end of document)":
        where = f"line {len(text.rstrip().splitlines()) or 1}"
    if re.match(r"Cannot (overwrite a value|declare .* twice)$|Duplicate inline table key", reason):
        return f"{where.rstrip(')')}: a key or section is given twice; keep one of them"
    return f"{where.rstrip(')')}: not TOML: {reason}"
