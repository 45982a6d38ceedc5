"""The report: its numbers by hand, what a hostile model can do to it, and runs in which something is missing."""

import json
import re
import shlex
from pathlib import Path

import pytest

from absolute_zero.monitors import measure
from absolute_zero.report import write_report
from absolute_zero.report.figures import STAGES, Born, Spread, born_sums, gather, histogram, lengths, novel
from absolute_zero.report.headline import measured
from absolute_zero.report.statistics import Bins, Sums, estimate, mean_interval, share_interval, smooth
from absolute_zero.report.transcripts import choose
from absolute_zero.store import Store
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Job,
    Kind,
    Problem,
    Proposal,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    UserError,
    Validation,
)
from made_up import MadeUp, evaluated, paid, write
from strict_page import strict

D, A = Kind.DEDUCTION, Kind.ABDUCTION
PASSED, FAILED = Grade(Status.PASSED, 1.0), Grade(Status.FAILED, 0.0, "wrong")
BROKEN, MASKED = Grade(Status.MALFORMED, 0.0, "cut"), Grade(Status.MASKED, 0.0, "infrastructure")


def entry(id_: int, step: int, successes: int, behaviour: str, program: str = "def f(x):\n    return x") -> Entry:
    return Entry(id_, Problem(D, program, (("1", "1"),)), step, (0,), "n", f"k{id_}", behaviour, 4, successes)


def said(length: int, text: str = "hm</think><answer>1</answer>", cut: bool = False) -> Completion:
    return Completion(text, (7,) * length, (), cut)


def answers(made: Entry, *judged: Grade) -> list[Rollout]:
    """One answer for each judgement, of 10, 20, ... tokens."""
    return [
        paid(Role.SOLVE, D, made.id, at, made.id, "solve <think>", said(10 * at + 10, cut=it is BROKEN), it)
        for at, it in enumerate(judged)
    ]


def ruling(made: Entry | Grade, valid: bool = True) -> Validation:
    read = made if isinstance(made, Grade) and not valid else Proposal(D, Job("", ("1",)))
    return Validation(ProposalRollout(D, 0, (), "p", said(3), read), made, valid)


