"""Text becomes markup here and nowhere else.

Promises: a `str` handed to `tag` is text, whatever it holds; only a `Markup` passes as it is, and every `Markup` comes
from this module or from a constant. What has no shape of its own (control letters, halves of surrogate pairs,
letters that turn the direction of writing or take no room) is shown as a name, and counted where it is repeated.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

LONG: Final = 900
"""Characters of a text that is shown unfolded."""
LINES: Final = 16


@final
@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is HTML already."""

    html: str

    def __bool__(self) -> bool:
        return bool(self.html)


Part = Markup | str
Attribute = str | int | float | None

# Everything but tab and newline that a browser would show as nothing, as a blank, or by moving its neighbours.
_HIDDEN: Final = re.compile(
    "([\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff])\\1*"
)

# Their names, as hardly any font has the pictures that Unicode holds of them.
_CONTROLS: Final = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split()


def _name(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return _CONTROLS[code]
    return "DEL" if code == 0x7F else f"U+{code:04X}"


def _plain(match: re.Match[str]) -> str:
    times = len(match[0])
    return _name(match[1]) + (f" x {times}" if times > 1 else "")


def shown(text: str) -> Markup:
    """Return a text as a reader should see it, hidden letters marked off from those that look like their names."""
    parts: list[str] = []
    start = 0
    for match in _HIDDEN.finditer(text):
        parts += html.escape(text[start : match.start()]), f'<span class="hidden">{_plain(match)}</span>'
        start = match.end()
    return Markup("".join((*parts, html.escape(text[start:]))))


def tag(name: str, /, *children: Part, **attributes: Attribute) -> Markup:
    """Return an element. `class_` is class, `stroke_width` is stroke-width; an attribute that is None is left out.

    >>> tag("p", "a < b", class_="x").html
    '<p class="x">a &lt; b</p>'
    """
    inside = join(children).html
    return Markup(f"<{name}{_attributes(attributes)}>{inside}</{name}>")


def lone(name: str, /, **attributes: Attribute) -> Markup:
    """Return an element that has no content and no end."""
    return Markup(f"<{name}{_attributes(attributes)}>")


def join(parts: Iterable[Part]) -> Markup:
    """Return the parts, each after the other."""
    return Markup("".join(part.html if isinstance(part, Markup) else shown(part).html for part in parts))


def _attributes(attributes: dict[str, Attribute]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None
    )


def _value(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return html.escape(_HIDDEN.sub(_plain, str(value)))


# --- what a model wrote -------------------------------------------------------------------------------------


def block(label: str, text: str, class_: str = "", fold: bool = False) -> Markup:
    """Return a text under its label, verbatim; a long text is folded (or any, if asked), and says how long it is."""
    name = f"verbatim {class_}".strip()
    if not fold and len(text) <= LONG and text.count("\n") < LINES:
        return tag("div", tag("b", label), tag("pre", text or " ", dir="ltr"), class_=name)
    size = f" {len(text):,} characters, begins: "
    head = " ".join(text[:200].split())[:70]
    summary = tag("summary", tag("b", label), tag("small", size), tag("code", head, "…"))
    return tag("details", summary, tag("pre", text, dir="ltr"), class_=name)


def brief(text: str, most: int) -> str:
    """Return at most this many letters of a text; an ellipsis says that there is more."""
    return text if len(text) <= most else f"{text[:most]}…"


def table(
    head: Iterable[Part], rows: Iterable[Iterable[Part]], class_: str = "", over: Iterable[tuple[Part, int]] = ()
) -> Markup:
    """Return a table whose first column names its rows; it scrolls by itself where the page is narrow.

    `over`: a line above the head, as (text, how many columns it spans).
    """
    above = [tag("th", cell, colspan=span, scope="colgroup") for cell, span in over]
    top = join([tag("tr", *above) if above else "", tag("tr", *(tag("th", cell, scope="col") for cell in head))])
    body: list[Markup] = []
    for row in rows:
        first, *rest = row
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest)))
    return tag("div", tag("table", tag("thead", top), tag("tbody", *body), class_=class_ or None), class_="wide")


def empty(why: str) -> Markup:
    """Say what stands in a section that has nothing to show."""
    return tag("p", why, class_="empty")
