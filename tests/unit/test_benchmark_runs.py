"""The benchmark of the executor runs at toy size, and what it records is complete."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(out: Path, *arguments: str) -> dict:
    command = [sys.executable, str(ROOT / "benchmarks" / "executor.py"), *arguments, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    [path] = out.glob("executor*.json")
    return json.loads(path.read_text())


@pytest.fixture(autouse=True)
def _linux_only() -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")


def test_table(tmp_path: Path) -> None:
    record = run(tmp_path, "--rounds", "1", "--programs", "20")
    assert {"date", "commit", "cpu", "cores", "kernel", "python", "command", "rows"} <= record.keys()
    assert str(ROOT) not in json.dumps(record)
    assert os.uname().nodename not in json.dumps(record)
    names = {row["name"] for row in record["rows"]}
    assert {
        "isolated programs, trivial",
        "isolated programs, real-looking",
        "inputs, 10 per program",
        "10 inputs / 1 input",
        "isolated / rlimits-only",
        "new interpreter / isolated",
        "two workers / one worker",
        "latency of a single job, p50",
        "latency of a single job, p95",
        "judge_deduction",
    } <= names
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in record["rows"] if "median" in row)


def test_soak(tmp_path: Path) -> None:
    """The promises that hold at any size: nothing lost or doubled, no zombie, all gone within a second."""
    soak = run(tmp_path, "--soak", "300")["soak"]
    assert soak["first_wrong"] == []
    assert soak["lost_doubled_or_wrong"] == 0
    assert soak["zombies"] == 0
    assert soak["replaced_processes"] == 0
    assert len(soak["growth_kB"]) >= 4
    assert soak["processes_when_killed"] >= 4
    assert soak["seconds_until_all_gone"] < 1
