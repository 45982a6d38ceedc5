"""What a run promises: kill it anywhere, resume it, and nothing is lost, doubled or different."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero.components import held_out_families
from absolute_zero.config import Checkpoints, Config
from absolute_zero.domains.python import DOMAIN, read_payload
from absolute_zero.domains.python.novelty import digest, normal_form
from absolute_zero.evals.suites import suites
from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Apprentice, Scripted
from absolute_zero.run import CHECKPOINTS, CONFIG, DATABASE, LATEST, Run, play
from absolute_zero.store import Store
from absolute_zero.types import Grade, Step, UserError
from worlds import components, settings, watched

CFG: Config = settings(
    model={"path": "scripted"}, steps=6, checkpoints={"every": 2}, propose={"batch": 2}, python={"inputs": 4}
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


def go(run: Run, sandbox: Sandbox, until: int = 99) -> list[Step]:
    """Play with a new policy until this step is done and stored."""
    steps: list[Step] = []
    last = until
    parts = components(watched(sandbox), run.cfg, held_out_families(DOMAIN, run.cfg.buffer.held_out))
    for done in play(run, parts, lambda: bool(steps) and steps[-1].number >= last - 1):
        steps.append(done)
    return steps


def rows(folder: Path) -> list[str]:
    with Store.read(folder / "run.db") as store:
        return [line for line in store.dump() if not line.startswith("checkpoints")]


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The rows of a run that nobody disturbed."""
    with Run.begin(CFG, tmp_path_factory.mktemp("runs")) as run:
        go(run, sandbox)
    return rows(run.folder)


# --- folders ------------------------------------------------------------------------------------------------


def test_runs_are_numbered_or_named_and_latest_is_the_newest(tmp_path: Path) -> None:
    for name, expected in ((None, "001"), (None, "002"), ("mine", "mine"), (None, "003")):
        with Run.begin(CFG, tmp_path / "runs", name) as run:
            assert run.folder == tmp_path / "runs" / expected
            assert (tmp_path / "runs" / LATEST).resolve() == run.folder
            assert Config.model_validate_json((run.folder / CONFIG).read_text()) == CFG
    for wrong in ("mine", "", "..", "a/b", LATEST):
        with pytest.raises(UserError, match="name"):
            Run.begin(CFG, tmp_path / "runs", wrong)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    with Run.begin(CFG, tmp_path) as run, pytest.raises(UserError, match="another process works in"):
        Run.resume(run.folder)
    with Run.resume(run.folder) as again:
        assert again.cfg == CFG


