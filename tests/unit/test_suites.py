"""The held-out suites: what they hold, that they are what the recipe makes, and that nobody trains on them."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from absolute_zero.components import held_out_families
from absolute_zero.domains.python import DOMAIN, read_payload
from absolute_zero.domains.python.novelty import digest, normal_form
from absolute_zero.domains.python.payload import INDUCTION, KINDS
from absolute_zero.domains.python.rows import suite_files
from absolute_zero.evals.suites import read_tasks, suites
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.families import FAMILIES, draw
from absolute_zero.pretraining.suites import INPUTS, PER_KIND, accepted_tasks, from_families, from_grammar
from absolute_zero.pretraining.traces.cases import find_case


def path(name: str) -> Path:
    return next(file for file in suite_files() if file.stem == name)


@pytest.mark.parametrize("name", sorted(PER_KIND))
def test_a_suite_has_its_tasks_and_no_program_twice_in_a_kind(name: str) -> None:
    tasks = read_tasks(path(name), DOMAIN)
    assert Counter(task.kind for task in tasks) == dict.fromkeys(KINDS, PER_KIND[name])
    programs = [(task.kind, normal_form(read_payload(task.payload).program)) for task in tasks]
    if name == "held_out":
        assert len(set(programs)) == len(programs)
    for task in tasks:
        assert len(read_payload(task.payload).pairs) == (INPUTS if task.kind == INDUCTION else 1)
    few = suites(DOMAIN, 5)[name]
    assert Counter(task.kind for task in few) == dict.fromkeys(KINDS, 5)
    assert [task.payload for task in few] == [tasks[task.id - 1].payload for task in few]


@pytest.mark.parametrize(("name", "source"), [("held_out", from_grammar), ("ood", from_families)])
def test_a_suite_is_what_its_recipe_makes(name: str, source: object) -> None:
    with Sandbox(minimum_level="weak") as sandbox:
        made = accepted_tasks(source(), 4, sandbox)  # type: ignore[operator]
    assert [task.payload for task in made] == [task.payload for task in suites(DOMAIN, 4)[name]]


def test_no_program_of_a_suite_enters_a_buffer() -> None:
    never = held_out_families(DOMAIN, ())
    for name in PER_KIND:
        programs = [read_payload(task.payload).program for task in read_tasks(path(name), DOMAIN)]
        assert all(digest(normal_form(program)) in never for program in programs)


def constructs(program: str) -> set[str]:
    """Sorts of nodes, names called, and which operator stands on which side: what a grammar is made of."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(program)):
        found.add(type(node).__name__)
        if isinstance(node, ast.Call):
            found.add(f"call {ast.unparse(node.func) if isinstance(node.func, ast.Name) else type(node.func).__name__}")
            if isinstance(node.func, ast.Attribute):
                found.add(f"call .{node.func.attr}")
        if isinstance(node, ast.For | ast.While | ast.ListComp):
            inner = sum(isinstance(part, ast.For | ast.While | ast.comprehension) for part in ast.walk(node))
            found.add(f"{type(node).__name__} over {inner}")
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
            found.add(f"{type(node.op).__name__} on {type(node.left.value).__name__}")
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Compare):
            found.add("arithmetic on a comparison")
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            found |= {f"one of several targets is a {type(part).__name__}" for part in node.elts}
        if isinstance(node, ast.While):
            found.add(f"while {type(node.test).__name__}")
            found |= {f"while with {type(part).__name__}" for part in ast.walk(node)}
        if isinstance(node, ast.Subscript):
            found.add(f"subscript of {type(node.value).__name__} in {type(node.ctx).__name__}")
    return found


def test_the_grammar_writes_none_of_the_families() -> None:
    known: set[str] = set()
    for number in range(600):
        known |= constructs(find_case(Dice(Key(5).at(number))).text)
    for name in FAMILIES:
        program, _ = draw(name, Dice(Key(0).at(name)))
        assert constructs(program) - known, f"{name} holds nothing that the grammar has not"