def tiny() -> list[Step]:
    """A round of seeding and two steps of deduction."""
    seeded = entry(1, 0, 0, "same")
    one, two = entry(2, 1, 1, "same"), entry(3, 1, 4, "other", "def f(x):\n    return x + 1")
    three = entry(4, 2, 0, "other")
    refused = Grade(Status.NEUTRAL, 0.0, "duplicate", "seen before")
    return [
        Step(0, (ruling(seeded),), (seeded,), ()),
        Step(
            1,
            (ruling(one), ruling(two), ruling(refused), ruling(BROKEN, valid=False)),
            (one, two),
            (*answers(one, PASSED, FAILED, FAILED, BROKEN), *answers(two, PASSED, PASSED, PASSED, PASSED)),
        ),
        Step(2, (ruling(three), ruling(refused)), (three,), (*answers(three, MASKED, FAILED, FAILED, FAILED),)),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny run."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"seed": 3, "steps": 2, "model": {"path": "by hand"}}))
    with Store.open(path / "run.db") as store:
        for step in tiny():
            store.commit(step, measure(step))
    return path


# --- numbers ------------------------------------------------------------------------------------------------


def test_series_of_a_tiny_run(folder: Path) -> None:
    with Store.read(folder / "run.db") as store:
        figures = gather(store)
    who = (Role.SOLVE, D)
    assert (figures.last, figures.steps, figures.kinds, figures.bins.count) == (2, 2, [D], 2)
    # Two tasks, 1 and 4 of 4 right: n 8, x 5, x^2 1 + 16, x n 4 + 16, n^2 16 + 16. Then 0 of the 3 that were judged.
    assert figures.passed[who] == [Sums(8, 5, 17, 20, 32, 2), Sums(3, 0, 0, 0, 9, 1)]
    # Rewards 1 - 0.5 - 0.5 - 1 = -1 and 4; then three times -0.5.
    assert [part.mean for part in figures.reward[who]] == [3 / 8, -0.5]
    assert [part.x for part in figures.malformed[who]] == [1, 0] == [part.x for part in figures.truncated[who]]
    # Void ones have a length, too: 10 to 40 twice, and once. The tenth percentile of 10, 20, 30, 40 is 10 + 0.3 * 10.
    assert figures.tokens[who][1] == pytest.approx(Spread(25, 13, 37))
    assert [figures.funnel[stage, D] for stage in STAGES] == [[4, 2], [3, 2], [3, 2], [2, 1]]
    assert figures.refused[D] == {(Status.NEUTRAL, "duplicate"): [1, 1], (Status.MALFORMED, "cut"): [1, 0]}
    assert figures.examples[D, Status.NEUTRAL, "duplicate"] == ["seen before"]
    assert figures.seeding == (1, 1, 1)
    assert figures.responses == {who: 11}


def test_an_answer_that_is_right_in_part_is_not_right(tmp_path: Path) -> None:
    """What `solve.induction = "fraction"` pays by its score."""
    made = entry(1, 1, 1, "one")
    partly = answers(made, PASSED, Grade(Status.PASSED, 0.4), FAILED, FAILED)
    proposal = paid(Role.PROPOSE, D, 0, 0, 1, "propose <think>", said(3), Grade(Status.PASSED, 0.75))
    with Store.open(tmp_path / "run.db") as store:
        step = Step(1, (ruling(made),), (made,), (proposal, *partly))
        store.commit(step, measure(step))
        figures = gather(store)
    assert [part.x for part in figures.passed[Role.SOLVE, D]] == [1]
    assert [part.x for part in figures.passed[Role.PROPOSE, D]] == [1]
    page = write_report(tmp_path).read_text()
    assert page.count("partly right, reward") == 1
    assert [page.count(pip) for pip in ("●", "◐")] == [2, 2]  # before the task's tries, and with each of them


def test_series_of_accepted_tasks(folder: Path) -> None:
    with Store.read(folder / "run.db") as store:
        figures = gather(store)
    assert histogram(figures, D, figures.bins) == (4, [{1: 1, 4: 1}, {0: 1}])
    assert born_sums(figures, D, between=True) == [Sums(2, 1, 1, 1, 2, 2), Sums(1, 0, 0, 0, 1, 1)]
    assert [part.mean for part in born_sums(figures, D, between=False)] == [5 / 8, 0]
    # Step 1 has two behaviours, of which seeding had one; step 2 has one, which step 1 had.
    assert novel(figures, D) == ([2, 1], [1, 0])
    middle = lengths(figures, D)
    assert [it and it.middle for it in middle] == [(22 + 26) / 2, 22]


def test_tries_of_one_task_are_no_independent_draws() -> None:
    # 1 and 3 of 4: p = 1/2; residuals 1 - 2 and 3 - 2, squares 2, times 2 / (2 - 1) clusters: 4; its root over 8: 1/4.
    parts = [(1.0, Sums.of(4, 1).plus(Sums.of(4, 3)))]
    found = estimate(parts, mean_interval)
    assert found == pytest.approx((0.5, 0.5 - 1.96 / 4, 0.5 + 1.96 / 4), abs=1e-4)
    # As a share: an error of 1/4 is that of 0.25 / 0.0625 = 4 draws. Wilson, z^2 = 3.8415:
    # 0.5 -+ 1.96 / (1 + z^2/4) * sqrt(0.25/4 + z^2/64) = 0.5 -+ 1.96 / 1.9604 * 0.35003.
    assert estimate(parts, share_interval) == pytest.approx((0.5, 0.1500, 0.8500), abs=2e-4)


def test_where_all_agree_a_task_counts_once() -> None:
    # Three tasks, all tries right: Wilson for 3 of 3 has its lower end at 3 / (3 + z^2) = 0.4385.
    found = estimate([(1.0, Sums(24, 24, 192, 192, 192, 3))], share_interval)
    assert found == pytest.approx((1.0, 0.4385, 1.0), abs=1e-4)
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
    def born(id_: int, kind: Kind, successes: int) -> Born:
        return Born(id_, 1 + id_ // 10, kind, 4, successes, "", 0, 0)

    tasks = [born(id_, D, 2 if id_ % 4 == 3 else 4) for id_ in range(1, 41)] + [born(41, A, 0), born(42, A, 4)]
    chosen = [task.id for task in choose(tasks, set(range(100)), 6)]
    assert chosen == [3, 11, 23, 31, 41, 42]  # both of abduction, and one from each ten of deduction
    assert [task.id for task in choose(tasks, {9, 12, 42}, 6)] == [9, 12, 23, 31, 41, 42]
    assert choose([], set()) == []


def test_the_result_is_read_as_far_as_it_can_be() -> None:
    assert measured(evaluated(), "difference")["mean", "t1"] == (0.112, 0.085, 0.139)
    for wrong in ({}, {"after": 3}, {"after": {"mean": [1]}}, {"after": {"mean": {"t1": [1, 2, None]}}}):
        assert measured(wrong, "after") == {}


# --- runs in which something is missing ---------------------------------------------------------------------


def report(folder: Path) -> str:
    page = write_report(folder).read_text(encoding="utf-8")
    strict(page)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower()
    return page


def test_a_whole_run_has_every_part(tmp_path: Path) -> None:
    page = report(write(tmp_path / "run", MadeUp(steps=12, batch=4, trials=4)))
    for words in ("a clear gain", "12 of 12", "13 min 23 s", "sealed", "base solver", "too easy", "ZeroDivisionError"):
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
    assert "No held-out marks yet" in page
    assert "Seeding, before the first step: 2 rounds, 12 proposals" in page
    assert ("No training step is stored yet" in page) == (steps == 0)


def test_a_run_of_one_kind_without_texts(tmp_path: Path) -> None:
    made = MadeUp(steps=4, batch=4, trials=2, kinds=(A,))
    page = report(write(tmp_path / "run", made, result=False, rollouts="none", base=False))
    assert "keeps no texts" in page
    assert "did not measure the frozen base solver" in page
    assert "abduction: mean reward" in page
    assert "deduction: mean reward" not in page


def test_a_run_in_progress_is_read_beside_its_writer(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", MadeUp(steps=0), result=False)
    (folder / "config.json").write_text(json.dumps({"steps": 9}))
    with Store.open(folder / "run.db") as store:
        assert "No training step is stored yet" in report(folder)
        made = MadeUp(steps=9, batch=2, trials=2, entries=sum(1 for _ in store.entries()))
        store.commit(made.step(1), {})
        page = report(folder)
        assert "1 of 9" in page
        assert "It is not over" in page
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
    assert "No held-out marks" in report(folder)


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder"):
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
    from worlds import settings, watched, world

    cfg = settings(
        model={"path": "scripted"}, steps=2, propose={"batch": 2, "inputs": 4}, seeding={"factor": 1},
        solve={"trials": 4, "tries": 1, "reuse_trials": False},
    )  # fmt: skip
    with Sandbox(workers=1, minimum_level="weak") as sandbox, Run.begin(cfg, tmp_path) as run:
        list(play(run, world(watched(sandbox), cfg)))
        assert cli.main(["report", str(run.folder)]) == 0
    assert capsys.readouterr() == (f"{run.folder / 'report.html'}\n", "")
    page = report(run.folder)
    found = strict(page).text
    assert "A straight line." in found
    pips = re.findall(r'class="pips"[^>]*>((?:<span class="p-\w+">.</span>)*)</span>', page)
    assert {one.count("<span") for one in pips} == {4}  # trials, though practice on a task comes before them
    assert "Practice in the same step" in found
    # The command that is shown gives these very settings.
    command = re.search(r"azr train --recipe .*", "\n".join(found))
    assert command is not None
    assert load(shlex.split(command[0])[3], shlex.split(command[0])[4:]) == cfg
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "is no run folder" in err
