"""The texts that a model is shown: files under `templates/`, one folder for each set, filled in here.

A file is named after the prompt, and holds `$names` (string.Template); what is put in is never looked at again, so
a program may hold `$program`. The values are blocks of `absolute_zero.text`, whose fences no content can close.
"""

from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import final

from absolute_zero import text
from absolute_zero.executor.guard import ALLOWED_MODULES
from absolute_zero.types import Triplet


@final
class Prompts:
    """One set of templates. `seconds` is the processor time a proposed program may take."""

    def __init__(self, name: str, seconds: str = "1") -> None:
        folder = files("absolute_zero.tasks") / "templates" / name
        self._templates = {
            file.name.removesuffix(".txt"): Template(file.read_text(encoding="utf-8").removesuffix("\n"))
            for file in folder.iterdir()
            if file.name.endswith(".txt")
        }
        self._always = {"imports": ", ".join(sorted(ALLOWED_MODULES)), "seconds": seconds}
        self._always["rules"] = self.fill("rules") if "rules" in self._templates else ""

    def fill(self, name: str, **values: str) -> str:
        """The prompt of this name. Raises KeyError for a name that its template has and nobody gives."""
        return self._templates[name].substitute(self._always, **values)

    def references(self, triplets: Sequence[Triplet]) -> str:
        """How a proposer is shown past triplets; empty without any."""
        shown = "".join(
            self.fill(
                "reference",
                program=text.render_program(triplet.program),
                input=text.render_input(triplet.input),
                output=text.render_output(triplet.output),
            )
            + "\n"
            for triplet in triplets
        )
        return self.fill("references", references=shown, count=str(len(triplets))) if shown else ""
