"""`azr eval` and `azr play`: true numbers, everything that was said, and one line for every mistake."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.cli import main
from absolute_zero.cli.play import _safe  # pyright: ignore[reportPrivateUsage]
from absolute_zero.config import load
from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS, read_payload, task_of
from absolute_zero.domains.python.rows import suite_row
from absolute_zero.evals.suites import read_tasks
from absolute_zero.executor import Sandbox
from absolute_zero.store import Store
from absolute_zero.types import Job, Task

SHARED = Path(os.environ.get("AZR_SHARED") or Path(__file__).parents[3] / "shared")
TOY = ["sampling.max_tokens=2000", 'sandbox.minimum_level="weak"']
SCRIPTED = ["scripted", "--recipe", "tiny", *TOY]
LINE = "def f(x):\n    return x * 3 + 4\n"
ROW = {"code": LINE, "input": "x=2", "output": "10"}


def azr(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    recipe = ["--recipe", "tiny", "model.path=scripted", "evals.tasks=6"]
    assert main(["train", *recipe, *TOY, "--runs", str(runs)]) == 0
    return runs / "001"


def files(folder: Path) -> list[str]:
    """But for those beside the database, which every reader of it needs."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal")))


def test_a_runs_results_are_those_it_ended_with(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(run)
    code, out, err = azr(capsys, "eval", str(run), "--tasks", "6", "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert found["model"].endswith("001 at step 3")
    after = json.loads((run / "result.json").read_text())["after"]
    for kind in (*KINDS, "mean"):
        row = found["suites"]["held_out"][kind]
        rounded = {name: [round(value, 6) for value in row[name]["1"]] for name in ("pass1", "pass8")}
        assert rounded == {"pass1": after[kind]["t1"], "pass8": after[kind]["pass8"]}
        assert [round(value, 6) for value in row["greedy"]] == after[kind]["greedy"]
        assert row["n"] == (18 if kind == "mean" else 6)
    results = found["results"]["held_out"]["1"]
    assert [result[0] for result in results[::6]] == list(KINDS)
    correct = sum(correct for kind, correct, *_ in results if kind == "induction")
    assert correct / 48 == found["suites"]["held_out"]["induction"]["pass1"]["1"][0]
    assert files(run) == before


def test_a_table_has_a_line_for_every_temperature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "[mine].jsonl"
    data.write_text(json.dumps(ROW) + "\n")
    code, out, err = azr(
        capsys, "eval", *SCRIPTED, "--data", str(data), "--temperature", "1", "--temperature", "0.25"
    )  # fmt: skip
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["[mine],", "%", "n", "sampling", "pass@1", "pass@8"]
    assert [line[:1] if line[0].startswith("T") else line[:3] for line in lines[2:]] == [
        ["deduction", "1", "greedy"], ["T=1"], ["T=0.25"], ["abduction", "1", "greedy"], ["T=1"], ["T=0.25"],
        ["mean", "2", "greedy"], ["T=1"], ["T=0.25"],
    ]  # fmt: skip


def test_a_row_of_cruxeval_is_asked_both_ways(tmp_path: Path) -> None:
    data = tmp_path / "crux.jsonl"
    data.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "output": "1e1"}) + "\n")
    tasks = read_tasks(data, DOMAIN)
    assert [task.kind for task in tasks] == [DEDUCTION, ABDUCTION, DEDUCTION, ABDUCTION]
    assert [read_payload(task.payload).pairs for task in tasks[1:3]] == [(("x=2", "10"),), (("x=2", "10.0"),)]


@pytest.mark.skipif(not (SHARED / "data" / "cruxeval").is_dir(), reason="needs the shared data")
def test_cruxevals_own_answers_are_right() -> None:
    types = {task_type.kind: task_type for task_type in DOMAIN.task_types(load("laptop"))}
    tasks = read_tasks(SHARED / "data" / "cruxeval" / "dev.jsonl", DOMAIN)
    assert len(tasks) == 800
    jobs: list[Job] = []
    asked: list[Task] = []
    unread = 0
    for task in tasks:
        argument, output = read_payload(task.payload).pairs[0]
        check = types[task.kind].check(task, output if task.kind == DEDUCTION else argument)
        if isinstance(check, Job):
            jobs.append(check)
            asked.append(task)
        else:
            unread += not check.correct
    # Five inputs are expressions (a join, a slice, a lambda, a range): answers are literals, so these are none.
    assert unread == 5
    with Sandbox(minimum_level="weak") as sandbox:
        outcomes = sandbox.run(jobs)
    grades = [types[task.kind].check_result(task, outcome) for task, outcome in zip(asked, outcomes, strict=True)]
    assert all(grade.correct for grade in grades)


