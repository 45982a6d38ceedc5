"""The prompts themselves: nothing left unfilled, all that a proposer must know, and the compact ones to the letter."""

import re
from importlib.resources import files

import pytest

from absolute_zero import text
from absolute_zero.config import Config
from absolute_zero.domains.python import BRIEF, COMPACT, DOMAIN, LONG, task_of
from absolute_zero.domains.python.guard import ALLOWED_MODULES
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION
from absolute_zero.domains.python.prompts import NAMES, Prompts
from absolute_zero.ports import TaskType

FOLDER = files("absolute_zero.domains.python") / "templates"
SETS = ("brief", "compact", "long")
KINDS = (DEDUCTION, ABDUCTION, INDUCTION)
ASKED = [f"{role}_{kind}" for role in ("propose", "solve") for kind in KINDS]
NEXT = "def f(x):\n    return x + 1"
A = task_of(DEDUCTION, NEXT, [("2", "3")])
B = task_of(DEDUCTION, "def f(a, b):\n    return a * b", [("'x', 3", "'xxx'")])
PAIRS = task_of(INDUCTION, NEXT, [(str(n), str(n + 1)) for n in range(4)], "Next.")


def task_types(templates: str, **python: int) -> dict[str, TaskType]:
    cfg = Config.model_validate({"templates": templates, "python": python, "sandbox": {"cpu_seconds": 2.5}})
    return {task_type.kind: task_type for task_type in DOMAIN.task_types(cfg)}


def prompts(templates: str, **python: int) -> dict[str, str]:
    """All six, and what they look like without references: whole texts, or questions for a form to dress."""
    types = task_types(templates, **python)
    every = {f"propose_{kind}": types[kind].propose_prompt([A] if kind == INDUCTION else [A, B]) for kind in KINDS}
    every |= {f"solve_{kind}": types[kind].solve_prompt(PAIRS if kind == INDUCTION else A) for kind in KINDS}
    every |= {f"bare_{kind}": types[kind].propose_prompt([]) for kind in (DEDUCTION, ABDUCTION)}
    whole = templates == "compact"
    assert all(prompt.opens_thought == whole and bool(prompt.messages) != whole for prompt in every.values())
    return {name: prompt.shown for name, prompt in every.items()}


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_the_six_prompts(name: str) -> None:
    names = {file.name.removesuffix(".txt") for file in (FOLDER / name).iterdir()}
    assert names - {"rules"} == {*ASKED, "reference", "references"} == set(NAMES)


@pytest.mark.parametrize("name", SETS)
def test_every_placeholder_is_filled(name: str) -> None:
    for prompt in prompts(name).values():
        assert not re.findall(r"\$\{?\w+", prompt)
        assert prompt.endswith("<think>") == (name == "compact")
        assert prompt.count("<think>") == (name == "compact")


@pytest.mark.parametrize("name", SETS)
def test_a_placeholder_that_nobody_fills_is_an_error(name: str) -> None:
    for asked in ASKED:
        with pytest.raises(KeyError):
            Prompts(name).prompt(asked)


@pytest.mark.parametrize("name", SETS)
def test_what_is_put_in_is_never_looked_at_again(name: str) -> None:
    types, program = task_types(name), "def f(x):\n    return '$program $$ ${input} $rules'"
    trap = task_of(DEDUCTION, program, [("'$output'", "'$imports'")])
    for kind in (DEDUCTION, ABDUCTION):
        assert text.render_program(program) in types[kind].propose_prompt([trap]).shown
        assert text.render_input("'$output'") in types[kind].propose_prompt([trap]).shown
    assert text.render_program(program) in types[INDUCTION].propose_prompt([trap]).shown


def test_there_is_no_other_set() -> None:
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(SETS)
    assert tuple(FOLDER / name for name in SETS) == (BRIEF, COMPACT, LONG)


# --- long ---------------------------------------------------------------------------------------------------


def test_long_proposals_tell_the_rules() -> None:
    every = prompts("long")
    for kind in (DEDUCTION, ABDUCTION):
        for prompt in (every[f"propose_{kind}"], every[f"bare_{kind}"]):
            assert ", ".join(sorted(ALLOWED_MODULES)) in prompt
            assert "within 1.25 s" in prompt  # half of what an answer may take
            assert "```python\ndef f(...):" in prompt
            assert "```input\n...\n```" in prompt
        assert "made before, 2 of them" in every[f"propose_{kind}"]  # K, as many as there are
        assert "made before" not in every[f"bare_{kind}"]
    assert ", ".join(sorted(ALLOWED_MODULES)) in every["solve_induction"]


def test_long_induction_tells_its_numbers() -> None:
    prompt = prompts("long", inputs=12, message_characters=77)["propose_induction"]
    assert "12 inputs and a message" in prompt
    assert "Exactly 12 inputs" in prompt
    assert "for 6 of the inputs" in prompt
    assert "the other 6." in prompt
    assert "at least 3 different results" in prompt
    assert "at most 77 characters" in prompt
    assert "12 lines in all" in prompt
    odd = prompts("long", inputs=3)["propose_induction"]
    assert "for 1 of the inputs" in odd
    assert "the other 2." in odd
    assert "at least 2 different results" in prompts("long", inputs=2)["propose_induction"]


def test_long_prompts_are_one_language_without_loose_ends() -> None:
    for prompt in prompts("long").values():
        assert prompt.isascii()
        assert "  \n" not in prompt
        assert "\n\n\n\n" not in prompt


# --- compact: the embedded model is trained on exactly these -------------------------------------------------

GOLDEN = {
    "propose_deduction": """\
propose deduction
```python
def f(x):
    return x + 1
```
```input
2
```
```python
def f(a, b):
    return a * b
```
```input
'x', 3
```
<think>""",
    "bare_deduction": "propose deduction\n<think>",
    "propose_abduction": """\
propose abduction
```python
def f(x):
    return x + 1
```
```input
2
```
```python
def f(a, b):
    return a * b
```
```input
'x', 3
```
<think>""",
    "bare_abduction": "propose abduction\n<think>",
    "propose_induction": """\
propose induction 4
```python
def f(x):
    return x + 1
```
<think>""",
    "solve_deduction": """\
solve deduction
```python
def f(x):
    return x + 1
```
```input
2
```
<think>""",
    "solve_abduction": """\
solve abduction
```python
def f(x):
    return x + 1
```
```output
3
```
<think>""",
    "solve_induction": """\
solve induction
```message
Next.
```
```input
0
```
```output
1
```
```input
1
```
```output
2
```
<think>""",
}


def test_compact_prompts_to_the_letter() -> None:
    assert prompts("compact", inputs=4) == GOLDEN
