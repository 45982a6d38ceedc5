"""Programs that must not occur in pretraining: those of evaluation tasks, up to names and layout.

Promises: a program is held out exactly if its normal form (`absolute_zero.novelty`) is that of a held-out one.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, final

from absolute_zero.buffer import held_out_forms
from absolute_zero.novelty import digest, normal_form

_MARKS: Final = re.compile(r"'[^'\n]*'|(?<!\$)\b\d+|[-+*/%<>=!&|.\[\]{}:]")
_BRACED: Final = re.compile(r"\{[^{}]*\}")


def _marks(program: str) -> str:
    """What a normal form keeps of a program that has no comments: its constants and operators, in order. Of what is
    in braces in a text only the braces, as it may be an f-string with names."""
    return " ".join(_BRACED.sub("{}", mark) for mark in _MARKS.findall(program))


@final
class HeldOut:
    """A set of programs, made of their normal forms and asked with the text of one."""

    def __init__(self, normal_forms: Iterable[str]) -> None:
        self._normal = set(normal_forms)
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
    """The programs in JSONL files (`absolute_zero.buffer.held_out_forms`, which says what they look like and what it
    raises). None for no files."""
    return HeldOut(form for file in files for form in held_out_forms(file)) if files else None
