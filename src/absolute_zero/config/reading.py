"""From a recipe and what is said on the command line to a Config.

A recipe is a TOML file; it may say `base = "NAME_OR_FILE"` to build on another. Later wins: the innermost base first,
then what builds on it, then the overrides. A preset counts as all it implies, said where the preset is said.

Promises: whatever is wrong is one UserError of one printable line that says what to do; of several mistakes the first
is named and the others are counted. Does not look whether models or files that settings name are there.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from absolute_zero.config.catalogue import Place, catalogue, sections
from absolute_zero.config.settings import PRESETS, Config
from absolute_zero.config.writing import dotted, literal
from absolute_zero.types import UserError

RECIPES: Final = Path(__file__).resolve().parents[1] / "recipes"
MAX_FILE_BYTES: Final = 1 << 20
"""A recipe over this is a slip (a device, a data file)."""
SHOWN: Final = 60
"""A message shows at most so many letters of what was given."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value, and the file that says it, as a message begins with it (empty for an override)."""

    value: object
    origin: str


def recipes() -> dict[str, str]:
    """The recipes in the package: what each is for, by name. The first line of the file says it."""
    found: dict[str, str] = {}
    for path in sorted(RECIPES.glob("*.toml")):
        with path.open(encoding="utf-8") as lines:
            found[path.stem] = lines.readline().strip("# \n")
    return found


