"""The page about plug-ins (`docs/domains.md`): its files run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "domains.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every block that begins with the name of a file, in a file of that name."""
    place = tmp_path_factory.mktemp("page")
    for block in re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        if name := re.match(r"# (\w+\.(?:py|toml))\n", block):
            (place / name[1]).write_text(block, encoding="utf-8")
    return place


def azr(folder: Path, *arguments: str) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{folder}"}
    command = [sys.executable, "-m", "absolute_zero.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_smallest_domain_has_a_hundred_lines(folder: Path) -> None:
    lines = (folder / "factoring.py").read_text().splitlines()
    assert len(lines) <= 100
    assert len(list(filter(None, lines))) <= 80


def test_the_domain_plays_with_the_policy(folder: Path) -> None:
    parts = ("domain=factoring:DOMAIN", "model.path=guesser:open_policy")
    code, out, err = azr(folder, "train", *parts, "propose.batch=8", "steps=40", "--name", "scripted")
    assert (code, err) == (0, "")
    result = json.loads((folder / "runs" / "scripted" / "result.json").read_text())
    assert result["after"]["factor"]["t1"][0] > result["before"]["factor"]["t1"][0] + 0.3
    assert azr(folder, "report", "runs/scripted")[0] == 0
    assert azr(folder, "eval", "runs/scripted", "--tasks", "2")[0] == 0
    code, out, err = azr(folder, "play", "runs/scripted", "--task", '{"number": 1001}')
    assert (code, err) == (0, "")
    assert "Name a factor of 1001" in out
    code, _, err = azr(folder, "play", "runs/scripted", "--task", '{"number": 1}')
    assert (code, err) == (2, "azr: number: give a whole number of 4 or more\n")
    (folder / "numbers.jsonl").write_text('{"number": 1001}\n')
    code, out, err = azr(folder, "eval", "runs/scripted", "--data", "numbers.jsonl", "--json")
    assert (code, err) == (0, "")
    [[kind, _, n, _, group]] = json.loads(out)["results"]["numbers"]["1"]
    assert (kind, n, group) == ("factor", 8, "")


def test_what_is_wrong_with_a_row_is_said_with_its_line(folder: Path) -> None:
    model = ("guesser:open_policy", "domain=factoring:DOMAIN")
    (folder / "prime.jsonl").write_text('{"number": 1001}\n\n{"number": 7}\n')
    (folder / "small.jsonl").write_text('{"number": 1001}\n{"number": 1}\n')
    (folder / "empty.jsonl").write_text("\n")
    for command in (("play", model[0], model[1], "--task"), ("eval", model[0], model[1], "--data")):
        for name, line in (
            ("prime", "prime.jsonl:3: this makes no task (prime): fix it"),
            ("small", "small.jsonl:2: number: give a whole number of 4 or more"),
            ("empty", "empty.jsonl holds no tasks: give a JSON object a line"),
        ):
            assert azr(folder, *command, f"{name}.jsonl") == (2, "", f"azr: {line}\n")
    code, _, err = azr(folder, "train", model[1], f"model.path={model[0]}", 'buffer.held_out=["empty.jsonl"]')
    assert code == 2
    assert re.fullmatch(r"azr: (/\S+/)?empty\.jsonl holds no held-out tasks: give a JSON object a line\n", err)


def test_a_slip_in_a_domain_is_one_line(folder: Path) -> None:
    slips = {
        "seeds": 'lambda self: [Task("factr", "91")]',
        "suites": 'lambda self: {"own": [Task("factr", "91")]}',
    }
    for name, value in slips.items():
        module = f"slip_{name}"
        (folder / f"{module}.py").write_text(
            f"import factoring\nfrom absolute_zero.types import Task\n\n"
            f"class Slip(factoring.Factoring):\n    {name} = {value}\n\nDOMAIN = Slip()\n"
        )
        parts = (f"domain={module}:DOMAIN", "model.path=guesser:open_policy", "propose.batch=8", "steps=1")
        code, _, err = azr(folder, "train", *parts)
        suite = " (suite 'own')" if name == "suites" else ""
        wrong = f"{name} gave a Task of kind 'factr' where 'factor' was due{suite}: fix it"
        assert (code, err) == (2, f"azr: domain '{module}:DOMAIN': {wrong}\n")


def test_the_scripted_policy_says_which_prompts_it_reads(folder: Path) -> None:
    code, _, err = azr(folder, "train", "--recipe", "tiny", "model.path=scripted", "templates=long")
    assert code == 2
    assert err == ("azr: the scripted policy reads the prompts of templates = compact only: set that, or model.path\n")


def test_the_recipe_names_estimator_term_and_scale(folder: Path) -> None:
    code, _, err = azr(folder, "train", "--recipe", "./factoring.toml", "steps=3", "--name", "recipe")
    assert (code, err) == (0, "")
    cfg = json.loads((folder / "runs" / "recipe" / "config.json").read_text())
    assert cfg["estimator"]["solve"] == "my_parts:running_mean"
    assert cfg["reward"] == {
        "learnability": "paper", "scale": "my_parts:SOFT", "terms": {"my_parts:brevity": 0.1}
    }  # fmt: skip


def test_its_own_section_of_the_settings(folder: Path) -> None:
    domain = (folder / "factoring.py").read_text()
    extra = "import my_settings\n\nFactoring.settings = my_settings.Settings\n"
    (folder / "with_settings.py").write_text(f"{domain}\n{extra}")
    code, out, err = azr(folder, "train", "domain=with_settings:DOMAIN", "factoring.most=500", "--dry-run")
    assert (code, err) == (0, "")
    assert "# Largest number." in out
    assert "most = 500" in out
