"""`azr try`: what a newcomer sees of a model in the first minutes, and the recipe that comes of it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from absolute_zero.cli import main
from absolute_zero.config import load

SCRIPTED = ["try", "scripted", "--recipe", "tiny", 'sandbox.minimum_level="weak"', "sampling.max_tokens=1000"]


def azr(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_model_is_fitted_and_its_recipe_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.toml"
    code, out, err = azr(capsys, *SCRIPTED, "seed=3", "--responses", "8", "--save", str(mine))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("model scripted   domain python   recipe tiny   sandbox ")
    for words in ("ways to ask", "propose deduction", "solve induction", "tokens/s sampled"):
        assert words in out, words
    assert "20 steps" in out
    assert "100 steps" in out
    assert lines[-1] == f"wrote {mine}; train it: azr train --recipe {mine}"
    assert mine.read_text().startswith("# Fitted by azr try ")
    cfg = load(mine)
    assert (cfg.seed, cfg.sampling.max_tokens, cfg.model.path) == (3, 1000, "scripted")
    code, out, err = azr(capsys, "train", "--recipe", str(mine), "evals.tasks=0", "--runs", str(tmp_path / "runs"))
    assert (code, err) == (0, "")
    assert "3 steps in" in out


def test_without_a_file_the_settings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = azr(capsys, *SCRIPTED, "form.examples=0", "--responses", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("train it: azr train --recipe tiny ")
    assert "model.path" in out.splitlines()[-1]
    assert "2 examples" not in out, "what the user said is kept"


def test_tasks_of_a_file_are_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"code": "def f(x):\\n    return x * 3 + 4\\n", "input": "x=2", "output": "10"}\n')
    code, _, err = azr(capsys, *SCRIPTED, 'kinds=["deduction"]', "--data", str(rows), "--responses", "2")
    assert (code, err) == (0, "")


def test_what_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text("")
    for arguments, expected in (
        (["--save", str(tmp_path / "mine.toml")], "is there already: give --save another name"),
        (["--save", "mine"], "give a name that ends in .toml, such as mine.toml"),
        (["--save", str(tmp_path / "no" / "mine.toml")], "is no folder that can be written: make it first"),
        (["form={examples=0, template=verse}"], "form"),
        (["--domain", "chess"], 'domain = "chess": give'),
        (["--data", str(tmp_path / "none.jsonl")], "none.jsonl"),
        (["form.examples=many"], "form.examples = "),
    ):
        code, out, err = azr(capsys, *SCRIPTED, *arguments)
        assert (code, out) == (2, "") or "--data" in arguments
        assert err.startswith("azr: ")
        assert expected in err
        assert err.count("\n") == 1


def test_a_model_that_cannot_propose_is_told_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = [*SCRIPTED[:-1], "sampling.max_tokens=3", "--responses", "2"]
    code, out, err = azr(capsys, *short, "--save", str(tmp_path / "m.toml"))
    assert (code, err) == (1, "")
    assert "deduction is left out: 0 of 2 proposals became tasks (truncated 2); raise sampling.max_tokens" in out
    assert "induction is left out: no kind that it is shown can start" in out
    assert not (tmp_path / "m.toml").exists()


INTERRUPTIBLE = """
import signal
from absolute_zero.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs this in the background has switched off
raise SystemExit(main())
"""


def test_ctrl_c_shows_what_is_known() -> None:
    command = [sys.executable, "-u", "-c", INTERRUPTIBLE, *SCRIPTED, "--responses", "160"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "responses:" not in process.stdout.readline():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "")
    assert "Stopped: this is what is known so far." in out
    assert "propose deduction" in out
