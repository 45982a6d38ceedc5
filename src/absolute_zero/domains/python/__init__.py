"""Python programs as tasks: what comes out, what goes in, and which program it is.

    deduction abduction induction   the three task types (paper section 3.2)
    payload                         what such a task is made of
    prompts templates/              what a model is shown
    guard novelty/                  which programs are taken, and which are new
    limits validation grades        what a program may use; from a proposal to a task; what an answer is worth
    rows suites/                    tasks from files, and the held-out ones
    settings domain                 its section of the settings; the domain itself

Promises: total. Any answer gives a value, nothing here runs a program, and no text of a model is kept that has not been
read: inputs are stored as the values they are. Standard library and pydantic. Floor 2.
"""

from importlib.resources import files
from typing import Final

from absolute_zero.domains.python.domain import ZERO, PythonDomain
from absolute_zero.domains.python.guard import guard
from absolute_zero.domains.python.payload import Payload, read_payload, task_of
from absolute_zero.domains.python.settings import PythonSettings
from absolute_zero.ports import Domain
from absolute_zero.text import read_input, read_output, read_program

DOMAIN: Final[Domain] = PythonDomain()
_TEMPLATES: Final = files("absolute_zero.domains.python") / "templates"
LONG: Final = _TEMPLATES / "long"
"""Prompts for language models."""
BRIEF: Final = _TEMPLATES / "brief"
"""The same in fewer words, for small ones."""
COMPACT: Final = _TEMPLATES / "compact"
"""The few tokens of frame that the embedded model knows."""

__all__ = [
    "BRIEF", "COMPACT", "DOMAIN", "LONG", "ZERO", "Payload", "PythonDomain", "PythonSettings", "guard", "read_input",
    "read_output", "read_payload", "read_program", "task_of",
]  # fmt: skip
