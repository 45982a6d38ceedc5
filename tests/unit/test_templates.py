"""The prompts themselves: nothing left unfilled, all that a proposer must know, and the compact ones to the letter."""

import re
from importlib.resources import files

import pytest

from absolute_zero import text
from absolute_zero.config import Config
from absolute_zero.executor.guard import ALLOWED_MODULES
from absolute_zero.tasks import Prompts, make_tasks
from absolute_zero.types import Kind, Problem, Triplet

FOLDER = files("absolute_zero.tasks") / "templates"
SETS = ("compact", "long")
ASKED = [f"{role}_{kind}" for role in ("propose", "solve") for kind in Kind]
A = Triplet("def f(x):\n    return x + 1", "2", "3")
B = Triplet("def f(a, b):\n    return a * b", "'x', 3", "'xxx'")
PAIR = Problem(Kind.DEDUCTION, A.program, ((A.input, A.output),))
PAIRS = Problem(Kind.INDUCTION, A.program, tuple((str(n), str(n + 1)) for n in range(4)), "Next.")


def prompts(templates: str, **propose: int) -> dict[str, str]:
    """All six, and what they look like without references."""
    tasks = make_tasks(
        Config.model_validate({"templates": templates, "propose": propose, "sandbox": {"cpu_seconds": 2.5}})
    )
    made = {f"propose_{kind}": task.ask([A] if kind is Kind.INDUCTION else [A, B]) for kind, task in tasks.items()}
    made |= {f"solve_{kind}": task.pose(PAIRS if kind is Kind.INDUCTION else PAIR) for kind, task in tasks.items()}
    made |= {f"bare_{kind}": tasks[kind].ask([]) for kind in (Kind.DEDUCTION, Kind.ABDUCTION)}
    return made


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_the_six_prompts(name: str) -> None:
    found = {file.name.removesuffix(".txt") for file in (FOLDER / name).iterdir()}
    assert found - {"rules"} == {*ASKED, "reference", "references"}


@pytest.mark.parametrize("name", SETS)
def test_every_placeholder_is_filled(name: str) -> None:
    for prompt in prompts(name).values():
        assert not re.findall(r"\$\{?\w+", prompt)
        assert prompt.endswith("<think>")
        assert prompt.count("<think>") == (1 if name == "compact" else 2)


@pytest.mark.parametrize("name", SETS)
def test_a_placeholder_that_nobody_fills_is_an_error(name: str) -> None:
    for asked in ASKED:
        with pytest.raises(KeyError):
            Prompts(name).fill(asked)


@pytest.mark.parametrize("name", SETS)
def test_what_is_put_in_is_never_looked_at_again(name: str) -> None:
    tasks = make_tasks(Config.model_validate({"templates": name}))
    trap = Triplet("def f(x):\n    return '$program $$ ${input} $rules'", "'$output'", "'$imports'")
    for kind in (Kind.DEDUCTION, Kind.ABDUCTION):
        assert text.render_program(trap.program) in tasks[kind].ask([trap])
        assert text.render_input(trap.input) in tasks[kind].ask([trap])
    assert text.render_program(trap.program) in tasks[Kind.INDUCTION].ask([trap])


def test_there_is_no_other_set() -> None:
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(SETS)


# --- long ---------------------------------------------------------------------------------------------------


def test_long_proposals_tell_the_rules() -> None:
    made = prompts("long")
    for kind in (Kind.DEDUCTION, Kind.ABDUCTION):
        for prompt in (made[f"propose_{kind}"], made[f"bare_{kind}"]):
            assert ", ".join(sorted(ALLOWED_MODULES)) in prompt
            assert "within 1.25 s" in prompt  # half of what an answer may take
            assert "```python\ndef f(...):" in prompt
            assert "```input\n...\n```" in prompt
        assert "made before, 2 of them" in made[f"propose_{kind}"]  # K, as many as there are
        assert "made before" not in made[f"bare_{kind}"]
    assert ", ".join(sorted(ALLOWED_MODULES)) in made["solve_induction"]


def test_long_induction_tells_its_numbers() -> None:
    prompt = prompts("long", inputs=12, message_characters=77)["propose_induction"]
    assert "12 inputs and a message" in prompt
    assert "Exactly 12 inputs" in prompt
    assert "for 6 of the inputs" in prompt
    assert "the other 6." in prompt
    assert "at least 3 different results" in prompt
    assert "at most 77 characters" in prompt
    assert "12 input blocks" in prompt
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
