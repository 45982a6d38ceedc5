"""Figures in the documents are those of the records they name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "results"
NUMBER = re.compile(r"[+-]?\d+\.\d+")
KINDS = ("deduction", "abduction", "induction", "mean")


def record(name: str) -> Any:
    return json.loads((RECORDS / name).read_text(encoding="utf-8"))


def rows(text: str, head: str) -> dict[str, list[list[float]]]:
    """The table below a line that begins like this: the numbers of each cell, by the first cell of the row."""
    _, _, below = text.partition(f"\n{head}")
    table, _, _ = below.partition("\n\n")
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    return {first: [[float(number) for number in NUMBER.findall(cell)] for cell in rest] for first, *rest in cells}


def percent(shares: list[float]) -> Any:
    return pytest.approx([100 * share for share in shares], abs=0.0501)


@pytest.mark.parametrize(("suite", "place"), [("held_out", 0), ("ood", 1)])
def test_the_card_has_the_marks_of_its_record(suite: str, place: int) -> None:
    card = (ROOT / "src/absolute_zero/embedded/weights/README.md").read_text(encoding="utf-8")
    head = "| kind | n | greedy (0) |"
    table = rows("\n" + head + card.split(head)[place + 1], head)
    assert set(table) == set(KINDS)
    for kind, (_, *cells) in table.items():
        marks = record("base.json")["suites"][suite][kind]
        drawn = [marks["greedy"], *(marks["pass1"][how] for how in ("0.4", "0.7", "1")), marks["pass8"]["1"]]
        assert cells == [percent(shares) for shares in drawn]


def test_the_card_has_the_second_pretraining_of_its_record() -> None:
    card = (ROOT / "src/absolute_zero/embedded/weights/README.md").read_text(encoding="utf-8")
    again = record("again.json")["suites"]["held_out"]["1"]
    for kind in KINDS:
        value, low, high = again[kind]["t1"]["difference"]
        assert f"{kind} {value:+.1f} [{low:+.1f}, {high:+.1f}]" in " ".join(card.split())


def test_the_readme_has_the_gains_of_the_study() -> None:
    table = rows((ROOT / "README.md").read_text(encoding="utf-8"), "| held-out tasks | before, % |")
    assert len(table) == 7
    arms = record("learning.json")["arms"]
    for name, (before, seeds, long, control) in table.items():
        kind, _, how = name.partition(", ")
        kind, how = kind.replace("out of distribution", "ood_mean"), {"T=1": "t1", "pass@8": "pass8"}.get(how, how)
        results = arms["trained"]["results"]
        assert before == percent([results[0]["before"][kind][how][0]])
        assert seeds == percent(arms["trained"]["gains"][kind][how])
        assert long == percent(arms["long"]["results"][0]["difference"][kind][how])
        assert control == percent(arms["shuffled"]["gains"][kind][how])


def test_the_readme_shows_the_run_that_is_recorded() -> None:
    text, run = (ROOT / "README.md").read_text(encoding="utf-8"), record("make-train.json")
    drawn = {"T=1": "t1", "greedy": "greedy", "pass@8": "pass8"}
    lines = re.findall(rf"^(\w+) +({'|'.join(drawn)}) +(\d+\.\d.*)$", text, re.MULTILINE)
    assert len(lines) == 15
    for kind, how, numbers in lines:
        before, after, *gain = map(float, NUMBER.findall(numbers))
        assert [before] == percent(run["before"][kind][drawn[how]][:1])
        assert [after] == percent(run["after"][kind][drawn[how]][:1])
        assert gain == percent(run["difference"][kind][drawn[how]])
    assert f"{run['steps']} steps in {run['seconds']:.0f} s, {run['sampled_tokens']:,} tokens sampled" in text
