"""What a hostile model can do to the report: nothing."""

import json
import re
from pathlib import Path

from absolute_zero.report import write_report
from absolute_zero.report.figures import STAGES
from absolute_zero.report.markup import block, shown, tag
from absolute_zero.store import Flag, Store
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Problem,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Validation,
)
from made_up import evaluated, paid
from strict_page import strict

A = Kind.ABDUCTION
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


def hostile_run(folder: Path) -> Path:
    """A run in which everything that a model, or a file, has a say in is hostile."""
    folder.mkdir()
    everything = "\n".join(HOSTILE) + "y" * 100_000
    wrong = Grade(Status.FAILED, 0.0, HOSTILE[0], everything)
    rulings, entries, rollouts = list[Validation](), list[Entry](), list[Rollout]()
    for place, text in enumerate((*HOSTILE, everything), start=1):
        problem = Problem(A, text, ((text, text),) * (1 + place % 2 * 3), text)
        made = Entry(place, problem, 1, (0,), text, text, text, 2, 1)
        entries.append(made)
        completion = Completion(text, (1,), ())
        draft = ProposalRollout(A, place, (), text, completion, wrong)
        rulings += [Validation(draft, wrong, valid=False), Validation(draft, made, valid=True)]
        rollouts.append(paid(Role.PROPOSE, A, place, 0, place, text, completion, PASSED))
        rollouts += [
            paid(Role.SOLVE, A, place, at, place, text, completion, it) for at, it in enumerate((PASSED, wrong))
        ]
    step = Step(1, tuple(rulings), tuple(entries), tuple(rollouts))
    with Store.open(folder / "run.db") as store:
        metrics = {f"{stage}/abduction": 9.0 for stage in STAGES} | {HOSTILE[1]: 1.0}
        store.commit(step, metrics, {HOSTILE[0]: 2.0}, flags=[Flag(HOSTILE[1], everything)])
    file = {"model": {"path": HOSTILE[0]}, "seed": HOSTILE[1], HOSTILE[2]: HOSTILE[3], "reward": {"scale": HOSTILE[0]}}
    (folder / "config.json").write_text(json.dumps(file))
    (folder / "result.json").write_text(json.dumps({**evaluated(), "commit": HOSTILE[0], "sandbox_level": HOSTILE[1]}))
    return folder


def test_nothing_that_a_model_wrote_becomes_markup(tmp_path: Path) -> None:
    page = write_report(hostile_run(tmp_path / "<img src=x onerror=y>")).read_text(encoding="utf-8")
    found = strict(page)
    assert page.count("<script>") == page.count("</script>") == 1
    text = "".join(found.text)
    for words in ("<img onerror=alert(1) src=x>", "<script>alert(1)</script>", "<iframe src=//x>", "y" * 100_000):
        assert words in text
    # No attribute holds a word of it: our own are classes, places, labels and the page's policy.
    assert not [value for value in found.values if re.search(r"alert|onerror|y{9}|U\+", value)]


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
