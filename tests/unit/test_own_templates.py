"""A folder of templates of a user's own: what it may say, how its end is read, and one line for what is wrong."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from absolute_zero.config import Config
from absolute_zero.domains.python import COMPACT, DOMAIN, LONG, task_of
from absolute_zero.domains.python.payload import DEDUCTION, INDUCTION, KINDS
from absolute_zero.executor import Sandbox
from absolute_zero.forms import Form
from absolute_zero.policy.scripted import Apprentice, Lines
from absolute_zero.ports import TaskType
from absolute_zero.selfplay import step
from absolute_zero.training import seed
from absolute_zero.types import Role, Status, Step, Task, UserError
from worlds import components, empty_buffer, settings, watched

TASK = task_of(DEDUCTION, "def f(x):\n    return x + 1", [("2", "3")])
PAIRS = task_of(INDUCTION, "def f(x):\n    return x + 1", [(str(n), str(n + 1)) for n in range(4)], "Next.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The compact templates, as a user's own."""
    return Path(shutil.copytree(str(COMPACT), tmp_path / "templates"))


def types(folder: Path) -> dict[str, TaskType]:
    return {task_type.kind: task_type for task_type in DOMAIN.task_types(Config(templates=str(folder)))}


def end_with(folder: Path, end: str) -> None:
    """Let every prompt end so, in place of `<think>` at its very end."""
    for file in folder.glob("*_*.txt"):
        text = file.read_text()
        assert text.endswith("<think>\n")
        file.write_text(text.removesuffix("<think>\n") + end)


# --- the end of a prompt ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "opens"),
    [
        ("<think>", True),
        ("<think>\n", True),
        ("<think>\n\n", True),
        ("<think> \n\t\n", True),
        ("", False),
        ("\nThink first.\n", False),
        ("<think></think>\n", False),
        ("<think>\nLet me see.", False),
    ],
)
def test_a_prompt_opens_the_thought_if_its_file_ends_so(folder: Path, end: str, opens: bool) -> None:
    end_with(folder, end)
    for task_type in types(folder).values():
        task = PAIRS if task_type.kind == INDUCTION else TASK
        assert task_type.propose_prompt([TASK]).opens_thought is opens
        assert task_type.solve_prompt(task).opens_thought is opens


def test_what_is_put_in_opens_nothing(folder: Path) -> None:
    """Whether a prompt opens the thought is a fact of its file, not of a program or message in it."""
    (folder / "solve_induction.txt").write_text("$pairs\n$message")
    (folder / "references.txt").write_text("$references")
    (folder / "reference.txt").write_text("$program\n<think>")
    (folder / "propose_deduction.txt").write_text("propose deduction\n$references")
    trap = task_of(INDUCTION, "def f(x):\n    return x", [("1", "1"), ("2", "2")], "<think>")
    posed = types(folder)[INDUCTION].solve_prompt(trap)
    assert (posed.shown.rstrip("`\n").endswith("<think>"), posed.opens_thought) == (True, False)
    asked = types(folder)[DEDUCTION].propose_prompt([TASK])
    assert (asked.shown.rstrip().endswith("<think>"), asked.opens_thought) == (True, False)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as opened:
        yield opened


def taught(sandbox: Sandbox, folder: Path, opened: bool = True, form: Form | None = None) -> Step:
    """One step of an apprentice that always answers right; `opened`: as if its thought were."""
    able = Apprentice()
    able.state = dict.fromkeys(able.state, 50.0)

    def say(prompt: str, random: Random) -> str:
        question = prompt.rpartition("User: ")[2].partition("\n\nAssistant:")[0]
        return ("" if opened else "<think>") + able.reply(question, random)

    cfg = settings(templates=str(folder))
    buffer, parts = empty_buffer(cfg), components(watched(sandbox, Lines(say)), cfg, form=form)
    seed(0, parts, buffer, cfg)
    return step(1, parts, buffer, {}, cfg)


@pytest.mark.parametrize("end", ["<think>", "<think>\n", "<think>\n\n"])
def test_right_answers_are_graded_right_whatever_follows_the_tag(sandbox: Sandbox, folder: Path, end: str) -> None:
    """A line break after the tag is what editors leave at the end of a file."""
    end_with(folder, end)
    done = taught(sandbox, folder)
    assert {r.kind for r in done.rollouts} == set(KINDS)
    assert {r.grade.status for r in done.rollouts if r.role is Role.SOLVE} == {Status.PASSED}
    assert len([v for v in done.validations if v.task]) >= 10


