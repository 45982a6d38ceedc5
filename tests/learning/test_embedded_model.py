"""The model in the package: what it is, and that it solves and proposes. Figures: its card, in `pretraining/weights`.

Bounds stand ten to twenty points below the card: so few tasks say no more, and a broken model is far below them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.components import WEIGHTS, open_components
from absolute_zero.config import Config, load
from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.evals.statistics import table
from absolute_zero.evals.suites import evaluate, suites
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.types import Grade, Status

FLOOR = {DEDUCTION: 0.6, ABDUCTION: 0.3, INDUCTION: 0.08}


@pytest.fixture(scope="module")
def config() -> Config:
    return load("laptop", ['sandbox.minimum_level="weak"', "propose.batch=20"])


@pytest.fixture(scope="module")
def parts(config: Config) -> Iterator[Components]:
    with open_components(config) as made:
        yield made


def test_it_is_small_and_of_the_promised_shape() -> None:
    shape = json.loads((WEIGHTS / "config.json").read_text())
    assert shape["hidden_size"] == 32 * shape["num_attention_heads"]
    assert shape["num_key_value_heads"] == 2
    assert shape["dtype"] == "bfloat16"
    weights = WEIGHTS / "model.safetensors"
    assert 2e6 <= weights.stat().st_size / 2 <= 8e6
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) <= 16 << 20


def test_it_solves_held_out_tasks(parts: Components, config: Config) -> None:
    tasks = suites(DOMAIN, 25)["held_out"]
    rows = table(evaluate(parts, tasks, config.sampling.drawing, Key(1), greedy=False))
    assert {kind: rows[kind]["pass_at_1"].value >= floor for kind, floor in FLOOR.items()} == dict.fromkeys(FLOOR, True)


def test_it_proposes(parts: Components, config: Config) -> None:
    buffer, valid, malformed, texts = Buffer(config, parts.task_types, parts.seeds), 0, 0, list[str]()
    for number in (1, 2):
        proposals = selfplay.propose(parts, buffer, config, Key(2).at(number))
        validations = selfplay.validate(number, proposals, parts, buffer, config)
        buffer.add([validation.task for validation in validations if validation.task])
        for validation in validations:
            valid += validation.valid
            result = validation.result
            malformed += isinstance(result, Grade) and result.status is Status.MALFORMED
            if validation.valid:
                texts.append(validation.proposal.completion.text)
    asked = 2 * 3 * config.propose.batch
    assert valid > 0.7 * asked
    assert malformed < 0.05 * asked
    assert len(set(texts)) > 0.9 * len(texts)


def test_its_card_says_what_it_is() -> None:
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert all(f"| {kind} |" in card for kind in KINDS)
    assert "azr pretrain" in card
    assert Path(WEIGHTS / "tokenizer.json").exists()
