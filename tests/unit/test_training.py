"""A run: seeding from the seeds alone, what stops it, what is flagged, and what ablations leave out."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from absolute_zero.components import open_components
from absolute_zero.domains.python import DOMAIN, ZERO, read_payload
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION
from absolute_zero.evals.suites import suites
from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Apprentice, Lines
from absolute_zero.store import Store
from absolute_zero.training import train
from absolute_zero.types import Grade, Step, UserError
from worlds import Watched, components, says, settings, watched


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as opened:
        yield opened


@pytest.fixture
def seen(sandbox: Sandbox) -> Watched:
    return watched(sandbox)


def run(seen: Watched, path: Path, **changed: object) -> list[Step]:
    cfg = settings(**changed)
    with Store.open(path) as store:
        return list(train(components(seen, cfg), store, cfg))


def test_seeding_starts_from_the_zero_triplet_alone_and_learns_nothing(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "run.db", steps=0)
    program = read_payload(ZERO.payload).program
    assert seen.prompts[0][0].text == f"propose deduction\n```python\n{program}\n```\n```input\n1\n```\n<think>"
    assert "update" not in seen.calls
    assert steps[0].number == 1 - 8
    assert all(task.trials == 0 for step in steps for task in step.tasks)
    counts = Counter(task.kind for step in steps for task in step.tasks)
    assert min(counts.values()) >= 8  # S = factor 2 * batch 4
    before = Counter(task.kind for step in steps[:-1] for task in step.tasks)
    assert min(before.values()) < 8  # and not a round more


def test_a_model_that_cannot_propose_is_told_so(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with pytest.raises(UserError) as stopped:
        run(watched(sandbox, says("I'd rather not.")), path)
    text = str(stopped.value)
    assert "\n" not in text
    assert "0 of 8 deduction" in text
    assert "0 of 8 induction" in text
    assert "open_thought 96" in text
    assert "I'd rather not." in text
    assert "raise seeding.rounds" in text
    with Store.open(path) as store:  # what was done is kept
        assert store.last_step() == 0


def test_a_short_seeding_goes_on_and_is_flagged(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "run.db", steps=1, seeding={"factor": 4, "rounds": 2})
    assert steps[-1].number == 1
    with Store.open(tmp_path / "run.db") as store:
        [(step, flag)] = store.flags()
    assert (step, flag.name) == (1, "short_seeding")
    assert "of 16" in flag.detail


def test_what_is_held_out_stays_out_without_being_named_again(tmp_path: Path) -> None:
    """From Python: nobody has to tell `train` what the settings and the suites hold out."""
    cfg = settings(model={"path": "scripted"}, steps=0, sandbox={"workers": 1, "minimum_level": "weak"})
    with open_components(cfg) as parts, Store.open(tmp_path / "first.db") as store:
        assert {task.family for suite in suites(DOMAIN, 9).values() for task in suite} <= parts.held_out
        first, *_ = train(parts, store, cfg)
    programs = {read_payload(task.payload).program for task in first.tasks}
    assert programs
    (tmp_path / "held.jsonl").write_text("".join(json.dumps({"program": program}) + "\n" for program in programs))
    buffer = cfg.buffer.model_copy(update={"held_out": (str(tmp_path / "held.jsonl"),)})
    barred = cfg.model_copy(update={"buffer": buffer})
    with open_components(barred) as parts, Store.open(tmp_path / "second.db") as store:
        steps = list(train(parts, store, barred))
    results = [validation.result for step in steps for validation in step.validations]
    assert "held_out" in {result.reason for result in results if isinstance(result, Grade)}
    assert not programs & {read_payload(task.payload).program for step in steps for task in step.tasks}


def test_ablations_play_only_what_they_name(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "one.db", steps=1, kinds=["deduction"])
    assert {r.kind for step in steps for r in step.rollouts} == {DEDUCTION}
    steps = run(seen, tmp_path / "two.db", steps=1, kinds=["deduction", "abduction"])
    assert {r.kind for step in steps for r in step.rollouts} == {DEDUCTION, ABDUCTION}
    seen.prompts.clear()
    run(seen, tmp_path / "three.db", steps=1, propose={"batch": 4, "references": 0})
    texts = [prompt.text for prompts in seen.prompts for prompt in prompts]
    shown = [text for text in texts if text.startswith(("propose deduction", "propose abduction"))]
    assert set(shown) == {"propose deduction\n<think>", "propose abduction\n<think>"}


def test_a_kind_that_cannot_be_seeded_is_left_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """The others go on without it, told once; and so they do when the run is resumed."""
    able = Apprentice()

    def say(prompt: str, random: Random) -> str:
        return "no" if prompt.startswith("propose induction") else able.reply(prompt, random)

    path = tmp_path / "run.db"
    for steps in (1, 2):
        done = run(watched(sandbox, Lines(say)), path, steps=steps)[-1]
        assert {r.kind for r in done.rollouts} == {DEDUCTION, ABDUCTION}
    with Store.open(path) as store:
        [(step, flag)] = store.flags()
        assert store.last_step() == 2
    assert (step, flag.name) == (1, "left_out")
    assert flag.detail.startswith("induction is left out: seeding gave only 0 of 8 induction tasks; rejected: ")
    assert "deduction" not in flag.detail
