"""Five steps of the apprentice's self-play, byte for byte; the same rows when the run is resumed from step 3.

`scripted_run.txt` holds every row of the store but the clocks. It changes only if an address of chance, a prompt, the
gate, a reward, a weight, an advantage or a metric does: then look at the difference, and if it is meant, write it anew
with `AZR_WRITE_GOLDENS=1 pytest tests/goldens/test_scripted_run.py`. Responses are the apprentice's, so nothing in
here depends on torch or on the processor.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from absolute_zero.config import Config
from absolute_zero.executor import Sandbox
from absolute_zero.store import Checkpoint, StepExtras, Store
from absolute_zero.training import train
from absolute_zero.types import Step
from worlds import components, settings, watched

GOLDEN = Path(__file__).with_name("scripted_run.txt")
CFG: Config = settings(
    propose={"batch": 2, "references": 2}, python={"inputs": 4}, solve={"n_difficulty": 2, "reuse_difficulty": True}
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


def play(sandbox: Sandbox, folder: Path, until: int = CFG.steps) -> list[str]:
    """Train in this folder, from the checkpoint there if there is one, and stop after a step; the rows of the run."""
    seen = watched(sandbox)

    def before_commit(done: Step) -> StepExtras:
        saved = folder / f"step {done.number}"
        saved.mkdir(exist_ok=True)
        seen.save(saved)
        return StepExtras(Checkpoint(digest="", folder=saved.name))

    with Store.open(folder / "run.db") as store:
        if newest := store.checkpoints():
            seen.load(folder / newest[0][1].folder)
        for done in train(components(seen, CFG), store, CFG, before_commit):
            if done.number == until:
                break
        return list(store.dump())


def test_five_steps_are_what_they_were(sandbox: Sandbox, tmp_path: Path) -> None:
    text = "\n".join(play(sandbox, tmp_path)) + "\n"
    if os.environ.get("AZR_WRITE_GOLDENS"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_a_run_resumed_from_step_3_is_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    play(sandbox, tmp_path, until=3)
    assert "\n".join(play(sandbox, tmp_path)) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_a_run_rewound_to_step_3_is_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    play(sandbox, tmp_path)
    with Store.open(tmp_path / "run.db") as store:
        store.rewind(3)
    assert "\n".join(play(sandbox, tmp_path)) + "\n" == GOLDEN.read_text(encoding="utf-8")
