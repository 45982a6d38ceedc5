"""The report of any domain: kinds with any names, tasks as their domain shows them, and pages without it."""

import json
import re
from pathlib import Path

import pytest

from absolute_zero.report.figures import gather
from absolute_zero.report.sections import colour
from absolute_zero.report.texts import TaskTexts
from absolute_zero.store import Store
from absolute_zero.types import Task
from made_up import ODD_KINDS, MadeUp, write
from strict_page import report


def test_kinds_come_in_the_order_of_the_settings_or_of_the_store(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", MadeUp(steps=2, batch=2, trials=2, kinds=("b", "a", "c")))
    with Store.read(folder / "run.db") as store:
        assert gather(store).kinds == ["b", "a", "c"]
        figures = gather(store, kinds=["never", "c", "b"])
    assert figures.kinds == ["c", "b", "a"]
    # A kind keeps the colour of its position, also where another was never played; what is no kind has none of its own.
    assert [colour(figures, kind) for kind in ("never", "c", "b", "a", "mean")] == ["k0", "k1", "k2", "k3", "all"]
    figures.colours = {str(number): number for number in range(10)}
    assert [colour(figures, kind) for kind in ("7", "8", "9")] == ["k7", "k0", "k1"]


def test_kinds_with_odd_names_have_every_part(tmp_path: Path) -> None:
    page = report(write(tmp_path / "run", MadeUp(steps=12, batch=4, trials=4, kinds=ODD_KINDS)))
    [empty] = [words for words in re.findall(r'class="empty">([^<]*)', page) if words != "No other clocks are stored."]
    assert empty.startswith("This version of azr cannot load the settings")  # there is no such kind in its domain
    for index, kind in enumerate(("x_mean", "k1", f"{ODD_KINDS[2][:40]}…", "Übung", "mean-free")):
        for words in ("solver success rate", "mean reward", "successes in 4 rollouts", "new behaviours"):
            assert f'<figure class="panel k{index}"><figcaption><b>{kind}: {words}</b>' in page
        assert f'<span class="k{index} row">{kind}</span>' in page
    for row in ("mean", "ood mean"):
        assert f'<span class="all row">{row}</span>' in page


def test_tasks_are_shown_by_their_domain(tmp_path: Path) -> None:
    page = report(write(tmp_path / "run", MadeUp(steps=3, batch=4, trials=2)))
    assert "deduction: characters of its longest text" in page
    for label in ("program", "input", "answer", "message", "input (6)"):
        assert f"<b>{label}</b><pre" in page
    assert "shown as they are stored" not in page
    assert '<div class="verbatim answer"><b>answer</b><pre dir="ltr">3</pre></div>' in page


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"domain": "nobody_has:it"}, "nobody_has"),
        ({"domain": 3}, "domain"),
        ({"kinds": ["deduction", "seduction"]}, "seduction"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_without_its_domain_a_task_is_its_payload(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    folder = write(tmp_path / "run", MadeUp(steps=3, batch=4, trials=2))
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    page = report(folder)
    [note] = re.findall(r"<p[^>]*>(Tasks are shown as they are stored[^<]*)</p>", page)
    assert why in note
    assert "<b>payload</b><pre" in page
    assert "deduction: characters of its longest text" in page
    assert "<code>def f(x):</code>" in page  # the title, which the payload does not begin with


class Shows:
    """A task type whose `show` gives, or raises, what it is told."""

    def __init__(self, gives: object) -> None:
        self.gives = gives

    def show(self, task: Task) -> object:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


@pytest.mark.parametrize("gives", [ValueError("two\nlines"), None, [("label",)], [("label", 3)], [], 7])
def test_a_domain_that_shows_nothing_costs_the_page_nothing(gives: object) -> None:
    texts = TaskTexts({"sum": Shows(gives)})  # type: ignore[dict-item]
    assert texts.parts(Task("sum", "1 + 1")) == [("payload", "1 + 1")]
    assert (texts.note == "") == (gives == [])
    assert "\n" not in texts.note
    assert texts.parts(Task("other", "2")) == [("payload", "2")]
