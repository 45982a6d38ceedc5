"""Forms: what a prompt looks like to a model, and what is read from what it writes. No numbers of a real model."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.forms import Example, Form, Slot, natural
from absolute_zero.ports import Chat
from absolute_zero.text import LABELS, TAGS, Answer, Reason, render_block, split_blocks, thought_and_answer
from absolute_zero.types import Completion, Grade, Message, Prompt, Refusal, Role, Status

SOLVE: Slot = ("deduction", Role.SOLVE)
ASKED = Prompt(messages=(Message("user", "1 + 1?"),))
WORKED = Example(Prompt(messages=(Message("user", "1 + 2?"),)), "one more than 2", "```output\n3\n```")
OUTPUT: dict[Slot, tuple[str, ...]] = {SOLVE: ("output",)}
NATURAL = Form(reading="natural", labels=OUTPUT)


def completion(text: str) -> Completion:
    return Completion(text, (1,), (0.0,))


def roles(prompt: Prompt) -> list[str]:
    return [message.role for message in prompt.messages]


# --- asking -------------------------------------------------------------------------------------------------


def test_a_whole_text_is_taken_as_it_is() -> None:
    prompt = Prompt("solve deduction\n<think>", opens_thought=True)
    for form in (Form(), Form(chat=Chat()), NATURAL):
        assert form.dress(SOLVE, prompt) == prompt


def test_worked_examples_of_a_whole_text_stand_before_it() -> None:
    whole = Example(Prompt("1 + 2?\n<think>", opens_thought=True), "easy", "3")
    form = Form(examples={SOLVE: (whole,)})
    prompt = form.dress(SOLVE, Prompt("1 + 1?\n<think>", opens_thought=True))
    assert prompt.text == "1 + 2?\n<think>easy</think><answer>3</answer>\n\n1 + 1?\n<think>"
    assert prompt.opens_thought


def test_a_question_as_plain_text_is_the_papers_conversation() -> None:
    prompt = Form().dress(SOLVE, ASKED)
    assert prompt.text == (
        "A conversation between a user and an assistant. The assistant thinks first, between <think> and </think>, and"
        " then answers, between <answer> and </answer>. It writes nothing outside these tags.\n\nUser: 1 +"
        " 1?\n\nAssistant: <think>"
    )
    assert prompt.opens_thought
    shown = Form(examples={SOLVE: (WORKED,)}, system="Be brief.").dress(SOLVE, ASKED).text
    assert shown.startswith("Be brief.\n\nA conversation")
    assert "User: 1 + 2?\n\nAssistant: <think>\none more than 2\n</think>\n<answer>\n```output\n3\n```\n" in shown


def test_without_tags_nothing_speaks_of_them() -> None:
    for chat in (None, Chat()):
        form = Form(reading="natural", chat=chat, tagged=False, examples={SOLVE: (WORKED,)})
        prompt = form.dress(SOLVE, ASKED)
        assert not any(tag in prompt.shown for tag in TAGS)
        assert "one more than 2\n\n```output\n3\n```" in prompt.shown
        assert not prompt.opens_thought
    assert Form(tagged=False).stops(Role.SOLVE) == ("</answer>", "\n\nUser:")


def test_a_chat_has_the_instruction_the_examples_and_the_beginning_of_the_response() -> None:
    prompt = Form(chat=Chat(), examples={SOLVE: (WORKED,)}, system="Be brief.").dress(SOLVE, ASKED)
    assert roles(prompt) == ["system", "user", "assistant", "user", "assistant"]
    assert prompt.messages[0].content.startswith("Be brief.\n\nThink first, between <think>")
    assert prompt.messages[-1] == Message("assistant", "<think>\n")
    assert prompt.opens_thought
    none = Form(chat=Chat(), opening="none").dress(SOLVE, ASKED)
    assert roles(none) == ["system", "user"]
    assert not none.opens_thought


def test_a_chat_template_that_opens_the_thought_needs_no_tag() -> None:
    prompt = Form(chat=Chat(opens_thought=True)).dress(SOLVE, ASKED)
    assert roles(prompt) == ["system", "user"]
    assert prompt.opens_thought


def test_a_chat_template_without_system_messages_gets_the_words_in_the_first_turn() -> None:
    for examples in (dict[Slot, tuple[Example]](), {SOLVE: (WORKED,)}):
        prompt = Form(chat=Chat(takes_system=False), examples=examples).dress(SOLVE, ASKED)
        assert "system" not in roles(prompt)
        assert prompt.messages[0].content.startswith("Think first")


def test_a_chat_template_that_drops_thoughts_gets_the_examples_in_the_question() -> None:
    prompt = Form(chat=Chat(keeps_thoughts=False), examples={SOLVE: (WORKED,)}).dress(SOLVE, ASKED)
    assert roles(prompt) == ["system", "user", "assistant"]
    assert "one more than 2" in prompt.messages[1].content
    assert prompt.messages[1].content.endswith("Your task:\n\n1 + 1?")


def test_a_prompt_may_begin_the_response_itself() -> None:
    own = Prompt(messages=(*ASKED.messages, Message("assistant", "It is")))
    for form in (Form(chat=Chat()), replace(NATURAL, chat=Chat())):
        assert form.dress(SOLVE, own).messages[-1] == Message("assistant", "It is")
    assert Form().dress(SOLVE, own).text.endswith("User: 1 + 1?\n\nAssistant: It is")


def test_a_fence_is_opened_where_the_answer_is_one_block() -> None:
    form = Form(reading="natural", chat=Chat(), opening="fence", labels={**OUTPUT, ("d", Role.PROPOSE): ("a", "b")})
    prompt = form.dress(SOLVE, ASKED)
    assert prompt.messages[-1] == Message("assistant", "```output\n")
    assert form.stops(Role.SOLVE) == ("</answer>", "\n```")
    assert form.stops(Role.PROPOSE) == ("</answer>",)
    assert roles(form.dress(("d", Role.PROPOSE), ASKED)) == ["system", "user"]
    answer = form.read(SOLVE, prompt, completion("2\n```"))
    assert isinstance(answer, Answer)
    assert answer.text == "```output\n2\n```"


def test_a_models_own_tags_are_asked_for_and_read() -> None:
    tags = ("[THINK]", "[/THINK]", "<ans>", "</ans>")
    form = Form(chat=Chat(), tags=tags, examples={SOLVE: (WORKED,)})
    prompt = form.dress(SOLVE, ASKED)
    assert prompt.opens_thought
    assert not any(tag in prompt.shown for tag in TAGS)
    assert form.stops(Role.SOLVE) == ("</ans>",)
    assert form.read(SOLVE, prompt, completion("hm[/THINK]<ans>2</ans>")) == Answer("hm", "2")


# --- reading ------------------------------------------------------------------------------------------------


def test_a_response_without_tokens_or_truncated() -> None:
    prompt = Prompt("solve deduction\n<think>", opens_thought=True)
    whole = completion("</think><answer>1</answer>")
    assert Form().read(SOLVE, prompt, whole) == Answer("", "1")
    for form in (Form(), NATURAL):
        truncated = form.read(SOLVE, prompt, replace(whole, truncated=True))
        assert (truncated.status, truncated.reason) == (Status.MALFORMED, "truncated")  # type: ignore[union-attr]
        none = form.read(SOLVE, prompt, Completion("", (), (), truncated=True))
        assert (none.status, none.reason) == (Status.MASKED, "prompt_too_long")  # type: ignore[union-attr]
    closed = Form().read(SOLVE, Prompt("no tag at the end"), whole)
    assert isinstance(closed, Grade)
    assert closed.status is Status.MALFORMED


def test_the_tag_of_the_answer_ends_an_open_block_in_the_natural_form() -> None:
    """A small model forgets the fence more often than the tag."""
    prompt = Prompt("?", opens_thought=True)
    response = completion("a = 5\n</think>\n<answer>\n```output\n5\n</answer>")
    assert NATURAL.read(SOLVE, prompt, response) == Answer("a = 5\n", "```output\n5\n```", strict=False)
    loose = completion("a = 5\n<answer>\n```output\n5\n</answer>")
    read = NATURAL.read(SOLVE, prompt, loose)
    assert isinstance(read, Answer)
    assert read.text == "```output\n5\n```"


FENCED = "```output\n2\n```"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (f"so it is\n{FENCED}", FENCED),
        (f"<think>so it is</think>\n{FENCED}", FENCED),
        (f"<think>so it is</think>\n<answer>\n{FENCED}", FENCED),  # closed by the end token
        (f"<think>so it is\n<answer>\n{FENCED}\n</answer>", FENCED),  # a thought without an end
        (f"so it is\n</think>\nThe answer:\n{FENCED}\nDone.", FENCED),
        (f"```output\n1\n```\nNo:\n{FENCED}", f"```output\n1\n```\n{FENCED}"),  # the last counts, for its reader
        ("it is\n```\n2\n```", FENCED),
        ("```python\nf(1)\n```\nit is\n```text\n2\n```", FENCED),
        ("<think>so</think><answer>2", "2"),
        ("<answer>\n2\n", "\n2\n"),
    ],
)
def test_the_natural_form_reads_what_can_mean_only_one_thing(response: str, answer: str) -> None:
    read = natural(response, ("output",))
    assert isinstance(read, Answer)
    assert (read.text, read.strict) == (answer, False)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("it is 2", Reason.NO_BLOCK),
        ("", Reason.NO_ANSWER),
        ("hm</think>", Reason.NO_ANSWER),
        ("<answer> ", Reason.EMPTY),
        ("```output\n2", Reason.OPEN_BLOCK),
        ("```output\n1\n```\n```output\n2", Reason.OPEN_BLOCK),
        ("```python\n2\n```", Reason.NO_BLOCK),
        (f"{FENCED}\n</think>\nI do not know.", Reason.NO_BLOCK),
    ],
)
def test_the_natural_form_refuses_what_is_no_answer(response: str, reason: Reason) -> None:
    read = natural(response, ("output",))
    assert isinstance(read, Refusal)
    assert read.reason == reason


def test_without_labels_the_last_block_or_line_is_the_answer() -> None:
    assert natural("so\n```sql\nSELECT 1\n```\n", ()) == Answer("so", "SELECT 1", False)
    assert natural("first\n\nthe value is\n42\n", ()) == Answer("first\n\nthe value is", "42", False)
    assert natural("so <answer>42</answer>", ()) == Answer("so", "42", False)


PARTS = st.lists(
    st.sampled_from([*TAGS, "\n", "```", "```output\n", "```python\n", "\n```\n", "2", "text ", "~~~"]), max_size=14
).map("".join)


@given(PARTS | st.text(max_size=40), st.booleans())
def test_the_natural_form_is_total_and_reads_the_strict_one_alike(response: str, opened: bool) -> None:
    prompt = Prompt("?", opens_thought=opened)
    for labels in ((), ("output",), LABELS):
        read = replace(NATURAL, labels={SOLVE: labels}).read(SOLVE, prompt, completion(response))
        strict = thought_and_answer(response, opened)
        if isinstance(strict, Answer) and all(block.closed for block in split_blocks(strict.text, labels)[0]):
            assert read == strict
        assert isinstance(read, Answer | Grade)


@given(st.text(max_size=30), st.sampled_from(["\n", " so:\n", "</think>\n", "</think><answer>"]))
def test_what_is_written_in_a_block_is_read_back(content: str, before: str) -> None:
    read = natural(f"hm{before}{render_block('output', content)}", ("output",))
    assert isinstance(read, Answer)
    assert read.text == render_block("output", content)


# --- the schedule -------------------------------------------------------------------------------------------


def test_strictness_grows_to_its_step() -> None:
    form = replace(NATURAL, strict_by=4)
    assert [form.strictness(step) for step in (-3, 0, 1, 2, 4, 9)] == [0, 0, 0.25, 0.5, 1, 1]
    assert NATURAL.strictness(100) == 0
