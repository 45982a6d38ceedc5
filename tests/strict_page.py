"""Reads a page as a browser would, and complains of every tag and attribute that is not the report's own."""

import re
from html.parser import HTMLParser
from pathlib import Path

from absolute_zero.report import write_report

VOID_TAGS = {"meta"}
ALLOWED = set(
    "html head meta title style body header main nav section p h1 h2 h4 a b i small strong span div dl dt dd ul"
    " li figure figcaption svg path line rect circle text code pre details summary table thead tbody tr th td"
    " script".split()
)
ATTRIBUTES = set(
    "class id lang charset name content http-equiv href d x y x1 y1 x2 y2 cx cy r width height viewbox role aria-label"
    " aria-hidden text-anchor dir scope open colspan".split()
)


class Strict(HTMLParser):
    """Reads a page and complains of every tag and attribute that is not ours."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.values: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.faults += [f"<{tag}>"] if tag not in ALLOWED else []
        self.faults += [f"<{tag} {name}>" for name, _ in attrs if name not in ATTRIBUTES]
        self.values |= {value or "" for _, value in attrs}
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data[:20]}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data[:20]}")


def strict(page: str) -> Strict:
    reader = Strict()
    reader.feed(page)
    reader.close()
    assert reader.faults == []
    assert reader.open == []
    return reader


def report(folder: Path) -> str:
    """The page of a run, written anew and read strictly; no number in it is nan."""
    page = write_report(folder).read_text(encoding="utf-8")
    strict(page)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower()
    return page
