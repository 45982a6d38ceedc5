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
    sizes = {"prompts": 3, "tries": 2, "prompt-tokens": 10, "new-tokens": 5, "micro": 4}
    command = [sys.executable, str(ROOT / "benchmarks" / "policy_sides.py"), "ours", f"--model={tmp_path}"]
    command += [f"--{name}={size}" for name, size in sizes.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, input="\n\n", capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    ready, *steps = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert [step["tokens"] for step in steps] == [3 * 2 * 5] * 2
    assert all(step["seen"]["tokens"] == 30 and step["rest"][0] > 0 for step in steps)


def test_attention(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "attention.py"), "--rounds=2", f"--out={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.glob("attention*.json")
    record = json.loads(path.read_text())
    assert {"date", "commit", "cpu", "torch", "dtype"} <= record.keys()
    assert [row["length"] for row in record["rows"]] == [96, 176, 288, 512]
    for row in record["rows"]:
        middle, least, most = row["plain / ours"]
        assert least <= middle <= most
        ratio = row["plain, CPU ms"] / row["ours, CPU ms"]  # of medians of two rounds, so of means
        assert least - 0.01 <= ratio <= most + 0.01
