"""The ladder of levels: what the canaries prove, what is said below the minimum, and who may use it."""

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero.executor import Sandbox, pool, seccomp
from absolute_zero.types import Job, SandboxError

SOURCE = Path(pool.__file__).resolve().parents[2]
LINUX = sys.platform == "linux"
pytestmark = pytest.mark.skipif(not LINUX, reason="levels above weak are Linux's")
COLUMN = machine.column if (machine := seccomp.machine()) else 0
# Rules with a call on this machine, less the one that needs foreign machine code (tests/unit/test_seccomp.py).
RULES = [r for r in seccomp.RULES if r != "machine" and not (r in seccomp.KILLED and seccomp.KILLED[r][COLUMN] < 0)]


def script(body: str, user: int | None = None, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with the package on its path."""
    start = f"import sys\nsys.path.insert(0, {str(SOURCE)!r})\nfrom absolute_zero.executor import *\n"
    start += "from absolute_zero.types import *\n"
    return subprocess.run(
        [python, "-c", start + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=120,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        cwd="/",
        check=False,
    )


@pytest.fixture(scope="module")
def sealed() -> Iterator[Sandbox]:
    try:
        made = Sandbox(workers=1, minimum_level="sealed")
    except SandboxError as refusal:
        pytest.skip(f"sealed is not to be had here: {refusal}")
    with made:
        yield made


def test_the_level_is_what_the_canaries_prove(sealed: Sandbox) -> None:
    assert sealed.level == sealed.report.level == "sealed"
    assert all(proof.held for proof in sealed.report.proofs)
    assert {proof.wall for proof in sealed.report.proofs} == {"limits", "filter", "second wall"}
    assert sealed.report.missing == ()


def test_filtered_proves_the_filter_alone() -> None:
    with Sandbox(workers=1, level="filtered") as sandbox:
        assert sandbox.level == "filtered"
        assert {proof.wall for proof in sandbox.report.proofs} == {"limits", "filter"}


def test_weak_is_never_fallen_into_and_says_what_it_lacks() -> None:
    with pytest.raises(SandboxError, match="minimum_level"):
        Sandbox(workers=1, minimum_level="filtered", level="weak")
    with Sandbox(workers=1, minimum_level="weak", level="weak") as sandbox:
        assert sandbox.level == "weak"
        assert sandbox.report.missing


@pytest.mark.parametrize("rule", RULES if LINUX else [])
def test_leaving_out_one_rule_of_the_filter_makes_a_canary_fail(rule: str) -> None:
    """Landlock and namespaces are off, so that nothing else can catch what the rule no longer does."""
    walls = ("seccomp",)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "LADDER", (walls,))
        with pytest.raises(SandboxError) as caught:
            Sandbox(workers=1, minimum_level="filtered", level="filtered", _without_rules=[rule])
    assert "does not reach level filtered" in str(caught.value)


def test_with_all_its_rules_the_filter_alone_is_enough() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "LADDER", (("seccomp",),))
        with Sandbox(workers=1, minimum_level="filtered", level="filtered") as sandbox:
            assert sandbox.level == "filtered"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_one_line_says_what_to_do(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    if platform == "win32":
        monkeypatch.delattr(os, "fork")
    with pytest.raises(SandboxError) as caught:
        Sandbox(workers=1)
    said = str(caught.value)
    assert "WSL 2" in said
    assert "container" in said
    assert "\n" not in said


def test_a_mac_that_accepts_weak_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match='minimum_level="weak"'):
        Sandbox(workers=1)
    with Sandbox(workers=1, minimum_level="weak") as sandbox:
        assert sandbox.level == "weak"
        assert sandbox.run([Job("def f(x):\n    return -x", ("4",))])[0].results[0].value == "-4"


def _python_of_an_ordinary_user() -> str | None:
    for python in (sys.executable, "/usr/bin/python3.13", "/usr/bin/python3.12", "/usr/bin/python3.11"):
        try:
            if script("print(1)", user=65_534, python=python).stdout == "1\n":
                return python
        except OSError:
            continue
    return None


@pytest.mark.skipif(not LINUX or os.getuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_gets_at_least_filtered() -> None:
    python = _python_of_an_ordinary_user()
    if python is None:
        pytest.skip("user 65534 can run no Python >= 3.11 here, or cannot read this checkout")
    body = """
    with Sandbox(workers=1) as sandbox:
        [outcome] = sandbox.run([Job("def f(x):\\n    return open(x).read()", ("'/etc/passwd'",))])
        [honest] = sandbox.run([Job("def f():\\n    return 5", ("",))])
        print(sandbox.level, outcome.results[0].verdict.name, honest.ok)
    """
    done = script(body, user=65_534, python=python)
    assert re.fullmatch(r"(sealed|filtered) ERROR True\n", done.stdout), done.stderr


def test_where_a_container_forbids_namespaces_the_filter_still_holds() -> None:
    """A filter put up beforehand denies what Docker's default profile denies."""
    body = """
    import ctypes, os
    from absolute_zero.executor import seccomp
    target = seccomp.machine()
    Instruction = seccomp.Instruction
    names = ("unshare", "mount", "umount2", "pivot_root", "setns")
    denied = [seccomp.call_number(name, target.column) for name in names]
    tests = [Instruction(0x15, len(denied) - at, 0, number) for at, number in enumerate(denied)]
    ends = [Instruction(6, 0, 0, seccomp.ALLOW), Instruction(6, 0, 0, seccomp.DENY)]
    outer = [Instruction(0x20, 0, 0, 0), *tests, *ends]
    assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0 and seccomp.installer(outer)() == 0
    with Sandbox(workers=1) as sandbox:
        print(sandbox.level, "unshare" in str(sandbox.report.missing))
    try:
        Sandbox(workers=1, minimum_level="sealed")
    except SandboxError as refusal:
        print(refusal)
    """
    done = script(body)
    lines = done.stdout.splitlines()
    assert lines[0] == "filtered True", done.stderr
    assert "unshare" in lines[1]
    assert 'minimum_level="filtered"' in lines[1]


@pytest.mark.parametrize("level", ["sealed", "filtered", "weak"])
def test_when_the_trainer_is_killed_all_is_gone_within_a_second(level: str) -> None:
    """Two of its workers are spinning and one is asleep on a lock at that moment."""
    body = f"""
    import os, signal, threading, time
    sandbox = Sandbox(workers=2, minimum_level="weak", level="{level}")
    sandbox.run([Job("def f():\\n    return 1", ("",), deterministic=True)])  # starts every zygote of a worker
    spin = Job("def f():\\n    while True:\\n        pass", ("",), cpu_seconds=30)
    wait = Job("import threading\\ndef f():\\n    a = threading.Lock()\\n    a.acquire()\\n    a.acquire()", ("",))
    threading.Thread(target=sandbox.run, args=([spin, wait],), daemon=True).start()
    time.sleep(0.7)
    def below(pid):
        found = []
        for line in open(f"/proc/{{pid}}/task/{{pid}}/children").read().split():
            found += [line, *below(line)]
        return found
    pids = [pid for parent in sandbox.pids() for pid in (str(parent), *below(parent))]
    print(*sorted(set(pids)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = script(body)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) >= 4 + 1 + 2, done.stderr
    deadline = time.monotonic() + 1.0
    while (alive := [pid for pid in pids if _alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
