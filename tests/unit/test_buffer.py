"""What gets in and in which order of reasons, who leaves a full buffer, and what is shown and practised."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.buffer import Buffer
from absolute_zero.components import held_out_families
from absolute_zero.config import Config
from absolute_zero.domains.python import DOMAIN, ZERO, task_of
from absolute_zero.domains.python.novelty import digest, facts, normal_form
from absolute_zero.domains.python.payload import KINDS
from absolute_zero.domains.python.rows import suite_files
from absolute_zero.keys import Key
from absolute_zero.ports import Domain
from absolute_zero.types import Grade, Identity, Result, Status, Task, UserError, Verdict
from worlds import empty_buffer

D, A, I = KINDS  # noqa: E741


def config(**more: object) -> Config:
    return Config.model_validate({"propose": {"references": 3, "batch": 1}, "seeding": {"factor": 1}, **more})


def identity(n: int, family: str = "", behaviour: str = "") -> Identity:
    """What the n-th task there is is alike to: nothing else by default."""
    return Identity(
        digest("exact", str(n)), family or digest("family", str(n)), behaviour or digest("behaviour", str(n))
    )


def task(kind: str, n: int) -> Task:
    return task_of(kind, f"def f(x):\n    return x + {n}", (("1", str(n + 1)),))


def admitted(buffer: Buffer, kind: str, n: int, same: Identity | None = None, shown: Sequence[Task] = ()) -> Task:
    """The n-th task, accepted; not yet at hand."""
    accepted = buffer.admit(task(kind, n), same or identity(n), 1, shown)
    assert isinstance(accepted, Task), accepted
    return accepted


def filled(cfg: Config, sizes: dict[str, int]) -> Buffer:
    buffer = empty_buffer(cfg)
    for index, (kind, size) in enumerate(sizes.items()):
        for n in range(size):
            buffer.add([admitted(buffer, kind, 1000 * index + n)])
    return buffer


def rejection(buffer: Buffer, kind: str, same: Identity | Grade, shown: Sequence[Task] = ()) -> tuple[Status, str]:
    grade = buffer.admit(task(kind, 0), same, 1, shown)
    assert isinstance(grade, Grade)
    return grade.status, grade.reason


# --- what gets in -------------------------------------------------------------------------------------------


def test_a_task_says_where_it_came_from() -> None:
    buffer = empty_buffer(config())
    first = admitted(buffer, D, 1)
    second = admitted(buffer, A, 2, shown=[first, ZERO])
    assert (first.id, second.id) == (1, 2)
    assert (second.step, second.references, second.trials, second.successes) == (1, (1, 0), 0, 0)
    assert Identity(second.exact, second.family, second.behaviour) == identity(2)
    assert (second.kind, second.payload, second.title) == (A, task(A, 2).payload, task(A, 2).title)


IGNORES_INPUT = Grade(Status.FAILED, reason="ignores_input")
CONSTANT = Grade(Status.NEUTRAL, reason="constant")


def test_the_order_of_reasons() -> None:
    """Of several reasons the first counts; each is taken away in turn until the task gets in.

    What its task type says comes before what the buffer knows.
    """
    buffer = empty_buffer(config(), frozenset({identity(0).family}))
    shown = replace(ZERO, id=5, exact=identity(0).exact)
    assert rejection(buffer, D, IGNORES_INPUT, [shown]) == (Status.FAILED, "ignores_input")
    assert rejection(buffer, D, identity(0), [shown]) == (Status.MASKED, "held_out")

    buffer = empty_buffer(config(buffer={"per_behaviour": 1}))
    admitted(buffer, D, 0)
    assert rejection(buffer, D, CONSTANT, [shown]) == (Status.NEUTRAL, "constant")
    assert rejection(buffer, D, identity(0), [shown]) == (Status.FAILED, "copy")
    assert rejection(buffer, D, identity(0)) == (Status.NEUTRAL, "duplicate")
    assert rejection(buffer, D, identity(1, behaviour=identity(0).behaviour)) == (Status.NEUTRAL, "crowded")
    assert rejection(buffer, D, identity(1, family=identity(0).family)) == (Status.NEUTRAL, "crowded")
    assert admitted(buffer, D, 1).id == 2


def test_a_copy_is_of_what_was_shown_and_not_of_what_is_stored() -> None:
    buffer = empty_buffer(config())
    first, second = admitted(buffer, D, 1), admitted(buffer, D, 2)
    assert rejection(buffer, D, identity(1), [second, first]) == (Status.FAILED, "copy")
    assert rejection(buffer, D, identity(1), [second]) == (Status.NEUTRAL, "duplicate")
    grade = buffer.admit(task(D, 1), identity(1), 1, [first])
    assert isinstance(grade, Grade)
    assert grade.detail == "of task 1"


def test_the_zero_triplet_under_other_names_is_a_copy() -> None:
    program, pairs = "def f(thing):\n    '''Identity.'''\n    return thing", [("thing=1", "1")]
    its = facts(program, pairs, [str(n) for n in range(8)], [Result(Verdict.VALUE, str(n)) for n in range(8)])
    assert (its.family, its.exact, its.behaviour) == (ZERO.family, ZERO.exact, ZERO.behaviour)
    same = Identity(its.exact, its.family, its.behaviour)
    grade = empty_buffer(config()).admit(task_of(D, program, pairs), same, 1, [ZERO])
    assert isinstance(grade, Grade)
    assert (grade.status, grade.reason) == (Status.FAILED, "copy")


def test_kinds_do_not_know_of_each_other() -> None:
    buffer = empty_buffer(config(buffer={"per_behaviour": 1}))
    assert [admitted(buffer, kind, 7).id for kind in KINDS] == [1, 2, 3]


@pytest.mark.parametrize("most", [1, 3])
def test_a_cell_holds_so_many(most: int) -> None:
    buffer = empty_buffer(config(buffer={"per_behaviour": most}))
    for n in range(most):
        admitted(buffer, D, n, identity(n, behaviour=digest("same")))
        admitted(buffer, D, 100 + n, identity(100 + n, family=digest("one program")))
    assert rejection(buffer, D, identity(50, behaviour=digest("same"))) == (Status.NEUTRAL, "crowded")
    assert rejection(buffer, D, identity(51, family=digest("one program"))) == (Status.NEUTRAL, "crowded")
    assert admitted(buffer, D, 52)


def test_a_task_whose_digests_are_one_counts_once() -> None:
    buffer = empty_buffer(config(buffer={"per_behaviour": 2}))
    for n in range(2):
        admitted(buffer, D, n, identity(n, family=digest("x"), behaviour=digest("x")))
    assert rejection(buffer, D, identity(2, family=digest("x"))) == (Status.NEUTRAL, "crowded")


def test_what_is_refused_leaves_no_trace() -> None:
    buffer = empty_buffer(config())
    for _ in range(5):
        assert rejection(buffer, D, CONSTANT) == (Status.NEUTRAL, "constant")
    assert admitted(buffer, D, 1).id == 1


def test_of_equals_in_one_step_the_first_gets_in() -> None:
    """Known from when it is admitted, not from when it is put at hand."""
    buffer = empty_buffer(config())
    admitted(buffer, D, 1)
    assert rejection(buffer, D, identity(1)) == (Status.NEUTRAL, "duplicate")
    assert buffer.size(D) == 0


# --- a full buffer ------------------------------------------------------------------------------------------


def at_hand(buffer: Buffer, kind: str) -> set[int]:
    return {task.id for task in buffer.practice(kind, 10_000, set(), Key(0))}


def test_the_oldest_leaves_and_the_newest_is_never_refused() -> None:
    buffer = empty_buffer(config(buffer={"capacity": 3}))
    for n in range(8):
        buffer.add([admitted(buffer, D, n)])
        assert at_hand(buffer, D) == set(range(max(1, n - 1), n + 2))
        assert buffer.size(D) == min(n + 1, 3)
    assert buffer.size(A) == 0


def test_what_has_left_is_still_known() -> None:
    buffer = filled(config(buffer={"capacity": 1}), {D: 5})
    assert rejection(buffer, D, identity(0)) == (Status.NEUTRAL, "duplicate")


def test_a_capacity_of_one_holds_one() -> None:
    buffer = filled(config(buffer={"capacity": 1}), {D: 4})
    assert at_hand(buffer, D) == {4}
    assert [task.id for task in buffer.references(D, Key(3))] == [4]


# --- what proposers are shown -------------------------------------------------------------------------------


def shown(buffer: Buffer, kind: str, times: int = 200) -> list[tuple[int, ...]]:
    return [tuple(task.id for task in buffer.references(kind, Key(seed))) for seed in range(times)]


def test_nothing_accepted_yet_shows_the_zero_triplet() -> None:
    for choice in ("uniform", "recent", "learnable"):
        buffer = empty_buffer(config(propose={"choice": choice}))
        shown = [buffer.references(kind, Key(0)) for kind in KINDS]
        assert [[(task.id, task.payload, task.exact) for task in tasks] for tasks in shown] == [
            [(0, ZERO.payload, ZERO.exact)]
        ] * 3


def test_up_to_k_without_repetition() -> None:
    buffer = filled(config(), {D: 2})
    assert {frozenset(ids) for ids in shown(buffer, D)} == {frozenset({1, 2})}
    buffer = filled(config(), {D: 10})
    assert all(len(ids) == len(set(ids)) == 3 for ids in shown(buffer, D))
    counts = Counter(id_ for ids in shown(buffer, D, 2000) for id_ in ids)
    # 2000 draws of 3 out of 10: 600 each, with a standard deviation of 20.
    assert set(counts) == set(range(1, 11))
    assert all(500 < count < 700 for count in counts.values())


def test_each_kind_is_shown_its_own_and_induction_programs_of_both() -> None:
    buffer = filled(config(), {D: 4, A: 8, I: 5})
    assert {id_ for ids in shown(buffer, D) for id_ in ids} == set(range(1, 5))
    assert {id_ for ids in shown(buffer, A) for id_ in ids} == set(range(5, 13))
    programs = shown(buffer, I, 3000)
    assert {len(ids) for ids in programs} == {1}
    counts = Counter(id_ for [id_] in programs)
    # One of 12 tasks, whichever pool it is in: 250 each, with a standard deviation of 15.
    assert set(counts) == set(range(1, 13))
    assert all(175 < count < 325 for count in counts.values())


def test_a_kind_of_its_own_is_shown_the_zero_triplet_though_others_have_tasks() -> None:
    buffer = filled(config(), {A: 3})
    assert buffer.references(D, Key(0)) == (ZERO,)
    assert buffer.references(I, Key(0)) != (ZERO,)


def test_without_references_there_are_none_but_a_program_for_induction() -> None:
    buffer = filled(config(propose={"references": 0}), {D: 3})
    assert buffer.references(D, Key(0)) == ()
    assert len(buffer.references(I, Key(0))) == 1
    assert empty_buffer(config(propose={"references": 0})).references(D, Key(0)) == ()


def test_recent_shows_the_newer_half_also_around_the_end_of_the_ring() -> None:
    buffer = filled(config(propose={"choice": "recent", "references": 2}), {D: 5})
    assert {id_ for ids in shown(buffer, D) for id_ in ids} == {3, 4, 5}
    buffer = filled(config(propose={"choice": "recent", "references": 2, "batch": 1}, buffer={"capacity": 4}), {D: 7})
    assert {id_ for ids in shown(buffer, D) for id_ in ids} == {6, 7}


def test_learnable_shows_what_some_but_not_all_rollouts_solved_and_seeds() -> None:
    buffer = empty_buffer(config(propose={"choice": "learnable"}))
    outcomes = [(0, 8), (8, 8), (1, 8), (0, 0), (7, 8)]
    for n, (successes, trials) in enumerate(outcomes):
        accepted = admitted(buffer, D, n)
        buffer.add([replace(accepted, successes=successes, trials=trials, step=int(trials > 0))])
        if n < 2:  # nothing learnable yet: whatever there is
            assert {id_ for ids in shown(buffer, D) for id_ in ids} == set(range(1, n + 2))
    assert {id_ for ids in shown(buffer, D) for id_ in ids} == {3, 4, 5}
    assert at_hand(buffer, D) == {1, 2, 3, 4, 5}  # practice is on all


def test_induction_prefers_a_program_with_room_left() -> None:
    buffer = empty_buffer(config(buffer={"per_behaviour": 1}))
    for n in range(4):
        buffer.add([admitted(buffer, D, n)])
    for n in range(3):  # induction tasks about the programs of the first three
        admitted(buffer, I, 100 + n, identity(100 + n, family=identity(n).family))
    assert {id_ for [id_] in shown(buffer, I, 50)} == {4}
    admitted(buffer, I, 103, identity(103, family=identity(3).family))
    assert len({id_ for [id_] in shown(buffer, I, 50)}) == 4  # all are full: any


# --- practice -----------------------------------------------------------------------------------------------


def test_practice_is_on_others_without_repetition() -> None:
    buffer = filled(config(), {D: 9, A: 2})
    for seed in range(100):
        drawn = [task.id for task in buffer.practice(D, 4, {1, 2, 3}, Key(seed))]
        assert len(drawn) == len(set(drawn)) == 4
        assert set(drawn) <= {4, 5, 6, 7, 8, 9}
    assert at_hand(buffer, A) == {10, 11}
    assert len(buffer.practice(D, 99, {9}, Key(0))) == 8


def test_practice_can_be_on_what_some_but_not_all_rollouts_solved() -> None:
    buffer = empty_buffer(config(solve={"practice": "learnable"}))
    tasks = [replace(admitted(buffer, D, n), successes=n, trials=3) for n in range(4)] + [
        replace(admitted(buffer, D, 4), step=0)
    ]
    buffer.add(tasks)
    assert [buffer.practises(each) for each in tasks] == [False, True, True, False, True]
    assert at_hand(buffer, D) == {2, 3, 5}
    assert {id_ for ids in shown(buffer, D) for id_ in ids} == {1, 2, 3, 4, 5}  # references are any
    assert not buffer.practises(replace(tasks[4], step=3))  # made by the model, and no rollout was graded
    assert all(empty_buffer(config()).practises(each) for each in tasks)


class Bare:
    """The domain of Python without its suites: only files hold something out."""

    def suites(self) -> Mapping[str, Sequence[Task]]:
        return {}

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        return DOMAIN.held_out(row)


BARE: Domain = Bare()  # pyright: ignore[reportAssignmentType]


def test_held_out_programs_are_known_by_what_they_do_not_by_what_they_are_called(tmp_path: Path) -> None:
    """Benchmarks name their functions; proposals are always called `f`."""
    path = tmp_path / "held.jsonl"
    program = "def double(a):\n    return a * 2\n\ndef quadruple(b):\n    return double(double(b)) + '\u2028'.count(b)"
    path.write_text(json.dumps({"code": program}, ensure_ascii=False) + "\n", encoding="utf-8")
    proposal = "def h(x):\n    return x * 2\n\ndef f(x):\n    return h(h(x)) + '\u2028'.count(x)"
    assert digest(normal_form(proposal)) in held_out_families(BARE, [str(path)])
    assert digest(normal_form("def f(x):\n    return x * 3")) not in held_out_families(BARE, [str(path)])
    path.write_text(json.dumps({"code": "def f(x):\n    return g(x)\ndef g(x):\n    return x"}))
    assert len(held_out_families(BARE, [str(path)])) == 1


@pytest.mark.parametrize("count", [0, -1, -5])
def test_no_room_for_practice_is_none(count: int) -> None:
    """B minus the new ones: nothing is left to practise, whatever the sign."""
    buffer = filled(config(), {D: 9})
    assert all(buffer.practice(D, count, {1, 2, 3, 4, 5}, Key(seed)) == [] for seed in range(20))
    assert empty_buffer(config()).practice(D, 5, set(), Key(0)) == []


def test_the_zero_triplet_is_never_practised_on() -> None:
    buffer = empty_buffer(config())
    assert buffer.practice(D, 5, set(), Key(0)) == []
    assert at_hand(filled(config(), {D: 2}), D) == {1, 2}


# --- held-out programs --------------------------------------------------------------------------------------


def test_held_out_programs_never_get_in_under_whatever_names(tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl"
    path.write_text(
        '{"program": "def f(a):\\n    return a + 1"}\n\n{"program": null, "code": "def f(b):\\n    return b * 2"}\n'
    )
    digests = held_out_families(BARE, [str(path)])
    assert digests == {digest(normal_form(f"def f(x):  # x\n    return x {rest}")) for rest in ("+ 1", "* 2")}
    its = facts("def f(n):\n    return n + 1", [("1", "2")])
    assert rejection(empty_buffer(config(), digests), D, Identity(its.exact, its.family)) == (Status.MASKED, "held_out")


def test_no_files_hold_nothing_out_but_the_suites_of_the_domain() -> None:
    assert held_out_families(BARE, []) == frozenset()
    files = [str(path) for path in suite_files()]
    assert files
    assert held_out_families(DOMAIN, []) == held_out_families(BARE, files) != frozenset()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "3",
        "null",
        '{"task": "x"}',
        '{"program": 3}',
        '{"program": "def"}',
        '{"program": null}',
        '{"program": ""}',
        '{"program": "f = lambda x: x"}',
        '{"code": "class f: pass"}',
    ],
)
def test_a_bad_row_is_one_line_that_says_where(tmp_path: Path, line: str) -> None:
    path = tmp_path / "held.jsonl"
    path.write_text('{"program": "def f(x):\\n    return x"}\n' + line + "\n")
    with pytest.raises(UserError) as caught:
        held_out_families(BARE, [str(path)])
    assert f"{path}:2:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        with pytest.raises(UserError, match=path.name) as caught:
            held_out_families(BARE, [str(path)])
        assert "\n" not in str(caught.value)
