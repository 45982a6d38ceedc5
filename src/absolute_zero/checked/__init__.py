"""Parts from outside, with a look at every call: what a plug-in raises, or returns that does not fit, is one line.

Promises: a part that fits behaves as it did, but that numbers of other libraries come as Python's own; what it raises
is a UserError that names the part, the call and the line of the plug-in's file (`calls`); what does not fit is a
UserError that names the part, the call and what was due (`looks` says what that is). Floor 0, standard library.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, Final, cast, final

from absolute_zero.checked import looks, plain
from absolute_zero.checked.calls import call, printable
from absolute_zero.checked.looks import Look
from absolute_zero.types import Grade, Identity, Prompt, Proposal, Task, UserError

__all__ = ["Checked", "CheckedDomain", "call", "estimator", "policy", "reward_term"]

_TEXTS: Final[Look] = partial(looks.items, look=looks.text)
_EXAMPLES: Final[Look] = partial(looks.items, look=looks.example)
_NO_NUMBERS: Final = (str, bytes, Mapping)
"""What can be walked through and is no sequence of numbers."""
_LARGEST: Final = 1e100
"""No reward or advantage is larger: a mistake, and its square must stay finite (`advantages.BOUND`)."""


def _wrong(label: str, wrong: str) -> UserError:
    return UserError(printable(f"{label} gave {wrong}: fix it", None))


def _looked(label: str, result: Any, look: Look, *arguments: Any, **named: Any) -> Any:
    """Return the result of a call if nothing is wrong with it, else raise UserError."""
    if wrong := call(label, look, result, *arguments, **named):
        raise _wrong(label, wrong)
    return result


@final
class Checked:
    """A plug-in's part, whose calls are looked at: `looks` has, by name of the call, what looks at its result.

    `own` has what makes its result one of Python's own values first; `heard` hears of what a call gave; `more` has what
    a message says beside the name of a call, from its arguments.
    """

    def __init__(
        self,
        part: Any,
        label: str,
        looks: Mapping[str, Look],
        own: Mapping[str, Callable[[object], object]] = {},
        heard: Callable[[str, object], None] = lambda name, result: None,
        more: Callable[[str, tuple[Any, ...]], str] = lambda name, arguments: "",
    ) -> None:
        self._part, self._label, self._looks, self._own, self._heard, self._more = part, label, looks, own, heard, more

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
            whole = label + self._more(name, arguments)
            result = call(whole, value, *arguments, **named)
            if own := self._own.get(name):
                result = call(whole, own, result)
            if look := self._looks.get(name):
                _looked(whole, result, look, *arguments, **named)
            self._heard(name, result)
            return result

        return checked


# --- policies, estimators, rewards --------------------------------------------------------------------------


def policy(part: Any, label: str) -> Any:
    """Return a plug-in's policy, checked."""
    return Checked(part, label, {"sample": looks.completions, "update": looks.metrics}, {"update": plain.metrics})


def estimator(part: Callable[..., Any], label: str) -> Any:
    """Return a plug-in's estimator, checked: what it gives is a state and a number for each reward, or the error says
    what is not."""

    def checked(state: Mapping[str, Any], rewards: Sequence[Any]) -> tuple[Mapping[str, Any], list[float]]:
        result: object = call(label, part, state, rewards)
        both = looks.two(result)
        if both is None:
            raise _wrong(label, f"{looks.name_of(result)} where a pair of state and advantages was due")
        after, advantages = both
        return _state(label, after), _advantages(label, advantages, len(rewards))

    setattr(checked, "per_prompt", bool(getattr(part, "per_prompt", False)))
    return checked


def _state(label: str, state: object) -> Mapping[str, Any]:
    if not isinstance(state, Mapping):
        raise _wrong(label, f"a state that is {looks.name_of(state)} where a mapping was due")
    try:
        return plain.data(cast("object", state))
    except ValueError as error:
        raise _wrong(label, f"a state with {error}, where plain data was due") from None


def _advantages(label: str, advantages: object, count: int) -> list[float]:
    if isinstance(advantages, _NO_NUMBERS) or not hasattr(advantages, "__iter__"):
        raise _wrong(label, f"{looks.name_of(cast('object', advantages))} where advantages, one a reward, were due")
    items = call(label, list, advantages)
    if len(items) != count:
        raise _wrong(label, f"{len(items)} advantages where {count}, one a reward, were due")
    return [_real(label, "an advantage that is ", item) for item in items]


def _real(label: str, what: str, part: object) -> float:
    """Return a finite number. Raises UserError for all else."""
    number = plain.number(part)
    if number is None:
        raise _wrong(label, f"{what}{looks.name_of(part)} where a number was due")
    if not abs(number) <= _LARGEST:  # nan is not
        size = "finite number" if not math.isfinite(number) else f"number of at most {_LARGEST:g}"
        raise _wrong(label, f"{what}{number:g} where a {size} was due")
    return float(number)


