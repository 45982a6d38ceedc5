"""What README says is so: its Python runs, its commands exist, and what it shows of `azr` is what comes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [body for language, body in BLOCKS if language == "python"]
CONSOLE = [body for language, body in BLOCKS if language == "console"]
PROSE_AND_SHELL = re.sub(r"^```(?:python|py|bibtex|text)\n.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One command in a folder of its own, with our source before anything installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_there_is_something_to_check() -> None:
    assert PYTHON
    assert CONSOLE


@pytest.mark.parametrize("body", PYTHON)
def test_python_blocks_run(body: str, tmp_path: Path) -> None:
    """Each is a file of its own; a comment `# -> text` after a print is what it prints."""
    script = tmp_path / "block.py"
    script.write_text(body, encoding="utf-8")
    done = run([sys.executable, "-W", "error", str(script)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"print\(.*# -> (.*)$", body, re.MULTILINE)


@pytest.mark.parametrize("body", CONSOLE)
def test_console_blocks_show_what_comes(body: str, tmp_path: Path) -> None:
    """`$ cat FILE` gives the file that the next commands read; `$ azr` prints what follows, to the letter."""
    pytest.importorskip("typer")
    for step in body.split("$ ")[1:]:
        line, _, shown = step.partition("\n")
        program, *arguments = shlex.split(line)
        if program == "cat":
            (tmp_path / arguments[0]).write_text(shown, encoding="utf-8")
            continue
        assert program == "azr", line
        done = run([sys.executable, "-m", "absolute_zero.cli", *arguments], tmp_path)
        assert done.stdout + done.stderr == shown, line


def test_commands_named_exist(tmp_path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", PROSE_AND_SHELL, re.MULTILINE))
    assert named
    assert named <= targets
    commands = set(re.findall(r"(?:^|`|\$ )azr ([a-z]+)", PROSE_AND_SHELL, re.MULTILINE))
    assert {"doctor", "exec"} <= commands
    pytest.importorskip("typer")
    for command in commands:
        done = run([sys.executable, "-m", "absolute_zero.cli", command, "--help"], tmp_path)
        assert done.returncode == 0, f"README names azr {command}"


def test_files_named_exist() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_step_it_shows_is_the_source() -> None:
    source = (ROOT / "src" / "absolute_zero" / "selfplay.py").read_text(encoding="utf-8")
    [shown] = [body for language, body in BLOCKS if language == "py"]
    assert shown.startswith("def step(")
    assert f"\n\n{shown}\n" in source
