"""Tags, fences and parts, rule by rule, by hand; and that the work grows with the text and no faster."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from absolute_zero import text as room
from absolute_zero.text import (
    Answer,
    Reason,
    fenced,
    read_input,
    read_inputs_and_message,
    read_output,
    read_program,
    read_program_and_input,
    render_inputs_and_message,
    render_output,
    render_program,
    render_program_and_input,
    render_response,
    thought_and_answer,
)
from absolute_zero.types import Refusal

# --- tags ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("<think>a</think><answer>b</answer>", False, Answer("a", "b")),
        (" \n<think> a\n</think>\t\u3000<answer>\nb </answer>\n\n", False, Answer(" a\n", "\nb ")),
        ("<think></think><answer>b</answer>", False, Answer("", "b")),
        ("</think><answer>b</answer>", True, Answer("", "b")),
        ("\n a</think><answer>b</answer> ", True, Answer("\n a", "b")),
        ("<think>a</think><answer>b</answer>", True, Answer("<think>a", "b")),
        ("a</think><answer>b</answer>", False, Reason.NO_THOUGHT),
        ("", False, Reason.NO_THOUGHT),
        ("", True, Reason.OPEN_THOUGHT),
        (".<think>a</think><answer>b</answer>", False, Reason.OUTSIDE),
        ("<think>a</think>.<answer>b</answer>", False, Reason.OUTSIDE),
        ("<think>a</think><answer>b</answer>.", False, Reason.OUTSIDE),
        ("<think>a<answer>b</answer>", False, Reason.OPEN_THOUGHT),
        ("<think>a</think>", False, Reason.NO_ANSWER),
        ("<think>a</think>b</answer>", False, Reason.NO_ANSWER),
        ("<think>a</think><answer>b", False, Reason.OPEN_ANSWER),
        ("<think>a</think><answer>", False, Reason.OPEN_ANSWER),
        ("<think>a</think><answer> \n</answer>", False, Reason.EMPTY),
        ("<think>a</think><answer></answer>", False, Reason.EMPTY),
        ("<think>a</Think><answer>b</answer>", False, Reason.OPEN_THOUGHT),
        ("<think>a</think><answer >b</answer>", False, Reason.NO_ANSWER),
    ],
)
def test_the_format_rule(text: str, opened: bool, expected: Answer | Reason) -> None:
    found = thought_and_answer(text, opened)
    assert (found.reason if isinstance(found, Refusal) else found) == expected


@pytest.mark.parametrize("tag", ["<think>", "</think>", "<answer>", "</answer>"])
def test_a_tag_in_the_answer_is_text_only_where_it_cannot_be_another_answer(tag: str) -> None:
    def kept(answer: str) -> bool:
        found = thought_and_answer(f"</think><answer>{answer}</answer>", True)
        assert found in (Answer("", answer), Refusal(Reason.STRAY_TAG))
        return isinstance(found, Answer)

    assert kept(f"'{tag}'")
    assert kept(f"\n'{tag}', 1\n")
    assert kept(f"x='{tag}'")
    assert kept(f"f('{tag}')")
    assert kept(f"```python\n# {tag}\n```")
    assert kept(f"prose\n```\n{tag}\n```\nprose")
    assert not kept(f"1 {tag} 2")
    assert not kept(f"'1' {tag} '2'")
    assert not kept(f"5 # {tag}")
    assert not kept(f"'{tag}'\n'{tag}'")
    assert not kept(f"```output\n1\n```\n{tag}")
    assert not kept(f"'{tag}'\n```output\n1\n```")
    assert not kept(f"```output\n1\n{tag}")
    assert not kept(f"```output {tag}\n1\n```")
    assert not kept(f"```output\n1\n```{tag}\n```output\n2\n```")
    assert not kept(f"```\n{tag}\n```input\n1\n```")


# --- fences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("```input\n1\n```", "1"),
        ("```INPUT extra words\n1\n```", "1"),
        ("``` input\t\n1\n```  ", "1"),
        ("~~~input\n1\n~~~", "1"),
        ("`````input\n1\n```\n`````", "1\n```"),
        ("```input\n1\n`````", "1"),
        ("~~~input\n```\n~~~", "```"),
        ("```input\n~~~input\n```", "~~~input"),
        ("```input\n```", ""),
        ("```input\n\n```", ""),
        ("```input\n\n\n```", "\n"),
        ("   ```input\n   1,\n     2\n 3\n```", "1,\n  2\n3"),
        ("\t```input\n\t1\n\t```", "1"),
        ("```input\n1\n   ```", "1"),
        ("```input\n1\n    ```\n```", "1\n    ```"),
        ("```input\n1\n\t```\n```", "1\n\t```"),
        ("  ```input\n1\n     ```", "1"),
        ("```input\r\n1,\r\n2\r\n```\r\n", "1,\n2"),
        ("```input\n1\r\n2\r\n```", "1\r\n2\r"),
        ("```input\n1\n```x\n```", "1\n```x"),
        ("```input\n1\n```\n```input\n2\n```", "2"),
        ("```python\n```\n```input\n2\n```", "2"),
        ("```python\nno end\n```input\n2\n```", "2"),
        ("```input\n2\n```\n```python\nno end", "2"),
        ("```\n1\n```", "1"),
        ("~~~ \n1\n~~~", "1"),
        ("```input\n1\n```</answer>", "1"),
        (" 1, 'a' ", "1, 'a'"),
        ("f(1)", "1"),
        ("```input\n1", Reason.OPEN_BLOCK),
        ("```\n1", Reason.OPEN_BLOCK),
        ("```input\n1\n``", Reason.OPEN_BLOCK),
        ("```input\n1 ```", Reason.OPEN_BLOCK),
        ("```input\n1\n```output\n1\n```", Reason.OPEN_BLOCK),
        ("```input\n1\n```\n```input\n2", Reason.OPEN_BLOCK),
        ("```input\n1\n```js\n```input", Reason.OPEN_BLOCK),
        ("", Reason.NO_BLOCK),
        ("``input\n1\n``", Reason.NO_BLOCK),
        ("```input `1`\n```", Reason.OPEN_BLOCK),
        ("x ```input\n1\nx ```", Reason.NO_BLOCK),
        ("```inputs\n1\n```", Reason.NO_BLOCK),
        ("```input:\n1\n```", Reason.NO_BLOCK),
        ("```\n1\n```\n```\n2\n```", Reason.NO_BLOCK),
        ("1\n```python\n```", Reason.NO_BLOCK),
        ("1\n2", Reason.NO_BLOCK),
        ("'a'\r'b'", Reason.NO_BLOCK),
        ("'" + "a" * 70_000 + "'", Reason.NO_BLOCK),
    ],
)
def test_fences(answer: str, expected: str | Reason) -> None:
    found = fenced(answer, "input")
    assert (found.reason if isinstance(found, Refusal) else found) == expected
    assert isinstance(found, str) or found.detail == "input"


def test_bare_answers_are_inputs_and_outputs_only() -> None:
    assert read_output("1, 2") == read_input("1, 2") == "1, 2"
    assert read_output("x=1") == read_output("f(1)") == Refusal("no_block", "output")
    assert read_program("1") == Refusal("no_block", "python")
    assert fenced("'a'", "message") == Refusal("no_block", "message")


# --- parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("f(1, 2)", "1, 2"),
        (" f(\n1,\n2\n)\n", "\n1,\n2\n"),
        ("f()", ""),
        ("f('a)', x=(1, 2))", "'a)', x=(1, 2)"),
        ("f(1), f(2)", "f(1), f(2)"),
        ("f(1) or f(2)", "f(1) or f(2)"),
        ("f(1) + (2)", "f(1) + (2)"),
        ("f(g(1))", "f(g(1))"),
        ("f(1", "f(1"),
        ("g(1)", "g(1)"),
        ("F(1)", "F(1)"),
        (" 1 ", " 1 "),
    ],
)
def test_a_call_of_f_stands_for_its_arguments(written: str, expected: str) -> None:
    block = f"```input\n{written}\n```"
    assert read_input(block) == expected
    assert read_program_and_input("```python\np\n```\n" + block) == ("p", expected)
    assert read_inputs_and_message(block + "\n```message\nm\n```", 1) == ((expected,), "m")
    assert read_output(f"```output\n{written}\n```") == written, "an output is never a call"


def test_both_parts_of_a_proposal_need_their_label() -> None:
    assert read_program_and_input("```\n1\n```") == Refusal("no_block", "python")
    assert read_program_and_input("```python\np\n```\n```\n1\n```") == Refusal("no_block", "input")
    assert read_program_and_input("```python\np\n```\n1") == Refusal("no_block", "input")
    assert read_program_and_input("1") == Refusal("no_block", "python")


def test_as_many_inputs_as_were_asked_for() -> None:
    three = render_inputs_and_message(["1", "2", "3"], "m")
    assert read_inputs_and_message(three, 3) == (("1", "2", "3"), "m")
    for count in (2, 4):
        assert read_inputs_and_message(three, count) == Refusal("count", f"3 inputs, {count} were asked for")
    assert read_inputs_and_message(render_inputs_and_message([], "m"), 0) == ((), "m")
    assert read_inputs_and_message("```input\n1\n```", 1) == Refusal("no_block", "message")


# --- writing ------------------------------------------------------------------------------------------------


def test_a_response_reads_as_a_person_would_write_it() -> None:
    answer = render_program_and_input("def f(x):\n    return x", "1")
    assert answer == "```python\ndef f(x):\n    return x\n```\n```input\n1\n```"
    assert render_response("why", answer, opened=False) == f"<think>why</think><answer>{answer}</answer>"
    assert render_response("why", answer, opened=True) == f"why</think><answer>{answer}</answer>"


def test_the_fence_is_longer_than_any_inside() -> None:
    assert render_output("``") == "```output\n``\n```"
    assert render_output("```") == "````output\n```\n````"
    assert render_program("'``````' '`'") == "```````python\n'``````' '`'\n```````"


def test_a_thought_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="take that out of the thought"):
        render_response("a</think>b", "1", opened=True)


# --- work ---------------------------------------------------------------------------------------------------

work = 0
"""Characters that string methods and slices went over, and lines of Python run: a count, so no clock is asked."""


class Counted(str):
    """A string whose operations add to `work`, and give such strings again."""


def counting(name: str) -> Callable[..., Any]:
    plain = getattr(str, name)

    def counted(self: str, *args: Any) -> Any:
        global work
        found = plain(self, *args)
        work += len(found) if name == "__getitem__" else len(self)
        if isinstance(found, str):
            return Counted(found)
        return type(found)(map(Counted, found)) if isinstance(found, list | tuple) else found

    return counted


for method in dir(str):
    plain_too = ("__new__", "__init__", "__init_subclass__", "__class__", "__getattribute__", "__len__", "__str__")
    if callable(getattr(str, method)) and method not in (*plain_too, "__repr__", "__hash__", "__subclasshook__"):
        setattr(Counted, method, counting(method))


def work_of(job: Callable[[str], object], text: str) -> int:
    """What one call comes to, in `absolute_zero.text` and the strings it makes of its argument."""
    global work
    work = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        global work
        if frame.f_code.co_filename != room.__file__:
            return None
        work += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        job(Counted(text))
    finally:
        sys.settrace(before)
    return work


JOBS: dict[str, Callable[[str], object]] = {
    "closed": lambda text: thought_and_answer(text, False),
    "opened": lambda text: thought_and_answer(text, True),
    "inside": lambda text: thought_and_answer(Counted("</think><answer>" + text + "</answer>"), True),
    "input": read_input,
    "output": read_output,
    "program and input": read_program_and_input,
    "inputs and message": lambda text: read_inputs_and_message(text, 10),
}
# fmt: off
HOSTILE: dict[str, Callable[[int], str]] = {
    unit: lambda n, unit=unit: unit * (n // len(unit))
    for unit in (
        "`", "```\n", "```input\n", "```input\n```\n", "~~~", "````~~~~\n", " ```\n", "```</answer>\n", "\n", " ", "\t",
        "\r\n", "<", "<think>", "</think>", "<answer>", "</answer>", "<think></think><answer></answer>", 
        "</think> <answer>", "f(", "(", ")", "'", '"""', "#", "a ", "\0", "\ud800", "\\",
    )
} | {
    "rising fences": lambda n: "\n".join("`" * k for k in range(3, int((2 * n) ** 0.5))),
    "falling fences": lambda n: "\n".join("`" * k for k in range(int((2 * n) ** 0.5), 3, -1)),
    "deep fence, many lines": lambda n: " " * (n // 2) + "```input\n" + "```x\n" * (n // 10),
    "long fence, many lines": lambda n: "`" * (n // 2) + "input\n" + "```x\n" * (n // 10),
    "long label, many lines": lambda n: "```" + "a" * (n // 2) + "\n" + "```x\n" * (n // 10),
    "one open block": lambda n: "```input\n" + "x\n" * (n // 2),
    "blank lines in a deep block": lambda n: " " * 99 + "```input\n" + (" " * 199 + "\n") * (n // 200),
}
# fmt: on


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_text_and_no_faster(name: str) -> None:
    for job, call in JOBS.items():
        small, large = (work_of(call, HOSTILE[name](n)) for n in (3_000, 12_000))
        assert large <= 4.4 * small + 2_000, f"{job}: four times the text is {large / small:.1f} times the work"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_of_a_hundred_thousand_characters(name: str) -> None:
    for call in JOBS.values():
        call(HOSTILE[name](100_000))


def test_the_count_sees_what_is_quadratic() -> None:
    def slices(text: str) -> None:
        while text:
            text = text[1:]

    small, large = (work_of(slices, "a" * n) for n in (500, 2_000))
    assert large > 10 * small
