"""Parts from outside, with a look at every call: what a plug-in raises, or returns that does not fit, is one line.

Promises: a part that fits behaves as it did; an exception that is not ours becomes a UserError that names the part, the
call and the line of the plug-in's file, with the exception as its cause; what does not fit is a UserError that
names the part, the call and what was due (`looks` says what that is). Floor 0, standard library.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Final, cast, final

from absolute_zero.checked import looks
from absolute_zero.checked.looks import Look
from absolute_zero.types import (
    AbsoluteZeroError,
    Grade,
    Identity,
    Prompt,
    Proposal,
    Task,
    UserError,
)

_HERE: Final = Path(__file__).parent
_TEXTS: Final[Look] = partial(looks.items, look=looks.text)
_EXAMPLES: Final[Look] = partial(looks.items, look=looks.example)


def call(label: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return what a plug-in's function gives. Raises UserError, which begins with the label, for what it raises."""
    try:
        return function(*arguments, **named)
    except AbsoluteZeroError:
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent != _HERE]
        where = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"{label} failed ({why}{where}): fix it") from error


def _looked(label: str, result: Any, look: Look, *arguments: Any, **named: Any) -> Any:
    """Return the result of a call if nothing is wrong with it, else raise UserError."""
    if wrong := call(label, look, result, *arguments, **named):
        raise UserError(f"{label} gave {wrong}: fix it")
    return result


@final
class Checked:
    """A plug-in's part, whose calls are looked at: `looks` has, by name of the call, what looks at its result."""

    def __init__(self, part: Any, label: str, looks: Mapping[str, Look]) -> None:
        self._part, self._label, self._looks = part, label, looks

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of any object, maybe before it is whole
            raise AttributeError(name)
        label = f"{self._label}: {name}"
        try:
            value = getattr(self._part, name)
        except AttributeError:
            raise
        except Exception:
            return call(label, getattr, self._part, name)
        if not callable(value) or isinstance(value, type):
            return value

        def checked(*arguments: Any, **named: Any) -> Any:
            result = call(label, value, *arguments, **named)
            look = self._looks.get(name)
            return _looked(label, result, look, *arguments, **named) if look else result

        return checked


# --- policies, estimators, rewards --------------------------------------------------------------------------


def policy(part: Any, label: str) -> Any:
    """Return a plug-in's policy, checked."""
    return Checked(part, label, {"sample": looks.completions, "update": looks.metrics})


def estimator(part: Callable[..., Any], label: str) -> Any:
    """Return a plug-in's estimator, checked: what it gives is a mapping and numbers, or the error says so."""

    def checked(state: Mapping[str, Any], rewards: Sequence[Any]) -> tuple[Mapping[str, Any], list[float]]:
        def ask() -> tuple[Mapping[str, Any], list[float]]:
            after, advantages = part(state, rewards)
            return dict(after), [float(value) for value in advantages]

        return call(label, ask)

    setattr(checked, "per_prompt", bool(getattr(part, "per_prompt", False)))
    return checked


def reward_term(part: Callable[..., Any], label: str) -> Any:
    """Return a plug-in's reward term, checked: what it gives is a number, or the error says so."""

    def term(*arguments: Any) -> float:
        return call(label, lambda: float(part(*arguments)))

    return term


# --- domains ------------------------------------------------------------------------------------------------


def _task_type(part: Any, label: str) -> Checked:
    """Return a task type, checked. Raises UserError for what it takes references from."""
    kind = getattr(part, "kind", "")
    label = f"{label}: {kind or 'a task type'}"
    _looked(f"{label}: sources", getattr(part, "sources", ()), _TEXTS)
    _looked(f"{label}: max_references", getattr(part, "max_references", None), looks.count_or_none)
    prompt, grade = partial(looks.value, due=(Prompt,)), partial(looks.value, due=(Grade,))
    calls: dict[str, Look] = {
        "propose_prompt": prompt,
        "parse_proposal": partial(looks.of_kind, kind=kind, due=(Proposal, Grade)),
        "build_task": partial(looks.of_kind, kind=kind, due=(Task, Grade)),
        "probe": looks.probe,
        "identity": partial(looks.of_kind, kind=kind, due=(Identity, Grade)),
        "solve_prompt": prompt,
        "check": looks.check,
        "check_result": grade,
        "show": looks.pairs,
    }
    return Checked(part, label, {name: _alone(look) for name, look in calls.items()})


