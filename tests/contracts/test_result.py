"""What a run came to, and what it tells a person on the way."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.cli.train import resume
from absolute_zero.config import Config
from absolute_zero.domains.python.payload import DEDUCTION
from absolute_zero.evals.runs import result_of
from absolute_zero.evals.statistics import EvalResult
from absolute_zero.run import CONFIG, Run
from absolute_zero.types import UserError
from worlds import settings


def toy(**changed: Any) -> Config:
    sandbox = {"workers": 1, "minimum_level": "weak"}
    return settings(model={"path": "scripted"}, steps=2, sandbox=sandbox, evals={"tasks": 1}, **changed)


def keep(run: Run, suite: str, step: int, *right: int) -> None:
    """Results of tasks of deduction, each solved this many times of eight."""
    results = [EvalResult(DEDUCTION, count, 8, count > 4) for count in right]
    run.store.set_fact(f"evals {suite} {step}", json.dumps([asdict(result) for result in results]))


def test_a_gain_is_what_there_is_after_training_and_was_not_before(tmp_path: Path) -> None:
    with Run.begin(toy(), tmp_path) as run:
        keep(run, "held_out", 0, 2, 0)
        keep(run, "held_out", 2, 6, 4)
        keep(run, "ood", 2, 5)  # was not asked for at first
        result: dict[str, Any] = result_of(run.store, run.cfg)
    for row in ("deduction", "mean"):
        assert [result[part][row]["t1"][0] for part in ("before", "after", "difference")] == [1 / 8, 5 / 8, 1 / 2]
        assert result["difference"][row]["greedy"][0] == 1 / 2
    assert result["after"]["ood_mean"]["t1"][0] == 5 / 8
    assert result["difference"]["ood_mean"]["t1"] == [None, None, None]


def test_other_tasks_than_at_first_are_no_gain(tmp_path: Path) -> None:
    with Run.begin(toy(), tmp_path) as run:
        keep(run, "held_out", 0, 2, 0)
        keep(run, "ood", 0, 1, 1)
    match = r"2 tasks of held_out .* not these 3: put evals.tasks and kinds in .*config"
    with pytest.raises(UserError, match=match) as caught:
        resume(str(run.folder))
    assert str(caught.value).endswith(", and the suites of the domain, back to what they were")
    with Run.resume(run.folder) as run:
        assert run.store.last_step() is None  # before anything is computed
    cfg = json.loads((run.folder / CONFIG).read_text())
    (run.folder / CONFIG).write_text(json.dumps({**cfg, "evals": {**cfg["evals"], "tasks": 0}}))
    assert resume(str(run.folder)) == 0
    assert json.loads((run.folder / "result.json").read_text())["difference"]["mean"]["t1"] == [None, None, None]
    with Run.resume(run.folder) as run:
        keep(run, "held_out", 2, 1, 1, 1)
        result: dict[str, Any] = result_of(run.store, run.cfg)
    assert result["difference"]["mean"]["t1"] == [None, None, None]
    assert result["after"]["mean"]["t1"][0] == 1 / 8


def test_a_suite_that_is_gone_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run.begin(toy(), tmp_path) as run:
        keep(run, "old and 2", 0, 2)
        keep(run, "old", 2, 2)  # not before training
    assert resume(str(run.folder)) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if "no suite" in line]
    assert line.startswith("The domain has no suite old and 2 any more, which was measured before training: left out")


def test_a_short_seeding_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run.begin(toy(seeding={"factor": 4, "rounds": 2}), tmp_path) as run:
        pass
    assert resume(str(run.folder)) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step 1: ")]
    assert "of 16" in line


def test_the_level_of_a_run_is_its_lowest(tmp_path: Path) -> None:
    with Run.begin(toy(), tmp_path) as run:
        run.store.set_fact("sandbox", "weak")
    assert resume(str(run.folder)) == 0
    assert json.loads((run.folder / "result.json").read_text())["sandbox_level"] == "weak"
