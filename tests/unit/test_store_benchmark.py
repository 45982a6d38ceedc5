"""The benchmark of the run database runs at toy size, and what it records is complete."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_table(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    command = [sys.executable, str(ROOT / "benchmarks" / "store.py"), "--tasks", "100", "--commits", "1"]
    command += ["--out", str(tmp_path / "out"), "--folder", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "out").glob("store*.json")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    record = json.loads(path.read_text())
    assert {"date", "commit", "cpu", "cores", "kernel", "python", "command", "step", "rows"} <= record.keys()
    assert str(ROOT) not in json.dumps(record)
    assert os.uname().nodename not in json.dumps(record)
    names = {row["name"] for row in record["rows"]}
    assert {
        "commit of a step, empty, CPU",
        "commit of a step, 100 tasks, CPU",
        "commit of a step, 100 tasks, wall",
        "100 tasks / empty, CPU",
        "read 148 tasks",
        "size per task",
    } <= names
    assert all(row["min"] <= row["median"] <= row["max"] for row in record["rows"] if "median" in row)
