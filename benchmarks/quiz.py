"""A quick look at a pretrained model: does it solve, does it propose, does it keep the form?

Tasks come from another stream of the same grammar, and answers are judged as self-play judges them. For comparing
designs while they are made; what is reported of a model is measured on the fixed held-out sets instead. Answers are
drawn by `transformers`, slowly.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import torch
from transformers import LlamaForCausalLM

from absolute_zero import text
from absolute_zero.domains.python.novelty import digest, facts, normal_form, probes
from absolute_zero.domains.python.payload import INDUCTION, KINDS, Payload, read_payload
from absolute_zero.executor import Sandbox
from absolute_zero.ports import TaskType
from absolute_zero.pretraining.traces.documents import EXAM, Document, documents, task_types
from absolute_zero.pretraining.training.tokenizer import load_tokenizer
from absolute_zero.types import Grade, Job, Proposal, Role, Status

LONGEST: Final = 320
"""Tokens of a response."""
STREAM: Final = 1 << 40
"""The seed of the quiz's documents: no training stream's."""


@final
@dataclass(slots=True)
class Tally:
    """What became of the responses of one form."""

    asked: int = 0
    formed: int = 0
    """Well formed, and not truncated."""
    right: int = 0
    """Solutions that are right; proposals that are valid: they run, the same way twice, to a value."""
    varied: int = 0
    """Valid proposals that read their input and are not constant on probes."""
    programs: set[str] = field(default_factory=set[str])
    tokens: int = 0
    examples: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Prompt, response, and what became of it."""

    def __str__(self) -> str:
        share = 100 / max(1, self.asked)
        return (
            f"asked {self.asked}  formed {share * self.formed:.0f}%  right {share * self.right:.0f}%"
            f"  varied {share * self.varied:.0f}%  distinct {len(self.programs)}"
            f"  tokens {self.tokens / max(1, self.asked):.0f}"
        )


Form = tuple[Role, str]


def quiz(folder: Path, count: int, temperature: float, seed: int = 0, device: str = "cpu") -> Mapping[Form, Tally]:
    """Ask the model in a folder `count` questions of each form. Temperature 0 is greedy."""
    torch.manual_seed(seed)
    tokenizer = load_tokenizer(folder)
    loader: Any = LlamaForCausalLM
    model = loader.from_pretrained(folder, dtype=torch.float32).to(device)
    asked = _questions(count)
    tallies = {form: Tally() for form in asked}
    with Sandbox(minimum_level="weak") as sandbox:
        for form, questions in asked.items():
            answers = _answers(model, tokenizer, [question.prompt for question in questions], temperature)
            _count(tallies[form], questions, answers, sandbox)
    return tallies


def _questions(count: int) -> dict[Form, list[Document]]:
    by_form: dict[Form, list[Document]] = {(role, kind): [] for role in (Role.SOLVE, Role.PROPOSE) for kind in KINDS}
    for drawn in documents(STREAM, EXAM):
        same = by_form[drawn.role, drawn.kind]
        if len(same) < count:
            same.append(drawn)
        elif all(len(questions) == count for questions in by_form.values()):
            return by_form
    raise AssertionError("the stream has no end")


def _answers(model: Any, tokenizer: Any, prompts: Sequence[str], temperature: float) -> list[tuple[str, int]]:
    """Return a response to each prompt and its length in tokens; a truncated one has no end."""
    answers: list[tuple[str, int]] = []
    tokenizer.padding_side = "left"
    drawing = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    for start in range(0, len(prompts), 64):
        batch = tokenizer(list(prompts[start : start + 64]), return_tensors="pt", padding=True).to(model.device)
        with torch.inference_mode():
            whole = model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=LONGEST, **drawing
            )
        for row in whole[:, batch["input_ids"].shape[1] :].tolist():
            kept = [token for token in row if token not in (tokenizer.pad_token_id, tokenizer.eos_token_id)]
            answers.append((tokenizer.decode(kept), len(kept)))
    return answers


def _count(tally: Tally, questions: Sequence[Document], answers: Sequence[tuple[str, int]], sandbox: Sandbox) -> None:
    for question, (response, tokens) in zip(questions, answers, strict=True):
        tally.asked += 1
        tally.tokens += tokens
        parts = text.thought_and_answer(response, opened=True)
        if isinstance(parts, text.Answer):
            tally.formed += 1
            became = _solved(question, parts.text, sandbox) if question.role is Role.SOLVE else ""
            became = became or _proposed(tally, question, parts.text, sandbox)
            tally.right += became in ("right", "valid", "constant")
            tally.varied += became == "valid"
        else:
            became = str(parts)
        tally.examples.append((question.prompt, response, became))


def _task_type(question: Document) -> TaskType:
    return task_types(len(question.payload.pairs) if question.kind == INDUCTION else 6)[question.kind]


def _solved(question: Document, answer: str, sandbox: Sandbox) -> str:
    task_type, task = _task_type(question), question.payload.task(question.kind)
    grade = task_type.check(task, answer)
    if isinstance(grade, Job):
        [outcome] = sandbox.run([grade])
        grade = task_type.check_result(task, outcome)
    return "right" if grade.status is Status.PASSED else grade.reason or "wrong"


def _proposed(tally: Tally, question: Document, answer: str, sandbox: Sandbox) -> str:
    task_type = _task_type(question)
    reference = Payload(question.payload.program, (("", ""),)).task(question.kind)
    proposal = task_type.parse_proposal([reference], answer)
    if not isinstance(proposal, Proposal):
        return proposal.reason
    [outcome] = sandbox.run([proposal.job])
    task = task_type.build_task(proposal, outcome)
    if isinstance(task, Grade):
        return task.reason
    payload = read_payload(task.payload)
    tally.programs.add(digest(normal_form(payload.program), *(argument for argument, _ in payload.pairs)))
    return _worth(payload, sandbox)


def _worth(payload: Payload, sandbox: Sandbox) -> str:
    asked = probes(payload.pairs[0][0])
    [outcome] = sandbox.run([Job(payload.program, asked)])
    known = facts(payload.program, payload.pairs, asked, outcome.results)
    return "valid" if known.reads and not known.constant else "constant"
