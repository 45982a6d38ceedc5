"""Programs as trees: foreign source parsed in our own process, and never driven deep.

Promises: nothing is run, printed or warned of; `parse_program` takes any text and raises only `Unreadable`. A flat
scan bounds size, nesting and the length of operator, attribute, call, `not`, `lambda`, `elif` and ternary chains
before CPython's recursive parser sees the text, and so bounds the depth of the tree that comes back.

Does not promise: that a tree compiles. What a program does is the sandbox's business. Floor 0, standard library.
"""

import ast
import re
import threading
import warnings

from absolute_zero.values import MAX_TEXT, Unreadable, tree_of

MAX_OPEN = 60  # brackets inside each other: the parser goes some 25 calls deeper on each
MAX_PATH = 256  # nesting tokens on a path of the tree: a visitor with two frames a node stays below 1,000


def _string(q: str) -> str:
    """Return the pattern of strings as the tokenizer ends them, or to where it gives up.

    In the group: an f-string that all Pythons end at the same quote, as strings in its fields are plain, or all text
    from one on that is not so.
    """
    flat, other = r"[^{}'\"\\#\n]", '"' if q == "'" else "'"
    field = rf"\{{(?!\{{)(?:{flat}++|\{{{flat}*\}}|{other}(?:{flat}++|\{{{flat}*\}})*{other})*\}}"
    return (
        rf"((?<!\w)(?:[fFtT][rR]?|[rR][fFtT])(?={q})"
        rf"(?:{q}(?!{q * 2})(?:[^{{}}\\{q}\n]++|\\[^\n]|\{{\{{|\}}\}}|{field})*{q}|[\s\S]*))"
        rf"|{q * 3}(?:[^\\{q}]++|\\(?:[\s\S]|\Z)|{q}(?!{q * 2}))*+(?:{q * 3}|\Z)"
        rf"|{q}(?!{q * 2})(?:[^\\{q}\n]++|\\(?:[\s\S]|\Z))*+(?:{q}|(?=\n)|\Z)"
    )


_INERT = re.compile(rf"#[^\n]*|\\\n|{_string(chr(39))}|{_string(chr(34))}")
# What may open a level of the tree, or says where it ends: lines, brackets, separators, operators, keywords.
_NESTING = re.compile(r"\n[ \t\f]*+(?=[^\n])(?:elif|else)?|[][(){},;+*/%@&|^<>=!~-]|\.(?!\d)|not|lambda|else")
_WORDS = dict.fromkeys(map(ord, "_ abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
_WARNED = re.compile(r"\\[^\n'\"\\nrt]|[0-9][A-Za-z]")  # odd escapes, and numbers that run into words
_FILTERS = threading.Lock()  # the list of warning filters belongs to all threads


def parse_program(text: str) -> ast.Module:
    """Return the tree of a program. Raises Unreadable where the text is none, too long, or may nest too deep."""
    try:
        if len(text) > MAX_TEXT or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
            raise Unreadable(f"text is longer than {MAX_TEXT} bytes")
        # A count blind to strings settles most programs: with few tokens that nest there is nothing to be deep with.
        # Words count inside names too, as `1if 1else 2` needs no blanks.
        brackets, words = (sum(map(text.count, tokens)) for tokens in ("([{", ("not", "lambda", "else", "elif")))
        if brackets > MAX_OPEN or len(text.translate(_WORDS)) + words > MAX_PATH:
            # Strings and comments hold none of them, but all those of an f-string count, as its fields are code.
            lines = _INERT.sub(
                lambda match: "~" * len(_NESTING.findall(match[0])) if match[1] or match[2] else " ",
                "\n" + text.replace("\r", "\n"),
            )
            _check_paths(_NESTING.findall(lines))
        if _WARNED.search(text) is None:
            return tree_of(text, "exec")
        with _FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tree_of(text, "exec")
    except Exception as error:
        raise Unreadable(" ".join(str(error).split()) or "not readable") from None


def _check_paths(tokens: list[str]) -> None:
    """Refuse a program in whose tree a path may be longer than `MAX_PATH`.
    A token of `_NESTING` is a level in its segment, which ends at a comma (but a lambda's parameters may hold a lambda
    beyond it), and a bracket's longest segment counts in the one around it. A block is two levels (`try`
    holds `except`), and each `elif` is inside the one before."""
    indents: list[int] = []
    limit, elifs, opened, count, longest, lambdas = MAX_PATH, 0, 0, 0, 0, 0
    stack: list[tuple[int, int, int]] = []
    for token in tokens:
        if token in "([{":
            stack.append((count, longest, lambdas))
            opened += count + 1
            count = longest = lambdas = 0
        elif token in ")]}" and stack:  # without one, the tokenizer stops here
            inside = max(longest, count) + 1
            count, longest, lambdas = stack.pop()
            opened -= count + 1
            count += inside
        elif token in ",;":
            longest, count = max(longest, count), lambdas
        elif token[0] != "\n":
            count += 1
            lambdas += token == "lambda"
        elif not stack:
            count = longest = lambdas = 0
            width = len(token.rstrip("elifs")) - 1 - (token.rfind("\f") if "\f" in token else 0)
            indents = [*[outer for outer in indents if outer < width], width]
            elifs = elifs + 1 if token.endswith("f") else 0 if token == "\n" else elifs
            limit = MAX_PATH - 2 * len(indents) - elifs
        if opened + count > limit or len(stack) > MAX_OPEN:
            raise Unreadable(f"a path in the program's tree may be longer than {MAX_PATH}")
