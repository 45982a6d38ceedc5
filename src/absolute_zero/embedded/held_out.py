"""Programs that must not occur in pretraining: those of evaluation tasks, up to names and layout.

Promises: a program is held out exactly if its normal form (`absolute_zero.novelty`) is that of a held-out one.
Standard library.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, final

from absolute_zero.novelty import digest, normal_form
from absolute_zero.types import UserError
from absolute_zero.values import Unreadable

_MARKS: Final = re.compile(r"'[^'\n]*'|(?<!\$)\b\d+|[-+*/%<>=!&|.\[\]{}:]")
_BRACED: Final = re.compile(r"\{[^{}]*\}")


def _marks(program: str) -> str:
    """What a normal form keeps of a program that has no comments: its constants and operators, in order. Of what is
    in braces in a text only the braces, as it may be an f-string with names."""
    return " ".join(_BRACED.sub("{}", mark) for mark in _MARKS.findall(program))


@final
class HeldOut:
    """A set of programs, asked with the text of one."""

    def __init__(self, programs: Iterable[str]) -> None:
        self._normal = {normal_form(program) for program in programs}
        self._marks = {_marks(form) for form in self._normal}

    def __len__(self) -> int:
        return len(self._normal)

    @property
    def digest(self) -> str:
        """The same for the same programs."""
        return digest(*sorted(self._normal))

    def __call__(self, program: str) -> bool:
        # Parsing costs as much as drawing a program: the marks, which have to agree, settle nearly all.
        return _marks(program) in self._marks and normal_form(program) in self._normal


def read_held_out(files: Sequence[Path]) -> HeldOut | None:
    """The programs in JSONL files: the `program` (or `code`) of each row. None for no files."""
    programs: list[str] = []
    for file in files:
        try:
            rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            found = [str(row.get("program") or row["code"]) for row in rows]
            for program in found:
                normal_form(program)
        except (OSError, ValueError, LookupError, AttributeError, Unreadable) as error:
            raise UserError(f"{file} is no file of held-out programs, one JSON object a line: {error}") from None
        programs += found
    return HeldOut(programs) if files else None
