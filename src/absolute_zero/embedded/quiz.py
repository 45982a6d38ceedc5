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
from absolute_zero.config import Config, Propose
from absolute_zero.embedded.documents import EXAM, Document, documents
from absolute_zero.embedded.tokenizer import load_tokenizer
from absolute_zero.executor import Sandbox
from absolute_zero.novelty import digest, facts, normal_form, probes
from absolute_zero.ports import Task
from absolute_zero.tasks import make_tasks
from absolute_zero.types import Grade, Job, Kind, Problem, Proposal, Role, Status, Triplet

LONGEST: Final = 320
"""Tokens of a response."""
STREAM: Final = 1 << 40
"""The seed of the quiz's documents: no training stream's."""


@final
@dataclass(slots=True)
class EvalResult:
    """What became of the responses of one form."""

    asked: int = 0
    formed: int = 0
    """Well formed, and not cut."""
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


Form = tuple[Role, Kind]


def quiz(folder: Path, count: int, temperature: float, seed: int = 0, device: str = "cpu") -> Mapping[Form, EvalResult]:
    """Ask the model in a folder `count` questions of each form. Temperature 0 is greedy."""
    torch.manual_seed(seed)
    tokenizer = load_tokenizer(folder)
    loader: Any = LlamaForCausalLM
    model = loader.from_pretrained(folder, dtype=torch.float32).to(device)
    asked = _questions(count)
    marks = {form: EvalResult() for form in asked}
    with Sandbox(minimum_level="weak") as sandbox:
        for form, questions in asked.items():
            answers = _answers(model, tokenizer, [question.prompt for question in questions], temperature)
            _mark(marks[form], questions, answers, sandbox)
    return marks


def _questions(count: int) -> dict[Form, list[Document]]:
    found: dict[Form, list[Document]] = {(role, kind): [] for role in (Role.SOLVE, Role.PROPOSE) for kind in Kind}
    for one in documents(STREAM, EXAM):
        same = found[one.role, one.kind]
        if len(same) < count:
            same.append(one)
        elif all(len(questions) == count for questions in found.values()):
            return found
    raise AssertionError("the stream has no end")


def _answers(model: Any, tokenizer: Any, prompts: Sequence[str], temperature: float) -> list[tuple[str, int]]:
    """A response to each prompt and its length in tokens; one that was cut has no end."""
    made: list[tuple[str, int]] = []
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
            made.append((tokenizer.decode(kept), len(kept)))
    return made


def _mark(
    marks: EvalResult, questions: Sequence[Document], answers: Sequence[tuple[str, int]], sandbox: Sandbox
) -> None:
    for question, (response, tokens) in zip(questions, answers, strict=True):
        marks.asked += 1
        marks.tokens += tokens
        parts = text.thought_and_answer(response, opened=True)
        if isinstance(parts, text.Answer):
            marks.formed += 1
            became = _solved(question, parts.text, sandbox) if question.role is Role.SOLVE else ""
            became = became or _proposed(marks, question, parts.text, sandbox)
            marks.right += became in ("right", "valid", "constant")
            marks.varied += became == "valid"
        else:
            became = str(parts)
        marks.examples.append((question.prompt, response, became))


def _task(question: Document) -> Task:
    inputs = len(question.problem.pairs) if question.kind is Kind.INDUCTION else 6
    return make_tasks(Config(templates="compact", propose=Propose(inputs=inputs)))[question.kind]


def _solved(question: Document, answer: str, sandbox: Sandbox) -> str:
    task = _task(question)
    judged = task.judge(question.problem, answer)
    if isinstance(judged, Job):
        [outcome] = sandbox.run([judged])
        judged = task.decide(question.problem, outcome)
    return "right" if judged.status is Status.PASSED else judged.reason or "wrong"


def _proposed(marks: EvalResult, question: Document, answer: str, sandbox: Sandbox) -> str:
    task = _task(question)
    read = task.read([Triplet(question.problem.program, "", "")], answer)
    if not isinstance(read, Proposal):
        return read.reason
    [outcome] = sandbox.run([read.job])
    problem = task.mint(read, outcome)
    if isinstance(problem, Grade):
        return problem.reason
    marks.programs.add(digest(normal_form(problem.program), *(given for given, _ in problem.pairs)))
    return _worth(problem, sandbox)


def _worth(problem: Problem, sandbox: Sandbox) -> str:
    asked = probes(problem.pairs[0][0])
    [outcome] = sandbox.run([Job(problem.program, asked)])
    known = facts(problem, asked, outcome.results)
    return "valid" if known.reads and not known.constant else "constant"
