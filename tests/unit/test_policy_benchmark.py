"""Our side of the policy's benchmark makes a step of the size it is asked for; that of attention gives its ratios."""

import json
import os
import subprocess
import sys
from pathlib import Path

import tiny_models

ROOT = Path(__file__).resolve().parents[2]


def test_a_step(tmp_path: Path) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    sizes = {"prompts": 3, "rollouts": 2, "prompt-tokens": 10, "new-tokens": 5, "micro": 4}
    command = [sys.executable, str(ROOT / "benchmarks" / "policy_sides.py"), "ours", f"--model={tmp_path}"]
    command += [f"--{name}={size}" for name, size in sizes.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, input="\n\n", capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    ready, *steps = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert [step["tokens"] for step in steps] == [3 * 2 * 5] * 2
    assert all(step["seen"]["update/tokens"] == 30 and step["rest"][0] > 0 for step in steps)


def test_attention(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "attention.py"), "--rounds=2", f"--out={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.glob("attention*.json")
    record = json.loads(path.read_text())
    assert {"date", "commit", "cpu", "torch", "dtype"} <= record.keys()
    rows = {row["name"]: row for row in record["rows"]}
    counts = {96: 15, 176: 8, 288: 5, 512: 2}  # documents of a length in 1,500 tokens
    assert len(rows) == len(record["rows"]) == 5 * len(counts)
    for length, count in counts.items():
        ratio = rows[f"plain / ours, {length} tokens"]
        assert ratio["rounds"] == 2
        assert ratio["min"] <= ratio["median"] <= ratio["max"]
        plain, ours = (rows[f"{side}, {count} of {length} tokens"]["median"] for side in ("plain", "ours"))
        assert ratio["min"] - 0.01 <= plain / ours <= ratio["max"] + 0.01  # medians of two rounds, so means