def test_the_models_that_are_no_paths_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("scripted", "embedded", "mine"):
        (tmp_path / name).mkdir()
        cfg = CFG.model_copy(update={"model": CFG.model.model_copy(update={"path": name})})
        with Run.begin(cfg, tmp_path / "runs") as run:
            assert run.cfg.model.path == (str(tmp_path / "mine") if name == "mine" else name)


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        Run.resume(tmp_path / "none")
    with Run.begin(CFG, tmp_path) as run:
        pass
    (run.folder / CONFIG).write_text('{"seed": "x"}')
    with pytest.raises(UserError, match=r"config.json: seed: .*: fix it there"):
        Run.resume(run.folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Not a directory|File exists"):
        Run.begin(CFG, tmp_path / "file")


def test_a_run_stays_with_its_python(tmp_path: Path) -> None:
    with Run.begin(CFG, tmp_path) as run:
        assert run.store.get_fact("python") == f"{sys.version_info[0]}.{sys.version_info[1]}"
        run.store.set_fact("python", "3.10")
    with pytest.raises(UserError, match=r"was played on Python 3\.10, and this is 3\.\d+: resume it with the former"):
        Run.resume(run.folder)


def test_programs_that_are_held_out_stay_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """Those of the suites, and those of the settings; also after the run was resumed."""
    with Run.begin(CFG, tmp_path) as run:
        first, *_ = go(run, sandbox)
        payload = read_payload(suites(DOMAIN, 1)["ood"][0].payload)
        assert digest(normal_form(payload.program)) in held_out_families(DOMAIN, run.cfg.buffer.held_out)
    programs = [read_payload(task.payload).program for task in first.tasks]
    assert programs
    held = tmp_path / "held.jsonl"
    held.write_text("".join(json.dumps({"program": program}) + "\n" for program in programs))
    cfg = CFG.model_copy(update={"buffer": CFG.buffer.model_copy(update={"held_out": (str(held),)})})
    with Run.begin(cfg, tmp_path) as run:
        steps = go(run, sandbox, until=2)
    with Run.resume(run.folder) as run:
        steps += go(run, sandbox)
    results = [validation.result for step in steps for validation in step.validations]
    assert {result.reason for result in results if isinstance(result, Grade)} >= {"held_out"}
    assert not {read_payload(task.payload).program for step in steps for task in step.tasks} & set(programs)


def test_the_base_solver_is_the_model_that_the_run_began_with(sandbox: Sandbox, tmp_path: Path) -> None:
    able = Apprentice()
    able.state = dict.fromkeys(able.state, 50.0)
    cfg = CFG.model_copy(update={"steps": 2, "evals": CFG.evals.model_copy(update={"base_every": 1})})
    with Run.begin(cfg, tmp_path) as run:
        steps = list(play(run, components(watched(sandbox, able), cfg)))
        rates = {
            name: value for _, name, value in run.store.metrics() if name.startswith("difficulty/success_rate_base/")
        }
    new = [task for step in steps if step.number > 0 for task in step.tasks]
    assert all(task.successes == task.trials > 0 for task in new)
    assert rates
    assert max(rates.values()) < 1


# --- going on -----------------------------------------------------------------------------------------------


def test_a_run_stopped_and_resumed_is_the_same(sandbox: Sandbox, tmp_path: Path, whole: list[str]) -> None:
    with Run.begin(CFG.model_copy(update={"checkpoints": Checkpoints(every=0)}), tmp_path) as run:
        assert go(run, sandbox, until=3)[-1].number == 3  # saved, though it was not due
    with Run.resume(run.folder) as run:
        assert [done.number for done in go(run, sandbox)] == [4, 5, 6]
        assert go(run, sandbox) == []
    assert rows(run.folder) == whole


def test_steps_after_the_last_checkpoint_are_made_again(sandbox: Sandbox, tmp_path: Path, whole: list[str]) -> None:
    with Run.begin(CFG, tmp_path) as run:
        for done in play(run, components(watched(sandbox), CFG)):
            if done.number == 5:
                break
    with Run.resume(run.folder) as run:
        assert [done.number for done in go(run, sandbox)] == [5, 6]
    assert rows(run.folder) == whole


def test_a_damaged_checkpoint_is_passed_over(sandbox: Sandbox, tmp_path: Path, whole: list[str]) -> None:
    with Run.begin(CFG, tmp_path) as run:
        go(run, sandbox)
    kept = sorted(path.name for path in (run.folder / CHECKPOINTS).iterdir())
    assert kept == ["4", "6"]
    (run.folder / CHECKPOINTS / "6" / "script.json").write_text("{}")
    said: list[str] = []
    with Run.resume(run.folder) as run:
        assert [done.number for done in play(run, components(watched(sandbox), CFG), say=said.append)] == [5, 6]
        assert go(run, sandbox) == []
    lost = run.folder / CHECKPOINTS / "6"
    again = "resuming after step 4, the last that is saved: steps up to 6 are made again"
    assert said == [f"{lost} is missing or damaged", again]
    assert rows(run.folder) == whole


def test_where_no_checkpoint_is_left_nothing_is_forgotten(sandbox: Sandbox, tmp_path: Path, whole: list[str]) -> None:
    with Run.begin(CFG, tmp_path) as run:
        go(run, sandbox)
    (run.folder / CHECKPOINTS).rename(tmp_path / "elsewhere")
    with Run.resume(run.folder) as run, pytest.raises(UserError, match="bring it back from a copy"):
        go(run, sandbox)
    assert rows(run.folder) == whole


def test_where_no_step_is_saved_yet_all_are_made_again(sandbox: Sandbox, tmp_path: Path) -> None:
    with Run.begin(CFG.model_copy(update={"checkpoints": Checkpoints(every=0)}), tmp_path) as run:
        for done in play(run, components(watched(sandbox), run.cfg)):
            if done.number == 2:
                break
    said: list[str] = []
    with Run.resume(run.folder) as run:
        assert [done.number for done in play(run, components(watched(sandbox), run.cfg), say=said.append)][:2] == [1, 2]
    assert said == ["no step is saved yet: steps up to 2 are made again"]


def test_checkpoints_without_their_database_are_left_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    with Run.begin(CFG, tmp_path) as run:
        go(run, sandbox)
    for file in run.folder.glob(f"{DATABASE}*"):
        file.rename(tmp_path / file.name)
    with pytest.raises(UserError, match=r"run\.db is missing or empty.*from a copy"):
        Run.resume(run.folder)
    assert sorted(path.name for path in (run.folder / CHECKPOINTS).iterdir()) == ["4", "6"]


def test_a_run_keeps_to_its_folder_when_latest_moves_on(sandbox: Sandbox, tmp_path: Path) -> None:
    with Run.begin(CFG, tmp_path) as run:
        go(run, sandbox, until=3)
    with Run.resume(tmp_path / LATEST) as run:
        with Run.begin(CFG, tmp_path) as other:
            pass
        assert (tmp_path / LATEST).resolve() == other.folder
        go(run, sandbox)
    assert sorted(path.name for path in (tmp_path / "001" / CHECKPOINTS).iterdir()) == ["4", "6"]
    assert not list((other.folder / CHECKPOINTS).iterdir())


def test_without_any_checkpoint_seeding_is_kept(sandbox: Sandbox, tmp_path: Path, whole: list[str]) -> None:
    with Run.begin(CFG, tmp_path) as run:
        for done in play(run, components(watched(sandbox), CFG)):
            if done.number == 1:
                break
    with Run.resume(run.folder) as run:
        policy = Scripted(Apprentice())
        assert run.restore(policy) is None
        assert run.store.last_step() == -6  # two rounds of eight were enough
        assert [done.number for done in go(run, sandbox)] == [1, 2, 3, 4, 5, 6]
    assert rows(run.folder) == whole


KILLED = """
import sys
from pathlib import Path
from absolute_zero.components import open_components
from absolute_zero.run import Run, play
with Run.resume(Path(sys.argv[1])) as run, open_components(run.cfg) as parts:
    for done in play(run, parts):
        print(done.number, flush=True)
"""


def test_killed_anywhere_nothing_is_lost_doubled_or_different(tmp_path: Path, whole: list[str]) -> None:
    cfg = CFG.model_copy(update={"sandbox": CFG.sandbox.model_copy(update={"workers": 1, "minimum_level": "weak"})})
    with Run.begin(cfg, tmp_path) as run:
        pass
    source = str(Path(__file__).parents[2] / "src")
    delays = iter((0.9, 0.02, 0.11, 0.05, 0.17))
    for _ in range(20):
        command = [sys.executable, "-c", KILLED, str(run.folder)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": source}, text=True)
        assert child.stdout is not None
        with child.stdout:
            delay = next(delays, None)
            if delay is not None:
                child.stdout.readline()  # it is up and has stored something
                time.sleep(delay)
                child.send_signal(signal.SIGKILL)
                child.wait()
                continue
            child.stdout.read()
        assert child.wait() == 0
        break
    assert rows(run.folder) == whole
