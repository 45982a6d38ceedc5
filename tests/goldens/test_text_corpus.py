"""Golden corpus: ugly responses as language models write them, with what must come out of each and why.

The cases are TOML in `text_corpus/`, one file for tags, proposals, induction and solutions. Recipe: texts, results
and reasons were written by hand, in the manner of real model output and without a line of it; nothing was recorded
from the code under test. The numbers of cases are pinned, so that no fault can pass by emptying a file.
"""

import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.text import (
    Reason,
    read_input,
    read_inputs_and_message,
    read_output,
    read_program,
    read_program_and_input,
    thought_and_answer,
)
from absolute_zero.types import Refusal

CORPUS = Path(__file__).parent / "text_corpus"
FILES = {path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["case"] for path in sorted(CORPUS.glob("*.toml"))}
CASES: dict[str, dict[str, Any]] = {f"{file}: {case['name']}": case for file in FILES for case in FILES[file]}
PARTS: dict[str, Callable[[str], Any]] = {
    "output": read_output,
    "input": read_input,
    "program": read_program,
    "program_and_input": read_program_and_input,
}
FIELDS = {"name", "part", "text", "why", "opened", "count", "gives", "refused"}


def outcome(case: dict[str, Any]) -> list[str] | str:
    """The parts in their order, or the reason of the refusal."""
    answer = thought_and_answer(case["text"], case.get("opened", False))
    if isinstance(answer, Refusal):
        return answer.reason
    if case["part"] == "inputs_and_message":
        found = read_inputs_and_message(answer.text, case.get("count", 2))
        return found.reason if isinstance(found, Refusal) else [*found[0], found[1]]
    part = PARTS[case["part"]](answer.text)
    return part.reason if isinstance(part, Refusal) else [part] if isinstance(part, str) else list(part)


@pytest.mark.parametrize("name", CASES)
def test_what_must_come_out(name: str) -> None:
    case = CASES[name]
    assert outcome(case) == case.get("gives", case.get("refused")), case["why"]


def test_the_corpus_is_whole() -> None:
    counts = {"tags": 44, "proposals": 29, "induction": 11, "solutions": 44}
    assert {file: len(cases) for file, cases in FILES.items()} == counts
    assert len(CASES) == sum(map(len, FILES.values())), "two cases of a file have one name"
    for name, case in CASES.items():
        assert case.keys() <= FIELDS, name
        assert ("gives" in case) != ("refused" in case), name
        assert case["why"], name
    reasons = Counter(case["refused"] for case in CASES.values() if "refused" in case)
    assert reasons.keys() == set(Reason), "every reason has a case"
    assert sum(reasons.values()) >= 40
    assert len(CASES) - sum(reasons.values()) >= 40