def test_a_proposal_is_shown_with_what_came_of_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = azr(capsys, "play", str(run), "--kind", "deduction", "--kind", "induction")
    assert (code, err) == (0, "")
    assert [line.split(" ─")[0] for line in out.splitlines() if "─" in line] == [
        "propose deduction", "solve deduction", "propose induction", "solve induction",
    ]  # fmt: skip
    assert out.count(" of 2 rollouts solve it: worth ") == 2
    assert "=> answer  " in out
    assert "=> example  f(" in out
    assert "to the proposer" in out
    with Store.read(run / "run.db") as store:
        assert store.last_step() == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--program", "FILE", "--input", "2"], "solve deduction"),
        (["--program", "FILE", "--output", "10"], "solve abduction"),
        (["--input", "1", "--output", "7", "--input", "2", "--output", "10", "--message", "A line."], "A line."),
    ],
)
def test_a_task_that_was_given_is_answered(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "line.py").write_text(LINE)
    given = [str(tmp_path / "line.py") if part == "FILE" else part for part in arguments]
    code, out, err = azr(capsys, "play", str(run), *given, "--rollouts", "3")
    assert (code, err) == (0, "")
    assert said in out
    assert out.count("=> right") + out.count("=> wrong") == 4
    assert out.splitlines()[-1].endswith(" of 3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["eval", "RUN", "steps=3"], "give no recipe and no KEY=VALUE beside it"),
        (["play", "RUN", "--recipe", "paper"], "give no recipe and no KEY=VALUE beside it"),
        (["eval", *SCRIPTED, 'kinds=["deduction"]', "--data", "INDUCTION"], "no task of a kind that this"),
        (
            ["play", *SCRIPTED, 'kinds=["deduction"]', "--kind", "induction"],
            "do not play induction, but deduction: set kinds",
        ),
        (["play", *SCRIPTED, "--rollouts", "3"], "--rollouts and --message go with a task"),
        (["play", *SCRIPTED, "--message", "A line."], "--rollouts and --message go with a task"),
        (["play", *SCRIPTED, "--program", "BROKEN", "--output", "3"], "the program makes no task (syntax: "),
        (["eval", *SCRIPTED, "--data", "none.jsonl"], "cannot read the tasks of 'none.jsonl'"),
        (["eval", *SCRIPTED, "--data", "FILE", "--data", "there/line.py"], "two files of tasks have the same name"),
        (["eval", "./none"], "there is no such folder"),
        (["eval", *SCRIPTED, "--temperature", "0"], "--temperature"),
        (["play", *SCRIPTED, "--kind", "guess"], "do not play guess, but deduction, abduction, induction"),
        (["play", *SCRIPTED, "--kind", "deduction", "--input", "1"], "--kind is for proposals"),
        (["play", *SCRIPTED, "--input", "1"], "as many inputs as outputs"),
        (["play", *SCRIPTED, "--program", "FILE"], "either one input (deduction) or one output"),
        (["play", *SCRIPTED, "--program", "FILE", "--input", "1", "--output", "2"], "either one input"),
        (["play", *SCRIPTED, "--program", "FILE", "--output", "import os"], "output 'import os' is not a literal"),
        (["play", *SCRIPTED, "--program", "FILE", "--output", "[" * 70 + "]" * 70], "is not a literal value"),
        (["report", "x" * 300], "is not a run folder"),
        (["eval", "x" * 300], "cannot open the model"),
        (["play", *SCRIPTED, "--program", "FILE", "--input", "'a'"], "this makes no task (error TypeError)"),
        (["play", *SCRIPTED, "--program", "none.py", "--input", "1"], "cannot read 'none.py'"),
        (["play", *SCRIPTED, 'kinds=["deduction"]', "--program", "FILE", "--output", "1"], "do not play abduction"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "line.py").write_text(LINE)
    (tmp_path / "broken.py").write_text("def f(x:\n")
    induction = task_of(INDUCTION, LINE, (("1", "7"), ("2", "10")))
    (tmp_path / "induction.jsonl").write_text(json.dumps(suite_row(induction)) + "\n")
    files = {"FILE": "line.py", "BROKEN": "broken.py", "INDUCTION": "induction.jsonl"}
    names = {"RUN": str(run), **{name: str(tmp_path / file) for name, file in files.items()}}
    code, _, err = azr(capsys, *(names.get(part, part) for part in arguments))
    assert code == 2
    assert err.startswith("azr: ")
    assert err.count("\n") == 1
    assert said in err


def test_what_a_model_says_cannot_steer_the_terminal() -> None:
    assert _safe("a\x1b[2Jb\n\x07\u202e") == "a\\x1b[2Jb\n\\x07\\u202e"
