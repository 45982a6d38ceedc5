"""The report: its numbers by hand, what a hostile model can do to it, and runs in which something is missing."""

import json
import re
import shlex
from pathlib import Path

import pytest

from absolute_zero.monitors import step_metrics
from absolute_zero.report import write_report
from absolute_zero.report.figures import (
    STAGES,
    AcceptedTask,
    Figures,
    Spread,
    gather,
    histogram,
    learnable_sums,
    lengths,
    novel,
    success_sums,
)
from absolute_zero.report.headline import read_estimates, rows_of
from absolute_zero.report.statistics import Bins, Sums, estimate, mean_interval, share_interval, smooth
from absolute_zero.report.transcripts import choose
from absolute_zero.store import Store
from absolute_zero.types import (
    Completion,
    Grade,
    Job,
    Prompt,
    Proposal,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    UserError,
    Validation,
)
from made_up import MadeUp, evaluated, rewarded, write
from strict_page import report, strict

D, A = "deduction", "abduction"
PASSED, FAILED = Grade(Status.PASSED, 1.0), Grade(Status.FAILED, 0.0, "wrong")
BROKEN, MASKED = Grade(Status.MALFORMED, 0.0, "truncated"), Grade(Status.MASKED, 0.0, "infrastructure")
OPEN = Prompt("solve <think>", opens_thought=True)


def accepted(id_: int, step: int, successes: int, behaviour: str, payload: str = "def f(x):\n    return x") -> Task:
    return Task(
        D, payload, id=id_, step=step, references=(0,), exact=f"k{id_}", family="n", behaviour=behaviour,
        trials=4, successes=successes,
    )  # fmt: skip


def wrote(length: int, text: str = "hm</think><answer>1</answer>", truncated: bool = False) -> Completion:
    return Completion(text, (7,) * length, (), truncated)


def solutions(task: Task, *grades: Grade) -> list[Rollout]:
    """One solution for each grade, of 10, 20, ... tokens."""
    return [
        rewarded(Role.SOLVE, D, task.id, at, task.id, OPEN, wrote(10 * at + 10, truncated=it is BROKEN), it)
        for at, it in enumerate(grades)
    ]


def validation(result: Task | Grade, valid: bool = True) -> Validation:
    parsed = result if isinstance(result, Grade) and not valid else Proposal(D, Job("", ("1",)))
    return Validation(ProposalRollout(D, 0, (), Prompt("p"), wrote(3), parsed), result, valid)


