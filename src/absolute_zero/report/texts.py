"""The texts of tasks as their domain shows them; where it cannot, their payload as it is stored.

Promises: the settings and the domain are loaded once, whatever is wrong with them; what a domain raises, or gives in
another form than `TaskType.show` promises, costs its texts and never the page; `note` says so in one line.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

from absolute_zero.ports import TaskType
from absolute_zero.report.markup import brief
from absolute_zero.types import Task, UserError

PAYLOAD: Final = "payload"
"""Label of what is shown where the domain cannot be asked."""

Parts = Sequence[tuple[str, str]]
"""(label, text) of each part of a task."""


@final
class TaskTexts:
    """Shows tasks by their types, and remembers what went wrong first.

    >>> TaskTexts().parts(Task("sum", payload="1 + 1"))
    [('payload', '1 + 1')]
    """

    def __init__(self, task_types: Mapping[str, TaskType] | None = None, fault: str = "") -> None:
        self._task_types: Mapping[str, TaskType] = task_types or {}
        self._fault = fault

    def parts(self, task: Task) -> Parts:
        """Return (label, text) of the parts of a task."""
        task_type = self._task_types.get(task.kind)
        if task_type is None:
            self._blame(f"its domain knows no kind {task.kind!r}")
            return [(PAYLOAD, task.payload)]
        try:
            parts = [(_text(label), _text(text)) for label, text in task_type.show(task)]
        except Exception as error:  # a plug-in's code may raise anything
            self._blame(f"task {task.id}: {_why(error)}")
            return [(PAYLOAD, task.payload)]
        return parts or [(PAYLOAD, task.payload)]

    @property
    def note(self) -> str:
        """Why tasks are shown by their payload, in one line; empty where none had to be."""
        if not self._fault:
            return ""
        return f"Tasks are shown as they are stored, as their domain could not be asked: {brief(self._fault, 200)}."

    def _blame(self, fault: str) -> None:
        self._fault = self._fault or fault


def open_texts(settings: Mapping[str, Any]) -> TaskTexts:
    """Return the texts of the domain that these settings name; payloads if they or the domain cannot be loaded."""
    try:
        from absolute_zero.config import Config
        from absolute_zero.plugins import load

        cfg = Config.model_validate_json(json.dumps(settings))
        task_types = cast("Sequence[TaskType]", load("domains", cfg.domain).task_types(cfg))
        return TaskTexts({task_type.kind: task_type for task_type in task_types})
    except Exception as error:  # settings of another version, a package that is missing, or a plug-in's mistake
        return TaskTexts(fault=_why(error))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"show gave {type(value).__name__} where a text was due")
    return value


def _why(error: Exception) -> str:
    """Return what an exception says, in one line; of settings that do not fit, the first that does not."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ValueError) and len(lines) > 2 and " [type=" in lines[2]:  # as pydantic says it
        return f"setting {lines[1]}: {lines[2].partition(' [type=')[0]}"
    words = " ".join(" ".join(lines).split()) or "no reason given"
    return words.rstrip(".") if isinstance(error, UserError) else f"{type(error).__name__}: {words}"
