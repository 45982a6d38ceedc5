"""The public reference's faults (ALGORITHM.md section 6), each as a test that ours does not have it. In its order."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from absolute_zero import selfplay
from absolute_zero.buffer import ZERO, Buffer
from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Apprentice, Lines
from absolute_zero.ports import Task
from absolute_zero.store import Store
from absolute_zero.tasks import make_tasks
from absolute_zero.text import render_input, render_program, render_program_and_input
from absolute_zero.types import Entry, Grade, Job, Kind, Problem, Proposal, Role, Status, Step, Verdict
from worlds import settings, watched, world

CFG = settings()
TASKS = make_tasks(CFG)
PROGRAM = "def f(x):\n    return x + 1"
DEDUCE = Problem(Kind.DEDUCTION, PROGRAM, (("1", "2"),))
ABDUCE = Problem(Kind.ABDUCTION, PROGRAM, (("1", "2"),))
INDUCE = Problem(Kind.INDUCTION, PROGRAM, (("1", "2"), ("2", "3"), ("3", "4"), ("4", "5")), "Count on.")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


def judged(sandbox: Sandbox, problem: Problem, answer: str) -> Grade:
    task: Task = TASKS[problem.kind]
    found = task.judge(problem, answer)
    return task.decide(problem, sandbox.run([found])[0]) if isinstance(found, Job) else found


def minted(sandbox: Sandbox, kind: Kind, program: str, given: str) -> Problem | Grade:
    read = TASKS[kind].read([], render_program_and_input(program, given))
    return TASKS[kind].mint(read, sandbox.run([read.job])[0]) if isinstance(read, Proposal) else read


# --- 1. model text in the trainer's own process -------------------------------------------------------------

IN_PROCESS = """
import sys
ran = []
def watch(event, arguments):
    if event == "exec" and not str(arguments[0].co_filename).endswith(".py"):
        ran.append(arguments[0].co_filename)
from worlds import settings, watched, world, says
from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.executor import Sandbox
with Sandbox(workers=1, minimum_level="weak") as sandbox:
    for text in sys.argv[1:]:
        cfg = settings()
        buffer, seen = Buffer(cfg), watched(sandbox)
        selfplay.seed(0, world(seen, cfg), buffer, cfg)
        seen.policy.script = says(text)
        sys.addaudithook(watch)
        selfplay.step(1, world(seen, cfg), buffer, cfg)
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
    ("problem", "answer"),
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
def test_what_is_not_right_scores_nothing(one: Sandbox, problem: Problem, answer: str, block: bool) -> None:
    render = {Kind.DEDUCTION: "output", Kind.ABDUCTION: "input", Kind.INDUCTION: "python"}[problem.kind]
    found = judged(one, problem, f"```{render}\n{answer}\n```" if block else answer)
    assert found.status in (Status.FAILED, Status.MALFORMED)
    assert found.score == 0


def test_what_is_right_scores(one: Sandbox) -> None:
    assert judged(one, DEDUCE, "2").status is Status.PASSED
    assert judged(one, ABDUCE, "1").status is Status.PASSED
    assert judged(one, INDUCE, render_program("def f(y):\n    return 1 + y")).status is Status.PASSED


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
    found = minted(one, Kind.DEDUCTION, program, "1")
    assert isinstance(found, Grade)
    assert (found.status, found.reason) == (Status.FAILED, reason)


# --- 4. cut outputs, inputs of several lines, inf and nan ---------------------------------------------------


def test_outputs_are_never_cut(one: Sandbox) -> None:
    problem = minted(one, Kind.DEDUCTION, "def f(n):\n    return list(range(n))", "400")
    assert isinstance(problem, Problem)
    [(_, output)] = problem.pairs
    assert output == str(list(range(400)))
    assert judged(one, problem, output).status is Status.PASSED
    assert judged(one, problem, output[:400]).status is not Status.PASSED


@pytest.mark.parametrize("given", ["[1,\n 2,\n 3]", "'''a\nb'''", "'a',\n{\n 'k': 1,\n}"])
def test_inputs_of_several_lines_are_inputs(one: Sandbox, given: str) -> None:
    problem = minted(one, Kind.ABDUCTION, "def f(*x):\n    return [*x]", given)
    assert isinstance(problem, Problem)
    assert judged(one, problem, render_input(given)).status is Status.PASSED


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "float('inf')", "float('nan')", "[nan, inf]"])
def test_inf_and_nan_can_be_answered(one: Sandbox, text: str) -> None:
    problem = minted(one, Kind.DEDUCTION, "def f(x):\n    return x", text)
    assert isinstance(problem, Problem)
    assert judged(one, problem, text).status is Status.PASSED


