"""The scripted policy: honest proposals, answers as good as its skill, and a skill that follows the advantages."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from absolute_zero.keys import Key
from absolute_zero.text import Answer, thought_and_answer
from absolute_zero.types import Completion, Grade, Prompt, Proposal, Sample, Sampling, Status, Task, UserError
from absolute_zero_sql import TEMPLATES
from absolute_zero_sql.domain import DOMAIN
from absolute_zero_sql.executor import SQLExecutor
from absolute_zero_sql.payload import CORRECT, KINDS, QUERY
from absolute_zero_sql.scripted import FILE, Scripted, open_policy
from absolute_zero_sql.settings import Settings

CFG: Any = SimpleNamespace(
    domain_section=Settings(pairs=4, rows=8, message_characters=100),
    sandbox=SimpleNamespace(workers=2, memory_mb=64, cpu_seconds=1.0, value_bytes=1000),
    sampling=SimpleNamespace(max_prompt_tokens=8000),
    templates=str(TEMPLATES),
)
TYPES: dict[str, Any] = {task_type.kind: task_type for task_type in DOMAIN.task_types(CFG)}
SAMPLING = Sampling(max_tokens=2000)


@pytest.fixture(scope="module")
def executor() -> Iterator[SQLExecutor]:
    opened = DOMAIN.open_executor(CFG)
    yield opened
    opened.close()


def answer_of(prompt: Prompt, completion: Completion) -> str:
    answer = thought_and_answer(completion.text, prompt.opens_thought)
    assert isinstance(answer, Answer)
    return answer.text


def proposed(policy: Scripted, executor: SQLExecutor, kind: str, key: Key) -> Task:
    """A proposal of the policy as the task that it becomes."""
    references = [DOMAIN.seeds()[0]] if kind == QUERY else []
    prompt = TYPES[kind].propose_prompt(references)
    [[completion]] = policy.sample([prompt], 1, SAMPLING, [key])
    parsed = TYPES[kind].parse_proposal(references, answer_of(prompt, completion))
    assert isinstance(parsed, Proposal)
    [outcome] = executor.run([parsed.job])
    made = TYPES[kind].build_task(parsed, outcome)
    assert isinstance(made, Task)
    return made


def graded(executor: SQLExecutor, task: Task, answer: str) -> Grade:
    decided = TYPES[task.kind].check(task, answer)
    if isinstance(decided, Grade):
        return decided
    return TYPES[task.kind].check_result(task, executor.run([decided])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_it_knows_its_world(executor: SQLExecutor, kind: str) -> None:
    policy = Scripted()
    for number in range(6):
        task = proposed(policy, executor, kind, Key(number))
        prompt = TYPES[kind].solve_prompt(task)
        for logit, status in ((50.0, Status.PASSED), (-50.0, Status.FAILED)):
            policy.logits[kind] = logit
            [[completion]] = policy.sample([prompt], 1, replace(SAMPLING, temperature=0.0), [Key(0)])
            assert graded(executor, task, answer_of(prompt, completion)).status is status


def test_its_proposals_differ(executor: SQLExecutor) -> None:
    tasks = [proposed(Scripted(), executor, "rows", Key(number)) for number in range(30)]
    assert len({task.title for task in tasks}) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_its_world_it_is_wrong(executor: SQLExecutor, kind: str) -> None:
    policy = Scripted()
    policy.logits[kind] = 50.0
    suite = [task for task in DOMAIN.suites()["held_out"] if task.kind == kind]
    prompts = [TYPES[kind].solve_prompt(task) for task in suite]
    completions = policy.sample(prompts, 1, SAMPLING, [Key(0)] * len(suite))
    grades = [
        graded(executor, task, answer_of(prompt, completion))
        for task, prompt, [completion] in zip(suite, prompts, completions, strict=True)
    ]
    assert 0.2 < sum(grade == CORRECT for grade in grades) / len(suite) < 0.6
    assert all(grade.status in (Status.PASSED, Status.FAILED) for grade in grades)


@pytest.mark.parametrize("sign", [1, -1])
def test_it_learns_what_it_is_paid_for(executor: SQLExecutor, sign: int) -> None:
    """Twenty steps of four tasks a kind, against the mean: better, or worse if the rewards have the wrong sign."""
    policy = open_policy(CFG)
    before = {kind: policy.skill(kind) for kind in KINDS}
    tasks = {kind: [proposed(policy, executor, kind, Key(n)) for n in range(4)] for kind in KINDS}
    prompts = {kind: [TYPES[kind].solve_prompt(task) for task in tasks[kind]] for kind in KINDS}
    for step in range(20):
        samples: list[Sample] = []
        for kind in KINDS:
            keys = [Key(step).at(kind, n) for n in range(4)]
            answers = [one for several in policy.sample(prompts[kind], 2, SAMPLING, keys) for one in several]
            rewards = [-0.5 if "'?'" in a.text or "nothing" in a.text or "NULL" in a.text else 1.0 for a in answers]
            mean = sum(rewards) / len(rewards)
            samples += [
                Sample(prompts[kind][n // 2], answers[n], sign * (rewards[n] - mean), weight=0.5) for n in range(8)
            ]
        policy.update(samples)
    for kind in KINDS:
        assert (policy.skill(kind) - before[kind]) * sign > 0.01


def test_no_samples_change_nothing() -> None:
    policy = Scripted()
    assert policy.update([]) == {}
    assert policy.logits == Scripted().logits


def test_what_it_says_depends_on_prompt_and_key_alone() -> None:
    policy, prompts = Scripted(), [TYPES[kind].propose_prompt([]) for kind in KINDS]
    keys = [Key(1).at(n) for n in range(3)]
    together = policy.sample(prompts, 2, SAMPLING, keys)
    assert [
        policy.sample([prompt], 2, SAMPLING, [key])[0] for prompt, key in zip(prompts, keys, strict=True)
    ] == together
    assert all(len(completion.tokens) == len(completion.logprobs) for several in together for completion in several)


def test_long_prompts_and_responses() -> None:
    prompt = TYPES["rows"].propose_prompt([])
    [[unanswered]] = Scripted(max_prompt_tokens=10).sample([prompt], 1, SAMPLING, [Key(0)])
    assert unanswered == Completion("", (), (), truncated=True)
    [[short]] = Scripted().sample([prompt], 1, replace(SAMPLING, max_tokens=20), [Key(0)])
    assert short.truncated
    assert len(short.tokens) == 20
    [[other]] = Scripted().sample([Prompt("What is 1 + 1?")], 1, SAMPLING, [Key(0)])
    assert other.text == "<think></think><answer>?</answer>"


def test_saving_is_exact(tmp_path: Path) -> None:
    policy, again = Scripted(), Scripted()
    policy.logits["rows"] = 0.1 + 0.2
    policy.save(tmp_path)
    again.load(tmp_path)
    assert again.logits == policy.logits
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(UserError, match="state of the policy"):
        again.load(tmp_path)
