"""Calls of a plug-in's code: what it raises is one line, with the part, the call and the line of the plug-in's file.

Promises: whatever is raised comes out as a UserError of printable letters, with it as the cause; only Ctrl-C passes as
it is. An exception that cannot even be written as text is one, too. Floor 0, standard library.
"""

import inspect
import sysconfig
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from absolute_zero.types import AbsoluteZeroError, UserError

_OURS: Final = Path(__file__).parent.parent
_INSTALLED: Final = ("site-packages", "dist-packages")
_LONGEST: Final = 200
"""Letters of a plug-in's exception that a message shows, at most."""


def call(label: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return what a plug-in's function gives. Raises UserError, which begins with the label, for what it raises."""
    try:
        result = function(*arguments, **named)
    except AbsoluteZeroError as error:
        raise _failure(f"{label}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit is one: it would end the run without a word
        raise _failure(f"{label} failed ({reason(error)}): fix it") from error
    if inspect.iscoroutine(result):
        result.close()
        raise _failure(f"{label} is async, and nothing here awaits it: make it a plain function")
    return result


def _failure(text: str) -> UserError:
    return UserError(printable(text, None))


def reason(error: BaseException, longest: int = _LONGEST) -> str:
    """Return what was raised, in one line: its class, its text, and where in the plug-in.

    >>> reason(KeyError("a"))
    "KeyError: 'a'"
    """
    try:
        text = str(error)
    except Exception:  # a plug-in's own exception may be broken, too
        text = "it has no text"
    where, what = place_of(error), f"{type(error).__name__}: {text}" if text else type(error).__name__
    return printable(" ".join(what.split()), longest) + (f", {where}" if where else "")


def place_of(error: BaseException) -> str:
    """Return file and line of the deepest frame in a plug-in: of its own file if there is one, else of a package that
    it uses; empty if nothing but the standard library and this package had begun."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    foreign = [(name, line) for name, line in frames if not name.startswith("<") and not _is_known(name)]
    own = [(name, line) for name, line in foreign if not _is_installed(name)]
    deepest = (own or foreign)[-1:]
    return printable("".join(f"{Path(name).name}:{line}" for name, line in deepest))


@cache
def _is_known(name: str) -> bool:
    """Return whether a file is of this package or of the standard library."""
    path, libraries = Path(name), (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    if path.is_relative_to(_OURS):
        return True
    return not _is_installed(name) and any(path.is_relative_to(library) for library in libraries)


@cache
def _is_installed(name: str) -> bool:
    return any(part in _INSTALLED for part in Path(name).parts)


def printable(text: str, longest: int | None = _LONGEST) -> str:
    """Return a text on one line, free of control letters, and shortened.

    >>> printable("two\\nlines", 6)
    'two...'
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if longest is None or len(line) <= longest else line[: longest - 3] + "..."