def tiny() -> list[Step]:
    """A round of seeding and two steps of deduction."""
    seeded = accepted(1, 0, 0, "same")
    first, second = accepted(2, 1, 1, "same"), accepted(3, 1, 4, "other", "def f(x):\n    return x + 1")
    third = accepted(4, 2, 0, "other")
    rejected = Grade(Status.NEUTRAL, 0.0, "duplicate", "seen before")
    return [
        Step(0, (validation(seeded),), (seeded,), ()),
        Step(
            1,
            (validation(first), validation(second), validation(rejected), validation(BROKEN, valid=False)),
            (first, second),
            (*solutions(first, PASSED, FAILED, FAILED, BROKEN), *solutions(second, PASSED, PASSED, PASSED, PASSED)),
        ),
        Step(
            2,
            (validation(third), validation(rejected)),
            (third,),
            (*solutions(third, MASKED, FAILED, FAILED, FAILED),),
        ),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny run."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"seed": 3, "steps": 2, "model": {"path": "by hand"}}))
    with Store.open(path / "run.db") as store:
        for step in tiny():
            store.commit(step, step_metrics(step))
    return path


# --- numbers ------------------------------------------------------------------------------------------------


def test_series_of_a_tiny_run(folder: Path) -> None:
    with Store.read(folder / "run.db") as store:
        figures = gather(store)
    solver = (Role.SOLVE, D)
    assert (figures.last, figures.steps, figures.kinds, figures.bins.count) == (2, 2, [D], 2)
    # Two tasks, 1 and 4 of 4 correct: n 8, x 5, x^2 1 + 16, x n 4 + 16, n^2 16 + 16. Then 0 of the 3 that were graded.
    assert figures.passed[solver] == [Sums(8, 5, 17, 20, 32, 2), Sums(3, 0, 0, 0, 9, 1)]
    # Rewards 1 - 0.5 - 0.5 - 1 = -1 and 4; then three times -0.5.
    assert [part.mean for part in figures.reward[solver]] == [3 / 8, -0.5]
    assert [part.x for part in figures.malformed[solver]] == [1, 0] == [part.x for part in figures.truncated[solver]]
    # Masked ones have a length, too: 10 to 40 twice, and once. The tenth percentile of 10, 20, 30, 40 is 10 + 0.3 * 10.
    assert figures.tokens[solver][1] == pytest.approx(Spread(25, 13, 37))
    assert [figures.funnel[stage, D] for stage in STAGES] == [[4, 2], [3, 2], [3, 2], [2, 1]]
    assert figures.rejected[D] == {(Status.NEUTRAL, "duplicate"): [1, 1], (Status.MALFORMED, "truncated"): [1, 0]}
    assert figures.examples[D, Status.NEUTRAL, "duplicate"] == ["seen before"]
    assert figures.seeding == (1, 1, 1)
    assert figures.graded == {solver: 11}


def test_a_solution_that_is_partly_correct_is_no_success(tmp_path: Path) -> None:
    """What `python.induction = "fraction"` pays by its score."""
    task = accepted(1, 1, 1, "one")
    partly = solutions(task, PASSED, Grade(Status.PASSED, 0.4), FAILED, FAILED)
    proposal = rewarded(Role.PROPOSE, D, 0, 0, 1, OPEN, wrote(3), Grade(Status.PASSED, 0.75))
    with Store.open(tmp_path / "run.db") as store:
        step = Step(1, (validation(task),), (task,), (proposal, *partly))
        store.commit(step, step_metrics(step))
        figures = gather(store)
    assert [part.x for part in figures.passed[Role.SOLVE, D]] == [1]
    assert [part.x for part in figures.passed[Role.PROPOSE, D]] == [1]
    page = write_report(tmp_path).read_text()
    assert page.count("partly correct, reward") == 1
    assert [page.count(dot) for dot in ("●", "◐")] == [2, 2]  # in the line of the task, and with each of its rollouts


def test_series_of_accepted_tasks(folder: Path) -> None:
    with Store.read(folder / "run.db") as store:
        figures = gather(store)
    assert histogram(figures, D, figures.bins) == (4, [{1: 1, 4: 1}, {0: 1}])
    assert learnable_sums(figures, D) == [Sums(2, 1, 1, 1, 2, 2), Sums(1, 0, 0, 0, 1, 1)]
    assert [part.mean for part in success_sums(figures, D)] == [5 / 8, 0]
    # Step 1 has two behaviours, of which seeding had one; step 2 has one, which step 1 had.
    assert novel(figures, D) == ([2, 1], [1, 0])
    middle = lengths(figures, D)
    assert [it and it.middle for it in middle] == [(22 + 26) / 2, 22]


def test_rollouts_of_a_task_are_no_independent_draws() -> None:
    # 1 and 3 of 4: p = 1/2; residuals 1 - 2 and 3 - 2, squares 2, times 2 / (2 - 1) clusters: 4; its root over 8: 1/4.
    parts = [(1.0, Sums.of(4, 1).plus(Sums.of(4, 3)))]
    assert estimate(parts, mean_interval) == pytest.approx((0.5, 0.5 - 1.96 / 4, 0.5 + 1.96 / 4), abs=1e-4)
    # As a share: an error of 1/4 is that of 0.25 / 0.0625 = 4 draws. Wilson, z^2 = 3.8415:
    # 0.5 -+ 1.96 / (1 + z^2/4) * sqrt(0.25/4 + z^2/64) = 0.5 -+ 1.96 / 1.9604 * 0.35003.
    assert estimate(parts, share_interval) == pytest.approx((0.5, 0.1500, 0.8500), abs=2e-4)


def test_where_all_agree_a_task_counts_once() -> None:
    # Three tasks, all rollouts correct: Wilson for 3 of 3 has its lower end at 3 / (3 + z^2) = 0.4385.
    three = [(1.0, Sums(24, 24, 192, 192, 192, 3))]
    assert estimate(three, share_interval) == pytest.approx((1.0, 0.4385, 1.0), abs=1e-4)
    assert estimate([(1.0, Sums())], share_interval) is None


def test_bins_and_smoothing() -> None:
    bins = Bins(250)
    assert (bins.width, bins.count, bins.steps(83), bins.of(250)) == (3, 84, (250, 250), 83)
    assert Bins(7).reach == 0
    bins = Bins(10)  # reaches one bin to each side, which counts half
    assert bins.window(0) == [(1, 0), (0.5, 1)]
    values = smooth([Sums.share(1, 1), *[Sums.share(1, 0)] * 9], bins)
    assert [it and round(it.value, 3) for it in values[:3]] == [0.667, 0.25, 0]


def test_tasks_are_chosen_by_the_rule() -> None:
    def task(id_: int, kind: str, successes: int) -> AcceptedTask:
        return AcceptedTask(id_, 1 + id_ // 10, kind, 4, successes, "", 0, learnable=0 < successes < 4)

    tasks = [task(id_, D, 2 if id_ % 4 == 3 else 4) for id_ in range(1, 41)] + [task(41, A, 0), task(42, A, 4)]
    chosen = [task.id for task in choose(tasks, set(range(100)), 6)]
    assert chosen == [3, 11, 23, 31, 41, 42]  # both of abduction, and one from each ten of deduction
    assert [task.id for task in choose(tasks, {9, 12, 42}, 6)] == [9, 12, 23, 31, 41, 42]
    assert choose([], set()) == []
    many = [task(number, f"kind {number}", 1) for number in range(1, 31)]
    assert [task.id for task in choose(many, set(), 6)] == [1, 2, 3, 4, 5, 6]  # more kinds than there is room for


def test_the_result_is_read_as_far_as_it_can_be() -> None:
    assert read_estimates(evaluated(), "difference")["mean", "t1"] == (0.112, 0.085, 0.139)
    for wrong in ({}, {"after": 3}, {"after": {"mean": [1]}}, {"after": {"mean": {"t1": [1, 2, None]}}}):
        assert read_estimates(wrong, "after") == {}


def test_rows_of_the_result_are_kinds_and_then_means() -> None:
    figures = Figures(None, Bins(0), [], colours={"b_mean": 0, "c": 1})
    sides = [{(row, "t1"): Sums.of(1, 1)} for row in ("ood_mean", "c", "mean", "new", "b_mean")]
    assert rows_of(figures, *sides) == ["b_mean", "c", "new", "mean", "ood_mean"]  # type: ignore[arg-type]


# --- runs in which something is missing ---------------------------------------------------------------------


def test_a_whole_run_has_every_part(tmp_path: Path) -> None:
    page = report(write(tmp_path / "run", MadeUp(steps=12, batch=4, trials=4)))
    for words in ("a significant gain", "12 of 12", "13 min 23 s", "sealed", "base model", "too easy"):
        assert words in page
    for words in ("ZeroDivisionError", "neutral", "learnable tasks", "time/step"):
        assert words in page
    assert 'class="empty"' not in page.replace("No other clocks", "")
    assert page.count('<details class="task') == 20
    assert "http" not in re.sub(r'http-equiv="', "", page)


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    pages = [
        write_report(write(tmp_path / where / "run", MadeUp(steps=3, batch=2, trials=2))).read_bytes() for where in "ab"
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("steps", [0, 1])
def test_a_run_that_has_hardly_begun(tmp_path: Path, steps: int) -> None:
    page = report(write(tmp_path / "run", MadeUp(steps=steps, batch=2, trials=2), result=False))
    assert "No held-out results yet" in page
    assert "Seeding, before the first step: 2 rounds, 12 proposals" in page
    assert ("No training step is stored yet" in page) == (steps == 0)


def test_a_run_of_one_kind_without_texts(tmp_path: Path) -> None:
    made = MadeUp(steps=4, batch=4, trials=2, kinds=(A,))
    page = report(write(tmp_path / "run", made, result=False, rollouts="none", base=False))
    assert "keeps no texts" in page
    assert "did not measure the frozen base model" in page
    assert "abduction: mean reward" in page
    assert "deduction: mean reward" not in page


def test_a_run_in_progress_is_read_beside_its_writer(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", MadeUp(steps=0), result=False)
    (folder / "config.json").write_text(json.dumps({"steps": 9}))
    with Store.open(folder / "run.db") as store:
        assert "No training step is stored yet" in report(folder)
        made = MadeUp(steps=9, batch=2, trials=2, tasks=sum(1 for _ in store.tasks()))
        store.commit(made.step(1), {})
        page = report(folder)
        assert "1 of 9" in page
        assert "The run is not over" in page
        assert "The store holds no counts of proposals" in page


def test_a_store_in_which_nothing_is(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.db"):
        pass
    page = report(tmp_path)
    assert "has not stored anything yet" in page
    assert "There is no config.json" in page


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"before": 1, "after": [], "seconds": "long"}', '{"steps": 1e999}', "é"]
)
def test_damaged_files_are_no_obstacle(folder: Path, text: str) -> None:
    for name in ("config.json", "result.json"):
        (folder / name).write_bytes(text.encode("latin-1"))
    assert "No held-out results" in report(folder)


def test_settings_of_an_older_run_are_shown_by_their_names_of_today(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"steps": 2, "solve": {"trials": 4, "lam": 2.0}}))
    page = report(folder)
    assert "solve.n_difficulty=4 solve.solver_weight=2.0" in page
    assert "solve.trials" not in page


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        write_report(tmp_path / "none")
    with pytest.raises(UserError, match="no such run database"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_one_line(folder: Path) -> None:
    (folder / "report.html").mkdir()
    with pytest.raises(UserError, match=r"report\.html: .*: make room"):
        write_report(folder)
    assert not list(folder.glob(".report*"))


# --- a true run ---------------------------------------------------------------------------------------------


def test_a_scripted_run_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("typer")
    from absolute_zero import cli
    from absolute_zero.config import load
    from absolute_zero.executor import Sandbox
    from absolute_zero.run import Run, play
    from worlds import components, settings, watched

    cfg = settings(
        model={"path": "scripted"}, steps=2, propose={"batch": 2}, python={"inputs": 4}, seeding={"factor": 1},
        solve={"n_difficulty": 4, "n_practice": 1, "reuse_difficulty": False},
    )  # fmt: skip
    with Sandbox(workers=1, minimum_level="weak") as sandbox, Run.begin(cfg, tmp_path) as run:
        list(play(run, components(watched(sandbox), cfg)))
        assert cli.main(["report", str(run.folder)]) == 0
    assert capsys.readouterr() == (f"{run.folder / 'report.html'}\n", "")
    page = report(run.folder)
    texts = strict(page).text
    assert "A straight line." in texts
    dots = re.findall(r'class="dots"[^>]*>((?:<span class="p-\w+">.</span>)*)</span>', page)
    assert {row.count("<span") for row in dots} == {4}  # difficulty, though practice on a task comes before it
    assert "Practice in the same step" in texts
    assert "deduction: characters of its longest text" in page
    assert "neutral, rejected for what the proposer could not see, reward 0." in page
    # The command that is shown gives these very settings.
    command = re.search(r"azr train --recipe .*", "\n".join(texts))
    assert command is not None
    assert load(shlex.split(command[0])[3], shlex.split(command[0])[4:]) == cfg
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "is not a run folder" in err
