"""What a hostile model, or a plug-in's domain, can do to the report: nothing."""

import json
import re
from pathlib import Path

from absolute_zero.report import write_report
from absolute_zero.report.figures import STAGES
from absolute_zero.report.markup import block, shown, tag
from absolute_zero.store import Flag, Store
from absolute_zero.types import (
    Completion,
    Grade,
    Prompt,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    Validation,
)
from made_up import evaluated, rewarded
from strict_page import strict

PASSED = Grade(Status.PASSED, 1.0)
HOSTILE = (
    "</script><img onerror=alert(1) src=x>",
    "</pre></details></style><script>alert(1)</script><svg onload=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "<!-- ]]> <![CDATA[ &lt;b&gt; &#60;i> <title>",
    "\x00\x00\x00\x01\x1b[31m\x7f\r\x85",
    "\ud800 alone \udfff \ud83d",
    "\u202eright to left\u2066\u200b\ufeff\u2028\U000e0041",
    "</think><answer><iframe src=//x></answer>",
)


KINDS = ("abduction", HOSTILE[0], HOSTILE[2], HOSTILE[3])
"""Kinds of a domain that was never checked."""


def hostile_run(folder: Path) -> Path:
    """A run in which everything that a model, a domain or a file has a say in is hostile."""
    folder.mkdir()
    everything = "\n".join(HOSTILE) + "y" * 100_000
    wrong = Grade(Status.FAILED, 0.0, HOSTILE[0], everything)
    validations, tasks, rollouts = list[Validation](), list[Task](), list[Rollout]()
    for number, text in enumerate((*HOSTILE, everything), start=1):
        kind = KINDS[number % len(KINDS)]
        task = Task(
            kind, text, title=text, id=number, step=1, references=(0,), exact=text, family=text, behaviour=text,
            trials=2, successes=1,
        )  # fmt: skip
        tasks.append(task)
        completion, prompt = Completion(text, (1,), ()), Prompt(text, opens_thought=number % 2 > 0)
        proposal = ProposalRollout(kind, number, (), prompt, completion, wrong)
        validations += [Validation(proposal, wrong, valid=False), Validation(proposal, task, valid=True)]
        rollouts.append(rewarded(Role.PROPOSE, kind, number, 0, number, prompt, completion, PASSED))
        rollouts += [
            rewarded(Role.SOLVE, kind, number, attempt, number, prompt, completion, grade)
            for attempt, grade in enumerate((PASSED, wrong))
        ]
    step = Step(1, tuple(validations), tuple(tasks), tuple(rollouts))
    with Store.open(folder / "run.db") as store:
        metrics = {f"proposals/{stage}/{kind}": 9.0 for stage in STAGES for kind in KINDS} | {HOSTILE[1]: 1.0}
        store.commit(step, metrics, {HOSTILE[0]: 2.0}, flags=[Flag(HOSTILE[1], everything)])
    file = {
        "model": {"path": HOSTILE[0]}, "seed": HOSTILE[1], HOSTILE[2]: HOSTILE[3], "reward": {"scale": HOSTILE[0]},
        "domain": HOSTILE[1], "kinds": [*KINDS, 3],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(file))
    result = {
        **evaluated((*KINDS, HOSTILE[1], f"{HOSTILE[1]}_mean")),
        "commit": HOSTILE[0],
        "sandbox_level": HOSTILE[1],
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_nothing_that_a_model_wrote_becomes_markup(tmp_path: Path) -> None:
    page = write_report(hostile_run(tmp_path / "<img src=x onerror=y>")).read_text(encoding="utf-8")
    reader = strict(page)
    assert page.count("<script>") == page.count("</script>") == 1
    text = "".join(reader.text)
    for words in ("<img onerror=alert(1) src=x>", "<script>alert(1)</script>", "<iframe src=//x>", "y" * 100_000):
        assert words in text
    # No attribute holds a word of it: our own are classes, positions, labels and the page's policy.
    assert not [value for value in reader.values if re.search(r"alert|onerror|y{9}|U\+|abduction|CDATA", value)]


def test_a_kind_has_the_colour_of_its_position(tmp_path: Path) -> None:
    page = write_report(hostile_run(tmp_path / "run")).read_text(encoding="utf-8")
    for index, words in enumerate(("abduction", "&lt;/script&gt;&lt;img", "&quot; onmouseover", "&lt;!-- ]]")):
        assert f'<span class="k{index} row">{words}' in page
        assert f'<figure class="panel k{index}"><figcaption><b>{words}' in page
    assert '<span class="all row">&lt;/pre&gt;' in page  # a row of the result that is no kind of the run


def test_what_cannot_be_seen_is_named() -> None:
    page = shown("".join(HOSTILE)).html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u202a-\u202e\u2066\ud800-\udfff\ufeff]", page)
    assert '<span class="hidden">NUL x 3</span>' in page
    for name in ("ESC", "DEL", "U+0085", "U+D800", "U+202E", "U+200B", "U+E0041"):
        assert f'<span class="hidden">{name}</span>' in page
    assert shown("a\tb\nc é 中 😀").html == "a\tb\nc é 中 😀"


def test_attributes_are_quoted_and_long_texts_are_folded_whole() -> None:
    assert tag("i", class_='"><b>\x00', x=1.25, y=None).html == '<i class="&quot;&gt;&lt;b&gt;NUL" x="1.2"></i>'
    long = "word " * 20_000
    folded = block("answer", long).html
    assert folded.startswith("<details")
    assert "100,000 characters" in folded
    assert long in folded
    assert block("answer", "short").html.startswith("<div")
