"""Imports go down only: which room may import which, and where third parties may be imported.

`docs/rooms.md` says what rooms and floors are, and what belongs where. A new room gets its floor here first.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
FLOORS = {
    0: ("types", "values", "keys", "renamed", "checked", "ports", "plugins", "programs", "machine", "disk", "config"),
    1: ("executor", "text", "forms", "policy", "store", "rewards", "advantages"),
    2: ("monitors", "buffer", "domains"),
    3: ("selfplay", "training"),
    4: ("components", "evals"),
    5: ("run", "pretraining", "report"),
    6: ("cli",),
    7: ("__init__",),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
ORDER = list(FLOOR)
TENSORS = {"torch", "transformers", "tokenizers", "safetensors"}
THIRD_PARTIES = {
    "config": {"pydantic", "pydantic_core"},
    "domains": {"pydantic"},
    "cli": {"typer", "rich"},
    "policy": TENSORS | {"huggingface_hub", "ray", "vllm", "peft"},
    "pretraining": TENSORS,
}
# Not there on Windows, or not on macOS. Imported at the top level on the sandbox's own side only, which
# runs on Linux and which nothing imports from outside.
POSIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
CHILD_SIDE = ("executor/zygote.py",)


def imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, ...]]:
    """Every dotted name that these nodes import, with one more part for each name after `from ... import`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from ((*(node.module or "").split("."), alias.name) for alias in node.names)


def faults(path: Path, package: Path) -> Iterator[str]:
    """What one module of the package imports that it may not."""
    place = path.relative_to(package)
    room = place.parts[0].removesuffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for top, *rest in imports(ast.walk(tree)):
        if top == package.name and room != "__init__":
            other = rest[0] if rest else "__init__"
            if other == "__version__" or other == room:
                continue
            if ORDER.index(other) >= ORDER.index(room):
                yield f"{place}: {room} is on floor {FLOOR[room]}, {other} is on floor {FLOOR[other]}"
        elif top not in {package.name, *sys.stdlib_module_names} and top not in THIRD_PARTIES.get(room, ()):
            yield f"{place}: {room} may not import {top}"
    if place.as_posix() not in CHILD_SIDE:
        # A top-level `if` or `try` may know its platform; the test with everything blocked judges those.
        for name in {top for top, *_ in imports(iter(tree.body))} & set(POSIX_ONLY):
            yield f"{place}: {name} at the top level is not there on Windows"


def test_the_page_of_the_rooms_says_the_same() -> None:
    """Each room in its order, with its floor and the third parties that it may import."""
    page = (SOURCE.parent / "docs" / "rooms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| [^|]+ \| ([\w, ]*)\|$", page, re.MULTILINE)
    assert [(room, int(floor)) for floor, room, _ in rows] == [item for item in FLOOR.items() if item[0] != "__init__"]
    assert {room: {*names.strip().split(", ")} for _, room, names in rows if names.strip()} == THIRD_PARTIES


def test_imports_go_down_only() -> None:
    package = SOURCE / "absolute_zero"
    found = [fault for path in sorted(package.rglob("*.py")) for fault in faults(path, package)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("executor/pool.py", "def f():\n    import torch", "executor may not import torch"),
        ("values.py", "import pydantic.types", "values may not import pydantic"),
        ("text.py", "from absolute_zero import rewards", "rewards is on floor 1"),
        ("rewards.py", "from absolute_zero.cli import main", "cli is on floor 6"),
        ("executor/pool.py", "import fcntl", "fcntl at the top level"),
        ("executor/pool.py", "def f():\n    import fcntl", None),
        ("executor/zygote.py", "import resource, typing", None),
        ("executor/pool.py", "from absolute_zero.executor.canaries import Proof", None),
        ("cli.py", "import rich.table\nfrom absolute_zero import __version__, values", None),
    ],
)
def test_the_rule_sees_what_it_forbids(tmp_path: Path, place: str, text: str, fault: str | None) -> None:
    path = tmp_path / "absolute_zero" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = list(faults(path, tmp_path / "absolute_zero"))
    assert [fault in line for line in found] == [True] if fault else not found


ELSEWHERE = f"""
import os, runpy, signal, socket, subprocess, sys, ctypes
import typer, rich
for name in {POSIX_ONLY!r}:
    sys.modules[name] = None                   # importing it raises ImportError, as on Windows
for owner, names in {{
    os: "fork forkpty memfd_create pidfd_open sched_getaffinity waitid wait4 setsid getuid geteuid".split(),
    signal: "SIGKILL SIGCHLD SIGALRM SIGSYS SIGXCPU pthread_sigmask setitimer".split(),
    socket: ["AF_UNIX", "socketpair", "SCM_RIGHTS"],
}}.items():
    for name in names:
        if hasattr(owner, name):
            delattr(owner, name)
def no_library(*_, **__):
    raise TypeError("no C library by that name")
ctypes.CDLL = no_library
here, sys.platform = sys.platform, sys.argv[1]
import absolute_zero, absolute_zero.types, absolute_zero.values, absolute_zero.executor, absolute_zero.cli
sys.platform = here                            # rich would look for a console of Windows
sys.exit(absolute_zero.cli.main(["--help"]))
"""


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_imports_and_help_need_no_posix(platform: str) -> None:
    pytest.importorskip("typer")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, platform],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCE), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout
