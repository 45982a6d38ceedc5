"""Faults of the paper's public code, each as a test that ours does not have it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from absolute_zero.domains.python import ZERO, read_payload, task_of
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.monitors import step_metrics
from absolute_zero.policy.scripted import Apprentice, Lines
from absolute_zero.store import Store
from absolute_zero.text import render_input, render_program, render_program_and_input
from absolute_zero.training import seed, train
from absolute_zero.types import Grade, Job, Proposal, Role, Status, Step, Task, Verdict
from worlds import components, empty_buffer, settings, task_types, watched

TYPES = task_types(settings())
PROGRAM = "def f(x):\n    return x + 1"
DEDUCE = task_of(DEDUCTION, PROGRAM, [("1", "2")])
ABDUCE = task_of(ABDUCTION, PROGRAM, [("1", "2")])
INDUCE = task_of(INDUCTION, PROGRAM, [("1", "2"), ("2", "3"), ("3", "4"), ("4", "5")], "Count on.")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


def checked(sandbox: Sandbox, task: Task, answer: str) -> Grade:
    task_type = TYPES[task.kind]
    check = task_type.check(task, answer)
    return task_type.check_result(task, sandbox.run([check])[0]) if isinstance(check, Job) else check


def built(sandbox: Sandbox, kind: str, program: str, argument: str) -> Task | Grade:
    parsed = TYPES[kind].parse_proposal([], render_program_and_input(program, argument))
    return TYPES[kind].build_task(parsed, sandbox.run([parsed.job])[0]) if isinstance(parsed, Proposal) else parsed


# --- 1. model text in the trainer's own process -------------------------------------------------------------

IN_PROCESS = """
import sys
ran = []
def watch(event, arguments):
    if event == "exec" and not str(arguments[0].co_filename).endswith(".py"):
        ran.append(arguments[0].co_filename)
from worlds import components, empty_buffer, settings, watched, says
from absolute_zero.selfplay import step
from absolute_zero.training import seed
from absolute_zero.executor import Sandbox
with Sandbox(workers=1, minimum_level="weak") as sandbox:
    for text in sys.argv[1:]:
        cfg = settings()
        buffer, seen = empty_buffer(cfg), watched(sandbox)
        seed(0, components(seen, cfg), buffer, cfg)
        seen.policy.script = says(text)
        sys.addaudithook(watch)
        step(1, components(seen, cfg), buffer, {}, cfg)