def reward_term(part: Callable[..., Any], label: str) -> Any:
    """Return a plug-in's reward term, checked: what it gives is a finite number, or the error says what it is."""

    def term(*arguments: Any) -> float:
        result = call(label, part, *arguments)
        return _real(label, "", float(result) if plain.is_truth(result) else result)

    return term


# --- domains ------------------------------------------------------------------------------------------------


_Givers = dict[int, tuple[str, object]]
"""Jobs by their `id`, with the call that gave each."""


def _task_type(part: Any, label: str, givers: _Givers) -> Checked:
    """Return a task type, checked; `givers` hears of its jobs. Raises UserError for what it takes references from."""
    if isinstance(part, type):
        raise _wrong(f"{label}: task_types", f"{looks.name_of(part)} where an instance was due")
    kind = call(f"{label}: kind", getattr, part, "kind", "")
    label = f"{label}: {kind or 'a task type'}"
    for name, otherwise, look in (("sources", (), _TEXTS), ("max_references", None, looks.count_or_none)):
        _looked(f"{label}: {name}", call(f"{label}: {name}", getattr, part, name, otherwise), look)
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

    def heard(name: str, result: object) -> None:
        job = result.job if isinstance(result, Proposal) else result
        if name in ("parse_proposal", "probe", "check") and job is not None and not isinstance(job, Grade):
            givers[id(job)] = f"{kind}: {name}", job

    alone = {name: _alone(look) for name, look in calls.items()}
    return Checked(part, label, alone, dict.fromkeys(calls, plain.grade), heard)


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
        self._givers: _Givers = {}
        """Jobs that were given since the executor ran any."""
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
        task_types = [_task_type(part, self._label, self._givers) for part in parts]
        kinds = [getattr(part, "kind", None) for part in parts]
        self._kinds |= dict.fromkeys(kind for kind in kinds if isinstance(kind, str))
        return task_types

    def open_executor(self, cfg: Any) -> Any:
        """Return its executor, checked."""
        label = f"{self._label}: open_executor"
        executor = call(label, self._domain.open_executor, cfg)
        if isinstance(executor, type):
            raise _wrong(label, f"{looks.name_of(executor)} where an instance was due")

        def whose(name: str, arguments: tuple[Any, ...]) -> str:
            jobs = arguments[0] if name == "run" and arguments else ()
            givers = dict.fromkeys(self._givers[id(job)][0] for job in jobs if id(job) in self._givers)
            return f" (jobs of {', '.join(givers)})" if givers else ""

        def heard(name: str, result: object) -> None:
            if name == "run":
                self._givers.clear()

        label = f"{self._label}: executor"
        checked = Checked(executor, label, {"run": looks.outcomes}, heard=heard, more=whose)
        _looked(f"{label}: level", getattr(checked, "level", "unknown"), looks.word)
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
            if wrong := looks.word(name) or looks.suite(tasks, self._kinds):
                return f"{wrong} (suite {name!r})"
        return ""

    def worked_examples(self, kind: str, role: str, cfg: Any) -> Sequence[Any]:
        """Return its worked examples, or none; a domain whose examples are the same under all settings takes none."""
        label = f"{self._label}: worked_examples"
        function = call(label, getattr, self._domain, "worked_examples", None)
        settings = (cfg,) if function is not None and len(call(label, signature, function).parameters) > 2 else ()
        return self._ask("worked_examples", (), _EXAMPLES, kind, role, *settings)

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Any]:
        """Return the tasks in a row. Raises UserError if it reads no rows."""
        if not self._has("read_row"):
            raise UserError(f"{self._label} reads no tasks from files: it has no read_row")
        items = self._of_row("read_row", partial(looks.row, kinds=self._kinds), row)
        self._givers |= {id(item.job): ("read_row", item.job) for item in items if isinstance(item, Proposal)}
        return items

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        """Return the families that a row bars. Raises UserError if it knows none."""
        if not self._has("held_out"):
            raise UserError(f"{self._label} holds nothing out: it has no held_out")
        return self._of_row("held_out", looks.families, row)

    def _has(self, name: str) -> bool:
        return call(f"{self._label}: {name}", getattr, self._domain, name, None) is not None

    def _of_row(self, name: str, look: Look, row: Mapping[str, Any]) -> Any:
        """Return what a call makes of a row; what it says of the row itself is passed on as it is."""

        def ask() -> Any:
            try:
                return getattr(self._domain, name)(row)
            except UserError as error:
                return error

        label = f"{self._label}: {name}"
        result = call(label, ask)
        if isinstance(result, UserError):
            raise result
        return _looked(label, result, look)
