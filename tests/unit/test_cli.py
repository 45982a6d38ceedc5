"""`azr`: exit codes, one line for each answer, one line for each mistake and never a traceback."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# `make test-full` runs this on Pythons with nothing but pytest; the command line needs typer.
pytest.importorskip("typer")

import absolute_zero
from absolute_zero import cli, executor
from absolute_zero.types import SandboxError

ADD = "def f(a, b=1):\n    return a + b\n"


@pytest.fixture
def add(tmp_path: Path) -> str:
    """The path of a program that adds."""
    path = tmp_path / "add.py"
    path.write_text(ADD, encoding="utf-8")
    return str(path)


def assert_misuse(captured: tuple[str, str], *words: str) -> None:
    """Nothing on stdout, and one line on stderr that names us and holds these words."""
    out, err = captured
    assert out == ""
    assert err.startswith("azr: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_a_value_is_one_line_and_exit_code_0(add: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", add, "--input", "1, 2"]) == 0
    assert capsys.readouterr() == ("value  3\n", "")


def test_each_input_has_its_line_and_one_failure_is_exit_code_1(add: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", add, "--input", "1", "--input", "'a'", "--input", "x +", "--deterministic"]) == 1
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["value", "2"],
        ["error", "TypeError"],
        ["invalid_input"],
    ]
    assert err == ""


def test_json_is_one_object_a_line(add: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", add, "--input", "1", "--input", "'é'", "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first.pop("cpu_seconds") >= 0
    assert first == {"input": "1", "verdict": "value", "value": "2", "detail": ""}
    assert (second["input"], second["verdict"], second["detail"]) == ("'é'", "error", "TypeError")


def test_limits_reach_the_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spin.py"
    path.write_text("def f():\n    while True: pass\n")
    assert cli.main(["exec", str(path), "--input", "", "--cpu-seconds", "0.1"]) == 1
    path.write_text("def f():\n    return len(bytearray(128 << 20))\n")
    assert cli.main(["exec", str(path), "--input", "", "--memory-mb", "64"]) == 1
    assert cli.main(["exec", str(path), "--input", "", "--memory-mb", "512"]) == 0
    assert capsys.readouterr().out == "timeout\nmemory\nvalue  134217728\n"


def test_dash_reads_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "absolute_zero.cli", "exec", "-", "--input", "1"],
        input="\ufeff" + ADD,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(absolute_zero.__file__).parents[1])},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "value  2\n", "")


def test_a_reader_who_leaves_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text(ADD)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "absolute_zero.cli", "exec", str(tmp_path / "add.py"), "--input", "1"],
            stdout=gone,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(absolute_zero.__file__).parents[1])},
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_guard_is_asked_only_with_its_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chance.py"
    path.write_text("import random\ndef f(x):\n    return x\n")
    assert cli.main(["exec", str(path), "--input", "1"]) == 0
    assert cli.main(["exec", str(path), "--input", "1", "--guard"]) == 1
    value, refused = capsys.readouterr().out.splitlines()
    assert value == "value  1"
    assert refused.startswith("refused  ")
    assert "random" in refused
    assert cli.main(["exec", str(path), "--input", "1", "--guard", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "refused"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--input"),
        (["--input", "1", "--cpu-seconds", "nan"], "--cpu-seconds"),
        (["--input", "1", "--cpu-seconds", "0"], "--cpu-seconds"),
        (["--input", "1", "--memory-mb", "0"], "--memory-mb"),
        (["--input", "1", "--memory-mb", "much"], "--memory-mb"),
        (["--input", "1", "--minimum-level", "perfect"], "--minimum-level"),
        (["--input", "1", "--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_options_are_misuse(add: str, options: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", add, *options]) == 2
    assert_misuse(capsys.readouterr(), word)


def test_wrong_files_are_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latin = tmp_path / "latin.py"
    latin.write_bytes("def f(): return 'é'".encode("latin-1"))
    for path, word in [
        (str(tmp_path / "missing.py"), "No such file"),
        (str(tmp_path), "directory"),
        (str(latin), "UTF-8"),
        ("nul\0.py", "null"),
        ("/dev/zero", "over"),
    ]:
        assert cli.main(["exec", path, "--input", "1"]) == 2
        assert_misuse(capsys.readouterr(), word)


def test_an_unknown_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dance"]) == 2
    assert_misuse(capsys.readouterr(), "dance")


def test_no_command_shows_help_and_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "doctor" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"azr {absolute_zero.__version__}\n"


def test_a_terminal_that_cannot_show_a_letter_shows_its_escape(add: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["exec", add, "--input", "'é', ''"]) == 0
    terminal.flush()
    assert terminal.buffer.getvalue() == b"value  '\\xe9'\n"  # pyright: ignore[reportAttributeAccessIssue]


def test_foreign_names_cannot_write_lines_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.py"
    path.write_text(r"def f(): raise type('A\nvalue  1\x1b[2J', (Exception,), {})" + "\n")
    assert cli.main(["exec", str(path), "--input", ""]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out


def test_train_shows_settings_that_read_back_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydantic")
    from absolute_zero.config import load

    path = tmp_path / "mine.toml"
    for options, config in [
        ([], load("laptop")),
        (
            ["solve.n_difficulty=4", 'kinds=["deduction"]'],
            load("laptop", ["solve.n_difficulty=4", 'kinds=["deduction"]']),
        ),
        (["--recipe", "paper", "model.path=./é"], load("paper", ["model.path=./é"])),
    ]:
        assert cli.main(["train", *options, "--dry-run"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        path.write_text(out, encoding="ascii")
        assert load(path) == config
        assert cli.main(["train", "--recipe", str(path), "--dry-run"]) == 0
        assert capsys.readouterr() == (out, "")


def test_train_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "model.path=./none"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("azr: ./none") or "none" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["solve.n_dificulty=4"], "solve.n_dificulty is not a setting; did you mean solve.n_difficulty?"),
        (
            ["--recipe", "papr"],
            'no recipe is called "papr": use one of paper, laptop, coder-0.5b-lora, tiny,'
            " or a file such as ./mine.toml",
        ),
        (["steps=-1", "--dry-run"], "steps = -1: give a whole number of at least 0"),
        (["steps=a\nb"], 'steps = "a\\nb": give a whole number of at least 0'),
    ],
)
def test_wrong_settings_are_misuse(options: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", *options]) == 2
    assert capsys.readouterr() == ("", f"azr: {text}\n")


def test_train_help_lists_the_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    from absolute_zero.config import recipes

    assert cli.main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--dry-run" in out
    listed = out.rpartition("Recipes:\n")[2].splitlines()
    assert [tuple(line.split(maxsplit=1)) for line in listed] == list(recipes().items())


@dataclass(frozen=True)
class _Proof:
    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class _Report:
    level: str
    proofs: tuple[_Proof, ...]
    missing: tuple[str, ...]


def _machine(level: str) -> type:
    """A Sandbox of a machine where nothing better than `level` can be had."""

    class Fake:
        def __init__(self, workers: int, minimum_level: str) -> None:
            if level == "none":
                raise SandboxError("nothing works here: use Linux")
            self.level = level
            proof = _Proof("network", level != "weak", "[errno 1]")
            self.report = _Report(level, (proof,), ("allow [this]",))

        def __enter__(self) -> "Fake":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    return Fake


@pytest.mark.parametrize(
    ("level", "options", "code"),
    [
        ("sealed", [], 0),
        ("filtered", [], 0),
        ("weak", [], 1),
        ("portable", [], 1),
        ("none", [], 1),
        ("weak", ["--minimum-level", "weak"], 0),
        ("portable", ["--minimum-level", "weak"], 1),  # a word that is not known promises nothing
        ("filtered", ["--minimum-level", "sealed"], 1),
    ],
)
def test_doctor_s_exit_code_is_whether_the_level_is_reached(
    level: str,
    options: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(executor, "Sandbox", _machine(level))
    assert cli.main(["doctor", *options]) == code
    out, err = capsys.readouterr()
    assert f"level    {level}" in out
    assert err == ""
    if level != "none":
        # Square brackets are markup to rich, which swallows what it does not know.
        assert "[errno 1]" in out
        assert "allow [this]" in out


def test_doctor_here_says_what_was_proved(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["doctor"])
    out, err = capsys.readouterr()
    facts = dict(line.split(maxsplit=1) for line in out.splitlines()[:5])
    assert list(facts) == ["azr", "python", "kernel", "cores", "level"]
    assert code == (0 if facts["level"] in ("filtered", "sealed") else 1)
    assert "canary" in out
    assert err == ""
