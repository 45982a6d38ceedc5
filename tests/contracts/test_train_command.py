"""`azr train` from outside: exit codes, signals, resuming, folders, and one line for every mistake."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from absolute_zero.store import Store

SOURCE = str(Path(__file__).parents[2] / "src")
TOY = ["--recipe", "tiny", "model.path=scripted", "sampling.max_tokens=2000", 'sandbox.minimum_level="weak"']


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "absolute_zero.cli", "train", *arguments]
    environment = {**os.environ, "PYTHONPATH": SOURCE, "COLUMNS": "200"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def azr(folder: Path, *arguments: str) -> tuple[int, str, str]:
    with start(folder, *arguments) as child:
        out, err = child.communicate()
    return child.returncode, out, err


def interrupted(folder: Path, signals: list[signal.Signals], *arguments: str) -> tuple[int, str]:
    """Start a long run, and send it these once it has shown three steps."""
    with start(folder, *TOY, "steps=100000", *arguments) as child:
        assert child.stdout is not None
        shown = [child.stdout.readline() for _ in range(9)]  # two heads, two suites, seeding
        for number in signals:
            child.send_signal(number)
        rest, said = child.communicate()
    return child.returncode, said + "".join(shown) + rest


def rows(folder: Path) -> list[str]:
    with Store.read(folder / "run.db") as store:
        return [line for line in store.dump() if not line.startswith(("run ", "checkpoints "))]


def test_a_toy_run_ends_with_its_result(tmp_path: Path) -> None:
    code, out, err = azr(tmp_path, *TOY)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("run runs/001   sandbox ")
    assert [line.split()[0] for line in lines[2:8]] == ["Evaluating", "Evaluating", "seed", "1", "2", "3"]
    folder = tmp_path / "runs" / "001"
    assert (tmp_path / "runs" / "latest").resolve() == folder.resolve()
    result = json.loads((folder / "result.json").read_text())
    assert {"before", "after", "difference", "steps", "seconds", "sampled_tokens", "trained_tokens", "sandbox_level",
            "commit", "seed"} == set(result)  # fmt: skip
    assert result["steps"] == 3
    assert result["sampled_tokens"] > result["trained_tokens"] > 0
    assert (folder / "checkpoints" / "3").is_dir()


def test_a_second_run_has_a_folder_of_its_own_and_equal_rows(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert azr(tmp_path, *TOY, "--name", name)[0] == 0
    assert rows(tmp_path / "runs" / "one") == rows(tmp_path / "runs" / "two")
    code, _, err = azr(tmp_path, *TOY, "--name", "one")
    assert code == 2
    assert err == "azr: runs/one is there already: resume it with --resume, or use another --name\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_a_saved_step(tmp_path: Path, number: signal.Signals, code: int) -> None:
    ended, out = interrupted(tmp_path, [number], "checkpoints.every=0")
    assert ended == code
    assert out.startswith("Finishing this step and saving. Press Ctrl-C again to quit now.\n")
    assert out.splitlines()[-1] == "Stopped. Resume with: azr train --resume runs/001"
    with Store.read(tmp_path / "runs" / "001" / "run.db") as store:
        [(saved, _)] = store.checkpoints()
        assert saved == store.last_step()


def test_a_second_ctrl_c_leaves_at_once_and_loses_nothing_stored(tmp_path: Path) -> None:
    code, _ = interrupted(tmp_path, [signal.SIGINT, signal.SIGINT])
    assert code == 130
    with Store.read(tmp_path / "runs" / "001" / "run.db") as store:
        last = store.last_step()
    assert last is not None
    assert last >= 3


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    assert azr(tmp_path, *TOY, "steps=12", "--name", "whole")[0] == 0
    with start(tmp_path, *TOY, "steps=12", "--name", "cut") as child:
        assert child.stdout is not None
        for _ in range(5):
            child.stdout.readline()
        child.send_signal(signal.SIGINT)
        child.stdout.read()
    code, out, err = azr(tmp_path, "--resume", "runs/cut")
    assert (code, err) == (0, ""), out
    assert rows(tmp_path / "runs" / "cut") == rows(tmp_path / "runs" / "whole")
    code, out, _ = azr(tmp_path, "--resume", "runs/cut")  # nothing is left to do, and the result is there again
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "none"], "none is not a run folder"),
        (["--resume", "x" * 300], "is not a run folder"),
        (["--resume", "none", "steps=3"], "give nothing beside it"),
        (["--resume", "none", "--recipe", "laptop"], "give nothing beside it"),
        (["--resume", "none", "--runs", "runs"], "give nothing beside it"),
        (["--recipe", "tiny", "model.path=./none"], "model"),
        ([*TOY, "--runs", "/proc/none"], "/proc/none"),
        ([*TOY, "--name", "a/b"], "one plain word"),
        ([*TOY, "buffer.held_out=['none.jsonl']"], "cannot read the held-out tasks"),
        ([*TOY, "solve.n_dificulty=3"], "did you mean solve.n_difficulty?"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, _, err = azr(tmp_path, *arguments)
    assert code == 2
    assert err.startswith("azr: ")
    assert err.count("\n") == 1
    assert said in err
    assert not (tmp_path / "runs" / "001").exists()


def test_a_run_goes_on_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"program": "def f(x):\\n    return x * 7"}\n')
    assert azr(tmp_path, *TOY, "buffer.held_out=['mine.jsonl']")[0] == 0
    code, _, err = azr(tmp_path / "runs", "--resume", "001")
    assert (code, err) == (0, "")
