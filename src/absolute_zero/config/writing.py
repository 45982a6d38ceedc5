"""Settings as text: a recipe that says what each setting is for, and reads back equal.

Promises: `load(file)` of what `as_toml` wrote equals what was written, whatever the encoding of the terminal or file
it went through: the text is ASCII. Does not keep which setting came from where, nor the comments of the recipe.
"""

import json
import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import cast

from absolute_zero.config.catalogue import Place, catalogue, sections
from absolute_zero.config.settings import Config

WIDTH = 110


def as_toml(config: Config) -> str:
    """A whole recipe: every setting with its meaning above it and what may be given after it."""
    values = config.model_dump(mode="json")
    lines: list[str] = []
    opened = ""
    for place, setting in catalogue().items():
        *section, last = place
        if section and section[0] != opened:
            opened = section[0]
            lines += ["", "", *_comment(sections()[opened]), f"[{opened}]"]
        value: object = values
        for key in place:
            value = cast("Mapping[str, object]", value)[key]
        lines += ["", *_comment(setting.meaning), f"{last} = {literal(value)}  # {setting.wanted}"]
    return "\n".join(lines).strip("\n") + "\n"


def literal(value: object) -> str:
    """A value as TOML, for a file or for a message.

    >>> literal(["a", 1e-6, True])
    '["a", 1e-06, true]'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list() | tuple():
            return f"[{', '.join(literal(item) for item in cast('Sequence[object]', value))}]"
        case _:
            return str(value)


def dotted(place: Place) -> str:
    """A place as TOML writes keys.

    >>> dotted(("solve", "tri als"))
    'solve."tri als"'
    """
    return ".".join(key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key) for key in place)


def _text(text: str) -> str:
    # JSON escapes the control letters as TOML does, but neither DEL nor (as TOML wants them) letters beyond 16 bits.
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: _escape(ord(found[0])), quoted)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), WIDTH)]
