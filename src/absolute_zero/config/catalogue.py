"""The settings as a list: the place of each, what it is for, and what may be given.

Read off the models, so that nothing is said twice: help, messages and written recipes all speak from here. Promises:
every setting once, in the order of the models, its words plain ASCII on one line. Does not judge values; the models do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from absolute_zero.config.settings import Config

Place = tuple[str, ...]
"""Where a setting is: ("steps",) or ("solve", "trials")."""
Schema = Mapping[str, Any]
"""A piece of JSON schema, as pydantic gives it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    >>> catalogue()[("solve", "trials")].wanted
    'a whole number of at least 1'
    """

    meaning: str
    wanted: str
    """What may be given, as a phrase after "give"."""


@cache
def catalogue() -> Mapping[Place, Setting]:
    """Every setting by its place: those of no section first, then section by section."""
    schema = Config.model_json_schema()
    definitions: Mapping[str, Schema] = schema["$defs"]
    top: dict[Place, Setting] = {}
    below: dict[Place, Setting] = {}
    for name, entry in schema["properties"].items():
        if section := _section(entry, definitions):
            for key, leaf in section["properties"].items():
                below[name, key] = Setting(leaf["description"], _wanted(leaf, definitions))
        else:
            top[(name,)] = Setting(entry["description"], _wanted(entry, definitions))
    return top | below


@cache
def sections() -> Mapping[str, str]:
    """What each section is for, by name."""
    schema = Config.model_json_schema()
    found = {name: _section(entry, schema["$defs"]) for name, entry in schema["properties"].items()}
    return {name: section["description"] for name, section in found.items() if section}


def _section(entry: Schema, definitions: Mapping[str, Schema]) -> Schema | None:
    """The section that an entry refers to, or None if it is a setting."""
    target = definitions.get(str(entry.get("$ref", "")).rpartition("/")[2], {})
    return target if "properties" in target else None


def _wanted(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """What one piece of schema lets through, in words.

    >>> _wanted({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {})
    'a number above 0 and at most 1'
    """
    if "$ref" in schema:
        return _wanted(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return "one of " + ", ".join(f'"{word}"' for word in schema["enum"])
    match schema["type"]:
        case "boolean":
            return "true or false"
        case "string":
            return "text in quotes, not empty" if schema.get("minLength") else "text in quotes"
        case "array" if "prefixItems" in schema:
            items = schema["prefixItems"]
            return f"an array of {len(items)}, each {_wanted(items[0], definitions)}"
        case "array":
            item = _wanted(schema["items"], definitions)
            return f"an array of at least {item}" if schema.get("minItems") else f"an array, each {item}"
        case "integer":
            return "a whole number" + _bounds(schema)
        case _:
            return "a number" + _bounds(schema)


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema and schema[key] != 1 << 63]
    # The bound of all whole numbers would say nothing to a reader; `reading` names it where it is passed.
    return f" {' and '.join(limits)}".rstrip()


_LIMITS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