def load(recipe: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The settings of a recipe (a name, or a TOML file; none is the paper's defaults) with `KEY=VALUE` over them.

    Raises UserError.

    >>> load("paper", ["solve.trials=4", "update.learning_rate=1e-5"]).solve.trials
    4
    """
    merged: dict[Place, Given] = {}
    for origin, table in _chain(recipe) if recipe is not None else ():
        _lay(merged, {place: Given(value, origin) for place, value in _leaves(table)})
    said, faults = _overrides(overrides)
    _lay(merged, said)
    unknown = {place: _misplaced(place, given.value) for place, given in merged.items() if place not in catalogue()}
    config, wrong = _checked({place: given for place, given in merged.items() if place not in unknown})
    wrong |= unknown
    # In the order in which they were said; what concerns no single one comes last.
    faults += [given.origin + wrong[place] for place, given in merged.items() if place in wrong]
    faults += [text for place, text in wrong.items() if place not in merged]
    if config is None or faults:
        others = len(faults) - 1
        count = f" (and {others} more mistake{'s' if others > 1 else ''})" if others else ""
        raise _error(faults[0] + count)
    return config


# --- recipes ------------------------------------------------------------------------------------------------


def _chain(recipe: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """The tables of a recipe and of all it builds on, the innermost first, each with its name for messages."""
    chain: list[tuple[str, dict[str, Any]]] = []
    passed: dict[Path, str] = {}
    path, label = _find(recipe, Path(), "")
    while True:
        table = _read(path, label)
        if path.resolve() in passed:
            way = " -> ".join([*passed.values(), label])
            raise _error(f"recipes build on each other in a circle ({way}): take one base out")
        passed[path.resolve()] = label
        chain.append((f"{label}: ", table))
        if "base" not in table:
            return chain[::-1]
        base: object = table.pop("base")
        if not isinstance(base, str):
            raise _error(f"{label}: base = {_shown(base)}: give the name or file of a recipe, in quotes")
        path, label = _find(base, path.parent, f"{label}: base: ")


def _find(recipe: str | Path, folder: Path, origin: str) -> tuple[Path, str]:
    """The file of a recipe and its name for messages; a relative file is looked for from `folder`."""
    if isinstance(recipe, str) and not re.search(r"[/\\]|\.toml$", recipe):
        names = list(recipes())
        if recipe in names:
            return RECIPES / f"{recipe}.toml", f"recipe {recipe}"
        names.sort(key=lambda name: -_likeness(recipe, name))
        known = ", ".join(names)
        raise _error(f"{origin}no recipe is called {_shown(recipe)}: use one of {known}, or a file such as ./mine.toml")
    return folder / recipe, str(folder / recipe)


def _read(path: Path, label: str) -> dict[str, Any]:
    """The table in a file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _error(f"cannot read {label}: {reason}; recipes by name are {', '.join(recipes())}") from None
    if len(data) > MAX_FILE_BYTES:
        raise _error(f"{label} is over {MAX_FILE_BYTES} bytes; give a recipe in TOML")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(f"{label}, line {line}: not UTF-8; save it as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error(f"{label}, {_syntax(str(error), text)}") from None
    except ValueError:
        raise _error(f"{label}: a number has more digits than Python reads; settings need no such") from None
    except RecursionError:
        raise _error(f"{label}: arrays or tables are nested too deep; settings need no such") from None


def _syntax(message: str, text: str) -> str:
    """What tomllib says, with the place in front: `Expected '=' (at line 3, column 5)` is no start of a message."""
    reason, _, where = message.rpartition(" (at ")
    if where == "end of document)":
        where = f"line {len(text.rstrip().splitlines()) or 1}"
    if re.match(r"Cannot (overwrite a value|declare .* twice)$|Duplicate inline table key", reason):
        return f"{where.rstrip(')')}: a key or section is given twice; keep one of them"
    return f"{where.rstrip(')')}: not TOML: {reason}"


# --- overrides ----------------------------------------------------------------------------------------------


def _overrides(texts: Sequence[str]) -> tuple[dict[Place, Given], list[str]]:
    """What `KEY=VALUE` texts say, and what is wrong with their form."""
    said: dict[Place, Given] = {}
    faults: list[str] = []
    for text in texts:
        key, equals, value = text.partition("=")
        place = tuple(part.strip() for part in key.split("."))
        if not equals or not all(place):
            faults.append(f"cannot read {_shown(text)}: write KEY=VALUE, such as solve.trials=4")
            continue
        meant = _value(value)
        # A table for a section (`solve={trials=4}`) is as good as its settings one by one.
        for leaf, part in _leaves({place[0]: meant}) if len(place) == 1 else [(place, meant)]:
            if leaf in said:
                faults.append(f"{_named(leaf)} is given twice; keep one of them")
            said[leaf] = Given(part, "")
    return said, faults


def _value(text: str) -> object:
    """The TOML value that a text is, or the text itself where it is none (`trr++`, `./model`)."""
    try:
        # A line break could end the value and smuggle in a key.
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    return table["value"] if table.keys() == {"value"} else text.strip()


# --- layers and mistakes ------------------------------------------------------------------------------------


def _leaves(table: Mapping[str, Any]) -> Iterator[tuple[Place, object]]:
    """The settings in a table by place, in its order; an empty section stands for itself."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            for name, part in cast("dict[str, object]", value).items():
                yield (key, name), part
        else:
            yield (key,), value


def _lay(merged: dict[Place, Given], layer: Mapping[Place, Given]) -> None:
    """Put a layer over what there is, with what its preset implies under it. The order is that of the saying."""
    preset = layer.get(("preset",))
    if preset:
        for section, keys in PRESETS.get(str(preset.value), {}).items():
            merged |= {(section, key): Given(value, preset.origin) for key, value in keys.items()}
    for place, given in layer.items():
        merged.pop(place, None)
        # An empty table for a section says nothing; for anything else it is a mistake.
        if given.value != {} or place not in {(name,) for name in sections()}:
            merged[place] = given


def _misplaced(place: Place, value: object) -> str:
    """What to say of something that is no setting."""
    inside = [other for other in catalogue() if other[0] == place[0] and place[0] in sections()]
    if inside and len(place) == 1:
        return f"{place[0]} = {_shown(value)}: {place[0]} is a section; give its settings, such as {dotted(inside[0])}"
    names = [(name,) for name in sections()] if len(place) == 1 else []
    likeness, nearest = max((_alike(place, other), other) for other in (*catalogue(), *names))
    if likeness >= 0.6:
        return f"{_named(place)} is no setting; did you mean {dotted(nearest)}?"
    if inside:
        return f"{_named(place)} is no setting; {place[0]} has {', '.join(other[1] for other in inside)}"
    return f"{_named(place)} is no setting; azr train --dry-run prints all there are"


def _alike(place: Place, other: Place) -> float:
    """How near two places are: by the last word, which weighs a little less where the section differs."""
    if place[:-1] == other[:-1]:
        return _likeness(place[-1], other[-1])
    if place[:1] == other:  # a key below something that is no section
        return 1.0
    whole = _likeness(".".join(place), ".".join(other)) if len(place) == len(other) else 0.0
    return max(whole, 0.95 * _likeness(place[-1], other[-1]))


def _likeness(one: str, other: str) -> float:
    # Compared in time that grows with the product of the lengths: no setting has a long name.
    return SequenceMatcher(None, one[:SHOWN], other).ratio()


def _checked(known: Mapping[Place, Given]) -> tuple[Config | None, dict[Place, str]]:
    """The Config of known settings, or what is wrong with them; what no single one is to blame for has no place."""
    nested: dict[str, Any] = {}
    for place, given in known.items():
        *section, key = place
        (nested.setdefault(section[0], {}) if section else nested)[key] = given.value
    try:
        return Config.model_validate(nested), {}
    except ValidationError as error:
        wrong: dict[Place, str] = {}
        for detail in error.errors(include_url=False):
            at = tuple(str(part) for part in detail["loc"])
            place = next((part for part in (at[:2], at[:1]) if part in known), ())
            if place:
                wrong[place] = _refused(place, known[place].value)
            else:
                wrong[place] = str(detail.get("ctx", {}).get("error", detail["msg"]))
        return None, wrong


def _refused(place: Place, value: object) -> str:
    """What to say of a value that its setting does not take."""
    wanted = catalogue()[place].wanted
    if type(value) is int and value >= 1 << 63 and "whole" in wanted:
        wanted += ", below 2**63"
    return f"{dotted(place)} = {_shown(value)}: give {wanted}"


def _shown(value: object) -> str:
    """A value for a message: as TOML, and no longer than fits."""
    match value:
        case dict():
            return "a table"
        case list():
            items = cast("list[object]", value)
            # Python recurses into what is nested, and there is no need to show it.
            text = f"[{', '.join('...' if isinstance(item, list | dict) else _shown(item) for item in items)}]"
        case int() if value.bit_length() > 200:
            return "a huge number"  # Python refuses to write out more than 4300 digits
        case _:
            # What has no literal of its own in TOML (dates) is written as it was given.
            text = literal(value)
    return _cut(text)


def _named(place: Place) -> str:
    """A key for a message: whoever writes it may have written anything."""
    return _cut(dotted(place))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _error(text: str) -> UserError:
    """One line, free of control letters: keys, values and file names may hold any."""
    return UserError("".join(letter if letter.isprintable() else " " for letter in text))
