"""Parts that have names: those of this package, those that other packages register, and any by its dotted name.

    group        what a name stands for                                      where a name is given
    domains      a `ports.Domain`                                            domain
    policies     a function of the settings that opens a `ports.Policy`      model.path
    estimators   a `ports.Estimator`                                         estimator.propose, estimator.solve
    rewards      a `ports.RewardTerm`, or a table of scales by role          reward.terms, reward.scale
    templates    a folder of prompt templates                                templates
    recipes      a TOML file                                                 azr train --recipe

A package registers a part as an entry point of the group `absolute_zero.GROUP`; without that, `package.module:name`
finds it. A name of this package stands for its own part, whoever else registers it. Promises: nothing is imported
before its name is loaded, and then once; what is missing, fails to import or does not fit is a UserError of one line.
Floor 0, standard library.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from absolute_zero.checked import CheckedDomain
from absolute_zero.checked.calls import printable, reason
from absolute_zero.checked.looks import name_of
from absolute_zero.types import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "domains": {"python": "absolute_zero.domains.python:DOMAIN"},
    "policies": {"scripted": "absolute_zero.policy.scripted:open_scripted"},
    "estimators": {
        name: f"absolute_zero.advantages:{attribute}"
        for name, attribute in (
            ("trr++", "TRR"), ("trr++_token", "TRR_TOKEN"), ("reinforce++", "REINFORCE"), ("grpo", "GRPO"),
            ("dr_grpo", "DR_GRPO"), ("rloo", "RLOO"),
        )
    },
    "rewards": {name: f"absolute_zero.rewards:{name.upper()}" for name in ("paper", "reference")},
    "templates": {name: f"absolute_zero.domains.python:{name.upper()}" for name in ("long", "brief", "compact")},
    "recipes": {},
}  # fmt: skip
"""The parts in this package, by group and name: dotted names. Its recipes are files that `config` finds."""
SINGULAR: Final[Mapping[str, str]] = {
    "domains": "domain", "policies": "policy", "estimators": "estimator", "rewards": "reward",
    "templates": "template folder", "recipes": "recipe",
}  # fmt: skip
_DOTTED: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_SHOWN: Final = 80
"""A message shows at most this many characters of a name, and twice as many of a plug-in's exception."""
_LINE: Final = 1000
"""Letters of a whole message, at most."""
DOMAIN: Final = ("name", "task_types", "open_executor")
"""What a domain has; the rest of `ports.Domain` it may leave out."""
_MORE: Final = ("seeds", "suites", "worked_examples", "read_row", "held_out")
"""Calls that it may leave out."""
TASK_TYPE: Final = (
    "kind", "sources", "max_references", "propose_prompt", "parse_proposal", "build_task", "probe", "identity",
    "solve_prompt", "check", "check_result", "show",
)  # fmt: skip
EXECUTOR: Final = ("run", "close")
POLICY: Final = ("sample", "update", "save", "load")
"""What task types, executors and policies have."""
_VALUES: Final = ("name", "kind", "sources", "max_references")
"""What is no call among these."""


# --- names --------------------------------------------------------------------------------------------------


def is_dotted(name: str) -> bool:
    """Return whether this is a dotted name.

    >>> is_dotted("my_package.parts:brevity"), is_dotted("Qwen/Qwen2.5-0.5B")
    (True, False)
    """
    return _DOTTED.fullmatch(name) is not None


def names(group: str) -> list[str]:
    """Return the names in a group: those of this package, then those that other packages register."""
    return list(dict.fromkeys((*BUILT_IN[group], *_registered(group))))


def is_named(group: str, name: str) -> bool:
    """Return whether the name stands for a part, as far as can be said without an import."""
    return name in BUILT_IN[group] or is_dotted(name) or name in _registered(group)


def choices(group: str) -> str:
    """Return what may be given as a name in a group, as a phrase after "give".

    >>> choices("templates")
    'one of "long", "brief", "compact", a folder such as ./templates, or package.module:name'
    """
    return listed([*names(group)], "a folder such as ./templates, " if group == "templates" else "")


def listed(known: Sequence[str], more: str = "") -> str:
    """Return names, or a dotted one instead, as a phrase after "give".

    >>> listed([])
    'package.module:name'
    """
    quoted = "".join(f'"{name}", ' for name in known)
    return f"one of {quoted}{more}or package.module:name" if quoted else f"{more}package.module:name"


@cache
def _registered(group: str) -> Mapping[str, "tuple[EntryPoint, ...]"]:
    """Return what other packages register in a group, by name: more than one part if they are at odds."""
    from importlib.metadata import entry_points  # takes a blink, which those who give no such name need not wait

    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=f"absolute_zero.{group}"):
        others = points.get(point.name, ())
        if point.value not in [other.value for other in others]:
            points[point.name] = (*others, point)
    return points


# --- parts --------------------------------------------------------------------------------------------------


def load(group: str, name: str) -> Any:
    """Return the part that a name stands for, imported once and checked against what its group needs.

    Raises UserError where there is none, where importing it fails, and where it does not fit.
    """
    if not is_named(group, name):
        raise UserError(f"no {SINGULAR[group]} is called {_shown(repr(name))}: give {choices(group)}")
    return _load(group, name)


