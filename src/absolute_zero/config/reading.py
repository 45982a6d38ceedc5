"""From a recipe and what is said on the command line to a Config.

Later wins: the innermost base first, then what builds on it, then the overrides. A preset counts as all it implies,
said where the preset is said. A section of another domain that a recipe sets, before a later one or an override names
the domain that is played, is left out.

Promises: whatever is wrong is one UserError of one printable line that says what to do; of several mistakes the first
is named and the others are counted. Does not look whether models or files that settings name are there.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from absolute_zero import plugins
from absolute_zero.config.catalogue import DEFAULT_DOMAIN, KeyPath, catalogue, sections
from absolute_zero.config.recipe_files import chain, likeness
from absolute_zero.config.settings import PRESETS, Config, reason_of, section_of
from absolute_zero.config.writing import dotted, mistake, shown, shown_key
from absolute_zero.renamed import SETTINGS as RENAMED
from absolute_zero.types import UserError


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value, and the file that says it, as a message begins with it (empty for an override)."""

    value: object
    origin: str


Layer = Mapping[KeyPath, Assignment]
"""What one recipe or the overrides say, in the order of the saying."""


def load(recipe: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Return the settings of a recipe with `KEY=VALUE` over them.

    The recipe is a name, or a TOML file; none is the paper's defaults. Raises UserError.

    >>> load("paper", ["solve.n_difficulty=4", "update.learning_rate=1e-5"]).solve.n_difficulty
    4
    """
    layers: list[Layer] = [
        {key: Assignment(value, origin) for key, value in _leaves(table)}
        for origin, table in (chain(recipe) if recipe is not None else ())
    ]
    layer, faults = _overrides(overrides)
    layers, domain = _played([*layers, layer])
    merged: dict[KeyPath, Assignment] = {}
    for layer in layers:
        _lay(merged, layer, domain)
    known = catalogue(domain)
    unknown = {key: _misplaced(key, item.value, domain) for key, item in merged.items() if key not in known}
    config, wrong = _checked({key: item for key, item in merged.items() if key in known}, domain)
    wrong |= unknown
    # In the order in which they were said; what concerns no single one comes last.
    faults += [item.origin + wrong[key] for key, item in merged.items() if key in wrong]
    faults += [text for key, text in wrong.items() if key not in merged]
    if config is None or faults:
        others = len(faults) - 1
        count = f" (and {others} more mistake{'s' if others > 1 else ''})" if others else ""
        raise mistake(faults[0] + count)
    return config


def from_json(text: str, origin: str) -> Config:
    """Return the settings that a run was stored with. Raises UserError, which begins with the origin and names the
    first setting that cannot be."""
    try:
        return Config.model_validate_json(text)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in detail["loc"])
        reason = reason_of(detail)
        if detail["type"] == "extra_forbidden" and (section := Config.model_fields.get(str(detail["loc"][0]))):
            fields = getattr(section.annotation, "model_fields", {})  # of the domain's own section, its error says it
            reason = f"no such setting: {detail['loc'][0]} has {', '.join(fields)}"
        raise mistake(f"{origin}: {f'{key}: ' if key else ''}{reason}: fix it there") from None


def named(overrides: Sequence[str]) -> set[str]:
    """Return the settings that `KEY=VALUE` texts name, one by one where they set a section."""
    return {".".join(key) for key in _overrides(overrides)[0]}


# --- overrides ----------------------------------------------------------------------------------------------


def _overrides(texts: Sequence[str]) -> tuple[Layer, list[str]]:
    """Return what `KEY=VALUE` texts say, and what is wrong with their form."""
    layer: dict[KeyPath, Assignment] = {}
    faults: list[str] = []
    for text in texts:
        left, equals, right = text.partition("=")
        key = tuple(part.strip() for part in left.split("."))
        if not equals or not all(key):
            faults.append(f"cannot read {shown(text)}: write KEY=VALUE, such as solve.n_difficulty=4")
            continue
        value = _value(right)
        # A table for a section (`solve={n_difficulty=4}`) is as good as its settings one by one.
        for leaf, part in _leaves({key[0]: value}) if len(key) == 1 else [(key, value)]:
            if leaf in layer:
                faults.append(f"{shown_key(leaf)} is given twice; keep one of them")
            layer[leaf] = Assignment(part, "")
    return layer, faults


def _value(text: str) -> object:
    """Return the TOML value that a text is, or the text itself where it is none (`trr++`, `./model`)."""
    try:
        # A line break could end the value and smuggle in a key.
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    return table["value"] if table.keys() == {"value"} else text.strip()


# --- layers -------------------------------------------------------------------------------------------------


def _leaves(table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """Return the settings in a table by key, in its order; an empty section stands for itself."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            for name, part in cast("dict[str, object]", value).items():
                yield (key, name), part
        else:
            yield (key,), value


def _played(layers: Sequence[Layer]) -> tuple[list[Layer], str]:
    """Return the domain that is played, and the layers without what they say of others that were to be played then.

    Raises UserError if the domain cannot be loaded.
    """
    domain, origin = DEFAULT_DOMAIN, ""
    as_of: list[str] = []
    for layer in layers:
        item = layer.get(("domain",))
        # What is not a name at all is refused later, with other values of the wrong type.
        if item is not None and isinstance(item.value, str) and item.value:
            domain, origin = item.value, item.origin
        as_of.append(domain)
    if not plugins.is_named("domains", domain):
        raise mistake(f"{origin}domain = {shown(domain)}: give {plugins.choices('domains')}")
    try:
        section, _ = section_of(domain)
    except UserError as error:
        raise mistake(f"{origin}{error}") from error
    known = {*Config.model_fields, section}
    kept: list[Layer] = []
    for layer, name in zip(layers, as_of, strict=True):
        if name != domain:
            # What was said for another domain: its section, and the templates of its prompts.
            strange = {_section_name(name), "templates"} if any(key[0] not in known for key in layer) else {"templates"}
            layer = {key: item for key, item in layer.items() if key[0] == section or key[0] not in strange}
        kept.append(layer)
    return kept, domain


def _section_name(domain: str) -> str:
    """Return the name of the section of a domain that is not played, and may not even be there."""
    try:
        return section_of(domain)[0]
    except UserError:
        return domain


def _lay(merged: dict[KeyPath, Assignment], layer: Layer, domain: str) -> None:
    """Put a layer over what there is, with what its preset implies under it. The order is that of the saying."""
    preset = layer.get(("preset",))
    if preset:
        for section, values in PRESETS.get(str(preset.value), {}).items():
            merged |= {(section, key): Assignment(value, preset.origin) for key, value in values.items()}
    for key, item in layer.items():
        merged.pop(key, None)
        # An empty table for a section says nothing; for anything else it is a mistake.
        if item.value != {} or key not in {(name,) for name in sections(domain)}:
            merged[key] = item


# --- mistakes -----------------------------------------------------------------------------------------------


def _misplaced(key: KeyPath, value: object, domain: str) -> str:
    """Return what to say of something that is not a setting."""
    if new := RENAMED.get(".".join(key)):
        return f"{shown_key(key)} is now {new}: rename it"
    known = catalogue(domain)
    inside = [other for other in known if other[0] == key[0] and key[0] in sections(domain)]
    if inside and len(key) == 1:
        return f"{key[0]} = {shown(value)}: {key[0]} is a section; give its settings, such as {dotted(inside[0])}"
    if key[0] == section_of(domain)[0] and not inside:
        return f"{shown_key(key)} is not a setting; the domain {key[0]} has no settings of its own"
    if key[0] in plugins.names("domains") and not inside:
        return f"{shown_key(key)} is for another domain than {shown(domain)}: leave it out, or set domain"
    names = [(name,) for name in sections(domain)] if len(key) == 1 else []
    score, nearest = max((_likeness(key, other), other) for other in (*known, *names))
    if score >= 0.6:
        return f"{shown_key(key)} is not a setting; did you mean {dotted(nearest)}?"
    if inside:
        return f"{shown_key(key)} is not a setting; {key[0]} has {', '.join(other[1] for other in inside)}"
    return f"{shown_key(key)} is not a setting; azr train --dry-run prints all there are"


def _likeness(key: KeyPath, other: KeyPath) -> float:
    """Return how near two keys are: by the last word, which weighs a little less where the section differs."""
    if key[:-1] == other[:-1]:
        return likeness(key[-1], other[-1])
    if key[: len(other)] == other:  # a key below something that is not a section
        return 1.0
    whole = likeness(".".join(key), ".".join(other)) if len(key) == len(other) else 0.0
    return max(whole, 0.95 * likeness(key[-1], other[-1]))


def _checked(known: Layer, domain: str) -> tuple[Config | None, dict[KeyPath, str]]:
    """Return the Config of known settings, or what is wrong with them: under () what no single one is to blame for."""
    nested: dict[str, Any] = {}
    for key, item in known.items():
        *section, last = key
        (nested.setdefault(section[0], {}) if section else nested)[last] = item.value
    try:
        return Config.model_validate(nested), {}
    except UserError as error:
        return None, {(): str(error)}
    except ValidationError as error:
        wrong: dict[KeyPath, str] = {}
        for detail in error.errors(include_url=False):
            at = tuple(str(part) for part in detail["loc"])
            key = next((part for part in (at[:2], at[:1]) if part in known), ())
            if not key and len(at) == 1 and at[0] in sections(domain):  # its settings do not go together
                origins = {item.origin for other, item in known.items() if other[0] == at[0]}
                wrong[at] = f"{origins.pop() if len(origins) == 1 else ''}{at[0]}: {reason_of(detail)}"
            elif not key:
                wrong[key] = reason_of(detail)
            elif detail["type"] == "value_error":  # it says itself what to do
                wrong[key] = f"{dotted(key)} = {shown(known[key].value)}: {reason_of(detail)}"
            else:
                wrong[key] = _refused(key, known[key].value, domain)
        return None, wrong


def _refused(key: KeyPath, value: object, domain: str) -> str:
    """Return what to say of a value that its setting does not take."""
    wanted = catalogue(domain)[key].wanted
    if type(value) is int and value >= 1 << 63 and "whole" in wanted:
        wanted += ", below 2**63"
    return f"{dotted(key)} = {shown(value)}: give {wanted}"
