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
STUDY = "| held-out tasks | before, % |"
RESULTS = ROOT / "docs" / "results.md"


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
    card = (ROOT / "src/absolute_zero/pretraining/weights/README.md").read_text(encoding="utf-8")
    head = "| kind | n | greedy (0) |"
    table = rows("\n" + head + card.split(head)[place + 1], head)
    assert set(table) == set(KINDS)
    for kind, (_, *cells) in table.items():
        marks = record("base.json")["suites"][suite][kind]
        drawn = [marks["greedy"], *(marks["pass1"][how] for how in ("0.4", "0.7", "1")), marks["pass8"]["1"]]
        assert cells == [percent(shares) for shares in drawn]


def test_the_card_has_the_second_pretraining_of_its_record() -> None:
    card = (ROOT / "src/absolute_zero/pretraining/weights/README.md").read_text(encoding="utf-8")
    again = record("again.json")["suites"]["held_out"]["1"]
    for kind in KINDS:
        value, low, high = again[kind]["t1"]["difference"]
        assert f"{kind} {value:+.1f} [{low:+.1f}, {high:+.1f}]" in " ".join(card.split())


@pytest.mark.parametrize("page", [ROOT / "README.md", RESULTS], ids=lambda page: page.name)
def test_pages_have_the_gains_of_the_study(page: Path) -> None:
    """The page of results has every row; README those that it shows."""
    text = page.read_text(encoding="utf-8")
    table = rows(text, STUDY)
    assert len(table) == 7 or (table and page != RESULTS)
    _, *columns = [column.strip() for column in text[text.index(STUDY) :].partition("\n")[0].strip("|").split("|")]
    arms = record("learning.json")["arms"]
    for name, cells in table.items():
        kind, _, how = name.partition(", ")
        kind, how = kind.replace("out of distribution", "ood_mean"), {"pass@1": "t1", "pass@8": "pass8"}.get(how, how)
        recorded = {
            "before, %": [arms["trained"]["results"][0]["before"][kind][how][0]],
            "gain in points, seeds 0, 1, 2": arms["trained"]["gains"][kind][how],
            "300 steps, seed 0": arms["long"]["results"][0]["difference"][kind][how],
            "advantages shuffled, seeds 0, 1, 2": arms["shuffled"]["gains"][kind][how],
        }
        assert cells == [percent(recorded[column]) for column in columns], name


def test_the_run_that_is_shown_is_recorded() -> None:
    text, run = RESULTS.read_text(encoding="utf-8"), record("make-train.json")
    metrics = {"pass@1": "t1", "greedy": "greedy", "pass@8": "pass8"}
    lines = re.findall(rf"^(\w+) +({'|'.join(metrics)}) +(\d+\.\d.*)$", text, re.MULTILINE)
    assert len(lines) == 15
    for kind, how, numbers in lines:
        before, after, *gain = map(float, NUMBER.findall(numbers))
        assert [before] == percent(run["before"][kind][metrics[how]][:1])
        assert [after] == percent(run["after"][kind][metrics[how]][:1])
        assert gain == percent(run["difference"][kind][metrics[how]])
    assert f"{run['steps']} steps in {run['seconds']:.0f} s, {run['sampled_tokens']:,} tokens sampled" in text


def test_the_run_on_another_processor_is_recorded() -> None:
    text, run = " ".join(RESULTS.read_text(encoding="utf-8").split()), record("make-train-intel.json")
    _, _, text = text.partition("## On another processor")
    text, _, _ = text.partition("## ")
    shown = [float(number) for number in NUMBER.findall(text)]
    gains = [("mean", "t1"), ("mean", "greedy"), ("deduction", "t1"), ("deduction", "greedy"), ("abduction", "t1"),
             ("induction", "t1"), ("ood_mean", "t1")]  # fmt: skip
    assert shown == percent([value for kind, how in gains for value in run["difference"][kind][how]])
    assert f"took {run['seconds_with_installation'] / 60:.0f} minutes" in text
    assert f"a step took {run['seconds_of_a_step']['median']:.0f} seconds" in text


def test_the_proposer_of_the_study_is_recorded() -> None:
    text, arms = RESULTS.read_text(encoding="utf-8"), record("learning.json")["arms"]
    runs = [*arms["trained"]["proposals"], *arms["long"]["proposals"]]
    _, _, below = text.partition("\n| | seed 0 |")
    table = [line.strip("|").split("|")[1:] for line in below.partition("\n\n")[0].splitlines() if " to " in line]
    valid, behaviours, nodes = [[[float(end) for end in cell.split(" to ")] for cell in row] for row in table]
    quarters = [(run[0], run[-1]) for run in runs]
    assert valid == [
        pytest.approx([100 * sum(end["valid"].values()) / 3 for end in ends], abs=0.501) for ends in quarters
    ]
    assert behaviours == [pytest.approx([end["behaviours_per_100"] for end in ends], abs=0.501) for ends in quarters]
    assert nodes == [pytest.approx([end["live_nodes"] for end in ends], abs=0.0501) for ends in quarters]


def test_the_costs_of_the_executor_are_recorded() -> None:
    text = (ROOT / "docs" / "executor.md").read_text(encoding="utf-8")
    folder = ROOT / "benchmarks" / "results"
    names = ("executor-2026-11-22-amd-epyc-2c.json", "executor-2026-11-28-intel-r-xeon-r-processor-2c.json")
    records = [json.loads((folder / name).read_text(encoding="utf-8"))["rows"] for name in names]
    amd, intel = ({row["name"]: row["median"] for row in own if "median" in row} for own in records)
    shown = [
        (amd["isolated programs, trivial"], 870, 10), (amd["isolated programs, real-looking"], 590, 10),
        (amd["inputs, 10 per program"], 7_200, 100), (amd["isolated / rlimits-only"], 1.01, 0.01),
        (amd["new interpreter / isolated"], 7.7, 0.1), (amd["two lanes / one lane"], 1.9, 0.1),
        (amd["latency of a single job, p50"], 1.7, 0.1), (amd["latency of a single job, p95"], 2.3, 0.1),
        (amd["judge_deduction"], 49_000, 1_000), (intel["isolated programs, trivial"], 498, 1),
        (intel["isolated programs, trivial, four runs"], 144, 1), (intel["new interpreter / isolated"], 6.2, 0.1),
        (intel["memory per worker (PSS of 8 processes)"], 41, 1),
    ]  # fmt: skip
    for recorded, rounded, unit in shown:
        assert rounded == pytest.approx(recorded, abs=unit / 2)
        assert f"{rounded:,}" in text
