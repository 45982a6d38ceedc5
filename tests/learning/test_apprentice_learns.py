"""The loop teaches: an apprentice that moves with the advantages it is given gets better, and only then."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Apprentice
from absolute_zero.store import Store
from absolute_zero.training import train
from absolute_zero.types import Sample
from worlds import components, settings, watched

PARTS = ("solve deduction", "solve abduction", "solve induction")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(minimum_level="weak") as made:
        yield made


class Contrary:
    """An apprentice that is told the opposite."""

    def __init__(self) -> None:
        self.inner = Apprentice(rate=0.1)
        self.state = self.inner.state
        self.reply = self.inner.reply

    def learn(self, samples: Sequence[Sample]) -> object:
        return self.inner.learn([replace(sample, advantage=-sample.advantage) for sample in samples])


def skills(sandbox: Sandbox, path: Path, script: Apprentice | Contrary, **changed: object) -> dict[str, float]:
    cfg = settings(steps=25, **changed)
    with Store.open(path, rollouts="none") as store:
        for _ in train(components(watched(sandbox, script), cfg), store, cfg):  # pyright: ignore[reportArgumentType]
            pass
    return script.state


def test_it_learns_every_kind(sandbox: Sandbox, tmp_path: Path) -> None:
    after = skills(sandbox, tmp_path / "run.db", Apprentice(rate=0.1))
    assert all(after[part] > 0.5 for part in PARTS)  # logits; it began at -1


def test_it_learns_from_practice_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    after = skills(sandbox, tmp_path / "run.db", Apprentice(rate=0.1), solve={"n_difficulty": 2, "n_practice": 4})
    assert all(after[part] > 0.5 for part in PARTS)


def test_it_unlearns_if_advantages_are_turned_round(sandbox: Sandbox, tmp_path: Path) -> None:
    after = skills(sandbox, tmp_path / "run.db", Contrary())
    assert all(after[part] < -1 for part in PARTS)
