"""Programs that must not occur in pretraining: those of evaluation tasks, up to names and layout.

Promises: a program is held out exactly if its normal form (`domains.python.novelty`) is that of a held-out one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

from absolute_zero.disk import read_rows
from absolute_zero.domains.python.novelty import digest, normal_form
from absolute_zero.domains.python.rows import held_out_forms
from absolute_zero.types import UserError

_LEXEMES: Final = re.compile(r"'[^'\n]*'|(?<!\$)\b\d+|[-+*/%<>=!&|.\[\]{}:]")
_BRACED: Final = re.compile(r"\{[^{}]*\}")


def _constants_and_operators(program: str) -> str:
    """Return what a normal form keeps of a program without comments: its constants and operators, in order.

    Of what is in braces in a text only the braces, as it may be an f-string with names.
    """
    return " ".join(_BRACED.sub("{}", lexeme) for lexeme in _LEXEMES.findall(program))


@final
class HeldOut:
    """A set of programs, made of their normal forms and asked with the text of one."""

    def __init__(self, normal_forms: Iterable[str]) -> None:
        self._normal = set(normal_forms)
        self._sequences = {_constants_and_operators(form) for form in self._normal}

    def __len__(self) -> int:
        return len(self._normal)

    @property
    def digest(self) -> str:
        """The same for the same programs."""
        return digest(*sorted(self._normal))

    def __call__(self, program: str) -> bool:
        """Return whether a program's text is held out."""
        # Parsing costs as much as drawing a program: these, which have to agree, settle nearly all.
        return _constants_and_operators(program) in self._sequences and normal_form(program) in self._normal


def read_held_out(files: Sequence[Path]) -> HeldOut | None:
    """Return the programs in JSONL files; None for no files.

    `absolute_zero.domains.python.rows.held_out_forms` says what the rows look like. Raises UserError with the file and
    line of what cannot be read.
    """
    return HeldOut(form for file in files for form in _forms(file)) if files else None


def _forms(file: Path) -> Iterator[str]:
    for where, row in read_rows(file, "held-out programs"):
        try:
            yield from held_out_forms(row)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
