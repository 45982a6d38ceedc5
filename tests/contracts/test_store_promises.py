"""What the run database promises while others act on it: it is killed, read, cut off from its disk."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from absolute_zero.store import Store
from steps import TASKS, endless, keep

ROOT = Path(__file__).resolve().parents[2]
SCHEMA_1 = ROOT / "tests" / "fixtures" / "schema1" / "run.db"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}


def expected(folder: Path, steps: int) -> list[str]:
    """Return the dump of a run that nobody disturbed."""
    with Store.open(folder / "undisturbed.db") as store:
        for number in range(1, steps + 1):
            keep(store, number)
        return list(store.dump(clocks=True))


def test_kill_and_read(tmp_path: Path) -> None:
    """A process that writes, killed five times and resumed, while we read: integrity, whole steps only, nothing
    acknowledged lost, nothing doubled."""
    path = tmp_path / "run.db"
    for acknowledged in (1, 7, 20, 3, 12):
        command = [sys.executable, str(ROOT / "tests" / "steps.py"), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as writer:
            assert writer.stdout is not None
            before = 0
            for _ in range(acknowledged):
                before = int(writer.stdout.readline())
                with Store.read(path) as reader:
                    last = reader.last_step()
                    assert last is not None
                    assert last >= before
                    texts = [it.rollout.completion.text for it in reader.rollouts(last)]
                    assert texts == [it.completion.text for it in endless(last).rollouts]
                    assert sum(1 for _ in reader.tasks()) >= TASKS * last
                    assert len(reader.metrics(after=last - 1)) >= 1
            writer.kill()
            printed = [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with Store.read(path) as reader:
            last = reader.last_step()
        assert last is not None
        assert last >= max([before, *printed])
    with Store.read(path) as reader:
        assert list(reader.dump(clocks=True)) == expected(tmp_path, last)


ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path
from steps import keep
from absolute_zero.store import Store
from absolute_zero.types import UserError

with Store.open(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    number = 0
    try:
        while True:
            keep(store, number + 1)
            number += 1
    except UserError as error:
        print(number, store.last_step(), error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files by rlimit")
def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """The kernel refuses a write in the middle of a step: the user is told, and the run goes on elsewhere."""
    path = tmp_path / "run.db"
    command = [sys.executable, "-c", ON_A_SMALL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    kept, seen, message = done.stdout.split(" ", 2)
    assert int(kept) == int(seen) > 1
    assert message.startswith(f"{path}: step {int(kept) + 1} was not kept: reading or writing failed: look at the disk")
    with Store.open(path) as store:
        assert store.last_step() == int(kept)
        keep(store, int(kept) + 1)
        assert list(store.dump(clocks=True)) == expected(tmp_path, int(kept) + 1)


AS_A_STRANGER = """
import os, sys
from pathlib import Path
from absolute_zero.store import Store
from absolute_zero.types import UserError

if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
for way in (Store.read, Store.open):
    try:
        with way(Path(sys.argv[1])) as store:
            print("last step", store.last_step())
    except UserError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="takes rights away as POSIX does")
def test_in_a_folder_of_somebody_else() -> None:
    """A run that ended can be read where nothing may be written; one that was killed there says what to do."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        folder = Path(name)
        path = folder / "run.db"
        command = [sys.executable, "-c", AS_A_STRANGER, str(path)]
        with Store.open(path) as store:
            keep(store, 1)
            while_open = {file: file.read_bytes() for file in folder.iterdir()}
        try:
            path.chmod(0o444)
            folder.chmod(0o555)
            read, opened = subprocess.check_output(command, text=True, env=ENVIRONMENT).splitlines()
            assert read == "last step 1"
            assert re.match(f"{path}: not opened: .*: .* or copy the run to a folder of yours", opened)
            folder.chmod(0o755)
            path.unlink()
            shutil.copyfile(SCHEMA_1, path)
            path.chmod(0o444)
            folder.chmod(0o555)
            read, opened = subprocess.check_output(command, text=True, env=ENVIRONMENT).splitlines()
            assert read == "last step 4"  # migrated in memory
            assert re.match(f"{path}: not opened: .*: .* or copy the run to a folder of yours", opened)
            assert path.read_bytes() == SCHEMA_1.read_bytes()
            folder.chmod(0o755)
            for file in folder.iterdir():
                file.unlink()
            for file, content in while_open.items():
                if not file.name.endswith("-shm"):
                    file.write_bytes(content)
            folder.chmod(0o555)
            read, _ = subprocess.check_output(command, text=True, env=ENVIRONMENT).splitlines()
            assert re.match(f"{path}: not opened: .*: .* or copy the run to a folder of yours", read)
        finally:
            folder.chmod(0o755)