def _alone(look: Look) -> Look:
    """Return the look as one that is not told what the call was given."""

    def alone(result: object, *_: Any, **__: Any) -> str:
        return look(result)

    return alone


@final
class CheckedDomain:
    """A plug-in's domain, with what stands for the parts that it leaves out."""

    def __init__(self, domain: Any, label: str) -> None:
        self._domain, self._label = domain, label
        self._kinds: dict[str, None] = {}
        """Kinds that it has had, in order; none before it was asked for its task types."""
        self.name: str = domain.name
        self.settings: type[Any] | None = getattr(domain, "settings", None)
        self.templates: str = getattr(domain, "templates", "")

    def _ask(self, name: str, otherwise: Any, look: Look, *arguments: Any) -> Any:
        label = f"{self._label}: {name}"

        def ask() -> Any:
            function = getattr(self._domain, name, None)
            return otherwise if function is None else function(*arguments)

        return _looked(label, call(label, ask), look)

    def task_types(self, cfg: Any) -> list[Any]:
        """Return its task types, checked."""
        label = f"{self._label}: task_types"
        parts = _looked(label, call(label, self._domain.task_types, cfg), looks.sequence)
        task_types = [_task_type(part, self._label) for part in parts]
        kinds = [getattr(part, "kind", None) for part in parts]
        self._kinds |= dict.fromkeys(kind for kind in kinds if isinstance(kind, str))
        return task_types

    def open_executor(self, cfg: Any) -> Any:
        """Return its executor, checked."""
        executor = call(f"{self._label}: open_executor", self._domain.open_executor, cfg)
        checked = Checked(executor, f"{self._label}: executor", {"run": looks.outcomes})
        _looked(f"{self._label}: executor: level", getattr(checked, "level", ""), looks.text)
        return checked

    def seeds(self) -> Sequence[Task]:
        """Return its seeds, or none."""
        return self._ask("seeds", (), partial(looks.tasks, kinds=self._kinds, due=(Task,)))

    def suites(self) -> Mapping[str, Sequence[Task]]:
        """Return its suites, or none."""
        return self._ask("suites", {}, self._look_at_suites)

    def _look_at_suites(self, suites: object) -> str:
        if not isinstance(suites, Mapping):
            return f"{looks.name_of(suites)} where a mapping of names to tasks was due"
        for name, tasks in cast("Mapping[object, object]", suites).items():
            if wrong := looks.text(name) or looks.tasks(tasks, self._kinds, (Task,)):
                return f"{wrong} (suite {name!r})"
        return ""

    def worked_examples(self, kind: str, role: str, cfg: Any) -> Sequence[Any]:
        """Return its worked examples, or none; a domain whose examples are the same under all settings takes none."""
        function = getattr(self._domain, "worked_examples", None)
        settings = (cfg,) if callable(function) and len(signature(function).parameters) > 2 else ()
        return self._ask("worked_examples", (), _EXAMPLES, kind, role, *settings)

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Any]:
        """Return the tasks in a row. Raises UserError if it reads no rows."""
        if not hasattr(self._domain, "read_row"):
            raise UserError(f"{self._label} reads no tasks from files: it has no read_row")
        return self._ask("read_row", (), partial(looks.tasks, kinds=self._kinds, due=(Task, Proposal)), row)

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        """Return the families that a row bars. Raises UserError if it knows none."""
        if not hasattr(self._domain, "held_out"):
            raise UserError(f"{self._label} holds nothing out: it has no held_out")
        return self._ask("held_out", (), _TEXTS, row)
