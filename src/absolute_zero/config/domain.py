"""What the domain has a say in: its own section of the settings, and which kinds can be played.

Promises: a domain that does not fit is a UserError of one line. Imports no domain before settings name it.
"""

import re
from collections.abc import Collection
from typing import Any, cast

from pydantic import ValidationError

from absolute_zero import plugins
from absolute_zero.config.section import Section
from absolute_zero.ports import Domain, TaskType
from absolute_zero.types import UserError


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
    try:
        section()
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise plugins.misfit("domains", name, f"its settings have no valid default for {key!r}") from error
    return domain, section


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
        reason = f"its task types cannot be made ({type(error).__name__}: {error})"
        raise plugins.misfit("domains", domain.name, reason) from error
    for task_type in task_types:
        if reason := plugins.lacks(task_type, plugins.TASK_TYPE):
            raise plugins.misfit("domains", domain.name, f"task type {getattr(task_type, 'kind', '')!r}: {reason}")
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
