"""`import absolute_zero` and `azr --help` are instant: they import nothing of the heavy kind."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
HEAVY = ("torch", "transformers", "tokenizers", "numpy", "pydantic_core", "ray", "vllm")
"""Modules that take more than a blink. typer imports pydantic itself, so the command line is let off that."""


def imported_by(statement: str) -> set[str]:
    """The heavy modules that a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint('\\nheld:', *sorted(sys.modules.keys() & {set(HEAVY)!r}))"
    command = [sys.executable, "-c", code]
    out = subprocess.check_output(command, text=True, env={"PYTHONPATH": str(SOURCE)})
    return set(out.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "name", [f"absolute_zero{room}" for room in ("", ".values", ".executor", ".policy", ".plugins", ".ports")]
)
def test_importing_is_light(name: str) -> None:
    assert imported_by(f"import {name}") == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_line_is_light(option: str) -> None:
    pytest.importorskip("typer")
    statement = f"from absolute_zero.cli import main; assert main(['{option}']) == 0"
    assert imported_by(statement) <= {"pydantic_core"}


def test_the_public_list_is_there_and_comes_when_it_is_asked_for() -> None:
    names = "import absolute_zero as a; assert all(hasattr(a, name) for name in a.__all__); assert 'step' in dir(a)"
    assert "pydantic_core" in imported_by(names)
    assert "torch" not in imported_by(names)
    assert imported_by("from absolute_zero import Sandbox, Task, judge_deduction") == set()


def test_the_rule_sees_what_is_heavy() -> None:
    pytest.importorskip("numpy")
    assert imported_by("import numpy") == {"numpy"}
