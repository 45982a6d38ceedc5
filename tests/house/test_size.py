"""Files stay under 400 lines and functions under 80: what does not fit on a page is two things."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 400
FUNCTION_LINES = 80


def oversized(path: Path) -> Iterator[str]:
    """What is too long in one file of Python."""
    text = path.read_text(encoding="utf-8")
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield f"{path}: {lines} lines, at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def test_files_and_functions_fit_on_their_page() -> None:
    paths = [path for room in ("src", "tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]
    assert paths
    found = [fault for path in paths for fault in oversized(path)]
    assert not found, "\n".join(found)


def test_the_rule_sees_both(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    pass\n" * 79)
    assert not list(oversized(path))
    path.write_text("def f():\n" + "    pass\n" * 80 + "#\n" * 320)
    assert len(list(oversized(path))) == 2
