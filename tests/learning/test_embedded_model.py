"""The model in the package: what it is, and that it solves and proposes. Figures: its card, in `embedded/weights`.

Bounds stand ten to twenty points below the card: so few tasks say no more, and a broken model is far below them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config, load
from absolute_zero.evals.statistics import table
from absolute_zero.evals.triplets import evaluate, suites
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.run import WEIGHTS, open_components
from absolute_zero.types import Entry, Grade, Kind, Status

FLOOR = {Kind.DEDUCTION: 0.6, Kind.ABDUCTION: 0.3, Kind.INDUCTION: 0.08}


@pytest.fixture(scope="module")
def config() -> Config:
    return load("laptop", ['sandbox.minimum_level="weak"', "propose.batch=20"])


@pytest.fixture(scope="module")
def world(config: Config) -> Iterator[Components]:
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


def test_it_solves_held_out_tasks(world: Components, config: Config) -> None:
    found = table(evaluate(world, suites(25)["held_out"], config.sampling.drawing, Key(1), greedy=False))
    assert {kind: found[kind]["t1"].value >= floor for kind, floor in FLOOR.items()} == dict.fromkeys(FLOOR, True)


def test_it_proposes(world: Components, config: Config) -> None:
    buffer, valid, malformed, said = Buffer(config), 0, 0, list[str]()
    for number in (1, 2):
        drafts = selfplay.propose(world, buffer, config, Key(2).at(number))
        rulings = selfplay.gate(number, drafts, world, buffer)
        buffer.add([ruling.made for ruling in rulings if isinstance(ruling.made, Entry)])
        for ruling in rulings:
            valid += ruling.valid
            malformed += isinstance(ruling.made, Grade) and ruling.made.status is Status.MALFORMED
            if ruling.valid:
                said.append(ruling.draft.completion.text)
    asked = 2 * 3 * config.propose.batch
    assert valid > 0.7 * asked
    assert malformed < 0.05 * asked
    assert len(set(said)) > 0.9 * len(said)


def test_its_card_says_what_it_is() -> None:
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert all(f"| {kind} |" in card for kind in Kind)
    assert "azr pretrain" in card
    assert Path(WEIGHTS / "tokenizer.json").exists()
