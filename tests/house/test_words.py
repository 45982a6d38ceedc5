"""The words of the source: names say what a value is, and what is particular to one domain has one place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "absolute_zero"
SOURCES = sorted(PACKAGE.rglob("*.py"))
VAGUE = frozenset("place found made said given one some".split())
DIALECT = re.compile(r"\b(Chance|Draft|Ruling|Judgement|Standing|Earned|Beside|Kept|Entry|Problem|lam)\b")
KINDS = ("deduction", "abduction", "induction")
AT_HOME = ("domains/python", "pretraining", "policy/scripted.py")
"""Where Python's kinds may be listed: their domain, the documents about it, and the policy that plays by a script."""


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Whatever a module gives a name to, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_say_what_a_value_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    vague = [f"{name} (line {line})" for name, line in names(tree) if name.strip("_") in VAGUE]
    assert not vague
    dialect = [f"{name} (line {line})" for name, line in names(tree) if DIALECT.fullmatch(name)]
    assert not dialect


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_their_domain_lists_the_kinds_of_python(path: Path) -> None:
    if str(path.relative_to(PACKAGE)).startswith(AT_HOME):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {part for node in ast.walk(tree) if isinstance(node, ast.Constant) for part in KINDS if node.value == part}
    assert len(words) < 2, f"{path} knows {sorted(words)}"


def test_recipes_list_no_kinds() -> None:
    for path in PACKAGE.rglob("*.toml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert sum(kind in line.partition("#")[0] for kind in KINDS) < 2, f"{path}: {line}"


def test_the_core_names_no_domain() -> None:
    """But for the one it plays by default, and what pretrains the model for that."""
    for path in (PACKAGE / name for name in ("selfplay.py", "training.py", "buffer.py", "monitors.py", "ports.py")):
        assert "domains" not in re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL), path