def test_a_prompt_that_opens_nothing_wants_the_tag_in_the_response(sandbox: Sandbox, folder: Path) -> None:
    """It is a question, which a form dresses; this one begins nothing of the response."""
    end_with(folder, "")
    form = Form(opening="none")
    done = taught(sandbox, folder, opened=False, form=form)
    assert {r.grade.status for r in done.rollouts if r.role is Role.SOLVE} == {Status.PASSED}
    done = taught(sandbox, folder, opened=True, form=form)
    assert {r.grade.reason for r in done.rollouts} == {"no_thought"}


# --- the words of a prompt ----------------------------------------------------------------------------------


def test_prompts_say_what_the_folder_says(folder: Path) -> None:
    (folder / "solve_deduction.txt").write_text("Wieviel? $$ ${program} $input\n<think>\n\n", encoding="utf-8")
    prompt = types(folder)[DEDUCTION].solve_prompt(TASK)
    assert prompt.text == "Wieviel? $ ```python\ndef f(x):\n    return x + 1\n``` ```input\n2\n```\n<think>\n"
    (folder / "rules.txt").write_text("Import only: $imports.", encoding="utf-8")
    (folder / "solve_deduction.txt").write_text("$rules Within $seconds s: $program é", encoding="utf-8")
    text = types(folder)[DEDUCTION].solve_prompt(TASK).shown
    assert text.startswith("Import only: __future__, bisect,")
    assert "Within 0.5 s: ```python" in text
    assert text.endswith(" é")


def test_a_folder_has_a_name_too(folder: Path) -> None:
    for name in ("compact", str(folder), "absolute_zero.domains.python:COMPACT"):
        [task_type, *_] = DOMAIN.task_types(Config(templates=name))
        [compact, *_] = DOMAIN.task_types(Config(templates="compact"))
        assert task_type.solve_prompt(TASK) == compact.solve_prompt(TASK)


# --- what is wrong with it ----------------------------------------------------------------------------------


def complaint(folder: Path, task: Task = TASK) -> str:
    """The one line that the first prompt gives."""
    with pytest.raises(UserError) as caught:
        types(folder)[task.kind].solve_prompt(task)
    [line] = str(caught.value).splitlines()
    assert str(folder) in line
    return line


@pytest.mark.parametrize("name", sorted(path.name for path in COMPACT.iterdir()))
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """Also one that this prompt does not need: half a folder would fail in the middle of a run."""
    (folder / name).unlink()
    assert f"{name} missing" in complaint(folder)


def test_an_empty_folder_misses_all(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    assert complaint(tmp_path / "templates").count(".txt") == 8


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("$progam", "names $progam:"),
        ("${output} $programs", "names $output, $programs:"),
        ("$message", "names $message:"),
        ("$references", "names $references:"),
        ("costs 5$", "has a $ that begins no name:"),
        ("$ {program}", "has a $ that begins no name:"),
        ("$(program)", "has a $ that begins no name:"),
        ("${program", "has a $ that begins no name:"),
    ],
)
def test_an_unknown_name_is_named_with_what_there_is(folder: Path, text: str, wrong: str) -> None:
    (folder / "solve_deduction.txt").write_text(f"solve $program $input {text}\n<think>")
    line = complaint(folder)
    assert f"solve_deduction.txt {wrong}" in line
    for name in ("$program", "$input", "$imports", "$seconds", "$rules"):
        assert name in line
    assert complaint(folder, PAIRS) == line  # whichever prompt is first


def test_a_file_of_rules_names_what_is_always_there(folder: Path) -> None:
    (folder / "rules.txt").write_text("$program")
    assert "rules.txt" in complaint(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "there is no such folder" in complaint(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "there is no such folder" in complaint(tmp_path / "file")


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "solve_deduction.txt").write_bytes(b"\xff\xfe\x00")
    assert "solve_deduction.txt" in complaint(folder)
    (folder / "solve_deduction.txt").unlink()
    (folder / "solve_deduction.txt").mkdir()
    assert "solve_deduction.txt" in complaint(folder)


def test_other_files_are_left_alone(folder: Path) -> None:
    (folder / "README.md").write_text("$anything")
    (folder / "notes.txt").write_text("Not one of ours, and without names.")
    assert types(folder)[DEDUCTION].solve_prompt(TASK).shown.startswith("solve deduction")


def test_the_long_templates_as_a_users_own_are_the_same(tmp_path: Path) -> None:
    copied = types(Path(shutil.copytree(str(LONG), tmp_path / "templates")))
    for task_type in DOMAIN.task_types(Config(templates="long")):
        assert copied[task_type.kind].propose_prompt([TASK]) == task_type.propose_prompt([TASK])
