"""The benchmark of the loop runs at toy size, and the seconds of a step are those of its parts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_table(tmp_path: Path) -> None:
    toy = ["model.path=scripted", "sampling.max_tokens=1000", "propose.batch=4"]
    sizes = {"recipe-steps": 3, "steps": 20, "stored": 100, "batch": 4}
    command = [sys.executable, str(ROOT / "benchmarks" / "selfplay.py"), f"--out={tmp_path}", *toy]
    command += [f"--{name}={size}" for name, size in sizes.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.glob("selfplay*.json")
    record = json.loads(path.read_text())
    assert {"date", "commit", "cpu", "cores", "python", "rows"} <= record.keys()
    words = [f"--{name} {size}" for name, size in sizes.items()]
    assert record["command"] == " ".join(["benchmarks/selfplay.py", *words, *toy])
    rows = {row["name"]: row for row in record["rows"]}
    assert all(row["min"] <= row["median"] <= row["max"] for row in rows.values())
    assert rows["bookkeeping of a step beside 100 tasks"]["rounds"] == 39
    assert rows["texts, tenth 10 of 20 steps"]["rounds"] == 1
    step = rows["a step of the recipe laptop"]
    named = [rows[f"of it {part}"] for part in ("sample", "update", "execute", "the rest")]
    assert step["rounds"] == 2
    assert all(part["min"] >= 0 for part in named)
    assert sum(part["min"] for part in named) <= step["max"]


@pytest.mark.parametrize("size", ["--steps=10", "--stored=99", "--recipe-steps=1"])
def test_sizes_that_measure_nothing_are_refused(tmp_path: Path, size: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "selfplay.py"), f"--out={tmp_path}", size]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"selfplay.py: error: {size.split('=')[0]} is ")
