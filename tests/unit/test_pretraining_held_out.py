"""Programs that pretraining must not see: by what they do not share with others, not by their names and layout."""

import json
from pathlib import Path

import pytest

from absolute_zero.domains.python.novelty import normal_form
from absolute_zero.domains.python.rows import suite_files
from absolute_zero.pretraining.traces.documents import document
from absolute_zero.pretraining.training.held_out import HeldOut, read_held_out
from absolute_zero.types import UserError


def test_held_out_files(tmp_path: Path) -> None:
    programs = [document(3, number)[0].payload.program for number in range(40)]
    file = tmp_path / "held.jsonl"
    file.write_text("\n".join(json.dumps({"program": program}) for program in programs[:20]), encoding="utf-8")
    held = read_held_out([file])
    assert held is not None
    normal = {normal_form(program) for program in programs[:20]}
    for number in range(300):
        program = document(4, number)[0].payload.program
        assert held(program) == (normal_form(program) in normal)
    for program in programs[:20]:
        assert held(program)
        assert held(normal_form(program).replace("$", "name")), "names and layout do not matter"
    forms = list(map(normal_form, programs[:20]))
    assert HeldOut(forms).digest == held.digest == HeldOut(reversed(forms)).digest
    assert HeldOut(forms[1:]).digest != held.digest
    assert read_held_out([]) is None
    file.write_text("{}\n")
    with pytest.raises(UserError, match=r"held\.jsonl:1: not a JSON object with a Python function"):
        read_held_out([file])


def test_the_programs_of_the_suites_are_held_out() -> None:
    held = read_held_out(suite_files())
    assert held is not None
    programs = [json.loads(line)["program"] for file in suite_files() for line in file.read_text().splitlines()]
    assert [program for program in programs if not held(program)] == []


def test_held_out_shapes_are_seen_through_layout() -> None:
    held = HeldOut([normal_form("def f(total):\n    y = (total + 1)\n    return (y, 2)")])
    assert held("def f(x):\n    z = x + 1\n    return (z, 2)")
    assert not held("def f(x):\n    z = x + 2\n    return (z, 2)")
    text = HeldOut([normal_form("def f(total):\n    return f'{total + 1}: {total}'")])
    assert text("def f(x):\n    return f'{x + 1}: {x}'")
    assert not text("def f(x):\n    return f'{x + 2}: {x}'")