def misfit(group: str, name: str, wrong: str) -> UserError:
    """Return the error that says of a part why it cannot be used."""
    return UserError(printable(f"{SINGULAR[group]} {_shown(repr(name))} does not fit: {wrong}", _LINE))


@cache
def _load(group: str, name: str) -> Any:
    label, dotted = f"{SINGULAR[group]} {_shown(repr(name))}", _dotted(group, name)
    try:
        part = _attribute(dotted)
        wrong = _FITS[group](part)
        if not wrong and group == "domains" and name not in BUILT_IN[group]:
            part = CheckedDomain(part, label)
    except UserError as error:
        raise UserError(printable(f"{label}: {error}", None)) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plug-in's module may raise anything
        raise UserError(f"{label} cannot be loaded ({reason(error, 2 * _SHOWN)}): {_remedy(name, error)}") from error
    if wrong:
        raise misfit(group, name, wrong)
    return part


def _remedy(name: str, error: BaseException) -> str:
    """Return what to do about a part that does not load: its module is missing, or wrong."""
    if not isinstance(error, ModuleNotFoundError):
        return "fix it"
    module = name.partition(":")[0]
    is_own = is_dotted(name) and (module == error.name or module.startswith(f"{error.name}."))
    return "install its package, or set PYTHONPATH to the folder of its file" if is_own else "install what it needs"


def _dotted(group: str, name: str) -> str:
    """Return the dotted name of a part that is there."""
    if name in BUILT_IN[group]:
        return BUILT_IN[group][name]
    points = _registered(group).get(name, ())
    if len(points) > 1:
        values = " and ".join(point.value for point in points)
        twice = f"{SINGULAR[group]} {name!r} is registered twice: give {values} by its dotted name"
        raise UserError(printable(twice, _LINE))
    return points[0].value.partition("[")[0].replace(" ", "") if points else name


def _attribute(dotted: str) -> Any:
    """Return what a dotted name stands for; a name without colon is a module."""
    module, _, attributes = dotted.partition(":")
    part: Any = import_module(module)
    for attribute in attributes.split(".") if attributes else ():
        part = getattr(part, attribute)
    return part


def template_folder(name: str) -> Any:
    """Return the folder of a template set: one with a name, or a path (a `Path`, or a resource in a package).

    Raises UserError if there is none.
    """
    part: Any = load("templates", name) if is_named("templates", name) else name
    folder = part if hasattr(part, "iterdir") else Path(part)
    if not folder.is_dir():
        shown = printable(repr(name), _LINE)
        raise UserError(f"templates = {shown}: there is no such folder: give {choices('templates')}")
    return folder


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


# --- what fits ----------------------------------------------------------------------------------------------


def lacks(part: object, attributes: tuple[str, ...]) -> str:
    """Return what a part lacks of these attributes, in words; empty if it has them all, and can be asked."""
    if isinstance(part, type):
        return "it is a class: give an instance"
    missing = [attribute for attribute in attributes if not hasattr(part, attribute)]
    if missing:
        return f"it has no {', '.join(missing)}"
    return _mute(part, attributes)


def _mute(part: object, attributes: tuple[str, ...]) -> str:
    """Return which call is none, in words; empty if there is none such."""
    for attribute in attributes:
        if attribute not in _VALUES and not callable(value := getattr(part, attribute)):
            return f"its {attribute} is {name_of(value)} where a method was due"
    return ""


def module_named(name: str) -> str:
    """Return the module that a name without colon may have been meant for, if Python finds it; nothing is imported.

    >>> module_named("json"), module_named("Qwen/Qwen2.5-0.5B"), module_named("no_such_module")
    ('json', '', '')
    """
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        return ""
    top = name.partition(".")[0]
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return ""
    return top if spec is not None and spec.origin is not None else ""


def _domain(part: Any) -> str:
    if isinstance(part, type):
        return "it is a class: name an instance"
    if wrong := lacks(part, DOMAIN):
        return wrong
    if not (isinstance(part.name, str) and re.fullmatch(r"[A-Za-z0-9_-]+", part.name)):
        return "its name is not of letters, digits, _ and -"
    if not isinstance(getattr(part, "templates", ""), str):
        return "its templates are not text: give the name of a set"
    return _mute(part, tuple(name for name in _MORE if _is_there(part, name)))


def _is_there(part: object, name: str) -> bool:
    """Return whether a part has something of this name; what fails when it is looked at is told when it is asked."""
    try:
        return getattr(part, name, None) is not None
    except Exception:
        return False


def _callable(part: object) -> str:
    return "" if callable(part) else "it cannot be called"


def _function(part: object) -> str:
    """Look at what is called with what it is about, which a class would take for its own making."""
    return "it is a class: name an instance, or a function" if isinstance(part, type) else _callable(part)


def _reward(part: object) -> str:
    if isinstance(part, type):
        return _function(part)
    return "" if callable(part) or isinstance(part, Mapping) else "it is neither a function nor a table of scales"


def _folder(part: object) -> str:
    return "" if isinstance(part, str | PathLike) or hasattr(part, "iterdir") else "it is not a path"


def _file(part: object) -> str:
    return "" if isinstance(part, str | PathLike) else "it is not a path of a file"


_FITS: Final[Mapping[str, Callable[[Any], str]]] = {
    "domains": _domain, "policies": _callable, "estimators": _function, "rewards": _reward, "templates": _folder,
    "recipes": _file,
}  # fmt: skip
