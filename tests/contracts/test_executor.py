"""The contract of an Executor, run on the sandbox: order, threads, limits, determinism, and being killed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero.executor import Sandbox
from absolute_zero.machine import processors
from absolute_zero.types import Job, Result, SandboxError, Verdict

INCREMENT = "def f(x):\n    return x + 1"
SPIN = "def f(x):\n    while x:\n        pass\n    return 7"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2, minimum_level="filtered") as made:
        yield made


def one(sandbox: Sandbox, program: str, *inputs: str, **limits: object) -> list[Result]:
    [outcome] = sandbox.run([Job(program, inputs, **limits)])  # type: ignore[arg-type]
    return list(outcome.results)


def adder(n: int) -> Job:
    return Job(f"def f(x):\n    return x + {n}", ("1", "2"))


def test_the_example_of_the_interface(sandbox: Sandbox) -> None:
    [outcome] = sandbox.run([Job(program=INCREMENT, inputs=("1", "2"), deterministic=True)])
    assert outcome.results == (Result(Verdict.VALUE, "2"), Result(Verdict.VALUE, "3"))
    assert outcome.ok


def test_outcomes_keep_the_order_of_jobs_and_inputs(sandbox: Sandbox) -> None:
    outcomes = sandbox.run([adder(n) for n in range(150)])
    assert [[r.value for r in o.results] for o in outcomes] == [[str(n + 1), str(n + 2)] for n in range(150)]


def test_no_jobs_and_no_inputs(sandbox: Sandbox) -> None:
    assert sandbox.run([]) == []
    assert sandbox.run([Job(INCREMENT, ())])[0].results == ()


def test_several_threads_share_one_sandbox(sandbox: Sandbox) -> None:
    answers: dict[int, list[str]] = {}

    def work(base: int) -> None:
        jobs = [adder(base + n) for n in range(40)]
        answers[base] = [outcome.results[0].value for outcome in sandbox.run(jobs)]

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {1000 * k: [str(1000 * k + n + 1) for n in range(40)] for k in range(4)}


def test_a_bad_input_is_charged_to_itself_alone(sandbox: Sandbox) -> None:
    verdicts = [result.verdict for result in one(sandbox, SPIN, "0", "1", "2 +", "0", cpu_seconds=0.2)]
    assert verdicts == [Verdict.VALUE, Verdict.TIMEOUT, Verdict.INVALID_INPUT, Verdict.VALUE]


def test_limits_hold_for_each_input_by_itself(sandbox: Sandbox) -> None:
    # Six inputs of some 0.1 s each under a limit of 0.4 s: together over it, each well below.
    work = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i * i % 7\n    return total > 0"
    results = one(sandbox, work, *["800_000"] * 6, cpu_seconds=0.4)
    assert {result.verdict for result in results} == {Verdict.VALUE}
    assert sum(result.cpu_seconds for result in results) > 0.0


def test_memory_and_output_limits_are_the_jobs(sandbox: Sandbox) -> None:
    fill = "def f(n):\n    return len(bytearray(n << 20))"
    assert one(sandbox, fill, "40", memory_mb=32)[0].verdict is Verdict.MEMORY
    assert one(sandbox, fill, "40", memory_mb=128)[0].verdict is Verdict.VALUE
    text = "def f(n):\n    return 'a' * n"
    assert one(sandbox, text, "100", output_bytes=50)[0].verdict is Verdict.TOO_LARGE
    assert len(one(sandbox, text, "100", output_bytes=102)[0].value) == 102


def test_many_large_outputs_are_all_returned(sandbox: Sandbox) -> None:
    results = one(sandbox, "def f(n):\n    return 'a' * (60_000 + n)", *map(str, range(150)))
    assert [len(result.value) for result in results] == [60_002 + n for n in range(150)]


def test_a_recursion_limit_like_the_interpreters_own(sandbox: Sandbox) -> None:
    deep = "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)"
    assert one(sandbox, deep, "990")[0].value == "990"
    assert one(sandbox, deep, "1000")[0].detail == "RecursionError"


@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    return hash('a')",
        "def f():\n    return list({'a', 'b'})",
        "def f():\n    return list({'a': 1, 'b': 2}.keys() & {'b': 1, 'a': 2}.keys())",
        "def f():\n    return id(f) % 1000003",
        "import time\ndef f():\n    return time.time() // 86400",
        "import datetime\ndef f():\n    return str(datetime.date.today())",
        "import random\ndef f():\n    return random.randrange(10**6)",
        "import os\ndef f():\n    return os.getpid()",
        "import time\ndef f():\n    a = time.perf_counter()\n    return time.perf_counter() - a",
    ],
)
def test_what_depends_on_chance_clock_or_place_is_found(sandbox: Sandbox, program: str) -> None:
    assert one(sandbox, program, "", deterministic=True)[0].verdict is Verdict.NONDETERMINISTIC


def test_a_set_of_two_is_judged_by_four_seeds(sandbox: Sandbox) -> None:
    # Two seeds agree on the order of a pair half the time, four one time in eight: of 40 pairs some 5 pass.
    jobs = [Job(f"def f():\n    return list({{'x{n}', 'y{n}'}})", ("",), deterministic=True) for n in range(40)]
    passed = sum(outcome.ok for outcome in sandbox.run(jobs))
    assert passed < 12


@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    return {'b', 'a', 'c'}",
        "def f():\n    return {k: 1 for k in {'b', 'a', 'c'}}",
        "import random\ndef f():\n    random.seed(3)\n    return random.random()",
        "import datetime\ndef f():\n    return str(datetime.date(2020, 2, 28) + datetime.timedelta(2))",
        "def f():\n    return float('nan')",
    ],
)
def test_what_is_a_value_in_every_order_stays_one(sandbox: Sandbox, program: str) -> None:
    assert one(sandbox, program, "", deterministic=True)[0].verdict is Verdict.VALUE


def test_verdicts_are_the_same_in_a_new_sandbox(sandbox: Sandbox) -> None:
    job = Job("import random, time\ndef f():\n    return (random.random(), time.time(), hash('a'))", ("",))
    with Sandbox(workers=1) as another:
        assert sandbox.run([job]) == another.run([job])


def test_a_killed_zygote_loses_and_doubles_nothing() -> None:
    with Sandbox(workers=2) as sandbox:
        stop = threading.Event()

        def assassin() -> None:
            while not stop.wait(0.1):
                for pid in sandbox.pids()[:1]:
                    os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=assassin)
        thread.start()
        try:
            # Jobs of 30 ms, so that most batches meet the killer; each is retried once, alone.
            busy = "def f(x):\n    for _ in range(300_000):\n        pass\n    return x + {0}"
            outcomes = sandbox.run([Job(busy.format(n), ("1",)) for n in range(60)])
        finally:
            stop.set()
            thread.join()
        for n, outcome in enumerate(outcomes):
            [result] = outcome.results
            assert result.verdict is Verdict.INFRASTRUCTURE or result.value == str(n + 1)
        assert sum(outcome.ok for outcome in outcomes) >= 40
        assert sandbox.run([Job(INCREMENT, ("1",))])[0].results[0].value == "2"


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_sandbox_that_can_start_no_process_any_more_says_so(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(workers=1) as sandbox:
        job = Job(INCREMENT, ("1", "2"), deterministic=deterministic)
        assert sandbox.run([job])[0].ok
        for pid in sandbox.pids():
            os.kill(pid, signal.SIGKILL)
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        fails = Job("def f(x):\n    return x // 0", ("1",))
        with pytest.raises(SandboxError, match=r"needs any more: cannot start /no/such/python: .*No such file"):
            sandbox.run([job, fails, job])
        assert sandbox.run([]) == []
        monkeypatch.undo()
        assert sandbox.run([job])[0].ok


def test_only_what_needs_the_process_that_does_not_start_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(workers=1) as sandbox:
        plain, checked = Job(INCREMENT, ("1",)), Job(INCREMENT, ("1",), deterministic=True)
        assert sandbox.run([plain])[0].ok
        monkeypatch.setattr(sys, "executable", "/no/such/python")  # what checks has not been started yet
        with pytest.raises(SandboxError, match="cannot start"):
            sandbox.run([checked, Job("def f(x):\n    return x // 0", ("1",), deterministic=True)])
        assert sandbox.run([plain])[0].ok
        monkeypatch.undo()
        assert sandbox.run([checked])[0].ok


def test_a_recycled_zygote_goes_on(sandbox: Sandbox) -> None:
    with Sandbox(workers=1, recycle_after=5) as recycling:
        before = recycling.pids()
        assert all(outcome.ok for outcome in recycling.run([adder(n) for n in range(40)]))
        assert recycling.pids() != before


def test_closing_ends_every_process_and_refuses_work() -> None:
    sandbox = Sandbox(workers=2)
    pids = sandbox.pids()
    assert pids
    sandbox.close()
    sandbox.close()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run([Job(INCREMENT, ("1",))])


def test_closing_while_others_run_loses_nobody() -> None:
    """Each call either gets its answer or is told that the sandbox is closed; none waits for ever."""
    sandbox = Sandbox(workers=2)
    ends: list[str] = []

    def work() -> None:
        try:
            while True:
                assert all(outcome.ok for outcome in sandbox.run([adder(n) for n in range(8)]))
        except SandboxError as refusal:
            ends.append(str(refusal))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    sandbox.close()
    for thread in threads:
        thread.join(timeout=30)
    assert len(ends) == 4


@pytest.mark.parametrize(
    "limits", [{"cpu_seconds": 0}, {"memory_mb": 0}, {"output_bytes": 0}, {"output_bytes": 65_537}]
)
def test_limits_that_make_no_sense_are_the_callers_error(sandbox: Sandbox, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        one(sandbox, INCREMENT, "1", **limits)


@pytest.mark.parametrize("words", [{"workers": 0}, {"minimum_level": "strong"}, {"level": "none"}])
def test_settings_that_make_no_sense_say_so(words: dict[str, object]) -> None:
    with pytest.raises(SandboxError) as caught:
        Sandbox(**words)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_by_default_one_worker_for_each_core() -> None:
    with Sandbox() as sandbox:
        assert len(sandbox._workers) == processors()
