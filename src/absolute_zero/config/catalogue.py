"""The settings as a list: the key of each, what it is for, and what may be given.

Read off the models, so that nothing is said twice: help, messages and written recipes all speak from here. Promises:
every setting once, in the order of the models, the domain's own last. Does not judge values; the models do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from absolute_zero import plugins
from absolute_zero.config.settings import Config, section_of
from absolute_zero.types import UserError

KeyPath = tuple[str, ...]
"""Which setting: ("steps",) or ("solve", "n_difficulty")."""
Schema = Mapping[str, Any]
"""A piece of JSON schema, as pydantic gives it."""
DEFAULT_DOMAIN: Final[str] = Config.model_fields["domain"].default


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    >>> catalogue()[("solve", "n_difficulty")].wanted
    'a whole number of at least 1'
    """

    meaning: str
    wanted: str
    """What may be given, as a phrase after "give"."""


@cache
def catalogue(domain: str = DEFAULT_DOMAIN) -> Mapping[KeyPath, Setting]:
    """Return every setting by its key: those of no section first, then section by section, that of the domain last.

    Raises UserError if there is no such domain.
    """
    top: dict[KeyPath, Setting] = {}
    below: dict[KeyPath, Setting] = {}
    schema = Config.model_json_schema()
    for name, entry in schema["properties"].items():
        if section := _section(entry, schema["$defs"]):
            below |= _settings(name, section, schema["$defs"])
        else:
            top[(name,)] = _setting(entry, schema["$defs"])
    name, model = section_of(domain)
    if model is not None:
        schema = model.model_json_schema()
        below |= _settings(name, schema, schema.get("$defs", {}))
    if kinds := _kinds(domain):
        top[("kinds",)] = Setting(top[("kinds",)].meaning, f"an array, each one of {', '.join(map(_quoted, kinds))}")
    return top | below


@cache
def sections(domain: str = DEFAULT_DOMAIN) -> Mapping[str, str]:
    """Return what each section is for, by name; that of the domain last. Raises UserError if there is no such."""
    schema = Config.model_json_schema()
    models = {name: _section(entry, schema["$defs"]) for name, entry in schema["properties"].items()}
    name, model = section_of(domain)
    if model is not None:
        models[name] = model.model_json_schema()
    return {name: section.get("description", "") for name, section in models.items() if section}


def _kinds(domain: str) -> tuple[str, ...]:
    """Return the kinds of a domain with default settings; none where it cannot be played with those."""
    try:
        return Config(domain=domain).kinds
    except (UserError, ValueError):
        return ()


def _section(entry: Schema, definitions: Mapping[str, Schema]) -> Schema | None:
    """Return the section that an entry refers to, or None if it is a setting."""
    target = definitions.get(str(entry.get("$ref", "")).rpartition("/")[2], {})
    return target if "properties" in target else None


def _settings(section: str, schema: Schema, definitions: Mapping[str, Schema]) -> dict[KeyPath, Setting]:
    """Return the settings of one section."""
    return {(section, key): _setting(leaf, definitions) for key, leaf in schema.get("properties", {}).items()}


def _setting(schema: Schema, definitions: Mapping[str, Schema]) -> Setting:
    return Setting(schema.get("description", ""), _wanted(schema, definitions))


def _wanted(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return what one piece of schema lets through, in words.

    >>> _wanted({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {})
    'a number above 0 and at most 1'
    """
    match schema:
        case {"$ref": target}:
            return _wanted(definitions[target.rpartition("/")[2]], definitions)
        case {"group": group}:
            return plugins.choices(group)
        case {"enum": values}:
            return "one of " + ", ".join(_quoted(value) for value in values)
        case {"const": value}:
            return _quoted(value)
        case {"anyOf": parts}:
            return ", or ".join(_wanted(part, definitions) for part in parts if part.get("type") != "null")
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "string"}:
            return "text in quotes, not empty" if schema.get("minLength") else "text in quotes"
        case {"type": "array", "prefixItems": [first, *others]}:
            return f"an array of {1 + len(others)}, each {_wanted(first, definitions)}"
        case {"type": "array"}:
            item = _wanted(schema.get("items", {}), definitions)
            return f"an array of at least {item}" if schema.get("minItems") else f"an array, each {item}"
        case {"type": "object"}:
            value = schema.get("additionalProperties")
            return f"a table of name = {_wanted(value, definitions).partition(' ')[2]}" if value else "a table"
        case {"type": "integer"}:
            return "a whole number" + _bounds(schema)
        case {"type": "number"}:
            return "a number" + _bounds(schema)
        case _:  # in a domain's section anything may be
            return "what its description says"


def _quoted(value: object) -> str:
    """Return a word of a few as TOML has it."""
    return json.dumps(value, ensure_ascii=False)


def _bounds(schema: Schema) -> str:
    """Return the bounds of a number, in words after it."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema and schema[key] != 1 << 63]
    # The bound of all whole numbers would say nothing to a reader; `reading` names it where it is passed.
    return f" {' and '.join(limits)}".rstrip()


_LIMITS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