# --- 5. is `test_a_program_without_a_value_makes_no_task`; 6. modules, memory, workers ----------------------


@pytest.mark.parametrize("name", ["os", "sys", "socket", "ctypes", "subprocess", "pickle", "random", "time"])
def test_proposals_import_what_is_allowed(name: str) -> None:
    for program in (f"import {name}\n\n{PROGRAM}", f"def f(x):\n    return __import__({name!r}), x"):
        read = TASKS[Kind.DEDUCTION].read([], render_program_and_input(program, "1"))
        assert isinstance(read, Grade)
        assert read.status is Status.FAILED


def test_memory_is_bounded(one: Sandbox) -> None:
    found = minted(one, Kind.DEDUCTION, "def f(n):\n    return len(bytearray(n))", "1000000000")
    assert isinstance(found, Grade)
    assert found.reason == Verdict.MEMORY


def test_as_many_workers_as_were_asked_for() -> None:
    for workers in (1, 2):
        with Sandbox(workers=workers, minimum_level="weak", level="weak") as made:
            assert len(made.pids()) == workers  # a lane holds a zygote, which needs no reaper here


# --- 7. repetition, full buffers, short batches, resuming, seeds, steps -------------------------------------


def test_nothing_is_stored_twice_and_a_full_buffer_takes_the_newest(one: Sandbox) -> None:
    cfg = settings(buffer={"capacity": 8})
    buffer, entries = Buffer(cfg), list[Entry]()
    for number in range(-7, 1):
        entries += selfplay.seed(number, world(watched(one), cfg), buffer, cfg).entries
    keys = [(entry.problem.kind, entry.key) for entry in entries]
    assert len(set(keys)) == len(keys)
    for kind in Kind:
        mine = [entry for entry in entries if entry.problem.kind is kind]
        assert len(mine) > 8
        kept = buffer.practice(kind, 99, set(), selfplay.Key(0))
        assert sorted(entry.id for entry in kept) == [entry.id for entry in mine[-8:]]


def test_a_short_batch_ends_nothing(one: Sandbox, tmp_path: Path) -> None:
    """From step 2 on nothing good is proposed any more: practice goes on, from the buffer."""
    able, tired = Apprentice(), list[bool]()

    def say(prompt: str, random: Random) -> str:
        return "No." if tired and prompt.split()[0] == Role.PROPOSE else able.reply(prompt, random)

    cfg, steps = settings(steps=3), list[Step]()
    with Store.open(tmp_path / "run.db") as store:
        for done in selfplay.train(world(watched(one, Lines(say)), cfg), store, cfg):
            steps.append(done)
            if done.number == 1:
                tired.append(True)
    assert [step.number for step in steps if step.number > 0] == [1, 2, 3]
    assert not steps[-1].entries
    assert sum(r.role is Role.SOLVE and r.reward is not None for r in steps[-1].rollouts) == 3 * 4


def test_steps_are_counted_by_themselves_and_seeds_matter(one: Sandbox, tmp_path: Path) -> None:
    texts: list[list[str]] = []
    for place, seed in enumerate((1, 1, 2)):
        cfg = settings(seed=seed, steps=2, propose={"batch": 2, "inputs": 4}, seeding={"factor": 1})
        with Store.open(tmp_path / f"{place}.db") as store:
            numbers = [done.number for done in selfplay.train(world(watched(one), cfg), store, cfg)]
            assert numbers[-2:] == [1, 2]
            texts.append(list(store.dump()))
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


# --- 8. metrics that grow with the history ------------------------------------------------------------------


def test_what_is_measured_depends_on_the_step_alone(one: Sandbox) -> None:
    cfg, buffer = settings(), Buffer(settings())
    step = selfplay.seed(0, world(watched(one), cfg), buffer, cfg)
    before = selfplay.measure(step)
    buffer.add([replace(ZERO, id=number) for number in range(1, 1000)])
    assert selfplay.measure(step) == before
