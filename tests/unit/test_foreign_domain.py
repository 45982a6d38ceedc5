"""A domain from outside plays: nothing in the loop knows Python, and what the machine loses reaches no task type."""

from collections import Counter as Counts
from pathlib import Path

import pytest

import letters
from absolute_zero.forms import Form
from absolute_zero.monitors import step_metrics
from absolute_zero.ports import Chat
from absolute_zero.selfplay import LOST, step
from absolute_zero.store import Store
from absolute_zero.training import seed, train
from absolute_zero.types import Grade, Role, Status, Step, Task
from letters import Count, Counter, speller
from worlds import Watched, components, empty_buffer, settings, watched

DOMAIN, PROBING = "letters:DOMAIN", "letters:PROBING"


def taught(seen: Watched, domain: str, form: Form | None = None, **changed: object) -> Step:
    """One step on top of a round of seeding."""
    cfg = settings(domain=domain, **changed)
    buffer, parts = empty_buffer(cfg), components(seen, cfg, form=form)
    seed(0, parts, buffer, cfg)
    seen.calls.clear(), seen.prompts.clear(), seen.keys.clear(), seen.jobs.clear()  # pyright: ignore[reportUnusedExpression]
    return step(1, parts, buffer, {}, cfg)


def test_it_plays_in_the_papers_order() -> None:
    seen = watched(Counter(), speller())
    done = taught(seen, DOMAIN, solve={"n_difficulty": 4, "n_practice": 2, "reuse_difficulty": False})
    assert len(done.tasks) == 8  # four words of either kind; nothing is known of what is alike
    assert seen.calls == ["sample 8x1", "run", "run", "sample 8x4", "run", "sample 8x2", "run", "update"]
    assert all(isinstance(job, Count) for job in seen.jobs)
    assert {task.kind for task in done.tasks} == {"count", "word"}
    assert all(0 <= task.successes <= task.trials == 4 for task in done.tasks)
    assert len({task.successes for task in done.tasks}) > 1


def test_texts_are_taken_as_they_are_and_questions_are_dressed() -> None:
    for form, messages in ((Form(), False), (Form(chat=Chat()), True)):
        seen = watched(Counter(), speller(correct=1.0))
        done = taught(seen, DOMAIN, form)
        prompts = [prompt for prompts in seen.prompts for prompt in prompts]
        assert {bool(prompt.messages) for prompt in prompts} == {False, messages}
        assert all(prompt.opens_thought for prompt in prompts)
        assert all(r.grade.correct for r in done.rollouts if r.role is Role.SOLVE)
        assert {sample.prompt for sample in seen.learned} <= set(prompts)


def test_a_question_whose_thought_is_not_opened_is_answered_with_the_tag() -> None:
    said = letters.Lines(lambda prompt, random: "hm</think><answer>ab</answer>")
    headless = taught(watched(Counter(), said), DOMAIN, Form(opening="none"))
    malformed = {r.kind for r in headless.rollouts if r.grade.status is Status.MALFORMED}
    assert malformed == {"word"}


def test_seeds_and_references_are_its_own() -> None:
    cfg = settings(domain=DOMAIN)
    buffer, seen = empty_buffer(cfg), watched(Counter(), speller())
    first = seed(0, components(seen, cfg), buffer, cfg)
    assert {v.proposal.references for v in first.validations} == {(Task("count", "seed"),)}
    second = seed(1, components(seen, cfg), buffer, cfg)
    ids = {reference.id for v in second.validations for reference in v.proposal.references}
    assert ids <= {task.id for task in first.tasks}
    for validation in second.validations:
        shown = validation.proposal.references
        assert len(shown) == (1 if validation.proposal.kind == "word" else 2)
        assert validation.proposal.kind == "count" or shown[0].kind == "count"


