"""Ways to a wrong verdict, an unpunished one, or a stuck worker: each stays closed."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from absolute_zero import values
from absolute_zero.executor import Sandbox
from absolute_zero.programs import parse_program
from absolute_zero.types import Job, Result, SandboxError, Verdict
from absolute_zero.values import Unreadable, read


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as made:
        yield made


def results(sandbox: Sandbox, program: str, *inputs: str, **limits: object) -> tuple[Result, ...]:
    [outcome] = sandbox.run([Job(dedent(program), inputs, **limits)])  # type: ignore[arg-type]
    return outcome.results


def test_reading_large_inputs_is_not_the_programs_time(sandbox: Sandbox) -> None:
    large = "[" + "0," * 30_000 + "]"  # some 0.1 s to read
    read = results(sandbox, "def f(x):\n    return len(x)", *[large] * 8, cpu_seconds=0.05)
    assert [result.value for result in read] == ["30000"] * 8


def test_many_large_outputs_come_back(sandbox: Sandbox) -> None:
    whole = results(sandbox, "def f(x):\n    return 'a' * 65_000", *["1"] * 1_200)
    assert {len(result.value) for result in whole} == {65_002}


def test_dozing_in_short_naps_is_no_way_out(sandbox: Sandbox) -> None:
    doze = """
        import _thread
        def f(x):
            lock = _thread.allocate_lock()
            lock.acquire()
            while True:
                lock.acquire(True, 0.003)
        """
    verdicts = {result.verdict for result in results(sandbox, doze, *"1234", cpu_seconds=0.1)}
    assert verdicts <= {Verdict.TIMEOUT, Verdict.BLOCKED}


CARRIERS = {
    "the cache of re": ("import re\ndef f(x):\n    return re.findall('A', 'banana', x)", ("2", "2.0")),
    "the caches of typing": ("from typing import Dict\nf = lambda x: str(Dict[x, 0])", ("1", "1.0", "True")),
    "str.format looks behind": (
        "import re\ndef f(x):\n    re.search('q%d' % x, '')\n"
        "    return len('{0.findall.__globals__[_cache]}'.format(re))",
        ("1", "2", "3"),
    ),
}


@pytest.mark.parametrize("name", CARRIERS)
def test_no_cache_carries_from_one_input_to_the_next(sandbox: Sandbox, name: str) -> None:
    program, inputs = CARRIERS[name]
    alone = [results(sandbox, program, text)[0] for text in inputs]
    assert list(results(sandbox, program, *inputs)) == alone


@pytest.mark.parametrize(
    "part",
    [
        "datetime.datetime.now().minute", "datetime.datetime.now().microsecond", "time.strftime('%M')",
        "time.time() % 1", "int(time.time() * 1000) % 2", "time.time_ns() % 1000", "time.perf_counter_ns() % 1000",
        "time.localtime().tm_hour % 5", "time.gmtime().tm_sec",
    ],
)  # fmt: skip
def test_no_part_of_the_clock_is_deterministic(sandbox: Sandbox, part: str) -> None:
    program = f"import datetime, time\ndef f():\n    return {part}"
    assert results(sandbox, program, "", deterministic=True)[0].verdict is Verdict.NONDETERMINISTIC


def test_claiming_to_have_begun_buys_no_time(sandbox: Sandbox) -> None:
    """It marks all eight inputs as begun and asks for a new child after the first: they are charged, not run again."""
    claim = """
        import sys
        def f(x):
            frame = sys._getframe()
            while 'self' not in frame.f_locals or not hasattr(frame.f_locals['self'], 'region'):
                frame = frame.f_back
            region = frame.f_locals['self'].region
            region[0:4] = (16).to_bytes(4, 'little')
            while True:
                pass
        """
    start = time.process_time()
    spent = results(sandbox, claim, *"12345678", cpu_seconds=0.1)
    assert {result.verdict for result in spent} == {Verdict.TIMEOUT}
    assert sum(result.cpu_seconds for result in spent) < 0.8 + 0.1
    assert time.process_time() - start < 5


def test_over_the_limit_is_over_the_limit_every_time(sandbox: Sandbox) -> None:
    """The watch looks every 20 ms; what finishes between two looks is held to its limit all the same."""
    loop = Job("def f(x):\n    for _ in range(300_000):\n        pass\n    return x", ("1",), cpu_seconds=0.001)
    assert {outcome.results[0].verdict for outcome in sandbox.run([loop] * 12)} == {Verdict.TIMEOUT}


def test_a_text_that_ends_in_a_backslash_is_refused_at_once() -> None:
    with pytest.raises(Unreadable):
        parse_program('"' + '"(\\' * 20_000)  # once 43 s


def test_a_forked_owner_is_told(sandbox: Sandbox) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.run([Job("def f():\n    return 1", ("",))])
        except SandboxError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_an_owner_without_standard_streams(tmp_path: Path) -> None:
    source = Path(values.__file__).resolve().parents[1]
    body = f"""
        import os, sys
        sys.path.insert(0, {str(source)!r})
        os.closerange(0, 3)
        from absolute_zero.executor import Sandbox
        from absolute_zero.types import Job
        with Sandbox(workers=1) as sandbox:
            [outcome] = sandbox.run([Job("f = lambda: 5", ("",))])
        open({str(tmp_path / "said")!r}, "w").write(outcome.results[0].value)
        os._exit(0)
        """
    subprocess.run([sys.executable, "-c", dedent(body)], check=True, timeout=60)
    assert (tmp_path / "said").read_text() == "5"


@pytest.mark.parametrize("job", [Job("def f(x):\n    return x", "12"), Job(b"def f(): pass", ("",))])  # type: ignore[arg-type]
def test_jobs_of_the_wrong_type_are_the_callers_error(sandbox: Sandbox, job: Job) -> None:
    with pytest.raises(TypeError, match="texts of argument lists"):
        sandbox.run([job])


def test_reading_in_several_threads_while_garbage_is_collected() -> None:
    """CPython 3.11 counts the depth of trees for all threads together; readers once called good values unreadable."""
    text = "[" + ", ".join(f"[{n}, {{'a': ({n},)}}]" for n in range(200)) + "]"
    failures: list[str] = []

    def read_on() -> None:
        for _ in range(40):
            try:
                read(text)
            except Unreadable as refusal:
                failures.append(str(refusal))

    def let_others_in(*_: object) -> None:
        time.sleep(0)

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    gc.callbacks.append(let_others_in)
    try:
        threads = [threading.Thread(target=read_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(let_others_in)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    assert not failures
