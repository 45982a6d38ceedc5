"""How text falls into pieces that may become tokens.

Every digit is a piece of its own, as is a newline with the indentation after it, an operator with the blanks around
it, a name that a value is given to (`xs=`), a call's name with its bracket (`len(`), and each line of the frame
(fences, heads of prompts). The tokenizer keeps the pieces that are frequent, and spells all others byte by byte: so
the words of the language are one token each, and random texts are letters.

Promises: the pieces of a text, put together, are the text. Standard library.
"""

import re
from typing import Final

PATTERN: Final = (
    r"(?:propose|solve) (?:deduction|abduction|induction)[ \n]?"
    r"|\n```\n```(?:python|input|output|message)\n|```(?:python|input|output|message)\n|\n```\n?"
    r"|\n(?:    )+|\n"
    r"| (?:yes|no)"
    r"|(?:def|return|if|elif|for|while) | (?:if|else|for|in|and|or|not in|->) |not |else:"
    r"| [-+*/%<>=!&|?]{1,3} |, |: |\):|\(\)"
    r"|[=<>!]=|//|\*\*"
    r"|\.?[a-z]+\("
    r"|[a-z]+[23]?=(?!=)"
    r"|[A-Za-z]+"
    r"|[\s\S]"
)
"""For Python's `re` and for Oniguruma alike."""

_PIECES: Final = re.compile(PATTERN)
_QUOTED: Final = re.compile(r"'([^'\n]*)'")


def pieces(text: str) -> list[str]:
    """Return the pieces of a text, in order."""
    return _PIECES.findall(text)


def outside_quotes(text: str) -> str:
    """Return the text without what stands in quotes: what is left is language, not data."""
    return _QUOTED.sub("''", text)


def length(text: str) -> int:
    """Return about how many tokens a text takes: its pieces, and the letters of what stands in quotes."""
    bare = outside_quotes(text)
    return len(_PIECES.findall(bare)) + len(text) - len(bare)