def test_what_is_not_known_to_be_alike_is_new() -> None:
    script = letters.Lines(lambda prompt, random: "hm</think><answer>abc</answer>")
    cfg = settings(domain=DOMAIN, kinds=["count"], buffer={"per_behaviour": 1})
    done = seed(0, components(watched(Counter(), script), cfg), empty_buffer(cfg), cfg)
    assert len(done.tasks) == 4
    cfg = settings(domain=PROBING, kinds=["count"], buffer={"per_behaviour": 1})
    done = seed(0, components(watched(Counter(), script), cfg), empty_buffer(cfg), cfg)
    assert len(done.tasks) == 1
    assert [v.result.reason for v in done.validations if isinstance(v.result, Grade)] == ["duplicate"] * 3


def test_it_is_stored_measured_and_resumed(tmp_path: Path) -> None:
    cfg = settings(domain=DOMAIN, steps=4)

    def run(path: Path, steps: int) -> list[Step]:
        with Store.open(path) as store:
            parts = components(watched(Counter(), speller()), cfg)
            return list(train(parts, store, cfg.model_copy(update={"steps": steps})))

    whole = run(tmp_path / "whole.db", 4)
    assert [done.number for done in whole][-4:] == [1, 2, 3, 4]
    assert run(tmp_path / "cut.db", 2) == whole[:-2]
    assert run(tmp_path / "cut.db", 4) == whole[-2:]
    with Store.open(tmp_path / "whole.db") as store, Store.open(tmp_path / "cut.db") as cut:
        assert list(store.dump()) == list(cut.dump())
        tasks = list(store.tasks())
    counts = Counts(task.kind for task in tasks)
    assert min(counts["count"], counts["word"]) >= 8
    assert {len(task.payload) for task in tasks} <= set(range(1, 7))
    numbers = step_metrics(whole[-1])
    assert numbers["proposals/accepted/count"] == numbers["proposals/total/word"] == 4
    assert {name.split("/")[2] for name in numbers if name.startswith("difficulty/success_rate/")} == {"count", "word"}


# --- what the machine loses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(4))
def test_lost_outcomes_never_reach_a_task_type(batch: int) -> None:
    """The task types of this domain fail the test if they see one. Batches: proposals, probes, difficulty, practice."""
    executor = Counter()
    seen = watched(executor, speller())
    cfg = settings(domain=PROBING, solve={"n_difficulty": 4, "reuse_difficulty": False}, buffer={"per_behaviour": 99})
    buffer, parts = empty_buffer(cfg), components(seen, cfg)
    seed(0, parts, buffer, cfg)
    executor.batches, executor.loses = 0, lambda number, job: number == batch
    done = step(1, parts, buffer, {}, cfg)
    assert executor.batches == 4
    lost = [r for r in done.rollouts if r.grade == LOST]
    assert lost
    assert all(r.reward is None and r.weight == 0 and r.grade.status is Status.MASKED for r in lost)
    assert {id(s.completion) for s in seen.learned}.isdisjoint({id(r.completion) for r in lost})
    if batch < 2:
        assert not done.tasks
        assert {v.result for v in done.validations} == {LOST}
        assert {v.valid for v in done.validations} == {batch == 1}
    else:
        assert {r.kind for r in lost} == {"word"}  # a count is graded at once
    if batch == 2:
        words = [task for task in done.tasks if task.kind == "word"]
        assert words
        assert {task.trials for task in words} == {0}
        paid = [r for r in done.rollouts if r.role is Role.PROPOSE and r.task in {task.id for task in words}]
        assert {(r.grade.status, r.grade.reason, r.reward) for r in paid} == {(Status.MASKED, "no_rollouts", None)}


def test_what_is_lost_in_part_costs_only_that_part() -> None:
    executor = Counter(loses=lambda batch, job: job.word == "z" * 9)  # every wrong word
    done = taught(watched(executor, speller()), DOMAIN)
    words = [r for r in done.rollouts if r.role is Role.SOLVE and r.kind == "word"]
    assert {r.grade.status for r in words} == {Status.PASSED, Status.MASKED}
    for task in done.tasks:
        if task.kind == "word":
            mine = [r for r in words if r.task == task.id]
            assert task.trials == task.successes == sum(r.grade.correct for r in mine)
