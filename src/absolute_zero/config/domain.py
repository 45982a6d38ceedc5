"""What the domain has a say in: its own section of the settings, and which kinds can be played.

Promises: a domain that does not fit is a UserError of one line. Imports no domain before settings name it.
"""

import json
import re
from collections.abc import Collection
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import ValidationError

from absolute_zero import plugins
from absolute_zero.checked.calls import reason
from absolute_zero.config.section import Section
from absolute_zero.ports import Domain, TaskType
from absolute_zero.types import UserError

_TYPES: Final = "Int, Real, Flag, Text, a Literal of texts, a tuple or dict[str, ...] of these, or any | None"


def load_domain(name: str, reserved: Collection[str]) -> tuple[Domain, type[Section] | None]:
    """Return the domain that a name stands for and its section, which none of the reserved names may have.

    Raises UserError.
    """
    domain: Domain = plugins.load("domains", name)
    if domain.name in reserved:
        raise plugins.misfit("domains", name, f"it is called {domain.name!r}, as a setting is: rename it")
    section: Any = domain.settings
    if section is None:
        return domain, None
    if not (isinstance(section, type) and issubclass(section, Section)):
        raise plugins.misfit("domains", name, "its settings are not a subclass of absolute_zero.config.Section")
    if wrong := _strange_field(section) or _wrong_default(name, section):
        raise plugins.misfit("domains", name, wrong)
    return domain, section


def validated(domain: str, section: type[Section], values: object) -> Section:
    """Return a section with these values. Raises ValidationError for them, and UserError for what fails in it."""
    try:
        return section.model_validate(values)
    except (ValidationError, UserError):
        raise
    except Exception as error:  # a validator from a plug-in may raise anything
        raise plugins.misfit("domains", domain, f"its settings failed ({reason(error)}): fix them") from error


@cache
def _wrong_default(domain: str, section: type[Section]) -> str:
    """Return what is wrong with the defaults of a section: they have to be there, and be read back as they are written,
    in a run's folder and in a recipe. Raises UserError for what fails in it."""
    try:
        text = validated(domain, section, {}).model_dump_json(warnings=False)
        validated(domain, section, json.loads(text))
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in detail["loc"])
        return (
            f"its settings have no valid default for {key!r}" if key else f"its defaults are refused: {detail['msg']}"
        )
    strange = {*json.loads(text)} ^ {*section.model_fields}
    return f"its setting {min(strange)!r} is not written as it is read: leave out what makes it so" if strange else ""


def _strange_field(section: type[Section]) -> str:
    """Return what is wrong with the fields of a section; empty if each is one that a recipe can hold."""
    for key, field in section.model_fields.items():
        if field.alias or field.validation_alias or field.serialization_alias:
            return f"its setting {key!r} has an alias: give it one name"
        if not _is_plain(field.annotation):
            return f"its setting {key!r} is of a type that no recipe holds: use {_TYPES}"
    return ""


def _is_plain(annotation: Any, optional: bool = True) -> bool:
    """Return whether a type is one that a recipe holds: `_TYPES` says which."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _is_plain(arguments[0], optional)
    if origin in (Union, UnionType):
        others = [part for part in arguments if part is not NoneType]
        return optional and len(others) == 1 < len(arguments) and _is_plain(others[0], optional=False)
    if origin is Literal:
        return all(isinstance(part, str) for part in arguments)
    if origin is tuple:
        return all(part is Ellipsis or _is_plain(part, optional=False) for part in arguments)
    if origin is dict:
        return _is_text(arguments[0]) and _is_plain(arguments[1], optional=False)
    return annotation in (int, float, bool, str)


def _is_text(annotation: Any) -> bool:
    return annotation is str or (get_origin(annotation) is Annotated and get_args(annotation)[0] is str)


def choose_kinds(domain: Domain, cfg: Any) -> tuple[str, ...]:
    """Return the kinds that are played under these settings: all that the domain has where none is named.

    Raises ValueError with what to say after `kinds = VALUE: `, and UserError if the domain is at fault.
    """
    task_types = {task_type.kind: task_type for task_type in _task_types(domain, cfg)}
    chosen = cast("tuple[str, ...]", cfg.kinds) or tuple(task_types)
    for kind in chosen:
        if kind not in task_types:
            raise ValueError(f'the domain {domain.name} has no kind "{kind}": use {_listed(task_types)}')
    if len(set(chosen)) < len(chosen):
        raise ValueError("name each only once")
    for kind in chosen:
        sources = task_types[kind].sources
        if sources and not set(sources) & set(chosen):
            raise ValueError(f"{kind} takes its references from other kinds: add {_listed(sources)}")
    return chosen


def _task_types(domain: Domain, cfg: Any) -> list[TaskType]:
    """Return the task types of a domain, after a look at their names and sources."""
    try:
        task_types = list(domain.task_types(cfg))
    except UserError:
        raise
    except Exception as error:  # a domain from a plug-in may raise anything
        raise plugins.misfit("domains", domain.name, f"its task types cannot be made ({reason(error)})") from error
    for task_type in task_types:
        if wrong := plugins.lacks(task_type, plugins.TASK_TYPE):
            raise plugins.misfit("domains", domain.name, f"task type {getattr(task_type, 'kind', '')!r}: {wrong}")
    kinds = [task_type.kind for task_type in task_types]
    if not kinds:
        raise plugins.misfit("domains", domain.name, "it has no task types")
    for task_type in task_types:
        kind = task_type.kind
        if not isinstance(cast("object", kind), str) or not re.fullmatch(r"[A-Za-z0-9_-]+", kind):
            raise plugins.misfit("domains", domain.name, f"the kind {kind!r} has other than letters, digits, _ and -")
        if kind == "mean" or kind.endswith("_mean"):
            raise plugins.misfit(
                "domains", domain.name, f"no kind may be called {kind!r}: results have rows of that name"
            )
        if kinds.count(kind) > 1:
            raise plugins.misfit("domains", domain.name, f"it has two kinds {kind!r}")
        if strange := [source for source in task_type.sources if source not in kinds]:
            raise plugins.misfit("domains", domain.name, f"{kind} has the source {strange[0]!r}, which it has not")
    return task_types


def _listed(names: Collection[str]) -> str:
    """Return names as a phrase.

    >>> _listed(["a", "b", "c"])
    'a, b or c'
    """
    *others, end = names
    return f"{', '.join(others)} or {end}" if others else end