print(ran)
"""


def test_no_text_of_the_model_is_evaluated_here(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hostile = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    programs = [f"{hostile}\ndef f(x):\n    return x", f"def f(x={hostile}):\n    return x"]
    answers = [hostile, render_input(hostile), *map(render_program, programs)]
    answers += [render_program_and_input(program, "1") for program in programs]
    answers += [render_program_and_input("def f(x):\n    return x * 2", hostile)]
    texts = [f"</think><answer>{answer}</answer>" for answer in answers]
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent / "src")])
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", IN_PROCESS, *texts], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert not mark.exists()


# --- 2. answers that scored 1 without being right -----------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (DEDUCE, "1) or (1"),
        (DEDUCE, "3 or True"),
        (DEDUCE, "3 #"),
        (DEDUCE, "print(2) or 3"),
        (DEDUCE, "type('E', (), {'__eq__': lambda s, o: True})()"),
        (DEDUCE, "output"),
        (DEDUCE, "gold"),
        (DEDUCE, "f(1)"),
        (DEDUCE, "eval('2')"),
        (ABDUCE, "9) == 2 or f(1"),
        (ABDUCE, "0) or (2"),
        (ABDUCE, "5 #"),
        (ABDUCE, "5) #"),
        (ABDUCE, "print(2)"),
        (ABDUCE, "type('E', (), {'__add__': lambda s, o: 2})()"),
        (ABDUCE, "input"),
        (ABDUCE, "x"),
        (INDUCE, "def f(x):\n    if x == 3:\n        return 4\n    raise ValueError"),
        (INDUCE, "class E:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return E()"),
        (INDUCE, "def f(x):\n    print(x + 1)"),
        (INDUCE, "def f(x):\n    return x - 1\nf = lambda x: gold"),
        (INDUCE, "def f(x):\n    exit(0)"),
    ],
)
@pytest.mark.parametrize("block", [False, True])
def test_what_is_not_right_scores_nothing(one: Sandbox, task: Task, answer: str, block: bool) -> None:
    label = {DEDUCTION: "output", ABDUCTION: "input", INDUCTION: "python"}[task.kind]
    grade = checked(one, task, f"```{label}\n{answer}\n```" if block else answer)
    assert grade.status in (Status.FAILED, Status.MALFORMED)
    assert grade.score == 0


def test_what_is_right_scores(one: Sandbox) -> None:
    assert checked(one, DEDUCE, "2").status is Status.PASSED
    assert checked(one, ABDUCE, "1").status is Status.PASSED
    assert checked(one, INDUCE, render_program("def f(y):\n    return 1 + y")).status is Status.PASSED


# --- 3. errors and chance as empty outputs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("class Stop(Exception):\n    pass\n\ndef f(x):\n    raise Stop", Verdict.ERROR),
        ("def f(x):\n    raise KeyboardInterrupt", Verdict.ERROR),
        ("def f(x):\n    raise StopIteration", Verdict.ERROR),
        ("def f(x):\n    return [x, repr(object())]", Verdict.NONDETERMINISTIC),
        ("def f(x):\n    return object()", Verdict.UNSERIALISABLE),
        ("def f(x):\n    return hash(str(x))", Verdict.NONDETERMINISTIC),
        ("def f(x):\n    return list({str(x + k) for k in range(9)})", Verdict.NONDETERMINISTIC),
    ],
)
def test_a_program_without_a_value_makes_no_task(one: Sandbox, program: str, reason: Verdict) -> None:
    grade = built(one, DEDUCTION, program, "1")
    assert isinstance(grade, Grade)
    assert (grade.status, grade.reason) == (Status.FAILED, reason)


# --- 4. cut outputs, inputs of several lines, inf and nan ---------------------------------------------------


def test_outputs_are_never_cut(one: Sandbox) -> None:
    task = built(one, DEDUCTION, "def f(n):\n    return list(range(n))", "400")
    assert isinstance(task, Task)
    [(_, output)] = read_payload(task.payload).pairs
    assert output == str(list(range(400)))
    assert checked(one, task, output).status is Status.PASSED
    assert checked(one, task, output[:400]).status is not Status.PASSED


@pytest.mark.parametrize("given", ["[1,\n 2,\n 3]", "'''a\nb'''", "'a',\n{\n 'k': 1,\n}"])
def test_inputs_of_several_lines_are_inputs(one: Sandbox, given: str) -> None:
    task = built(one, ABDUCTION, "def f(*x):\n    return [*x]", given)
    assert isinstance(task, Task)
    assert checked(one, task, render_input(given)).status is Status.PASSED


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "float('inf')", "float('nan')", "[nan, inf]"])
def test_inf_and_nan_can_be_answered(one: Sandbox, text: str) -> None:
    task = built(one, DEDUCTION, "def f(x):\n    return x", text)
    assert isinstance(task, Task)
    assert checked(one, task, text).status is Status.PASSED


# --- 5. is `test_a_program_without_a_value_makes_no_task`; 6. modules, memory, workers ----------------------


@pytest.mark.parametrize("name", ["os", "sys", "socket", "ctypes", "subprocess", "pickle", "random", "time"])
def test_proposals_import_what_is_allowed(name: str) -> None:
    for program in (f"import {name}\n\n{PROGRAM}", f"def f(x):\n    return __import__({name!r}), x"):
        grade = TYPES[DEDUCTION].parse_proposal([], render_program_and_input(program, "1"))
        assert isinstance(grade, Grade)
        assert grade.status is Status.FAILED


def test_memory_is_bounded(one: Sandbox) -> None:
    grade = built(one, DEDUCTION, "def f(n):\n    return len(bytearray(n))", "1000000000")
    assert isinstance(grade, Grade)
    assert grade.reason == Verdict.MEMORY


def test_as_many_workers_as_were_asked_for() -> None:
    for workers in (1, 2):
        with Sandbox(workers=workers, minimum_level="weak", level="weak") as made:
            assert len(made.pids()) == workers  # a worker holds a zygote, which needs no reaper here


# --- 7. repetition, full buffers, short batches, resuming, seeds, steps -------------------------------------


def test_nothing_is_stored_twice_and_a_full_buffer_takes_the_newest(one: Sandbox) -> None:
    cfg = settings(buffer={"capacity": 8})
    buffer, tasks = empty_buffer(cfg), list[Task]()
    for number in range(-7, 1):
        tasks += seed(number, components(watched(one), cfg), buffer, cfg).tasks
    digests = [(task.kind, task.exact) for task in tasks]
    assert len(set(digests)) == len(digests)
    for kind in KINDS:
        mine = [task for task in tasks if task.kind == kind]
        assert len(mine) > 8
        kept = buffer.practice(kind, 99, set(), Key(0))
        assert sorted(task.id for task in kept) == [task.id for task in mine[-8:]]


def test_a_short_batch_ends_nothing(one: Sandbox, tmp_path: Path) -> None:
    """From step 2 on nothing good is proposed any more: practice goes on, from the buffer."""
    able, tired = Apprentice(), list[bool]()

    def say(prompt: str, random: Random) -> str:
        return "No." if tired and prompt.split()[0] == Role.PROPOSE else able.reply(prompt, random)

    cfg, steps = settings(steps=3), list[Step]()
    with Store.open(tmp_path / "run.db") as store:
        for done in train(components(watched(one, Lines(say)), cfg), store, cfg):
            steps.append(done)
            if done.number == 1:
                tired.append(True)
    assert [step.number for step in steps if step.number > 0] == [1, 2, 3]
    assert not steps[-1].tasks
    assert sum(r.role is Role.SOLVE and r.reward is not None for r in steps[-1].rollouts) == 3 * 4


def test_steps_are_counted_by_themselves_and_seeds_matter(one: Sandbox, tmp_path: Path) -> None:
    texts: list[list[str]] = []
    for index, number in enumerate((1, 1, 2)):
        cfg = settings(seed=number, steps=2, propose={"batch": 2}, seeding={"factor": 1})
        with Store.open(tmp_path / f"{index}.db") as store:
            numbers = [done.number for done in train(components(watched(one), cfg), store, cfg)]
            assert numbers[-2:] == [1, 2]
            texts.append(list(store.dump()))
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


# --- 8. metrics that grow with the history ------------------------------------------------------------------


def test_what_is_measured_depends_on_the_step_alone(one: Sandbox) -> None:
    cfg, buffer = settings(), empty_buffer(settings())
    step = seed(0, components(watched(one), cfg), buffer, cfg)
    before = step_metrics(step)
    buffer.add([replace(ZERO, id=number) for number in range(1, 1000)])
    assert step_metrics(step) == before
