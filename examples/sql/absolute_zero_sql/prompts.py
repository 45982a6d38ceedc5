"""Prompts from a folder of templates, `NAME.txt` with `$names` (string.Template).

What is put in is never looked at again, so that a query may hold `$query`. A template that ends in `<think>`, blanks
and line ends aside, is a whole prompt, which opens the thought; any other is a question, for the form to dress.
"""

from collections.abc import Sequence
from functools import cached_property
from string import Template
from typing import Any, Final, final

from absolute_zero import plugins
from absolute_zero.text import THINK, render_block
from absolute_zero.types import Message, Prompt, Task, UserError
from absolute_zero_sql.payload import Payload

NAMES: Final = (
    "propose_rows", "propose_tables", "propose_query", "solve_rows", "solve_tables", "solve_query", "reference",
    "references",
)  # fmt: skip
ORDERED: Final = {True: "The order of the rows counts.", False: "The order of the rows does not count."}


@final
class Prompts:
    """One set of templates: one with a name, or a folder. Nothing is read before the first prompt."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def _templates(self) -> dict[str, Template]:
        folder: Any = plugins.template_folder(self.name)
        texts = {file.name.removesuffix(".txt"): file for file in folder.iterdir() if file.name.endswith(".txt")}
        if missing := [name for name in NAMES if name not in texts]:
            raise UserError(f"templates = {self.name!r} lacks {missing[0]}.txt: the domain sql needs it")
        return {name: Template(texts[name].read_text(encoding="utf-8").removesuffix("\n")) for name in NAMES}

    def prompt(self, name: str, **values: str) -> Prompt:
        """Return the prompt of this name. Raises UserError for a `$name` that nothing fills."""
        text = self.fill(name, **values)
        if self._templates[name].template.rstrip().endswith(THINK):
            return Prompt(text, opens_thought=True)
        return Prompt(messages=(Message("user", text),))

    def fill(self, name: str, **values: str) -> str:
        """Return the text of a template with these values."""
        try:
            return self._templates[name].substitute(values)
        except (KeyError, ValueError) as error:
            raise UserError(f"templates = {self.name!r}: {name}.txt has a $name that is not filled ({error})") from None

    def references(self, tasks: Sequence[Task]) -> str:
        """Return how a proposer is shown past tasks; empty without any."""
        shown = [reference_text(self, Payload.of(task)) for task in tasks]
        return self.fill("references", references="\n".join(shown)) + "\n" if shown else ""


def reference_text(prompts: Prompts, payload: Payload) -> str:
    """Return one past task as the template `reference` shows it."""
    tables, rows = payload.pairs[0]
    return prompts.fill(
        "reference", query=render_block("sql", payload.query), tables=render_block("tables", tables),
        rows=render_block("rows", rows),
    )  # fmt: skip
