"""Queries as text: what is let in, whether the order of the rows is theirs, and when two are alike.

Promises: total, and linear in the query's length; runs nothing. What a query may do is decided by SQLite's authorizer
in the worker; the check here is for the proposer, who is told why.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from absolute_zero.types import Refusal

_TOKEN: Final = re.compile(
    r"(?P<blank>(?:\s+|--[^\n]*|/\*.*?\*/)+)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<quoted>\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]\n]*\])"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign><>|!=|==|<=|>=|\|\||[-+*/%<>=(),.;~&|])",
    re.DOTALL | re.ASCII,
)
_SAME: Final = {"<>": "!=", "==": "="}
_TYPES: Final = frozenset(("integer", "int", "real", "text", "numeric", "blob", "float", "varchar"))
_NO_ALIAS: Final = frozenset(
    "where group order limit on using join left right full inner cross natural outer union except intersect having as "
    "window and or not set values select".split()
)
_STARTS: Final = ("select", "with", "values")


def tokens(query: str) -> list[str] | Refusal:
    """Return the tokens without blanks and comments, words in lower case, or what is none.

    >>> tokens('SELECT  "A" FROM t -- all of it')
    ['select', '"A"', 'from', 't']
    """
    words: list[str] = []
    position = 0
    while position < len(query):
        token = _TOKEN.match(query, position)
        if token is None:
            return Refusal("query", f"not SQL at {query[position : position + 20]!r}")
        position = token.end()
        if token.lastgroup == "word" or token.lastgroup == "number":
            words.append(token[0].lower())
        elif token.lastgroup != "blank":
            words.append(_SAME.get(token[0], token[0]))
    return words


def read_query(text: str, max_characters: int) -> str | Refusal:
    """Return the query of a block, freed of comments and line ends, or why it is none: one statement that reads.

    >>> read_query("SELECT a\\nFROM t;", 100)
    'SELECT a FROM t'
    """
    if len(text) > 4 * max_characters + 1000:  # comments are free, up to a point
        return Refusal("query", f"{len(text)} characters: write at most {max_characters}")
    query = _flat(text)
    words = tokens(query)
    if isinstance(words, Refusal):
        return words
    if len(query) > max_characters:
        return Refusal("query", f"{len(query)} characters: write at most {max_characters}")
    if not words or words[0] not in _STARTS:
        return Refusal("query", "it begins with none of SELECT, WITH, VALUES")
    if ";" in words:
        return Refusal("query", "more than one statement")
    return query


def _flat(text: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(text) and (token := _TOKEN.match(text, position)):
        parts.append(" " if token.lastgroup == "blank" else token[0])
        position = token.end()
    return ("".join(parts) + text[position:]).strip().removesuffix(";").rstrip()


def is_ordered(query: str) -> bool:
    """Return whether the query itself orders its rows: ORDER BY outside of all brackets.

    >>> is_ordered("SELECT a FROM t ORDER BY a"), is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a)")
    (True, False)
    """
    depth, words = 0, tokens(query)
    for word in [] if isinstance(words, Refusal) else words:
        depth += (word == "(") - (word == ")")
        if word == "order" and depth == 0:
            return True
    return False


def names_any(query: str, tables: Sequence[str]) -> bool:
    """Return whether the query names one of these tables.

    >>> names_any("SELECT 1 FROM T", ["t"]), names_any("SELECT 't'", ["t"])
    (True, False)
    """
    words = tokens(query)
    plain = set[str]() if isinstance(words, Refusal) else {word.strip('"`[]').lower() for word in words}
    return any(name.lower() in plain for name in tables)


def normal_form(query: str) -> str:
    """Return the query as it is compared with others: tokens by single blanks.

    >>> normal_form("SELECT a FROM t WHERE a<>1")
    'select a from t where a != 1'
    """
    words = tokens(query)
    return query if isinstance(words, Refusal) else " ".join(words)


def family_form(query: str) -> str:
    """Return the normal form without AS, and with numbers in the place of aliases.

    >>> family_form("SELECT p.a AS x FROM t AS p ORDER BY x")
    'select $1 . a $2 from t $1 order by $2'
    """
    words = tokens(query)
    if isinstance(words, Refusal):
        return query
    numbers: dict[str, str] = {}
    aliases = _aliases(words)
    for word in words:
        if word in aliases:
            numbers.setdefault(word, f"${len(numbers) + 1}")
    return " ".join(numbers.get(word, word) for word in words if word != "as")


def _aliases(words: Sequence[str]) -> set[str]:
    """Return what AS names, and what follows the name of a table; not the names of types, which follow AS in a CAST."""
    aliases: set[str] = set()
    for before, word in pairwise(words):
        if before == "as" and _is_word(word) and word not in _TYPES:
            aliases.add(word)
    for start, table, word in zip(words, words[1:], words[2:], strict=False):
        if start in ("from", "join") and _is_word(table) and _is_word(word) and word not in _NO_ALIAS:
            aliases.add(word)
    return aliases


def _is_word(token: str) -> bool:
    return token.replace("_", "a").isalnum() and not token[0].isdigit()
