"""An estimator that remembers: its state goes from step to step, is plain data, and a resumed run goes on with it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from absolute_zero import selfplay
from absolute_zero.advantages import ESTIMATORS
from absolute_zero.ports import Estimator, State
from absolute_zero.store import Store
from absolute_zero.training import train
from absolute_zero.types import Reward, Role, Step, UserError
from letters import Counter, speller
from worlds import components, empty_buffer, settings, watched

NAME = "test_estimator_state:moving_mean"


def moving_mean(state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
    """REINFORCE against a mean that moves by half of the way each step, one for each role and kind."""
    means: dict[str, float] = dict(state.get("means", {}))
    advantages = [reward.reward - means.get(f"{reward.role}/{reward.kind}", 0.0) for reward in rewards]
    for name in {f"{reward.role}/{reward.kind}" for reward in rewards}:
        own = [reward.reward for reward in rewards if f"{reward.role}/{reward.kind}" == name]
        means[name] = (means.get(name, 0.0) + sum(own) / len(own)) / 2
    return {"means": dict(sorted(means.items())), "steps": state.get("steps", 0) + 1}, advantages


def config(**changed: Any) -> Any:
    return settings(domain="letters:DOMAIN", estimator={"propose": "trr++", "solve": NAME}, **changed)


def steps_of(path: Path, steps: int, estimator: Estimator = moving_mean) -> list[Step]:
    cfg = config(steps=steps)
    with Store.open(path) as store:
        return list(train(components(watched(Counter(), speller()), cfg, estimators={NAME: estimator}), store, cfg))


def trained(steps: list[Step]) -> list[Step]:
    return [done for done in steps if done.number > 0]


def test_the_state_goes_from_step_to_step_and_moves_the_advantages(tmp_path: Path) -> None:
    """By hand: the baseline of a role and kind is 0 at first, then half of the first mean, and so on."""
    baselines = {"solve/count": 0.0, "solve/word": 0.0}
    for done in trained(steps_of(tmp_path / "run.db", 3)):
        assert list(done.state) == [NAME]  # trr++ remembers nothing
        assert done.state[NAME]["steps"] == done.number
        for name, baseline in baselines.items():
            own = [r for r in done.rollouts if f"{r.role}/{r.kind}" == name and r.weight > 0]
            assert own
            assert [r.advantage for r in own] == [r.reward - baseline for r in own if r.reward is not None]
            baselines[name] = (baseline + sum(r.reward or 0.0 for r in own) / len(own)) / 2
        assert done.state[NAME]["means"] == baselines


def test_seeding_remembers_nothing(tmp_path: Path) -> None:
    steps = steps_of(tmp_path / "run.db", 1)
    assert {json.dumps(done.state) for done in steps if done.number <= 0} == {"{}"}


def test_a_resumed_run_goes_on_with_what_was_remembered(tmp_path: Path) -> None:
    whole = steps_of(tmp_path / "whole.db", 5)
    parts = [steps_of(tmp_path / "parts.db", steps) for steps in (2, 3, 5)]
    assert [done for part in parts for done in part] == whole
    assert [len(part) for part in parts[1:]] == [1, 2]
    with Store.open(tmp_path / "whole.db") as store, Store.open(tmp_path / "parts.db") as again:
        assert list(store.dump()) == list(again.dump())
        assert store.state() == again.state() == whole[-1].state


def test_a_step_that_trains_nobody_with_it_keeps_the_state(tmp_path: Path) -> None:
    cfg = config(train_roles=["propose"])
    parts = components(watched(Counter(), speller()), cfg, estimators={NAME: moving_mean})
    before = {NAME: {"means": {}, "steps": 7}}
    assert selfplay.step(1, parts, empty_buffer(cfg), before, cfg).state == before


def test_what_is_remembered_is_as_it_will_be_read_back(tmp_path: Path) -> None:
    """Tuples come back as lists, and numbers as keys as texts: so also without a break."""

    def odd(state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
        assert state in ({}, {"pair": [1, 2.5], "7": None})
        return {"pair": (1, 2.5), 7: None}, [0.0] * len(rewards)  # pyright: ignore[reportReturnType]

    assert trained(steps_of(tmp_path / "run.db", 2, odd))[-1].state == {NAME: {"pair": [1, 2.5], "7": None}}
    assert trained(steps_of(tmp_path / "run.db", 4, odd))[-1].state == {NAME: {"pair": [1, 2.5], "7": None}}


@pytest.mark.parametrize("kept", [object(), {1, 2}, b"x", 1j])
def test_what_is_no_plain_data_is_one_line(tmp_path: Path, kept: object) -> None:
    def bad(state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
        return {"kept": kept}, [0.0] * len(rewards)

    with pytest.raises(UserError, match="not plain data") as caught:
        steps_of(tmp_path / "run.db", 1, bad)
    assert len(str(caught.value).splitlines()) == 1
    assert NAME in str(caught.value)


@pytest.mark.parametrize("values", [[], [0.0], [float("nan")], [float("inf")]])
def test_advantages_are_one_finite_number_for_each_reward(tmp_path: Path, values: list[float]) -> None:
    def bad(state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
        return state, values * len(rewards) if values and values != [0.0] else values

    with pytest.raises(UserError, match=NAME) as caught:
        steps_of(tmp_path / "run.db", 1, bad)
    assert len(str(caught.value).splitlines()) == 1


def test_an_estimator_that_compares_rollouts_gets_no_lone_one() -> None:
    class Comparing:
        per_prompt = True

        def __init__(self) -> None:
            self.sizes = list[int]()

        def __call__(self, state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
            counts = [sum(other.prompt == r.prompt and other.kind == r.kind for other in rewards) for r in rewards]
            self.sizes += counts
            return {}, [1.0] * len(rewards)

    comparing = Comparing()
    cfg = config(solve={"n_difficulty": 4, "n_practice": 2, "reuse_difficulty": False})
    executor = Counter()
    parts = components(watched(executor, speller()), cfg, estimators={NAME: comparing})
    buffer = empty_buffer(cfg)
    # In practice, the machine fails for wrong words only: of some pairs one rollout is left.
    executor.loses = lambda batch, job: batch % 4 == 3 and job.word == "z" * 9
    done = selfplay.step(1, parts, buffer, {}, cfg)
    practice = [r for r in done.rollouts if r.role is Role.SOLVE and r.reward is not None]
    lone = [r for r in practice if sum((r.kind, r.item) == (o.kind, o.item) for o in practice) == 1]
    assert lone
    assert all((r.weight, r.advantage) == (0.0, 0.0) for r in lone)
    assert set(comparing.sizes) == {2}
    assert all(r.advantage == 1.0 for r in practice if r not in lone)


def test_a_plug_in_takes_no_name_of_ours() -> None:
    assert NAME not in ESTIMATORS
    assert set(config().estimator.model_dump()) == {"propose", "solve", "shuffled"}
