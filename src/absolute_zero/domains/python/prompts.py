"""The texts that a model is shown: a folder with one file for each prompt, filled in here.

A file is named after the prompt, and holds `$names` (string.Template); what is put in is never looked at again, so a
program may hold `$program`. The values are blocks of `absolute_zero.text`, whose fences no content can close. A file
that ends in `<think>`, and maybe blanks, is a whole prompt, which opens the thought; any other is a question, for the
form to dress (`absolute_zero.forms`). Promises: the whole folder is checked when the first prompt is asked for, and
what is wrong with it is one UserError.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from string import Template
from typing import Final, final

from absolute_zero import text
from absolute_zero.domains.python.guard import ALLOWED_MODULES
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, read_payload
from absolute_zero.plugins import template_folder
from absolute_zero.types import Message, Prompt, Task, UserError

NAMES: Final[Mapping[str, frozenset[str]]] = {
    f"propose_{DEDUCTION}": frozenset(("references",)),
    f"propose_{ABDUCTION}": frozenset(("references",)),
    f"propose_{INDUCTION}": frozenset(("program", "count", "shown", "hidden", "distinct", "characters")),
    f"solve_{DEDUCTION}": frozenset(("program", "input")),
    f"solve_{ABDUCTION}": frozenset(("program", "output")),
    f"solve_{INDUCTION}": frozenset(("message", "pairs")),
    "reference": frozenset(("program", "input", "output")),
    "references": frozenset(("references", "count")),
}
"""The files of a folder, and what each may name beside `ALWAYS`; a file `rules` holds what several have in common."""
ALWAYS: Final = frozenset(("imports", "seconds", "rules"))


@final
class Prompts:
    """One set of templates, by name or folder. `seconds` is the processor time a proposed program may take."""

    def __init__(self, name: str, seconds: str = "1") -> None:
        self._name, self._seconds = name, seconds

    @cached_property
    def _templates(self) -> dict[str, Template]:
        files = {file.name: file for file in template_folder(self._name).iterdir() if file.name.endswith(".txt")}
        if missing := [f"{name}.txt" for name in NAMES if f"{name}.txt" not in files]:
            raise self._fault(f"{', '.join(missing)} missing: add what the folder `long` has")
        templates: dict[str, Template] = {}
        for file_name, file in sorted(files.items()):
            try:
                template = Template(file.read_text(encoding="utf-8").removesuffix("\n"))
            except (OSError, UnicodeDecodeError) as error:
                raise self._fault(f"{file_name} cannot be read as text ({error}): fix or remove it") from None
            name = file_name.removesuffix(".txt")
            known = NAMES.get(name, frozenset()) | ALWAYS
            unknown = [f"${each}" for each in template.get_identifiers() if each not in known]
            if unknown or not template.is_valid():
                wrong = f"names {', '.join(unknown)}" if unknown else "has a $ that begins no name"
                takes = ", ".join(f"${each}" for each in sorted(known))
                raise self._fault(f"{file_name} {wrong}: use {takes}, and $$ for a $")
            templates[name] = template
        return templates

    def _fault(self, text: str) -> UserError:
        return UserError(" ".join(f"templates {self._name!r}: {text}".split()))

    @cached_property
    def _always(self) -> dict[str, str]:
        always = {"imports": ", ".join(sorted(ALLOWED_MODULES)), "seconds": self._seconds, "rules": ""}
        rules = self._templates.get("rules")
        return {**always, "rules": rules.substitute(always)} if rules else always

    def prompt(self, name: str, **values: str) -> Prompt:
        """Return the prompt of this name."""
        filled = self._fill(name, **values)
        if self._templates[name].template.rstrip().endswith(text.THINK):
            return Prompt(filled, opens_thought=True)
        return Prompt(messages=(Message("user", filled),))

    def _fill(self, name: str, **values: str) -> str:
        return self._templates[name].substitute(self._always, **values)

    def references(self, tasks: Sequence[Task]) -> str:
        """Return how a proposer is shown past tasks, each with its first pair; empty without any."""
        shown = "".join(self._reference(task) + "\n" for task in tasks)
        return self._fill("references", references=shown, count=str(len(tasks))) if shown else ""

    def _reference(self, task: Task) -> str:
        payload = read_payload(task.payload)
        argument, output = payload.pairs[0]
        return self._fill(
            "reference",
            program=text.render_program(payload.program),
            input=text.render_input(argument),
            output=text.render_output(output),
        )
