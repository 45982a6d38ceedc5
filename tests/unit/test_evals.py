"""Results and intervals: hand-computed numbers, the pairing of differences, and suites that are read and answered."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, read_payload, task_of
from absolute_zero.domains.python.rows import group_of, suite_row
from absolute_zero.evals.models import tasks_by_kind
from absolute_zero.evals.statistics import Estimate, EvalResult, difference, interval, pass_at, significant, table
from absolute_zero.evals.suites import evaluate, read_tasks, suites
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.policy.scripted import Apprentice, Scripted
from absolute_zero.types import Completion, Job, Prompt, Sampling, Task, UserError
from worlds import Watched, components, says, settings, watched

LINE = "def f(x):\n    return x * 3 + 4"
SUITE = [
    task_of(DEDUCTION, LINE, (("2", "10"),)),
    task_of(ABDUCTION, LINE, (("2", "10"),)),
    task_of(INDUCTION, LINE, (("1", "7"), ("2", "10"), ("3", "13"), ("4", "16")), "A line."),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


def test_pass_at_k_by_hand() -> None:
    # 8 rollouts, 2 right: of the 70 ways to choose 4, C(6, 4) = 15 have none right.
    assert pass_at(4, 8, 2) == pytest.approx(55 / 70)
    assert [pass_at(8, 8, right) for right in (0, 1, 8)] == [0, 1, 1]
    for wrong in ((0, 8, 1), (9, 8, 1), (1, 8, 9)):
        with pytest.raises(ValueError, match="pass@"):
            pass_at(*wrong)


def test_a_table_by_hand() -> None:
    results = [
        EvalResult(DEDUCTION, 4, 8, True),
        EvalResult(DEDUCTION, 0, 8, False),
        EvalResult(ABDUCTION, 8, 8, True),
        EvalResult(ABDUCTION, 3, 6, None),  # two rollouts and the greedy one were lost with the machine
    ]
    found = table(results)
    assert list(found) == ["deduction", "abduction", "mean"]
    assert {name: found["deduction"][name].value for name in found["deduction"]} == {
        "pass_at_1": 0.25, "greedy": 0.5, "pass_at_8": 0.5,
    }  # fmt: skip
    assert [found["abduction"][name].value for name in ("pass_at_1", "greedy", "pass_at_8")] == [0.75, 1, 1]
    assert [found["mean"][name].value for name in ("pass_at_1", "greedy", "pass_at_8")] == [0.5, 0.75, 0.75]


def alone(values: list[float]) -> list[tuple[str, float]]:
    """Tasks that are each of a group of their own."""
    return [("", value) for value in values]


def test_intervals_cover_and_shrink_with_more_tasks() -> None:
    few, many = interval([alone([0.0, 1.0] * 20)]), interval([alone([0.0, 1.0] * 500)])
    # The standard error of 40 coin flips is 0.5 / sqrt(40) = 0.079, of 1,000 it is 0.0158; 1.96 of them each way.
    assert few.low == pytest.approx(0.5 - 1.96 * 0.079, abs=0.03)
    assert many.high == pytest.approx(0.5 + 1.96 * 0.0158, abs=0.006)
    assert math.isnan(interval([]).value)
    assert math.isnan(interval([alone([1.0]), []]).low)


def test_intervals_are_of_95_percent() -> None:
    """Of 1,001 values evenly from 0 to 1: their deviation is 0.2890, the error of their mean 0.2890 / sqrt(1,001)."""
    found = interval([alone([value / 1000 for value in range(1001)])])
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.2890 / math.sqrt(1001), rel=0.04)


def test_tasks_of_one_family_are_one_observation() -> None:
    half = [0.0] * 8 + [1.0] * 8
    names = [f"family {number}" for number in range(16)]
    families = [(name, value) for name, value in zip(names, half, strict=True) for _ in range(20)]
    once, many = interval([alone(half)]), interval([families])
    assert many == pytest.approx(once)  # twenty tasks alike say what one says
    narrow = interval([alone([value for _, value in families])])
    assert narrow.high - narrow.low < 0.3 * (many.high - many.low)
    # The same families in two kinds stand or fall together: the mean over the kinds is no surer than one of them.
    assert interval([families, families[::10]]) == pytest.approx(many)
    apart = [(f"other {name}", value) for name, value in families]
    both = interval([families, apart])
    assert both.high - both.low < 0.8 * (many.high - many.low)


def test_a_stratum_that_shares_its_families_is_never_empty() -> None:
    """Drawing only d and e would leave the first stratum empty."""
    found = interval(
        [[("b", 1.0), ("c", 0.0)], [("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 1.0)], [("d", 0.0), ("e", 0.0)]]
    )
    assert found.value == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    "strata",
    [
        [alone([1.0])],
        [[("a", 1.0), ("a", 0.0)]],  # one group, however many tasks
        [alone([0.0, 1.0]), alone([1.0])],
        [[("a", 1.0), ("b", 0.0)], [("a", 1.0), ("c", 0.0)]],  # none of the three can take the place of another
    ],
)
def test_a_group_that_is_alone_has_no_interval(strata: list[list[tuple[str, float]]]) -> None:
    """Resampled, it gives itself: an interval without width, which would be called significant."""
    found = interval(strata)
    assert not math.isnan(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert not significant(found)


def test_a_difference_is_significant_if_its_interval_leaves_0_out() -> None:
    assert [significant(Estimate(low + 0.1, low, low + 0.2)) for low in (-0.3, -0.2, -0.1, 0.0, 0.1)] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_programs_that_differ_in_constants_are_one_family() -> None:
    one = group_of("def f(x):\n    y = x + 12\n    return [y, 'ab', 0.5]")
    assert group_of("def f(total):\n    z = total + 7  # more\n    return [z, 'c', 1e3]") == one
    assert group_of("def f(x):\n    y = x - 12\n    return [y, 'ab', 0.5]") != one
    assert group_of("def f(x):\n    y = x + 12\n    return [y, 'ab', x]") != one
    for left, right in [
        ("x * 2", "x * -2"), ("x[1:]", "x[-1:]"), ("x == True", "x == False"), ("x + 'a'", 'x + "it\'s"'),
    ]:  # fmt: skip
        assert group_of(f"def f(x):\n    return {left}") == group_of(f"def f(x):\n    return {right}")
    for left, right in [
        ("f'{x + 1}'", "f'{len(x)}'"), ("\"it's\" + x + 'b'", "\"it's\" + x * 2 + 'b'"), ("x + 1", "-x + 1"),
    ]:  # fmt: skip
        assert group_of(f"def f(x):\n    return {left}") != group_of(f"def f(x):\n    return {right}")
    assert group_of("not a program (") != group_of("nor ) this")
    assert group_of("") == ""
    groups = {name: {task.group for task in suite} for name, suite in suites(DOMAIN, 1000).items()}
    assert len(groups["ood"]) == 27
    assert len(groups["held_out"]) > 850


def test_differences_are_paired_by_task() -> None:
    """Tasks differ much from each other and each gains 1/8: unpaired, the interval would be wide."""
    before = [EvalResult(DEDUCTION, right, 8, False) for right in (0, 7) * 50]
    after = [EvalResult(DEDUCTION, right + 1, 8, False) for right in (0, 7) * 50]
    found = difference(before, after)["deduction"]
    assert found["pass_at_1"] == Estimate(1 / 8, 1 / 8, 1 / 8)
    assert found["greedy"] == Estimate(0, 0, 0)
    with pytest.raises(ValueError, match="same tasks"):
        difference(before, after[1:])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_an_interval_holds_its_value_and_stays_in_the_range(values: list[float]) -> None:
    found = interval([alone(values)])
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found == interval([alone(values)])


def write_suite(path: Path, tasks: Sequence[Task]) -> None:
    path.write_text("".join(json.dumps(suite_row(task)) + "\n" for task in tasks))


def test_a_suite_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    write_suite(path, SUITE)
    tasks = read_tasks(path, DOMAIN)
    assert [(task.kind, read_payload(task.payload)) for task in tasks] == [
        (task.kind, read_payload(task.payload)) for task in SUITE
    ]
    assert {task.family for task in tasks} == {tasks[0].family} != {""}


@pytest.mark.parametrize(
    "line",
    [
        "[]", "{", '{"kind": "guess"}', '{"kind": "deduction", "program": "", "pairs": [1]}',
        '{"kind": "deduction", "program": "", "pairs": []}', '{"kind": "induction", "program": "", "pairs": [[1, 2]]}',
        '{"kind": "abduction", "program": "", "pairs": [[1, 2], [2, 3]]}',
        '{"kind": "deduction", "program": "", "pairs": [["1", "x"]]}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_task_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "suite.jsonl"
    write_suite(path, SUITE[:1])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"suite.jsonl:2: not "):
        read_tasks(path, DOMAIN)
    with pytest.raises(UserError, match="cannot read"):
        read_tasks(tmp_path / "none", DOMAIN)


def results_of(sandbox: Sandbox, tmp_path: Path, script: Apprentice | None, fails: bool = False) -> list[EvalResult]:
    write_suite(tmp_path / "suite.jsonl", SUITE)
    seen = watched(sandbox, script or says("no"))
    if fails:

        def lost(job: Job) -> bool:
            return True

        seen.fails = lost
    return evaluate(components(seen, settings()), read_tasks(tmp_path / "suite.jsonl", DOMAIN), Sampling(), Key(0))


def test_results_of_who_knows_who_guesses_and_who_is_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    able = Apprentice()
    able.state = dict.fromkeys(able.state, 50.0)
    assert [(m.correct, m.n, m.greedy) for m in results_of(sandbox, tmp_path, able)] == [(8, 8, True)] * 3
    assert [(m.correct, m.n, m.greedy) for m in results_of(sandbox, tmp_path, None)] == [(0, 8, False)] * 3
    lost = results_of(sandbox, tmp_path, able, fails=True)
    assert [(m.correct, m.n, m.greedy) for m in lost] == [(8, 8, True), (0, 0, None), (0, 0, None)]


def test_what_evaluation_asks_for_and_what_it_keeps(sandbox: Sandbox, tmp_path: Path) -> None:
    asked: list[tuple[int, float, float]] = []

    class Asked(Watched):
        def sample(
            self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
        ) -> list[list[Completion]]:
            """The first prompt is too long for it."""
            asked.append((n, sampling.temperature, sampling.top_p))
            return [
                [Completion("", (), (), truncated=True)] * n,
                *super().sample(prompts, n, sampling, keys)[1:],
            ]

    able = Apprentice()
    able.state = dict.fromkeys(able.state, 50.0)
    write_suite(tmp_path / "suite.jsonl", SUITE)
    seen = Asked(Scripted(able), sandbox)
    how = Sampling(temperature=0.8, top_p=0.9)
    found = evaluate(components(seen, settings()), read_tasks(tmp_path / "suite.jsonl", DOMAIN), how, Key(0))
    assert asked == [(8, 0.8, 0.9), (1, 0.0, 1.0)]
    assert [(m.correct, m.n, m.greedy) for m in found] == [(0, 8, False), (8, 8, True), (8, 8, True)]
    assert [m.group for m in found] == [group_of(LINE)] * 3


def test_tasks_by_kind_are_of_the_first_file_that_has_some(tmp_path: Path, sandbox: Sandbox) -> None:
    """Deduction from the first file, abduction from the second, induction from the domain's own suite."""
    rows = [suite_row(task) for task in SUITE]
    for name, row in (("one", rows[0]), ("two", rows[1])):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    cfg = settings()
    tasks = tasks_by_kind(cfg, components(watched(sandbox), cfg), [tmp_path / "one.jsonl", tmp_path / "two.jsonl"])
    assert [task.payload for task in (*tasks[DEDUCTION], *tasks[ABDUCTION])] == [SUITE[0].payload, SUITE[1].payload]
    assert len(tasks[INDUCTION]) > 100
