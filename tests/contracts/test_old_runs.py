"""A run of an older version: it opens for everything, goes on, and ends as one that was begun today."""

import shutil
from pathlib import Path

import pytest

import steps
from absolute_zero.cli import main
from absolute_zero.run import Run, settings_of

FIXTURE = Path(__file__).parents[1] / "fixtures" / "schema1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run of schema 1, stopped after step 4 of 6."""
    folder = Path(shutil.copytree(FIXTURE, tmp_path / "old"))
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"minimum_level": "filtered"', '"minimum_level": "weak"'))
    return folder


def test_it_goes_on_as_if_it_had_been_begun_today(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(old)]) == 0
    assert "\nreport: " in capsys.readouterr().out
    cfg = settings_of(old)
    assert (cfg.domain, cfg.solve.n_difficulty, cfg.checkpoints.every) == ("python", 2, 1)
    with Run.begin(cfg, old.parent / "runs", "new") as new:
        pass
    assert main(["train", "--resume", str(new.folder)]) == 0
    assert not steps.difference(old / "run.db", new.folder / "run.db")


def test_it_is_evaluated_played_and_reported_as_it_lies(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (old / "run.db").read_bytes(), (old / "config.json").read_bytes()
    assert main(["eval", str(old), "--tasks", "2"]) == 0
    assert main(["play", str(old), "--kind", "abduction"]) == 0
    assert main(["report", str(old)]) == 0
    out, err = capsys.readouterr()
    assert "old at step 4" in out
    assert not err
    assert "success rate" in (old / "report.html").read_text(encoding="utf-8").lower()
    assert before == ((old / "run.db").read_bytes(), (old / "config.json").read_bytes())
