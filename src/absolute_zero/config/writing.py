"""Settings as text: a recipe that says what each setting is for, and reads back equal; values and keys in messages.

Promises: `load(file)` of what `as_toml` wrote equals what was written, whatever the encoding of the terminal or file
it went through: the text is ASCII. Does not keep which setting came from where, nor the comments of the recipe.
"""

import json
import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final, cast

from absolute_zero.config.catalogue import KeyPath, catalogue, sections
from absolute_zero.config.settings import Config
from absolute_zero.types import UserError

WIDTH: Final = 110
SHOWN: Final = 60
"""A message shows at most this many letters of a value or a key."""


def as_toml(config: Config) -> str:
    """Return a whole recipe: every setting with its meaning above it and what may be given after it."""
    lines: list[str] = []
    opened = ""
    meanings = sections(config.domain)
    wanted = catalogue(config.domain)
    for key, value in _values(config):
        *section, last = key
        if section and section[0] != opened:
            opened = section[0]
            lines += ["", "", *_comment(meanings[opened]), f"[{opened}]"]
        lines += ["", *_comment(wanted[key].meaning)]
        # TOML has no word for nothing: what is not there is read as the default.
        lines.append(f"{'# ' if value is None else ''}{dotted((last,))} = {literal(value)}  # {wanted[key].wanted}")
    # Only comments of a domain can hold other letters.
    return ("\n".join(lines).strip("\n") + "\n").encode("ascii", "backslashreplace").decode()


def overrides(config: Config, base: Config) -> list[str]:
    """Return the `KEY=VALUE` texts that make the one of the other, as `load` takes them over its recipe."""
    known = dict(_values(base))
    return [
        f"{dotted(key)}={literal(value)}"
        for key, value in _values(config)
        if value is not None and (key not in known or known[key] != value)
    ]


def as_recipe(config: Config, base: Config, name: str) -> str:
    """Return a short recipe that builds on the one with this name: what makes its settings those of the other, a line
    each."""
    lines = [f"base = {literal(name)}", *(text.replace("=", " = ", 1) for text in overrides(config, base))]
    return "\n".join(lines) + "\n"


def _values(config: Config) -> list[tuple[KeyPath, object]]:
    """Return every setting and its value, as JSON has it, in the order of the catalogue."""
    values = config.model_dump(mode="json")
    pairs: list[tuple[KeyPath, object]] = []
    for key in catalogue(config.domain):
        value: object = values
        for part in key:
            value = cast("Mapping[str, object]", value)[part]
        pairs.append((key, value))
    return pairs


# --- TOML ---------------------------------------------------------------------------------------------------


def literal(value: object) -> str:
    """Return a value as TOML, for a file or for a message.

    >>> literal(["a", 1e-6, True, {"pkg.mod:fn": 0.1}])
    '["a", 1e-06, true, {"pkg.mod:fn" = 0.1}]'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list() | tuple():
            return f"[{', '.join(literal(item) for item in cast('Sequence[object]', value))}]"
        case dict():
            pairs = cast("Mapping[str, object]", value).items()
            return f"{{{', '.join(f'{dotted((name,))} = {literal(item)}' for name, item in pairs)}}}"
        case _:
            return str(value)


def dotted(key: KeyPath) -> str:
    """Return a key as TOML writes it.

    >>> dotted(("solve", "n difficulty"))
    'solve."n difficulty"'
    """
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else _text(part) for part in key)


def _text(text: str) -> str:
    # JSON escapes the control letters as TOML does, but neither DEL nor (as TOML wants them) letters beyond 16 bits.
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda match: _escape(ord(match[0])), quoted)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), WIDTH)]


# --- messages -----------------------------------------------------------------------------------------------


def shown(value: object) -> str:
    """Return a value for a message: as TOML, and no longer than fits."""
    match value:
        case dict():
            return "a table"
        case list():
            items = cast("list[object]", value)
            # Python recurses into what is nested, and there is no need to show it.
            return _shortened(
                f"[{', '.join('...' if isinstance(item, list | dict) else shown(item) for item in items)}]"
            )
        case int() if value.bit_length() > 200:
            return "a huge number"  # Python refuses to write out more than 4300 digits
        case _:
            # What has no literal of its own in TOML (dates) is written as it was given.
            return _shortened(literal(value))


def shown_key(key: KeyPath) -> str:
    """Return a key for a message: whoever writes it may have written anything."""
    return _shortened(dotted(key))


def mistake(text: str) -> UserError:
    """Return an error of one line, free of control letters: keys, values and file names may hold any."""
    return UserError("".join(letter if letter.isprintable() else " " for letter in text))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
